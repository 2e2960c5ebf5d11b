"""What every network must do; a new name is tested without writing a test."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from shrunk import CLASSES, build, distinct, images
from torch import nn

from segmodels.checkpoints import load_checkpoint, save_checkpoint
from segmodels.models.base import SegModel

HEIGHT, WIDTH = 61, 83


@pytest.fixture(params=distinct(), scope="module")
def model(request: pytest.FixtureRequest) -> SegModel:
    """Built once per network that differs in small; tests leave the weights as they find them."""
    built = build(request.param)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    return built


def test_a_step_on_an_odd_size_reaches_every_parameter(model) -> None:
    model.train()
    labels = torch.randint(0, CLASSES, (2, HEIGHT, WIDTH))
    total = torch.zeros(())
    for number, (logits, share) in enumerate(model.forward_supervised(images())):
        assert share == 1.0 or number > 0
        full = model.to_image(logits, HEIGHT, WIDTH)
        assert full.shape == (2, CLASSES, HEIGHT, WIDTH)
        total = total + share * F.cross_entropy(full, labels)
    total.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        untrained = ("encoder.head", "se_layer", ".eesp.module_act")
        assert parameter.requires_grad or any(part in name for part in untrained)
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name
            parameter.grad = None


@torch.inference_mode()
def test_forward_is_low_resolution_upsampling_and_crop(model) -> None:
    model.eval()
    given = images()
    before = given.clone()
    size = model.upsampled_size(HEIGHT, WIDTH)
    assert [side % model.stride for side in size] == [0, 0]
    low = model.forward_lowres(given)
    aligned = model.align_corners
    big = F.interpolate(low.contiguous(), size=size, mode="bilinear", align_corners=aligned)
    logits = model(given)
    assert torch.isfinite(logits).all()
    assert logits.shape == (2, CLASSES, HEIGHT, WIDTH)
    torch.testing.assert_close(logits, big[..., :HEIGHT, :WIDTH], rtol=1e-5, atol=1e-5)
    assert torch.equal(given, before)
    assert torch.equal(model(given), logits)


@torch.inference_mode()
def test_folded_for_inference_and_back(model) -> None:
    given = images()
    published = model.eval().forward_lowres(given)
    keys = list(model.state_dict())
    try:
        folded = model.optimize_for_inference().forward_lowres(given)
        scale = published.abs().max().clamp(min=1.0)
        assert (folded - published).abs().max() <= 1e-5 * scale
        assert list(model.state_dict()) == keys
    finally:
        model.optimize_for_inference(False)
    assert torch.equal(model.forward_lowres(given), published)


@torch.inference_mode()
def test_saved_and_loaded_it_says_the_same(tmp_path, model) -> None:
    model.eval()
    save_checkpoint(model, tmp_path / "model")
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.config == model.config
    assert loaded.preprocessing == model.preprocessing
    assert torch.equal(loaded(images()), model(images()))
