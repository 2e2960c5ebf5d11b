"""Small networks of papers against their authors' code, and what they print about themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_weights import images, sampled
from small_networks import CASES, CBT_NAME, GRID, NARROW, drawn, tokens

from segmodels.checkpoints import load_checkpoint
from segmodels.checkpoints.camvid import WITH_VOID
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import ENET_DAVIDTVS

STORED = json.loads((Path(__file__).parents[1] / "reference/small_networks.json").read_text())

#: Trainable parameters by name and number of classes.
PARAMETERS = {
    ("bisenet_resnet18", 11): 13_490_145,
    ("dabnet", 19): 756_643,
    ("ddrnet23_slim", 11): 5_695_467,
    ("enet", 12): 363_856,
    ("enet_davidtvs", 12): 350_652,
    ("fcdensenet103", 11): 9_322_091,
    ("gscnn", 19): 137_278_125,
    ("segnet", 11): 29_449_355,
}


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_authors_code(name: str) -> None:
    classes, sizes = CASES[name]
    model = drawn(create_model(name, classes, **NARROW.get(name, {})))
    for height, width in sizes:
        image = torch.from_numpy(images((1, 3, height, width))).double()
        with torch.no_grad():
            found = model(image) if name in ("dabnet", "gscnn") else model.forward_lowres(image)
        if name == "bisenet_resnet18":
            found = torch.log_softmax(found, dim=1)
        expected = STORED[name][f"{height}x{width}"]
        values = sampled(found.numpy())[: len(expected)]
        np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-5)


def test_files_of_davidtvs_load_strictly(tmp_path: Path) -> None:
    """The names are those of the authors' code, whose tensors the stored logits were made with."""
    made = create_model("enet_davidtvs", 12)
    snapshot = {"epoch": 3, "miou": 0.5, "state_dict": made.state_dict(), "optimizer": {}}
    torch.save(snapshot, tmp_path / "ENet")
    model = load_checkpoint(tmp_path / "ENet")
    assert model.config == made.config
    assert (model.preprocessing, model.class_names) == (ENET_DAVIDTVS, WITH_VOID)
    assert STORED["names"] == hashlib.sha256(" ".join(made.state_dict()).encode()).hexdigest()


def test_scores_of_cbt_are_those_of_the_authors_decoder() -> None:
    model = drawn(create_model(CBT_NAME, 150))
    width = model.config["width"]
    with torch.no_grad():
        scores = model.get_submodule("decoder")(tokens(width), (GRID, GRID))
    masks = scores.transpose(1, 2).reshape(1, 150, GRID, GRID)
    values = sampled(masks.numpy())[: len(STORED[CBT_NAME])]
    np.testing.assert_allclose(values, STORED[CBT_NAME], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "classes"), PARAMETERS)
def test_parameters(name: str, classes: int) -> None:
    with torch.device("meta"):
        model = create_model(name, classes)
    assert sum(one.numel() for one in model.parameters()) == PARAMETERS[name, classes]


def test_fcdensenet_has_103_convolutions_and_takes_any_size() -> None:
    with torch.device("meta"):
        model = create_model("fcdensenet103", 11)
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    assert sum(isinstance(module, kinds) for module in model.modules()) == 103
    small = create_model("fcdensenet103", 4, growth=2, down=(1, 2), middle=1).eval()
    with torch.no_grad():
        assert small(torch.randn(1, 3, 37, 50)).shape == (1, 4, 37, 50)
    with pytest.raises(SegmodelsError, match="needs a growth and layers of at least 1"):
        create_model("fcdensenet103", 4, down=())
    with pytest.raises(SegmodelsError, match="at least 32 pixels"):
        create_model("fcdensenet103", 4)(torch.zeros(1, 3, 31, 64))


def test_segnet_puts_maxima_back_where_they_were() -> None:
    """With stages that change nothing a map keeps its maxima of 32x32 and is 0 elsewhere."""
    model = create_model("segnet", 3, slimmer=32).eval()
    model.encoder = torch.nn.ModuleList(torch.nn.Identity() for _ in range(5))
    model.decoder = torch.nn.ModuleList(torch.nn.Identity() for _ in range(5))
    model.classifier = torch.nn.Identity()
    given = torch.rand(1, 3, 64, 96)
    most = torch.nn.functional.max_pool2d(given, 32)
    expected = torch.where(
        given == torch.nn.functional.interpolate(most, scale_factor=32), given, 0
    )
    assert torch.equal(model.forward_lowres(given), expected)
