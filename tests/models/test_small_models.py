"""What the small networks do: padding, the smallest image, learning."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from shrunk import images

from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn

PADDED = ("segmenter_vit_nano_patch8_mask", "depict_sa_vit_nano_patch8", "unet", "espnet_p2_q3")


@pytest.mark.parametrize("name", PADDED)
@torch.inference_mode()
def test_padding_is_zero_on_the_right_and_at_the_bottom(name) -> None:
    model = create_model(name, num_classes=6).eval()
    given = images()
    height, width = model.upsampled_size(61, 83)
    padded = F.pad(given, (0, width - 83, 0, height - 61))
    torch.testing.assert_close(model(given), model(padded)[..., :61, :83])


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


def test_undrawn_networks_end_whatever_the_memory_held() -> None:
    """PyTorch draws a truncated normal distribution again until it lies within its bounds."""
    with Undrawn():
        values = torch.nn.init.trunc_normal_(torch.full((3, 3), torch.inf), std=0.02)
    assert values.abs().max() <= 2
