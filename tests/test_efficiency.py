from __future__ import annotations

import pytest
import torch
from torch import nn

from segmodels import efficiency
from segmodels.efficiency import Cost, cost
from segmodels.errors import UnknownNameError
from segmodels.models import create_model


def test_a_convolution_by_hand(monkeypatch):
    def conv(name, num_classes, image_size):
        return nn.Conv2d(3, num_classes, 3, padding=1)

    monkeypatch.setattr(efficiency, "create_model", conv)
    found = cost("conv", num_classes=5, image_size=(10, 20))
    assert found == Cost(parameters=3 * 5 * 9 + 5, macs=3 * 5 * 9 * 10 * 20, image_size=(10, 20))


def test_segformer_b0_costs_what_its_paper_prints():
    """Table 1a of the paper: 3.8 M parameters and 8.4 GFLOPs (their multiply-adds) at 512x512.

    Our decoder multiplies the fusion into the level before it once, instead of running it on
    four maps of 256 channels at a quarter of the image; the difference is exactly that.
    """
    found = cost("segformer_b0")
    assert found.parameters / 1e6 == pytest.approx(3.8, abs=0.05)
    fusion, merging = 4 * 256 * 256 * 128 * 128, 256 * 256 * (32 + 64 + 160 + 256)
    assert (found.macs + fusion - merging) / 1e9 == pytest.approx(8.4, abs=0.05)


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
