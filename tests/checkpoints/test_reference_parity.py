"""Our networks against stored outputs of the official code, fp32, through load_checkpoint."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch

from segmodels.checkpoints import load_checkpoint
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import HALF, IMAGENET, IMAGENET_ROUNDED
from segmodels.models.vit import resize_positions


def assert_parity(reference: Any, case: dict[str, Any], model: SegModel) -> None:
    for described in case["inputs"]:
        images = reference.build_input(described)
        with torch.inference_mode():
            report = reference.compare(case, described, "logits", model(images))
            assert report["ok"], (described["name"], report)
            if "logits_quarter" in described["outputs"]:
                low = model.forward_lowres(images)
                report = reference.compare(case, described, "logits_quarter", low)
                assert report["ok"], (described["name"], report)


@pytest.mark.parametrize(
    ("name", "model_name", "preprocessing"),
    [
        ("segmenter_t16_mask_ade150", "segmenter_vit_tiny_patch16_mask", HALF),
        (
            "segmenter_deit_t16_mask_ade150",
            "segmenter_deit_tiny_distilled_patch16_mask",
            IMAGENET_ROUNDED,
        ),
        ("depict_sa_t16_ade150", "depict_sa_vit_tiny_patch16", HALF),
    ],
)
def test_segmenter_and_depict(
    reference, load_case, tmp_path, name, model_name, preprocessing
) -> None:
    case = load_case(name)
    model = load_checkpoint(reference.save_segmenter(case, tmp_path / "folder"))
    assert sum(p.numel() for p in model.parameters()) == case["n_params"]
    assert (model.config["name"], model.preprocessing) == (model_name, preprocessing)
    assert not model.training
    assert_parity(reference, case, model)


def test_segformer_as_nvlabs_released_it(reference, load_case, tmp_path) -> None:
    case = load_case("segformer_b0_ade150")
    model = load_checkpoint(reference.save_mmseg(case, tmp_path / "b0.pth"))
    unused = case["n_cls"] * 128 + case["n_cls"]
    assert sum(p.numel() for p in model.parameters()) == case["n_params"] - unused
    assert (model.config["name"], model.preprocessing) == ("segformer_b0", IMAGENET)
    assert model.class_names == tuple(f"class_{i}" for i in range(case["n_cls"]))
    assert_parity(reference, case, model)


@pytest.mark.parametrize("writer", ["save_hf", "save_hf_torch"])
def test_segformer_as_hugging_face_holds_it(reference, load_case, tmp_path, writer) -> None:
    case = load_case("segformer_b0_ade150")
    folder = getattr(reference, writer)(case, tmp_path / "folder")
    model = load_checkpoint(folder, layer_norm_eps="original")
    assert model.config["norm_eps"] == 1e-6
    assert model.class_names == tuple(f"class_{i}" for i in range(case["n_cls"]))
    assert_parity(reference, case, model)


def test_the_hugging_face_port_is_another_network(reference, load_case, tmp_path, caplog) -> None:
    case = load_case("segformer_b0_ade150")
    folder = reference.save_hf(case, tmp_path / "folder")
    with caplog.at_level(logging.WARNING):
        port = load_checkpoint(folder)
    original = load_checkpoint(folder / "model.safetensors", layer_norm_eps="original")
    assert port.config["norm_eps"] == 1e-5
    assert "layer_norm_eps='original'" in caplog.text
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert 0 < (port(images) - original(images)).abs().max() < 1e-3


def test_position_tables_are_resized_like_the_official_ones(mirror, reference, load_case) -> None:
    case = load_case("eval_posembed")
    stored = np.load(mirror / "reference" / "cases" / "eval_posembed.npz")
    for run in case["runs"]:
        table = np.random.default_rng(run["seed"]).standard_normal(run["shape"])
        side = int((run["shape"][1] - run["extra_tokens"]) ** 0.5)
        resized = resize_positions(
            torch.from_numpy(table.astype(np.float32)),
            (side, side),
            tuple(run["new_grid"]),
            run["extra_tokens"],
        )
        sampled = resized[:, :: run["token_step"], :: run["channel_step"]].numpy()
        np.testing.assert_allclose(sampled, stored[run["name"]], rtol=0, atol=run["tol"])
