"""Every registered model: builds, counts, config; and the names themselves."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models import create_model, list_models
from segmodels.models.base import SegModel


def build(name: str, **arguments) -> SegModel:
    with torch.device("meta"):
        return create_model(name, **arguments)


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_names_are_sorted_and_match_patterns() -> None:
    assert list_models() == sorted(set(list_models()))
    assert list_models("segformer_b*") == [f"segformer_b{size}" for size in range(6)]
    assert list_models("no_such_*") == []


def test_listing_and_misspelling_do_not_import_torch() -> None:
    code = """
import sys
from segmodels.models import create_model, list_models
from segmodels.errors import UnknownNameError
assert "unet" in list_models()
try:
    create_model("segformer_b9")
except UnknownNameError as error:
    print(error)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Unknown model 'segformer_b9'" in done.stdout
    assert "segformer_b5" in done.stdout


def test_unknown_names_and_arguments_are_told() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'unet'"):
        create_model("unets")
    with pytest.raises(SegmodelsError, match=r"'unet' has no argument 'depth'.*levels.*width"):
        create_model("unet", depth=3)


@pytest.mark.parametrize("name", list_models())
def test_every_model_is_rebuilt_from_its_config(name) -> None:
    model = build(name, num_classes=19, image_size=(64, 96))
    assert model.num_classes == 19
    assert model.config["name"] == name
    config = json.loads(json.dumps(model.config))
    assert config == model.config
    again = build(**config)
    assert again.config == model.config
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in again.state_dict().items()} == shapes
    assert model.upsampled_size(model.stride + 1, 1) == (2 * model.stride, model.stride)


# Counts obtained by instantiating the official modules: name, arguments, encoder, decoder.
SEGMENTER = [
    ("vit_tiny_patch16", 512, 150, {}, 5_876_392, 1_029_996, 28_950),
    ("vit_small_patch16", 512, 150, {}, 22_368_616, 4_050_348, 57_750),
    ("vit_small_patch32", 512, 150, {}, 22_958_440, 4_050_348, 57_750),
    ("vit_base_patch16", 512, 150, {}, 87_203_560, 16_063_020, 115_350),
    ("vit_base_patch8", 512, 150, {}, 89_120_488, 16_063_020, 115_350),
    ("vit_base_patch32", 512, 150, {}, 88_383_208, 16_063_020, 115_350),
    ("deit_base_distilled_patch16", 512, 150, {}, 87_974_096, 16_063_020, 115_350),
    ("vit_large_patch16", 512, 150, {}, 305_174_504, 28_495_148, 153_750),
    ("vit_large_patch16", 640, 150, {}, 305_764_328, 28_495_148, 153_750),
    ("vit_large_patch16", 480, 60, {}, 305_047_528, 28_402_808, 61_500),
    ("vit_large_patch16", 768, 19, {"decoder_layers": 1}, 306_485_224, 15_764_518, 19_475),
]


@pytest.mark.parametrize(
    ("encoder", "size", "classes", "more", "body", "mask", "linear"), SEGMENTER
)
def test_segmenter_counts(encoder, size, classes, more, body, mask, linear) -> None:
    for decoder, expected in (("mask", mask), ("linear", linear)):
        model = build(
            f"segmenter_{encoder}_{decoder}", num_classes=classes, image_size=size, **more
        )
        assert isinstance(model.encoder, torch.nn.Module)
        assert isinstance(model.decoder, torch.nn.Module)
        assert (parameters(model.encoder), parameters(model.decoder)) == (body, expected)


DEPICT = [
    ("sa_vit_tiny", 150, 3, 3, 203_439),
    ("sa_vit_small", 150, 3, 3, 406_575),
    ("sa_vit_base", 150, 3, 3, 812_847),
    ("sa_vit_large", 150, 3, 3, 1_083_695),
    ("ca_vit_tiny", 150, 3, 3, 291_378),
    ("ca_vit_small", 150, 3, 3, 582_450),
    ("ca_vit_base", 150, 3, 3, 1_164_594),
    ("ca_vit_large", 150, 3, 3, 1_552_690),
    ("sa_vit_large", 150, 6, 3, 2_011_442),
    ("ca_vit_large", 150, 6, 3, 2_480_437),
    ("sa_vit_large", 150, 3, 6, 2_005_295),
    ("sa_vit_large", 19, 3, 3, 949_289),
    ("sa_vit_large", 60, 3, 3, 991_355),
]


@pytest.mark.parametrize(("name", "classes", "layers", "heads", "expected"), DEPICT)
def test_depict_counts(name, classes, layers, heads, expected) -> None:
    sizes = {"decoder_layers": layers, "decoder_heads": heads}
    model = build(f"depict_{name}_patch16", num_classes=classes, **sizes)
    assert isinstance(model.decoder, torch.nn.Module)
    assert parameters(model.decoder) == expected


def test_depict_total() -> None:
    model = build("depict_sa_vit_large_patch16", image_size=640, decoder_layers=6)
    assert parameters(model) == 307_775_770


SEGFORMER = {
    "b0": (3_319_392, 3_752_694, 3_719_027),
    "b1": (13_151_424, 13_715_798, 13_682_131),
    "b2": (24_196_288, 27_461_974, 27_361_235),
    "b3": (44_072_128, 47_337_814, 47_237_075),
    "b4": (60_842_688, 64_108_374, 64_007_635),
    "b5": (81_443_008, 84_708_694, 84_607_955),
}


@pytest.mark.parametrize("size", SEGFORMER)
def test_segformer_counts(size) -> None:
    encoder, ade20k, cityscapes = SEGFORMER[size]
    model = build(f"segformer_{size}", num_classes=150)
    assert isinstance(model.backbone, torch.nn.Module)
    assert (parameters(model.backbone), parameters(model)) == (encoder, ade20k)
    assert parameters(build(f"segformer_{size}", num_classes=19)) == cityscapes


ESPNET = [
    ("espnet_p2_q8", 12, "b1", 354_517),
    ("espnet_p2_q8", 20, "stem", 364_569),
    ("espnet_p2_q5", 20, "stem", 267_417),
    ("espnet_p2_q3", 20, "stem", 202_649),
]


@pytest.mark.parametrize(("name", "classes", "skip", "expected"), ESPNET)
def test_espnet_counts(name, classes, skip, expected) -> None:
    assert parameters(build(name, num_classes=classes, skip=skip)) == expected


def test_cgnet_counts() -> None:
    """Of the released CamVid file; printed is "less than 0.5 M"."""
    assert parameters(build("cgnet_m3n21", num_classes=11)) == 494_258


def test_enet_counts() -> None:
    """Of the released CamVid files, a slope counted once; printed is 0.35 M."""
    assert parameters(build("enet_ntkhoa95", num_classes=12)) == 353_913


def test_small_models_are_small() -> None:
    assert 1_800_000 < parameters(build("unet", num_classes=11)) < 2_000_000
    for name in list_models("*nano*"):
        assert parameters(build(name, num_classes=11)) < 800_000


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("unet", {"num_classes": 0}, "'num_classes': expected a whole number of at least 1"),
        ("unet", {"levels": 0}, "levels of at least 1"),
        ("espnet_p2_q8", {"skip": "b2"}, "'skip' must be 'b1' or 'stem'"),
        ("espnet_p2_q8", {"num_classes": 4}, "at least 5"),
        ("segmenter_vit_tiny_patch16_mask", {"image_size": 100}, "multiple of the patch size 16"),
        ("segmenter_vit_tiny_patch16_mask", {"heads": 5}, "does not divide by 5 heads"),
        ("segmenter_vit_tiny_patch16_mask", {"decoder": "cnn"}, "'decoder' must be"),
        ("depict_sa_vit_tiny_patch16", {"attention": "xa"}, "'attention' must be 'sa' or 'ca'"),
        ("segformer_b0", {"depths": (2, 2)}, "depths must be 4 positive numbers"),
        ("segformer_b0", {"heads": (1, 3, 5, 8)}, "width 64 does not divide by 3 heads"),
    ],
)
def test_impossible_arguments_are_told(name, overrides, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        build(name, **overrides)
