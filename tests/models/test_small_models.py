"""What every network must do, checked on the small ones: any size, gradients, evaluation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel

SMALL = {
    "depict_sa_vit_nano_patch8": {},
    "espnet_p2_q3": {},
    "segformer_nano": {"drop_path": 0.2, "decoder_dropout": 0.1},
    "segmenter_vit_nano_patch8_mask": {"drop_path": 0.2, "dropout": 0.1, "decoder_dropout": 0.1},
    "unet": {"width": 8},
    # small only here: the paths that no nano model takes
    "depict_ca_vit_tiny_patch16": {"layers": 1, "imagenet_classes": 10, "image_size": 64},
    "segmenter_deit_tiny_distilled_patch16_linear": {"layers": 1, "image_size": 64},
}


@pytest.fixture(params=SMALL)
def model(request) -> SegModel:
    torch.manual_seed(0)
    return create_model(request.param, num_classes=6, **SMALL[request.param])


def images(batch: int = 2, height: int = 61, width: int = 83) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


def test_a_step_on_an_odd_size_reaches_every_parameter(model) -> None:
    model.train()
    logits = model(images())
    assert logits.shape == (2, 6, 61, 83)
    F.cross_entropy(logits, torch.randint(0, 6, (2, 61, 83))).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.requires_grad or "encoder.head" in name
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name


@torch.inference_mode()
def test_forward_is_low_resolution_upsampling_and_crop(model) -> None:
    model.eval()
    given = images()
    before = given.clone()
    size = model.upsampled_size(61, 83)
    assert [side % model.stride for side in size] == [0, 0]
    low = model.forward_lowres(given)
    big = F.interpolate(low.contiguous(), size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(model(given), big[..., :61, :83], rtol=1e-5, atol=1e-5)
    assert torch.equal(given, before)


@torch.inference_mode()
def test_padding_is_zero_on_the_right_and_at_the_bottom(model) -> None:
    model.eval()
    given = images()
    height, width = model.upsampled_size(61, 83)
    padded = F.pad(given, (0, width - 83, 0, height - 61))
    torch.testing.assert_close(model(given), model(padded)[..., :61, :83])


@torch.inference_mode()
def test_images_of_a_batch_do_not_see_each_other(model) -> None:
    model.eval()
    given = images()
    one_by_one = torch.cat([model(given[:1]), model(given[1:])])
    torch.testing.assert_close(model(given), one_by_one, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_evaluation_is_deterministic_and_training_mode_is_not_needed(model) -> None:
    model.eval()
    assert torch.equal(model(images()), model(images()))


def test_images_that_cannot_be_digested_are_told(model) -> None:
    with pytest.raises(SegmodelsError, match=r"must be \(B, 3, H, W\), got \(3, 61, 83\)"):
        model(images()[0])
    with pytest.raises(SegmodelsError, match=r"\(B, 3, H, W\)"):
        model(images()[:, :2])


@torch.inference_mode()
def test_the_smallest_image_works_and_a_smaller_one_is_told() -> None:
    for name, side in (("segformer_nano", 13), ("segformer_b0", 29)):
        model = create_model(name, num_classes=3).eval()
        assert model(images(1, side, side)).shape == (1, 3, side, side)
        with pytest.raises(SegmodelsError, match=rf"at least {side} pixels"):
            model(images(1, side - 1, 64))


def test_a_nano_model_learns() -> None:
    """Left half against right half, within seconds; a network that is wired wrong cannot."""
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=2)
    label = torch.zeros(2, 32, 32, dtype=torch.long)
    label[..., 16:] = 1
    pixels = torch.where(label == 1, 1.0, -1.0)[:, None].expand(-1, 3, -1, -1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(pixels + 0.5 * torch.randn(2, 3, 32, 32)), label)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3
