"""The two released files of an ENet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import ENET_NTKHOA95

#: Batches that each has seen in training: 36 an epoch.
FILES = {"best_model.first_0049655.pth": 91 * 36, "best_model.head_a287194.pth": 2 * 36}


@pytest.mark.parametrize("file", FILES)
def test_released_files_load_strictly(mirror: Path, file: str) -> None:
    model = load_checkpoint(mirror / "checkpoints" / "enet_ntkhoa95" / file)
    assert model.config == {"name": "enet_ntkhoa95", "num_classes": 12}
    assert sum(one.numel() for one in model.parameters()) == 353_913
    assert (model.preprocessing, model.training) == (ENET_NTKHOA95, False)
    assert model.class_names is not None
    assert (model.class_names[0], model.class_names[11]) == ("Sky", "Unlabelled")
    counters = {int(one) for name, one in model.state_dict().items() if "tracked" in name}
    assert counters == {FILES[file]}


def test_slopes_that_differ_within_a_block_are_refused(tmp_path: Path) -> None:
    state = create_model("enet_ntkhoa95", 5).state_dict()
    state["b10.activation3.weight"] = state["b10.activation.weight"].clone()
    torch.save({"state_dict": state}, tmp_path / "one.pth")
    assert load_checkpoint(tmp_path / "one.pth").class_names is None
    state["b10.activation3.weight"] += 1
    torch.save({"state_dict": state}, tmp_path / "two.pth")
    message = r"two\.pth: 'b10\.activation3\.weight' and 'b10\.activation\.weight' differ"
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(tmp_path / "two.pth")


def test_maps_are_put_back_where_they_were_taken() -> None:
    """Each value of the largest lands in the pixel of its 2x2 that had it."""
    model = create_model("enet_ntkhoa95", 5).eval()
    up = model.b50
    assert isinstance(up, torch.nn.Module)
    torch.nn.init.zeros_(up.norm3.weight)
    torch.nn.init.zeros_(up.norm3.bias)
    torch.nn.init.zeros_(up.main_conv.weight)
    torch.nn.init.ones_(up.main_conv.bias)
    pooled = torch.randn(1, 16, 6, 4)
    _, places = torch.nn.functional.max_pool2d(pooled, 2, return_indices=True)
    with torch.no_grad():
        put = up(torch.randn(1, 64, 3, 2), places)
    assert torch.equal(put[0] == 1, pooled[0] == _largest(pooled)[0])


def _largest(x: torch.Tensor) -> torch.Tensor:
    most = torch.nn.functional.max_pool2d(x, 2)
    return torch.nn.functional.interpolate(most, scale_factor=2)
