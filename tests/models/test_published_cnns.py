"""Networks of the Cityscapes-C table and of mmsegmentation: sizes, and what is odd in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.canny import canny_edges
from segmodels.models.ccnet import CrissCross
from segmodels.models.dilatednet import MARGIN, mirrored
from segmodels.models.encnet import Encoding
from segmodels.models.icnet_released import WINDOWS, pooled
from segmodels.models.vgg import FixedUpsampling

# Parameters of mmsegmentation 1.2.2's networks with 150 classes (=); of the others with 19, by
# hand from their descriptions: VGG-16 without its last layer, 134,260,544, is the bulk of two.
COUNTS = {
    ("encnet_resnet101", 150): 55_052_162,
    ("ccnet_resnet101", 150): 68_919_053,
    ("fcn_hrnet_w48", 150): 65_953_110,
    ("ocrnet_hrnetw48", 150): 70_533_100,
    ("autodeeplab_f20_aspp", 19): 10_147_427,
    ("autodeeplab_f32_aspp", 19): 21_622_451,
    ("autodeeplab_f48_aspp", 19): 44_424_691,
    ("fcn8s", 19): 134_260_544 + 19 * (4096 + 1 + 512 + 1 + 256 + 1),
    ("dilatednet", 19): 134_260_544 + 19 * (4096 + 1) + 9 * (19 * 19 * 9 + 19) + 19 * 20,
}


def meta(name: str, classes: int) -> SegModel:
    with torch.device("meta"):
        return create_model(name, num_classes=classes)


@pytest.mark.parametrize(("name", "classes"), COUNTS)
def test_parameters(name: str, classes: int) -> None:
    found = sum(parameter.numel() for parameter in meta(name, classes).parameters())
    assert found == COUNTS[name, classes]


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet38", 124.0), ("icnet", 6.7), ("deeplabv3plus_xception65", 41.05)],
)
def test_parameters_are_about_those_that_are_known(name: str, millions: float) -> None:
    found = sum(parameter.numel() for parameter in meta(name, 19).parameters()) / 1e6
    assert found == pytest.approx(millions, abs=0.05)


def test_residuals_of_code_words_by_hand() -> None:
    torch.manual_seed(0)
    encoding = Encoding(5, 3).double()
    x = torch.randn(2, 5, 4, 3, dtype=torch.float64)
    differences = x.flatten(2).transpose(1, 2)[:, :, None] - encoding.codewords
    weights = (encoding.scale * differences.square().sum(-1)).softmax(-1)
    torch.testing.assert_close(encoding(x), (weights[..., None] * differences).sum(1))


@torch.no_grad()
def test_a_pixel_sees_its_row_and_column_and_itself_once() -> None:
    torch.manual_seed(0)
    attention = CrissCross(16).double()
    attention.gamma.scale.fill_(1.0)
    x = torch.randn(1, 16, 4, 5, dtype=torch.float64)
    query, key, value = attention.query_conv(x), attention.key_conv(x), attention.value_conv(x)
    row, column = 2, 3
    cross = [(row, other) for other in range(5)]
    cross += [(other, column) for other in range(4) if other != row]
    asked = query[0, :, row, column]
    weights = torch.stack([asked @ key[0, :, r, c] for r, c in cross]).softmax(0)
    seen = sum(w * value[0, :, r, c] for w, (r, c) in zip(weights, cross, strict=True))
    torch.testing.assert_close(attention(x)[0, :, row, column], seen + x[0, :, row, column])


@pytest.mark.parametrize("side", [1, 2, 7, 300])
def test_images_are_mirrored_without_repeating_their_border(side: int) -> None:
    line = np.arange(side, dtype=np.float32)
    found = mirrored(torch.from_numpy(line)[None, None, None], 3, side + 5)
    expected = np.pad(line, (MARGIN, MARGIN + 5), mode="reflect" if side > 1 else "edge")
    np.testing.assert_array_equal(found[0, 0, 0].numpy(), expected)


@pytest.mark.parametrize("factor", [2, 8])
def test_fixed_kernels_are_bilinear_inside(factor: int) -> None:
    x = torch.randn(1, 2, 6, 7)
    found = FixedUpsampling(factor, cut=factor // 2)(x)
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    assert found.shape == expected.shape
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(found[inside], expected[inside])


@torch.no_grad()
def test_scores_of_fcn8s_lie_where_the_image_lies() -> None:
    """A bright square lights the logits of the finest scores at its place."""
    model = create_model("fcn8s", num_classes=2, base=1, width=1).eval()
    for name, parameter in model.named_parameters():
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    for coarse in (model.score_fr, model.score_pool4):
        nn.init.zeros_(coarse.weight)
    image = torch.zeros(1, 3, 96, 120)
    image[..., 40:56, 64:80] = 1.0
    light = model(image)[0, 0]
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(120.0), indexing="ij")
    centre = [float((light * place).sum() / light.sum()) for place in (rows, columns)]
    assert centre == pytest.approx([47.5, 71.5], abs=4)  # half a cell of the finest scores


def test_windows_of_the_released_icnet_cover_its_published_map() -> None:
    x = torch.randn(1, 4, 33, 65)
    sizes = [tuple(one.shape[-2:]) for one in pooled(x)]
    assert sizes == [(bins, bins) for bins in WINDOWS]
    for bins, (side, step) in WINDOWS.items():
        last = [(bins - 1) * s + k for k, s in zip(side, step, strict=True)]
        assert last == [33, 65]
    assert [tuple(one.shape[-2:]) for one in pooled(x[..., :7, :9])] == sizes


@torch.no_grad()
def test_the_fine_map_of_xception_lies_before_a_stride() -> None:
    for depth, fine in ((41, 1), (71, 2)):
        model = create_model(f"deeplabv3plus_xception{depth}", num_classes=2, channels=8).eval()
        assert model.backbone.fine_block == fine
        first, last = model.features(torch.randn(1, 3, 65, 97))
        assert (first.shape[1:], last.shape[1:]) == ((256, 17, 25), (2048, 5, 7))
        assert first.min() < 0  # before ReLU


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("fcn8s", {"base": 0}, "base must be at least 1, got 0"),
        ("dilatednet", {"width": 0}, "width must be at least 1, got 0"),
        ("resnet38", {"width": 0}, "width must be at least 1, got 0"),
        ("gscnn", {"width": 12}, "width must be a multiple of 8, got 12"),
        ("gscnn", {"dropout_before": 1.0}, "dropout_before must be at least 0 and below 1"),
        ("autodeeplab_f20_aspp", {"filters": 0}, "filters must be at least 1, got 0"),
        ("icnet", {"width": 0}, "width must be at least 1, got 0"),
        ("icnet_resnet50", {"branch_channels": (1, 2)}, "must be 3 positive numbers"),
        ("icnet_resnet50", {"backbone": "mobilenetv2_100"}, "'backbone' must be 'resnet50c' or"),
        ("encnet_resnet50", {"codes": 0}, "codes must be at least 1, got 0"),
        ("ccnet_resnet50", {"recurrence": 0}, "recurrence must be at least 1, got 0"),
        ("ccnet_resnet50", {"channels": 4}, "channels must be at least 8, got 4"),
        ("ocrnet_hrnetw18", {"ocr_channels": 0}, "ocr_channels must be at least 1, got 0"),
        ("mmseg_unet_s5_d16_fcn", {"levels": 1}, "levels must be at least 2, got 1"),
        ("mmseg_unet_s5_d16_fcn", {"levels": 11}, "levels must be at most 10, got 11"),
        ("mmseg_segformer_b0", {"channels": 0}, "channels must be at least 1, got 0"),
        ("deeplabv3plus_xception41", {"output_stride": 32}, "must be 8 or 16, got 32"),
    ],
)
def test_impossible_arguments_of_these_are_told(name, overrides, message) -> None:
    with pytest.raises(SegmodelsError, match=message), torch.device("meta"):
        create_model(name, **overrides)


def test_canny_sees_bytes_that_lost_their_sign() -> None:
    """-1.5 becomes 255 and -0.5 becomes 0: an edge where the image has but a step of one."""
    image = torch.full((1, 3, 16, 16), -0.5)
    image[..., 8:] = -1.5
    assert canny_edges(image).unique().tolist() == [0, 255]
    assert not canny_edges(torch.where(image < -1, 1.5, image)).any()
    found = canny_edges(image.double().requires_grad_())
    assert (found.dtype, found.shape, found.requires_grad) == (torch.float64, (1, 1, 16, 16), False)


def test_the_cells_of_autodeeplab_keep_grid_points_of_odd_sides() -> None:
    with torch.device("meta"):
        model = create_model("autodeeplab_f20_aspp", num_classes=2).eval()
        fine, last = model.features(torch.zeros(1, 3, 65, 97))
    assert (fine.shape[1:], last.shape[1:]) == ((100, 17, 25), (200, 9, 13))
