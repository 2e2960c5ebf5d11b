"""Counted parameters and operations are those that papers print, under the convention they used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from segmodels.efficiency import Cost, Wanted, cost, count
from segmodels.efficiency.tally import Tally
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models import create_model, list_models

# --- one number for a page: cost --------------------------------------------------------


def test_a_convolution_by_hand(monkeypatch):
    def conv(name, num_classes, image_size):
        return nn.Conv2d(3, num_classes, 3, padding=1)

    monkeypatch.setattr("segmodels.efficiency.counter.create_model", conv)
    found = cost("conv", num_classes=5, image_size=(10, 20))
    assert found == Cost(parameters=3 * 5 * 9 + 5, macs=3 * 5 * 9 * 10 * 20, image_size=(10, 20))


def test_counting_takes_neither_memory_nor_randomness():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found = cost("segformer_nano", num_classes=7, image_size=(64, 64))
    assert torch.equal(torch.get_rng_state(), before)
    model = create_model("segformer_nano", num_classes=7, image_size=(64, 64))
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_an_unknown_model_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'segformer_nano'"):
        cost("segformer_nan")


# --- two counters, one number -----------------------------------------------------------

ONE_OF_EACH = [
    "bisenet_resnet18",
    "cbt_vit_tiny_patch16",
    "ccnet_resnet50",
    "cgnet_m3n21",
    "dabnet",
    "ddrnet23_slim",
    "deeplabv3_mobilenetv2",
    "deeplabv3plus_mobilenetv2",
    "depict_ca_vit_tiny_patch16",
    "depict_sa_vit_tiny_patch16",
    "dicenet_s0_2",
    "dilatednet",
    "encnet_resnet50",
    "enet_ntkhoa95",
    "espnet_p2_q8",
    "espnetv2_s0_5",
    "fcdensenet103",
    "fcn8s",
    "fcn_resnet50",
    "icnet_resnet50",
    "mit_b0",
    "mmseg_segformer_b0",
    "ocrnet_hrnetw18s",
    "pspnet_resnet50",
    "resnet38",
    "gscnn",
    "autodeeplab_f20_aspp",
    "segformer_b0",
    "segnet",
    "segmenter_deit_tiny_distilled_patch16_mask",
    "setr_mla",
    "unet",
    "upernet_swin_tiny",
    "vit_tiny_patch16",
]


@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_multiply_adds_are_those_of_pytorchs_counter(model):
    """Calls of functions are counted here, calls of ATen operators there."""
    wanted = [
        Wanted(model=model, overrides={}, convention=name, height=96, width=160)
        for name in ("ops-macs", "params-checkpoint")
    ]
    operations, parameters = count(wanted)
    found = cost(model, image_size=(96, 160))
    assert (operations.value, parameters.value) == (found.macs, found.parameters)


def test_every_family_of_models_is_counted_twice():
    families = {name.split("_")[0] for name in list_models()}
    assert {name.split("_")[0] for name in ONE_OF_EACH} == families - {"deit"}


def test_single_operations_by_hand():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU6(),
        nn.MaxPool2d(2),
        nn.PReLU(),
        nn.ConvTranspose2d(4, 2, 2, stride=2),
        nn.BatchNorm2d(2),
        nn.GELU(),
    ).eval()
    tally = Tally()
    with tally.watch(net), torch.no_grad():
        net(torch.zeros(1, 3, 8, 6))
    assert tally.operations["decoder"] == {
        "convolution": 48 * 3 * 4 * 9 + 12 * 4 * 2 * 4,
        "convolution_bias": 48 * 4 + 48 * 2,
        "relu": 48 * 4 + 12 * 4,
        "pooling": 48 * 4,
    }
    assert not tally.operations["encoder"]
    assert tally.read == {id(parameter) for parameter in net.parameters()}


def test_a_pointwise_convolution_in_the_dress_of_a_product_is_one():
    """SegFormer's classifier: 32 channels at 1/4 of 64x64, 7 classes, with a bias."""
    (found,) = count(
        [
            Wanted(
                model="segformer_nano",
                overrides={"num_classes": 7},
                convention="ops-segformer",
                height=64,
                width=64,
            )
        ]
    )
    (other,) = count(
        [
            Wanted(
                model="segformer_nano",
                overrides={"num_classes": 8},
                convention="ops-segformer",
                height=64,
                width=64,
            )
        ]
    )
    assert other.terms["convolution"] - found.terms["convolution"] == 16 * 16 * 64
    assert other.terms["convolution_bias"] - found.terms["convolution_bias"] == 16 * 16
    assert other.terms["linear"] == found.terms["linear"]


# --- what papers print ------------------------------------------------------------------

TABLE_1A = {  # GFLOPs on ADE20K (512; B5 640), on Cityscapes (1024x2048), on COCO-Stuff (512)
    "b0": (8.4, 125.5, 8.4),
    "b1": (15.9, 243.7, 15.9),
    "b2": (62.4, 717.1, 62.4),
    "b3": (79.0, 962.9, 79.0),
    "b4": (95.7, 1240.6, 95.7),
    "b5": (183.3, 1460.4, 111.6),
}


@pytest.mark.parametrize("size", TABLE_1A)
def test_operations_of_segformer_are_printed_to_the_digit(size):
    """Table 1a whole: its Cityscapes column is counted with the 150 classes of ADE20K."""
    ade = 640 if size == "b5" else 512
    sides = ((ade, ade), (1024, 2048), (512, 512))
    found = count(
        Wanted(
            model=f"segformer_{size}",
            overrides={},
            convention="ops-segformer-150",
            height=h,
            width=w,
        )
        for h, w in sides
    )
    assert tuple(round(one.figure, 1) for one in found) == TABLE_1A[size]


def test_two_tables_of_one_paper_count_different_classes():
    """Table 2 prints 1447.6 for the B5 that has 1460.4 in table 1, and 51.7 for a small B0."""
    city = {"num_classes": 19}
    large, small = count(
        [
            Wanted(
                model="segformer_b5",
                overrides=city,
                convention="ops-segformer",
                height=1024,
                width=2048,
            ),
            Wanted(
                model="segformer_b0",
                overrides=city,
                convention="ops-segformer",
                height=768,
                width=1536,
            ),
        ]
    )
    assert large.figure == pytest.approx(1447.6, rel=4e-4)
    assert not large.rounds_to(1447.6, 1)
    assert small.rounds_to(51.7, 1)


@pytest.mark.parametrize(
    ("model", "printed"),
    [("fcn_resnet101", 275.7), ("pspnet_resnet101", 256.4), ("deeplabv3plus_resnet101", 255.1)],
)
def test_the_rules_of_mmcvs_counter_give_the_baselines_of_table_2(model, printed):
    """Nothing was fitted to these: batch norms are synchronised ones, which have no hook."""
    (found,) = count(
        [Wanted(model=model, overrides={}, convention="ops-segformer", height=512, width=512)]
    )
    assert found.rounds_to(printed, 1)


@pytest.mark.parametrize(
    ("size", "encoder", "decoder"),
    [(0, 3_319_392, 0.4), (1, 13_151_424, 0.6), (2, 24_196_288, 3.3), (5, 81_443_008, 3.3)],
)
def test_parameters_of_segformers_parts(size, encoder, decoder):
    """Encoders as in the official code; B0 to B5 print total minus decoder, both rounded."""
    names = ("params-used-encoder", "params-used-decoder", "params-used")
    found = count(
        Wanted(model=f"segformer_b{size}", overrides={}, convention=name, height=64, width=64)
        for name in names
    )
    assert found[0].value == encoder
    assert found[1].rounds_to(decoder, 1)
    assert found[2].value == found[0].value + found[1].value


@pytest.mark.parametrize(
    ("model", "overrides", "side", "printed"),
    [
        ("segmenter_vit_tiny_patch16_mask", {}, 512, 7),
        ("segmenter_vit_base_patch8_linear", {}, 512, 89),
        ("segmenter_vit_large_patch16_mask", {}, 640, 334),
        ("segmenter_vit_large_patch16_mask", {"num_classes": 19, "decoder_layers": 1}, 768, 322),
        ("segformer_b0", {}, 512, 3.8),
        ("segformer_b4", {}, 512, 64.1),
        ("segformer_b5", {}, 640, 84.7),
    ],
)
def test_parameters_are_printed_to_the_digit(model, overrides, side, printed):
    name = "params-used" if "segformer" in model else "params-checkpoint"
    (found,) = count(
        [Wanted(model=model, overrides=overrides, convention=name, height=side, width=side)]
    )
    assert found.rounds_to(printed, 1 if isinstance(printed, float) else 0)


def test_unused_heads_are_told_from_the_rest():
    names = ("params-checkpoint", "params-used")
    all_, used = count(
        Wanted(
            model="segmenter_vit_tiny_patch16_mask",
            overrides={},
            convention=name,
            height=512,
            width=512,
        )
        for name in names
    )
    assert all_.value == 6_906_388
    assert all_.value - used.value == all_.terms["encoder, unused"] == 193_000
    baseline, read = count(
        Wanted(model="fcn_resnet50", overrides={}, convention=name, height=64, width=64)
        for name in names
    )
    assert baseline.value - read.value == baseline.terms["decoder, auxiliary"]


@pytest.mark.parametrize(
    ("size", "side", "layers", "printed"),
    [("tiny", 512, 3, 5.8), ("small", 512, 3, 6.7), ("base", 512, 3, 8.3), ("large", 640, 6, 35.0)],
)
def test_depicts_decoder_costs_what_its_figure_shows(size, side, layers, printed):
    """By the formula, exactly; the figure can be read within 0.3."""
    arguments = {"decoder_layers": layers}
    model = f"depict_sa_vit_{size}_patch16"
    (found,) = count(
        [
            Wanted(
                model=model,
                overrides=arguments,
                convention="ops-depict-decoder",
                height=side,
                width=side,
            )
        ]
    )
    tokens, width = (side // 16) ** 2 + 150, width_of(size)
    assert found.value == layers * 2 * (2 * tokens * width * 300 + 2 * tokens**2 * 300)
    assert found.figure == pytest.approx(printed, abs=0.3)


def width_of(size):
    return {"tiny": 192, "small": 384, "base": 768, "large": 1024}[size]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            Wanted(
                model="unet", overrides={}, convention="params-used-encoder", height=64, width=64
            ),
            "unet has no encoder of its own",
        ),
        (
            Wanted(
                model="unet",
                overrides={"num_classes": 3},
                convention="ops-segformer-150",
                height=64,
                width=64,
            ),
            "num_classes is 3",
        ),
        (
            Wanted(
                model="unet", overrides={"layers": 3}, convention="ops-macs", height=64, width=64
            ),
            "no argument 'layers'",
        ),
        (
            Wanted(model="unet", overrides={}, convention="ops-mac", height=64, width=64),
            "Did you mean 'ops-macs'",
        ),
        (
            Wanted(model="unit", overrides={}, convention="ops-macs", height=64, width=64),
            "Did you mean 'unet'",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(wanted, message):
    with pytest.raises(SegmodelsError, match=message):
        count([wanted])
