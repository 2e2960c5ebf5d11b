"""ViT and DeiT under timm's names, against timm's own networks."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from imagenet_networks import CLASSES, SIDE, assert_same, of_timm
from safetensors.torch import save_file
from torch import nn

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models.preprocessing import HALF, IMAGENET


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("vit_tiny_patch16_224", "vit_tiny_patch16"),
        ("vit_small_patch32_224", "vit_small_patch32"),
        ("deit_tiny_distilled_patch16_224", "deit_tiny_distilled_patch16"),
    ],
)
def test_timm_s_networks_in_every_wrapping(tmp_path, pixels, name, ours) -> None:
    network = of_timm(name)
    state = network.state_dict()
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save(state, tmp_path / "plain.pth")
    torch.save({"model": state}, tmp_path / "deit.pth")
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "wrapped.bin")
    save_file(state, tmp_path / "bare.safetensors")
    for file in ("plain.pth", "deit.pth", "wrapped.bin", "bare.safetensors"):
        model = assert_same(tmp_path / file, network, pixels)
        assert model.config["name"] == ours
        assert model.config["norm_eps"] == 1e-6
        assert model.preprocessing == (IMAGENET if "distilled" in ours else HALF)


def test_the_head_on_patches_shows_where(tmp_path, pixels) -> None:
    """Dense logits are the head on timm's own patch tokens; one test for either number of heads."""
    for name in ("vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"):
        network: Any = of_timm(name)
        torch.save(network.state_dict(), tmp_path / "vit.pth")
        model = load_checkpoint(tmp_path / "vit.pth")
        with torch.inference_mode():
            tokens = network.forward_features(pixels)[:, network.num_prefix_tokens :]
            expected = network.head(tokens)
            if "distilled" in name:
                expected = (expected + network.head_dist(tokens)) / 2
            dense = model.forward_lowres(pixels)
        expected = expected.transpose(1, 2).unflatten(2, (SIDE // 16, SIDE // 16))
        torch.testing.assert_close(dense, expected, rtol=0, atol=1e-5)
        assert model(pixels).shape == (2, CLASSES, SIDE, SIDE)
        assert model(pixels[..., :50, :37]).shape == (2, CLASSES, 50, 37)


def timm_config(**changes: Any) -> dict[str, Any]:
    """config.json as timm 1.0 pushes it to the hub."""
    pretrained = {
        "tag": "augreg_in21k_ft_in1k",
        "custom_load": True,
        "input_size": [3, SIDE, SIDE],
        "fixed_input_size": True,
        "interpolation": "bicubic",
        "crop_pct": 0.9,
        "crop_mode": "center",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "num_classes": CLASSES,
        "pool_size": None,
        "first_conv": "patch_embed.proj",
        "classifier": "head",
        "license": "apache-2.0",
    }
    return {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": CLASSES,
        "num_features": 192,
        "global_pool": "token",
        "pretrained_cfg": pretrained,
        **changes,
    }


def write_folder(folder: Path, network: nn.Module, **changes: Any) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(timm_config(**changes)))
    save_file(network.state_dict(), folder / "model.safetensors")
    return folder


def test_a_folder_of_timm_says_pixels_and_classes(tmp_path, vit, pixels, caplog) -> None:
    labels = [f"n{index:08}" for index in range(CLASSES)]
    folder = write_folder(
        tmp_path / "hub", vit, label_names=labels, label_descriptions={"n00000002": "shark"}
    )
    with caplog.at_level(logging.WARNING):
        model = assert_same(folder, vit, pixels)
    assert not caplog.records
    assert model.preprocessing == IMAGENET
    assert model.class_names == ("n00000000", "n00000001", "shark", *labels[3:])
    for file in ("config.json", "model.safetensors"):
        assert load_checkpoint(folder / file).preprocessing == IMAGENET
    (folder / "model.safetensors").unlink()
    torch.save(vit.state_dict(), folder / "pytorch_model.bin")
    assert_same(folder, vit, pixels)


def test_a_config_of_before_timm_0_6_says_pixels_and_classes_too(tmp_path, vit) -> None:
    whole = timm_config()
    flat = whole.pop("pretrained_cfg")
    folder = write_folder(tmp_path / "hub", vit)
    labels = [f"n{index:08}" for index in range(CLASSES)]
    (folder / "config.json").write_text(json.dumps({**flat, **whole, "labels": labels}))
    model = load_checkpoint(folder)
    assert (model.preprocessing, model.class_names) == (IMAGENET, tuple(labels))


def test_a_folder_may_say_less(tmp_path, vit) -> None:
    folder = write_folder(tmp_path / "hub", vit, pretrained_cfg={}, label_names=["one"])
    model = load_checkpoint(folder)
    assert (model.preprocessing, model.class_names) == (HALF, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "resnet50"}, r"timm's 'resnet50'"),
        ({"architecture": "vit_base_patch16_clip_224"}, r"known here are the ViTs of AugReg"),
        ({"global_pool": "avg"}, r"with pooling 'avg'"),
        ({"pretrained_cfg": {"mean": "half", "std": [1, 1, 1]}}, r"must hold numbers, got 'half'"),
        ({"pretrained_cfg": {"mean": [0.5], "std": [0.5]}}, r"must hold 3 numbers"),
    ],
)
def test_a_folder_with_another_network_is_refused(tmp_path, vit, changes, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(write_folder(tmp_path / "hub", vit, **changes))


def test_a_bare_file_could_be_deit_s(tmp_path, vit, caplog) -> None:
    torch.save(vit.state_dict(), tmp_path / "vit.pth")
    with caplog.at_level(logging.WARNING):
        load_checkpoint(tmp_path / "vit.pth")
    assert "scaled to [-1, 1]" in caplog.text


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vit_tiny_patch16_224", {"init_values": 1e-5}, r"4 unexpected \(.*ls1\.gamma"),
        ("vit_tiny_patch16_224", {"qk_norm": True}, r"unexpected \(.*q_norm"),
        ("vit_small_patch16_18x2_224", {}, r"unexpected \(.*attns"),
        ("vit_base_patch16_clip_224", {}, r"unexpected \(.*norm_pre"),
        ("vit_medium_patch16_gap_240", {}, r"no checkpoint known here"),
        ("deit3_small_patch16_224", {}, r"no square grid"),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 70}, r"no square grid"),
        ("vit_huge_patch14_224", {"img_size": 28, "depth": 1}, r"ViT of width 1280"),
    ],
)
def test_relatives_are_refused(tmp_path, name, arguments, message) -> None:
    torch.save(of_timm(name, **arguments).state_dict(), tmp_path / "relative.pth")
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(tmp_path / "relative.pth")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_args": {"img_size": 384}}, r"model_args\.img_size is 384"),
        ({"model_args": {"patch_size": 8}}, r"model_args\.patch_size is 8"),
        ({"model_args": {"act_layer": "relu"}}, r"model_args\.act_layer is 'relu'"),
        ({"model_args": {"num_heads": 4}}, r"model_args\.num_heads is 4.*has 3"),
        ({"model_args": {"pre_norm": True}}, r"model_args\.pre_norm is True"),
        ({"model_args": [1]}, "'model_args' must be a mapping"),
        ({"num_classes": CLASSES + 1}, "num_classes says"),
        ({"num_features": 384}, "num_features says 384"),
        ({"architecture": "vit_small_patch16_224"}, "architecture says 384"),
        ({"architecture": "vit_tiny_patch32_224"}, "patch in 'architecture' says 32"),
        ({"pretrained_cfg": [1]}, "'pretrained_cfg' must be a mapping"),
        ({"pretrained_cfg": {"first_conv": "conv1"}}, "'first_conv' of its weights is 'conv1'"),
        (
            {"pretrained_cfg": {"classifier": "fc"}},
            r"'classifier' .* has 'head' or \['head', 'head_d",
        ),
        ({"pretrained_cfg": {"label_offset": 1}}, "'label_offset' of its weights is 1"),
        ({"pretrained_cfg": {"input_size": [1, SIDE, SIDE]}}, r"'input_size' .* 3 channels"),
        ({"pretrained_cfg": {"means": [1]}}, r"pretrained_cfg\.means is not known.*mean 'mean'"),
        ({"mean": [0.5, 0.5, 0.5]}, "the field mean is not known here"),
        ({"pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}}, "both 'mean' and 'std'"),
        ({"pretrained_cfg": {"mean": [0, 0, 0], "std": [0, 1, 1]}}, r"json: .*must be positive"),
    ],
)
def test_what_timm_s_config_says_is_compared(tmp_path, vit, changes, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(write_folder(tmp_path / "hub", vit, **changes))
    arguments = {"img_size": SIDE, "drop_path_rate": 0.1, "qkv_bias": True, "depth": 2}
    assert load_checkpoint(write_folder(tmp_path / "fits", vit, model_args=arguments))
