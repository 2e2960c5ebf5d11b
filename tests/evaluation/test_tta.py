"""The --tta of mmsegmentation 1.x, against what it gave (`tests/reference/make_tta.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_weights
import torch

from segmodels.checkpoints import load_checkpoint
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict_views
from segmodels.evaluation.resize import view_size
from segmodels.evaluation.views import image_views
from segmodels.protocols.reading import load_protocol

FOLDER = Path(__file__).parents[1] / "reference"
TTA = load_protocol("mmseg-ade20k-whole-tta")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    case: dict[str, Any] = json.loads((FOLDER / "tta_mmseg.json").read_text())
    return case


def test_sizes_are_those_of_mmcv(stored: dict[str, Any]) -> None:
    wrong = [
        (height, width, scale)
        for height, width, scale, tall, wide in stored["sizes"]
        if view_size(int(height), int(width), TTA, scale) != (tall, wide)
    ]
    assert not wrong
    once = [(int(h * s + 0.5), int(w * s + 0.5)) != (t, u) for h, w, s, t, u in stored["sizes"]]
    assert any(once)  # rounding each side by itself would not do


def test_probabilities_are_those_of_mmsegmentation(stored: dict[str, Any], tmp_path: Path) -> None:
    case = json.loads((FOLDER / f"mmseg_{stored['network']}.json").read_text())
    state = reference_weights.state_dict(case["tensors"])
    weights = {name: torch.from_numpy(values) for name, values in state.items()}
    config = {"meta": {"cfg": case["config_text"]}, "state_dict": weights}
    torch.save(config, tmp_path / "iter_160000.pth")
    model = load_checkpoint(tmp_path / "iter_160000.pth")
    image = reference_weights.photograph(*stored["size"])
    views = list(image_views(model, image, TTA))
    assert len(views) == 12
    with torch.inference_mode():
        doubled = [(pixels.double(), mirrored) for pixels, mirrored in views]
        found = predict_views(model.double(), doubled, tuple(stored["size"]), TTA)
    expected = np.array(stored["probabilities"])
    np.testing.assert_allclose(
        reference_weights.sampled(found[None].numpy()), expected, rtol=0, atol=1e-6
    )
    labels = predict_fast(model.float(), image, TTA)
    assert (labels != found.argmax(dim=0).numpy()).mean() < 1e-3
