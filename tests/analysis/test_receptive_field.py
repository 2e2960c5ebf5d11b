from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_gpu import paper_gpu
from torch import nn

from segmodels.analysis.attention import attention
from segmodels.analysis.embeddings import embeddings
from segmodels.analysis.receptive_field import ReceptiveField, receptive_fields
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import ModelConfig, SegModel

NETWORKS = {
    "segformer": ("segformer_nano", {}, ["stage 1", "stage 2", "stage 3", "stage 4"]),
    "unet": ("unet", {"width": 4, "levels": 3}, ["stage 1", "stage 2", "stage 3"]),
    "segmenter": ("segmenter_vit_nano_patch8_mask", {"layers": 2}, ["block 1", "block 2"]),
    "enet": ("enet_ntkhoa95", {}, ["stage 1", "stage 2", "stage 3"]),
    "cgnet": ("cgnet_m3n21", {"n": 2}, ["stage 1", "stage 2", "stage 3"]),
    "espnet": ("espnet_p2_q3", {}, ["stem, 1/2", "b1, 1/2", "b2, 1/4", "scores, 1/8"]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stage_has_a_field_around_its_unit(name):
    model_name, small, expected = NETWORKS[name]
    torch.manual_seed(0)
    model = create_model(model_name, 5, **small).eval()
    fields = receptive_fields(model, [torch.randn(1, 3, 44, 64) for _ in range(2)], draws=2)
    assert [field.stage for field in fields] == [*expected, "logits"]
    for field in fields:
        assert field.strength.shape == (44, 64)
        assert field.strength.sum() == pytest.approx(1)
        sides = [field.side(share) for share in (0.1, 0.5, 0.9)]
        assert sides == sorted(sides)
        profile = field.profile()
        assert profile[-1] == pytest.approx(1)
        assert (np.diff(profile) >= 0).all()
    assert fields[0].side(0.99) <= fields[-2].side(0.99)
    assert all(parameter.grad is None for parameter in model.parameters())


class Striding(SegModel):
    """Two 3x3 convolutions, the first of stride 2: it sees 3 + 2 * 2 = 7 pixels a side."""

    def __init__(self) -> None:
        super().__init__(ModelConfig(2))
        self.net = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 2, 3, padding=1)
        )

    def forward_lowres(self, images):
        return self.net(images)


def test_the_field_of_convolutions_is_known():
    torch.manual_seed(0)
    (field,) = receptive_fields(Striding().eval(), [torch.randn(1, 3, 32, 48)])
    assert (field.stage, field.grid, field.centre) == ("logits", (16, 24), (16.5, 24.5))
    rows, columns = np.nonzero(field.strength)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (13, 19, 21, 27)
    assert field.side(1.0) == 7
    assert field.profile()[3] == pytest.approx(1)
    assert field.profile()[2] < 0.99


def test_the_unit_of_a_patch_lies_in_its_middle():
    torch.manual_seed(0)
    model = create_model("segmenter_vit_nano_patch8_mask", 3, layers=1).eval()
    model.encoder.blocks[0].attn.proj.weight.data.zero_()  # no patch hears of another
    fields = receptive_fields(model, [torch.randn(1, 3, 44, 64)], draws=2)
    assert fields[0].centre == (28, 36)  # patch 3 of 6, patch 4 of 8
    rows, columns = np.nonzero(fields[0].strength)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (24, 31, 32, 39)
    assert fields[0].side(1.0) == 8


def test_strengths_are_the_length_of_the_jacobian():
    torch.manual_seed(0)
    model = Striding().eval()
    pixels = torch.randn(1, 3, 16, 16)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: model.forward_lowres(x)[0, :, 4, 4], pixels
    )
    wanted = jacobian.square().sum(dim=(0, 1, 2)).sqrt().numpy()
    (field,) = receptive_fields(model, [pixels], draws=4000)
    np.testing.assert_allclose(field.strength, wanted / wanted.sum(), atol=0.002)


def test_a_mean_over_images_is_one_of_maps():
    model = create_model("segformer_nano", 3).eval()
    pixels = torch.randn(1, 3, 32, 32)
    (one, *_), (both, *_) = receptive_fields(model, [pixels]), receptive_fields(model, [pixels] * 2)
    assert not np.array_equal(one.strength, both.strength)  # signs are drawn anew
    np.testing.assert_allclose(one.strength, both.strength, atol=0.02)


def test_what_cannot_be_averaged_is_refused():
    model = create_model("segformer_nano", 3).eval()
    inputs = [torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 64)]
    with pytest.raises(SegmodelsError, match="inputs of one size, found 32x32, 32x64"):
        receptive_fields(model, inputs)


def test_sides_of_squares_by_hand():
    strength = np.zeros((9, 9))
    strength[4, 4], strength[4, 6], strength[0, 0] = 0.5, 0.3, 0.2
    field = ReceptiveField("s", (9, 9), (4.5, 4.5), strength)
    assert [field.side(share) for share in (0.5, 0.6, 0.9)] == [1, 5, 9]
    np.testing.assert_allclose(field.profile(), [0.5, 0.5, 0.8, 0.8, 1.0])


def test_devices_are_never_mixed():
    torch.manual_seed(0)
    model = create_model("segmenter_vit_nano_patch8_mask", 3, layers=1).eval()
    pixels = torch.randn(1, 3, 24, 32)
    here = receptive_fields(model, [pixels], draws=2)
    maps = attention(model, pixels, [(0.5, 0.5)]).maps
    classes = embeddings(model, pixels)
    with paper_gpu() as gpu:
        model.to("cuda")
        there = receptive_fields(model, [pixels.to("cuda")], draws=2)
        for one, other in zip(there, here, strict=True):
            np.testing.assert_allclose(one.strength, other.strength, atol=1e-7)
        found = attention(model, pixels.to("cuda"), [(0.5, 0.5)]).maps
        for one, other in zip(found, maps, strict=True):
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-7)
        for one, other in zip(embeddings(model, pixels.to("cuda")), classes, strict=True):
            np.testing.assert_allclose(one.classes, other.classes, atol=1e-6)
        assert gpu.launches
