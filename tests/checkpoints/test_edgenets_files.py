"""Files of EdgeNets: ESPNetv2's released ones, and both networks against the authors' code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_weights import images, sampled, tensor

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET

STORED = json.loads((Path(__file__).parents[1] / "reference" / "edgenets.json").read_text())

#: Trainable parameters by the scale in the name of a released file.
PARAMETERS = {"0.5": 80_353, "1.0": 234_021, "1.5": 468_373, "2.0": 789_253}
FILES = [(scale, side) for scale in PARAMETERS for side in (256, 384)]

#: The decoder's parts by our names, as ESPNetv2 and as DiCENet call them.
CALLED = {
    "espnetv2": {"pools": "bu_dec_l{}", "merges": "merge_enc_dec_l{}", "norms": "bu_br_l{}"},
    "dicenet": {
        "pools": "eff_pool_{0}x{0}",
        "merges": "proj_enc_{0}x{0}",
        "norms": "bu_br_{0}x{0}",
    },
}
NUMBERS = {"conv": 0, "bn": 1, "act": 2}


def published(name: str, network: SegModel, family: str) -> str:
    """How EdgeNets call a tensor of ours."""
    *path, kind, last = name.split(".")
    inside = network.get_submodule(".".join(path))
    numbered = family == "dicenet" or path[0] == "decoder"
    if path[:2] == ["decoder", "norms"]:
        kind = str(NUMBERS[kind] - 1)
    elif numbered and kind in NUMBERS and hasattr(inside, "conv"):
        kind = f"cbr.{NUMBERS[kind]}"
    elif numbered and kind in NUMBERS:
        kind = f"br.{NUMBERS[kind] - 1}"
    if path[0] == "decoder":
        number = int(path[2]) + (path[1] != "pools")
        place = number + 1 if family == "espnetv2" else 16 * 2**number
        path = [CALLED[family][path[1]].format(place), *path[3:]]
    return ".".join([*path, kind, last])


@pytest.mark.parametrize(("scale", "side"), FILES)
def test_released_files_load_strictly(mirror: Path, scale: str, side: int) -> None:
    file = f"espnetv2_s_{scale}_pascal_{side}x{side}.pth"
    model = load_checkpoint(mirror / "checkpoints" / "espnetv2" / file)
    assert model.config["name"] == f"espnetv2_s{scale.replace('.', '_')}"
    assert sum(one.numel() for one in model.parameters()) == PARAMETERS[scale]
    assert (model.preprocessing, model.training) == (IMAGENET, False)
    assert model.class_names is not None
    assert (model.class_names[8], len(model.class_names)) == ("cat", 21)


@pytest.mark.parametrize("name", STORED)
def test_logits_are_those_of_the_authors_network(name: str, tmp_path: Path) -> None:
    """Weights drawn by the authors' names, in a file as theirs, at square and at other sizes."""
    stored, family = STORED[name], name.partition("_")[0]
    made = create_model(name, stored["classes"])
    state = {
        published(key, made, family): torch.from_numpy(
            tensor(published(key, made, family), value.shape)
        )
        for key, value in made.state_dict().items()
    }
    assert len(state) == stored["tensors"]
    torch.save(state, tmp_path / "drawn.pth")
    model = load_checkpoint(tmp_path / "drawn.pth").double()
    assert model.config == made.config
    assert (model.class_names is None) == (stored["classes"] != 21)
    for size, expected in stored["logits"].items():
        drawn = images((1, 3, *map(int, size.split("x"))))
        with torch.no_grad():
            found = sampled(model(torch.from_numpy(drawn).double()).numpy())
        np.testing.assert_allclose(found[: len(expected)], expected, rtol=2e-5, atol=1e-7)


def test_a_width_that_nobody_published_is_named(tmp_path: Path) -> None:
    made = create_model("espnetv2_s0_5", 5)
    state = {published(k, made, "espnetv2"): v for k, v in made.state_dict().items()}
    state = {k: v[:100] if "level4.0.module" in k else v for k, v in state.items()}
    torch.save(state, tmp_path / "odd.pth")
    message = re.escape("odd.pth: 'base_net.level4.0.module_act.weight' has 100 values")
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(tmp_path / "odd.pth")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("espnetv2_s0_5", {"scale": "3.0"}, "'scale' must be '0.5' or"),
        ("dicenet_s0_5", {"encoder_side": 100}, "a multiple of 32, got 100"),
    ],
)
def test_impossible_arguments_are_refused(
    name: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(SegmodelsError, match=message):
        create_model(name, **arguments)
