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


# SegFormer's paper, table 1a: GFLOPs (their multiply-adds) at 512x512 and 150 classes; B5 from
# the column of COCO-Stuff, the only one at 512.
SEGFORMER = {"b0": 8.4, "b1": 15.9, "b2": 62.4, "b3": 79.0, "b4": 95.7, "b5": 111.6}


@pytest.mark.parametrize("size", SEGFORMER)
def test_segformer_costs_what_its_paper_prints(size):
    # The paper's counter adds norms and activations: 0.2 %.
    assert cost(f"segformer_{size}").macs / 1e9 == pytest.approx(SEGFORMER[size], rel=0.003)


def test_parameters_are_counted_with_the_unused_imagenet_head():
    """Segmenter's README: 7 M and 334 M; without the heads it would be 333 M."""
    assert cost("segmenter_vit_tiny_patch16_mask").parameters == 6_906_388
    large = cost("segmenter_vit_large_patch16_mask", image_size=(640, 640))
    assert large.parameters == 334_259_476


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
