"""The recipes of the papers say what their codes do, where people get it wrong; without vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segmodels.assets.entries import load_weights_entry
from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn
from segmodels.training.optimizer import treatments
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule

RECIPES = Path(__file__).resolve().parents[2] / "params" / "recipes"
PAPERS = ("segmenter", "depict", "segformer", "setr", "upernet", "resnet", "mobilenet")
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml") if path.stem.startswith(PAPERS))


def recipe(name: str) -> Recipe:
    return load_recipe(name, RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_every_paper_trains_like_this(name: str) -> None:
    given = recipe(name)
    augmentation = (given.scale, given.cat_max_ratio, given.flip, given.photometric)
    assert augmentation == ((0.5, 2.0), 0.75, 0.5, 1.0)
    assert (given.clip, given.balance, given.precision) == (None, "none", "fp32")
    assert given.initial is not None
    assert load_weights_entry(given.initial).name == given.initial
    assert given.resize_short is not None
    assert given.resize_short >= 0.9 * min(given.crop)


@pytest.mark.parametrize(
    ("name", "images", "steps", "last_batch"),
    [
        ("segmenter-tiny-ade20k", 20210, 161_728, 2),
        ("depict-large-ade20k", 20210, 161_728, 2),
        ("segmenter-large-pascal-context", 4996, 80_128, 4),
        ("segmenter-large-cityscapes", 2975, 80_352, 7),
        ("segformer-b5-ade20k", 20210, 160_000, None),
        ("segformer-b5-coco-stuff", 118_287, 80_000, None),
        ("setr-mla-cityscapes", 2975, 80_000, None),
        ("resnet101-cityscapes-40k", 2975, 40_000, None),
        ("mobilenetv2-ade20k-160k", 20210, 160_000, None),
    ],
)
def test_steps(name: str, images: int, steps: int, last_batch: int | None) -> None:
    given = recipe(name)
    assert given.total_steps(images) == steps
    assert (images % given.batch if given.epochs else None) == last_batch


@pytest.mark.parametrize(
    ("name", "batch", "crop", "short", "long"),
    [
        ("segmenter-large-ade20k", 8, (512, 512), 512, 2048),
        ("segmenter-large-pascal-context", 16, (480, 480), 520, 4160),
        ("segmenter-large-cityscapes", 8, (768, 768), 1024, 2048),
        ("segformer-b4-ade20k", 16, (512, 512), 512, 2048),
        ("segformer-b5-ade20k", 16, (640, 640), 640, 2048),
        ("segformer-b3-cityscapes", 8, (1024, 1024), 1024, 2048),
        ("segformer-b0-cityscapes-768", 8, (768, 768), 768, 1536),
        ("segformer-b0-cityscapes-640", 8, (640, 1280), 640, 1280),
        ("segformer-b0-cityscapes-512", 8, (512, 1024), 512, 1024),
        ("setr-naive-ade20k", 16, (512, 512), 512, 2048),
        ("setr-mla-ade20k-batch8", 8, (512, 512), 512, 2048),
        ("setr-pup-cityscapes", 8, (768, 768), 1025, 2049),
        ("upernet-swin-large-ade20k", 16, (512, 512), 512, 2048),
        ("resnet50-cityscapes-80k", 8, (512, 1024), 1024, 2048),
        ("resnet50-ade20k-160k", 16, (512, 512), 512, 2048),
    ],
)
def test_batches_and_sizes(
    name: str, batch: int, crop: tuple[int, int], short: int, long: int
) -> None:
    given = recipe(name)
    assert (given.batch, given.crop) == (batch, crop)
    assert (given.resize_short, given.resize_long) == (short, long)


@pytest.mark.parametrize(
    ("name", "images", "rates"),
    [
        # Step 0 uses the peak, the last one is a little above min_lr.
        ("segmenter-small-ade20k", 20210, {0: 1e-3, 161_727: 1.00203e-5}),
        ("segmenter-large-cityscapes", 2975, {0: 1e-2, 80_351: 1.03847e-5}),
        # The warm-up is a factor on what decays already: no jump at 1500.
        ("segformer-b2-ade20k", 1, {0: 6e-11, 1500: 5.94375e-5, 159_999: 3.75e-10}),
        # mmengine's two pieces: the peak twice, and a last step without effect.
        ("upernet-swin-base-ade20k", 1, {0: 6e-11, 1499: 6e-5, 1500: 6e-5, 159_999: 0.0}),
        ("setr-pup-ade20k", 1, {0: 1e-3, 159_999: 1e-4}),
        ("setr-naive-ade20k", 1, {0: 1e-2, 159_999: 1e-4}),
        ("setr-mla-cityscapes", 1, {0: 2e-3, 79_999: 1e-4}),
        ("resnet101-ade20k-80k", 1, {0: 1e-2, 79_999: 1e-4}),
    ],
)
def test_learning_rates(name: str, images: int, rates: dict[int, float]) -> None:
    given = recipe(name)
    schedule = Schedule(given, given.total_steps(images))
    found = {step: schedule.lr(step) for step in rates}
    assert found == pytest.approx(rates, rel=1e-5, abs=1e-20)


def test_heads_of_setr_end_where_the_rest_does() -> None:
    given = recipe("setr-pup-ade20k")
    schedule = Schedule(given, given.total_steps(1))
    assert [schedule.lr(step, factor=10) for step in (0, 159_999)] == pytest.approx([1e-2, 1e-4])


def treated(model: str, name: str) -> dict[str, tuple[float, float]]:
    with Undrawn(), torch.device("meta"):
        network = create_model(model)
    return {key: tuple(value) for key, value in treatments(network, recipe(name))}


@pytest.mark.parametrize(
    ("model", "name", "expected"),
    [
        (
            "segformer_b0",
            "segformer-b0-ade20k",
            {
                "backbone.block1.0.attn.norm.weight": (1, 0),
                "backbone.norm4.bias": (1, 0),
                "backbone.block2.1.attn.kv.bias": (1, 0.01),
                "decode_head.linear_fuse.bn.weight": (10, 0.01),
                "decode_head.linear_pred.bias": (10, 0.01),
            },
        ),
        (
            "upernet_swin_tiny",
            "upernet-swin-tiny-ade20k",
            {
                "backbone.layers.0.blocks.0.attn.relative_position_bias_table": (1, 0),
                "backbone.layers.0.downsample.norm.weight": (1, 0),
                "backbone.norm0.bias": (1, 0),
                "backbone.layers.3.blocks.1.mlp.fc1.bias": (1, 0.01),
                "decode_head.bottleneck.bn.weight": (1, 0.01),
                "auxiliary_head.0.conv_seg.bias": (1, 0.01),
            },
        ),
        (
            "setr_mla",
            "setr-mla-ade20k",
            {
                "backbone.pos_embed": (1, 0),
                "neck.mla.channel_proj.0.conv.weight": (1, 0),
                "decode_head.conv_seg.weight": (10, 0),
                "auxiliary_head.3.conv_seg.weight": (10, 0),
            },
        ),
        (
            "deeplabv3plus_resnet50",
            "resnet50-ade20k-160k",
            {"backbone.bn1.weight": (1, 5e-4), "decode_head.conv_seg.bias": (1, 5e-4)},
        ),
    ],
)
def test_parameters_with_a_rule_of_their_own(
    model: str, name: str, expected: dict[str, tuple[float, float]]
) -> None:
    found = treated(model, name)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("segmenter_vit_tiny_patch16_mask", "segmenter-tiny-ade20k"),
        ("segmenter_deit_base_distilled_patch16_linear", "segmenter-deit-base-ade20k"),
        ("depict_ca_vit_tiny_patch16", "depict-tiny-ade20k"),
    ],
)
def test_segmenter_and_depict_treat_all_parameters_alike(model: str, name: str) -> None:
    assert set(treated(model, name).values()) == {(1, 0)}


def test_optimisers_are_the_papers() -> None:
    segmenter, setr, cnn = map(
        recipe, ("segmenter-base-ade20k", "setr-pup-ade20k", "resnet50-ade20k-80k")
    )
    assert [one.nesterov for one in (segmenter, setr, cnn)] == [True, False, False]
    assert {one.momentum for one in (segmenter, setr, cnn)} == {0.9}
    assert [one.weight_decay for one in (segmenter, setr, cnn)] == [0, 0, 5e-4]
    for name in ("segformer-b1-cityscapes", "upernet-swin-small-ade20k"):
        given = recipe(name)
        found = given.optimizer, given.lr, given.betas, given.eps, given.weight_decay
        assert found == ("adamw", 6e-5, (0.9, 0.999), 1e-8, 0.01)
        assert not given.fused  # rounds otherwise than the official one


def test_losses_are_the_papers() -> None:
    means = {name: recipe(name).loss_mean for name in NAMES}
    for name, mean in means.items():
        expected = {"segmenter": "valid", "depict": "valid", "segformer": "all"}
        assert mean == expected.get(name.partition("-")[0], "mmseg"), name
    assert recipe("upernet-swin-tiny-ade20k").auxiliary_weight == 0.4
