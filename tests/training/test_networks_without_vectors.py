"""Our step against torch's own functions, for networks whose official steps are not stored.

The second implementation knows official names alone: it takes the loss over logits at full size,
and the treatment of each parameter as the official configurations word it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import reference_weights
import torch
import torch.nn.functional as F
from official_training import OfficialRun
from torch import Tensor

from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
STEPS, CLASSES = 2, 7

#: (learning rate factor, weight decay) of a parameter by its official name.
Treatment = Callable[[str], tuple[float, float]]


def swin(name: str) -> tuple[float, float]:
    return 1, 0.0 if "norm" in name or "relative_position_bias_table" in name else 0.01


def setr(name: str) -> tuple[float, float]:
    return (10 if "head" in name else 1), 0.0


def alike(_: str) -> tuple[float, float]:
    return 1, 0.0


def cnn(_: str) -> tuple[float, float]:
    return 1, 5e-4


CASES: dict[str, tuple[float, list[dict[str, Any]], Treatment]] = {
    "upernet_swin": (
        6e-5,
        [
            {"type": "LinearLR", "start_factor": 1e-6, "begin": 0, "end": 3},
            {"type": "PolyLR", "eta_min": 0.0, "power": 1.0, "begin": 3, "end": 20},
        ],
        swin,
    ),
    "setr_mla": (1e-3, [{"type": "PolyLR", "eta_min": 1e-4, "power": 0.9, "end": 20}], setr),
    "setr_pup": (1e-3, [{"type": "PolyLR", "eta_min": 1e-4, "power": 0.9, "end": 20}], setr),
    "deeplabv3plus_mobilenetv2": (
        1e-2,
        [{"type": "PolyLR", "eta_min": 1e-4, "power": 0.9, "end": 20}],
        cnn,
    ),
}


#: Networks of Segmenter's and DEPICT's codes by the names of their cases; our names are official.
SEGMENTERS = {
    "segmenter_t16_linear": ("segmenter_vit_tiny_patch16_linear", "linear"),
    "segmenter_deit_t16_mask": ("segmenter_deit_tiny_distilled_patch16_mask", "mask_transformer"),
    "depict_ca_t16": ("depict_ca_vit_tiny_patch16", "mask_transformer"),
}


def case_of_segmenter(name: str) -> dict[str, Any]:
    """A case of a network with two blocks."""
    model, decoder = SEGMENTERS[name]
    with Undrawn(), torch.device("meta"):
        network = create_model(model, CLASSES, image_size=64, layers=2)
    return {
        "case": name,
        "n_cls": CLASSES,
        "steps": STEPS,
        "shapes": {key: list(value.shape) for key, value in network.state_dict().items()},
        "batches": {"shape": [2, 3, 64, 64]},
        "buffer_kinds": ["momentum_buffer"],
        "recipe": {"decoder": decoder, "image_size": [64, 64], "lr": 1e-3, "iter_max": 8},
    }


def case_of(name: str) -> dict[str, Any]:
    """A case as the stored ones are, of a network whose official names and shapes are here."""
    if name in SEGMENTERS:
        return case_of_segmenter(name)
    lr, schedule, _ = CASES[name]
    stored = json.loads((REFERENCE / f"mmseg_{name}.json").read_text())
    adamw = name.startswith("upernet")
    return {
        "case": name,
        "n_cls": CLASSES,
        "steps": STEPS,
        "meta": {"config": stored["config_text"]},
        "shapes": stored["tensors"],
        "batches": {"shape": [2, 3, 64, 64]},
        "buffer_kinds": ["exp_avg", "exp_avg_sq"] if adamw else ["momentum_buffer"],
        "recipe": {"optimizer_config": {"optimizer": {"lr": lr}}, "param_scheduler": schedule},
    }


def build_state_dict(case: dict[str, Any]) -> dict[str, Tensor]:
    drawn = reference_weights.state_dict(case["shapes"])
    return {key: torch.from_numpy(value) for key, value in drawn.items()}


def build_batch(_: dict[str, Any], step: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(step)
    images = torch.randn(2, 3, 64, 64, generator=random)
    labels = torch.randint(0, CLASSES, (2, 64, 64), generator=random)
    labels[0, : 20 + step] = 255
    return images, labels


VECTORS = SimpleNamespace(build_state_dict=build_state_dict, build_batch=build_batch)


def lr_of(case: dict[str, Any], step: int, factor: float) -> float:
    """mmengine's pieces in its words, or Segmenter's schedule."""
    if "iter_max" in case["recipe"]:
        peak, steps = case["recipe"]["lr"], case["recipe"]["iter_max"]
        return float((peak - 1e-5) * (1 - step / steps) ** 0.9 + 1e-5)
    pieces = {piece["type"]: piece for piece in case["recipe"]["param_scheduler"]}
    peak = factor * case["recipe"]["optimizer_config"]["optimizer"]["lr"]
    linear, poly = pieces.get("LinearLR"), pieces["PolyLR"]
    if linear and step < linear["end"]:
        begin = linear["start_factor"]
        return float(peak * (begin + (1 - begin) * step / (linear["end"] - 1)))
    begin = poly.get("begin", 0)
    left = 1 - (step - begin) / (poly["end"] - begin - 1)
    return float((peak - poly["eta_min"]) * left ** poly["power"] + poly["eta_min"])


def plainly(run: OfficialRun, treatment: Treatment) -> tuple[list[float], dict[str, Tensor]]:
    """The same steps by torch's own functions; losses, and weights under official names."""
    model, case = run.model, run.case
    numbered = {
        name: torch.full_like(parameter, number)
        for number, (name, parameter) in enumerate(model.named_parameters())
    }
    official = {
        int(number): key
        for key, tensor in run.names.official(numbered).items()
        for number in tensor.unique()
    }
    groups = []
    for number, parameter in enumerate(model.parameters()):
        if not parameter.requires_grad:
            continue  # an ImageNet head: in the official code nothing asks for its gradient
        factor, decay = treatment(official[number])
        groups.append({"params": [parameter], "weight_decay": decay, "factor": factor})
    is_segmenter = case["case"] in SEGMENTERS
    optimizer: torch.optim.Optimizer
    if "exp_avg" in case["buffer_kinds"]:
        optimizer = torch.optim.AdamW(groups, fused=False)
    else:
        optimizer = torch.optim.SGD(groups, 1, 0.9, nesterov=is_segmenter)
    losses = []
    for step in range(STEPS):
        images, labels = build_batch(case, step)
        for group in optimizer.param_groups:
            group["lr"] = lr_of(case, step, group["factor"])
        total = torch.zeros((), dtype=torch.float64)
        for index, (logits, _) in enumerate(model.train().forward_supervised(images.double())):
            whole = F.interpolate(logits, (64, 64), mode="bilinear", align_corners=False)
            each = F.cross_entropy(whole, labels, ignore_index=255, reduction="none")
            mean = each.sum() / (labels != 255).sum() if is_segmenter else each.mean()
            total = total + (0.4 if index else 1.0) * mean
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(total.item())
    return losses, run.names.official(dict(model.state_dict()))


@pytest.mark.parametrize("name", [*CASES, *SEGMENTERS])
def test_steps_are_those_of_plain_functions(name: str, tmp_path: Path) -> None:
    case = case_of(name)
    run = OfficialRun(VECTORS, case, tmp_path, "double")
    report = run.report()
    other = OfficialRun(VECTORS, case, tmp_path, "double")
    losses, weights = plainly(other, alike if name in SEGMENTERS else CASES[name][2])
    assert report["losses"] == pytest.approx(losses, rel=1e-9)
    assert set(report["loss_terms"]) == {"decode", "aux"}
    has_auxiliary = any(key.startswith("auxiliary_head.") for key in case["shapes"])
    assert [aux > 0 for aux in report["loss_terms"]["aux"]] == [has_auxiliary] * STEPS
    for key, tensor in report["state_dict"].items():
        torch.testing.assert_close(tensor, weights[key], rtol=1e-7, atol=1e-9, msg=key)


@pytest.mark.parametrize("name", CASES)
def test_every_official_tensor_is_reported(name: str, tmp_path: Path) -> None:
    """Whatever cases of these kinds lie beside the stored ones can be compared whole."""
    case = case_of(name)
    report = OfficialRun(VECTORS, case, tmp_path, "single").report()
    computed = {key for key in case["shapes"] if key.endswith("relative_position_index")}
    assert set(report["state_dict"]) == set(case["shapes"]) - computed
    start = build_state_dict(case)
    for key, tensor in report["state_dict"].items():
        assert tensor.shape == start[key].shape
    parameters = {key for key in start if "running_" not in key and "num_batches" not in key}
    for kind in case["buffer_kinds"]:
        assert set(report["buffers"][kind]) == parameters - computed
    assert set(report["grad0"]) == parameters - computed
    factors = {f"{CASES[name][2](key)[0]:g}" for key in parameters - computed}
    assert set(report["lrs"][0]) == factors
