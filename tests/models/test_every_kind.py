"""Precision, compilers and memory: one network of each kind, since this takes longer."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from shrunk import VARIANTS, build, images, patient
from torch import nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.robustness.parameter_noise import encoder_parts

#: Compiled each time: a transformer of ours, one of SegFormer's, convolutions alone.
COMPILED = re.compile("depict_sa_vit_nano|segformer_b0|unet")


@pytest.fixture(params=VARIANTS, scope="module")
def variant(request: pytest.FixtureRequest) -> SegModel:
    """Built once per name, in eval mode; tests leave the weights as they find them."""
    built = build(request.param).eval()
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    return built


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(variant) -> None:
    double = copy.deepcopy(variant).double()
    given = images().double()
    one_by_one = torch.cat([double(given[:1]), double(given[1:])])
    torch.testing.assert_close(double(given), one_by_one, rtol=1e-9, atol=1e-9)


def test_images_that_cannot_be_digested_are_told(variant) -> None:
    with pytest.raises(SegmodelsError, match=r"must be \(B, 3, H, W\), got \(3, 61, 83\)"):
        variant(images()[0])
    with pytest.raises(SegmodelsError, match=r"\(B, 3, H, W\)"):
        variant(images()[:, :2])


def test_noise_can_fall_on_its_encoder_or_its_decoder_alone(variant) -> None:
    names = [name for name, _ in variant.named_parameters()]
    encoder = [name for name in names if name.startswith(encoder_parts(variant))]
    assert 0 < len(encoder) < len(names)
    children = {name for name, _ in variant.named_children()}
    assert children.issuperset(variant.decoder_parts)


@torch.no_grad()
def test_autocast_to_bf16(variant) -> None:
    exact = variant(images())
    with torch.autocast("cpu", torch.bfloat16):
        rough = variant(images())
    assert torch.isfinite(rough).all()
    # bf16 keeps 8 bits; the LayerNorm over six classes at the end of mask decoders widens the
    # gap, and processors that multiply in bf16 round elsewhere. A broken cast would be off by the
    # whole range.
    assert (rough.float() - exact).abs().mean() < 0.1 * exact.std()


@pytest.mark.parametrize("variant", patient(VARIANTS, COMPILED), indirect=True)
@torch.no_grad()
def test_compiled_without_a_break_it_says_the_same(variant) -> None:
    expected = variant.optimize_for_inference()(images())
    torch.compiler.reset()
    compiled = torch.compile(variant, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images()), expected, rtol=1e-3, atol=1e-4)
    variant.optimize_for_inference(False)


@pytest.mark.parametrize("variant", patient(VARIANTS), indirect=True)
@torch.no_grad()
def test_exported_it_says_the_same(variant) -> None:
    program = torch.export.export(variant, (images(),))
    torch.testing.assert_close(program.module()(images()), variant(images()), rtol=1e-4, atol=1e-4)


def test_checkpointed_gradients_are_the_same(variant) -> None:
    variant.train()
    plain = gradients(variant)
    try:
        variant.set_grad_checkpointing()
    except SegmodelsError as error:
        pytest.skip(str(error))
    torch.testing.assert_close(gradients(variant), plain)
    variant.set_grad_checkpointing(False)
    variant.eval()


def gradients(model: SegModel) -> dict[str, torch.Tensor]:
    """Of one training step with the same dropout and drop path every time."""
    torch.manual_seed(7)
    model(images()).square().mean().backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("family", ["segmenter", "depict", "segformer", "setr", "upernet"])
def test_the_large_ones_can_be_checkpointed(family) -> None:
    model = build(next(name for name in VARIANTS if name.startswith(family)))
    model.set_grad_checkpointing()


@pytest.mark.parametrize("family", ["unet", "espnet", "fcn", "pspnet", "deeplabv3plus"])
def test_the_convolutional_ones_say_that_they_cannot(family) -> None:
    model = build(next(name for name in VARIANTS if name.startswith(family)))
    with pytest.raises(SegmodelsError, match="no blocks to checkpoint"):
        model.set_grad_checkpointing()
