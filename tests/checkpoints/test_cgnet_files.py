"""The released CGNet file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from camvid_street import share_right

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import CGNET_CAMVID


def test_the_released_file_loads_strictly(mirror: Path) -> None:
    model = load_checkpoint(mirror / "checkpoints" / "cgnet" / "model_800.pth")
    config = {"name": "cgnet_m3n21", "num_classes": 11, "m": 3, "n": 21}
    assert model.config == config
    assert sum(one.numel() for one in model.parameters()) == 494_258
    assert (model.preprocessing, model.training) == (CGNET_CAMVID, False)
    assert model.class_names is not None
    assert (model.class_names[0], len(model.class_names)) == ("Sky", 11)
    # 800 epochs of train and val, 468 images in batches of eight, the rest left out.
    assert {int(value) for name, value in model.state_dict().items() if "tracked" in name} == {
        800 * (468 // 8)
    }


def test_they_see_the_street(mirror: Path) -> None:
    """Three test images: a map joined in the other order, or another mean, would fall far below."""
    model = load_checkpoint(mirror / "checkpoints" / "cgnet" / "model_800.pth")
    assert model.preprocessing is not None
    orders = model.preprocessing, model.preprocessing.with_reversed_statistics()
    shares = [share_right(mirror, model, one) for one in orders]
    assert shares[0] > 0.92
    assert shares[1] < 0.89


def test_sizes_are_those_of_the_tensors(tmp_path: Path) -> None:
    made = create_model("cgnet_m3n21", num_classes=4, m=2, n=1)
    torch.save({"epoch": 3, "model": made.state_dict()}, tmp_path / "mine.pth")
    model = load_checkpoint(tmp_path / "mine.pth")
    assert model.config == {"name": "cgnet_m3n21", "num_classes": 4, "m": 2, "n": 1}
    assert model.preprocessing is None
    state = {name: one for name, one in made.state_dict().items() if "classifier" not in name}
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(SegmodelsError, match=r"less\.pth.*'classifier\.0\.conv\.weight'"):
        load_checkpoint(tmp_path / "less.pth")
