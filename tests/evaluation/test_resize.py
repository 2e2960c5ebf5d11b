from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmodels.evaluation.resize import resize, resized_view, view_size
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol

SIDES = st.integers(1, 3000)
SCALES = st.sampled_from([0.5, 0.75, 1.0, 1.25, 1.5, 1.75])


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# Resize


@pytest.mark.parametrize("size", [(40, 60), (7, 5), (31, 90), (1, 1)])
def test_resize_is_opencv_bilinear(size):
    image = noise(31, 45)
    expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resize(image, *size), expected)


def test_resize_does_not_antialias():
    """A bilinear sample of a quarter of the size looks at 2x2 pixels only."""
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[::4, ::4] = 255  # never among the four pixels around a sampled centre
    assert not resize(image, 4, 4).any()


def test_resize_to_the_same_size_is_the_image():
    image = noise(5, 6)
    assert resize(image, 5, 6) is image


def test_resize_of_a_mirrored_view():
    image = noise(9, 14)
    expected = resize(np.ascontiguousarray(image[:, ::-1]), 5, 5)
    np.testing.assert_array_equal(resize(image[:, ::-1], 5, 5), expected)


@pytest.mark.parametrize("size", [(16, 23), (70, 50), (5, 60)])
def test_pillow_and_torch_antialias_and_nearly_agree(size):
    image = noise(31, 45)
    expected = np.asarray(
        Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR), dtype=int
    )
    np.testing.assert_array_equal(resize(image, *size, "pillow"), expected)
    torchs = resize(image, *size, "torch")
    assert (torchs.dtype, torchs.shape) == (np.uint8, (*size, 3))
    assert np.abs(torchs.astype(int) - expected).max() <= 1
    shrinks = min(size) < 31  # antialiasing is for shrinking only
    opencvs = resize(image, *size).astype(int)
    assert (np.abs(opencvs - expected).max() > 9) == shrinks


def test_float_pixels_are_not_rounded():
    image = noise(31, 45).astype(np.float32) / 7
    found = resize(image, 20, 20)
    assert found.dtype == np.float32
    assert (found * 7 % 1).any()


def test_a_multiple_is_reached_in_a_second_resize():
    """As AlignedResize does; one resize straight to the size gives other pixels."""
    image = noise(40, 61)
    aligned = Protocol(
        name="aligned", version=1, title="aligned", resize_short=50, resize_multiple=32
    )
    first = cv2.resize(image, (76, 50), interpolation=cv2.INTER_LINEAR)
    second = cv2.resize(first, (96, 64), interpolation=cv2.INTER_LINEAR)
    found = resized_view(image, aligned, 1.0)
    np.testing.assert_array_equal(found, second)
    assert not np.array_equal(found, resize(image, 64, 96))


@given(st.integers(1, 50), st.integers(1, 50), SCALES, st.sampled_from(["opencv", "pillow"]))
def test_a_view_has_the_size_that_was_announced(height, width, scale, library):
    target = Protocol(
        name="p", version=1, title="p", resize_short=20, resize_multiple=8, resize_library=library
    )
    found = resized_view(noise(height, width), target, scale)
    assert found.shape == (*view_size(height, width, target, scale), 3)


# View sizes, computed by hand from mmcv's rescale_size


def protocol(short=None, long=None, multiple=None):
    return Protocol(
        name="p",
        version=1,
        title="p",
        resize_short=short,
        resize_long=long,
        resize_multiple=multiple,
    )


@pytest.mark.parametrize(
    ("size", "target", "scale", "expected"),
    [
        # (h, w), (short, long, multiple), scale, (h, w)
        ((512, 683), (512, 2048, None), 1.0, (512, 683)),
        ((480, 640), (512, 2048, None), 1.0, (512, 683)),  # 640 * 512 / 480 = 682.67
        ((640, 480), (512, 2048, None), 1.0, (683, 512)),
        ((480, 640), (512, 2048, None), 0.5, (256, 341)),  # 640 * 256 / 480 = 341.33
        ((480, 640), (512, 2048, None), 1.75, (896, 1195)),  # 640 * 896 / 480 = 1194.67
        ((200, 2000), (512, 2048, None), 1.0, (205, 2048)),  # the long side decides: 1.024
        ((1024, 2048), (1024, 2048, None), 0.75, (768, 1536)),
        ((333, 500), (520, 4160, None), 1.25, (650, 976)),  # 500 * 650 / 333 = 975.98
        ((512, 683), (512, 2048, 32), 1.0, (512, 704)),
        ((512, 672), (512, 2048, 32), 1.0, (512, 672)),
        ((360, 480), (180, None, None), 1.0, (180, 240)),
        ((360, 480), (None, None, None), 1.0, (360, 480)),
        ((361, 481), (None, None, None), 0.5, (181, 241)),  # 180.5 and 240.5 go up
        ((90, 141), (None, None, None), 0.75, (68, 106)),  # 67.5 and 105.75
        ((1, 1), (None, None, None), 0.25, (1, 1)),
    ],
)
def test_view_sizes_by_hand(size, target, scale, expected):
    assert view_size(*size, protocol(*target), scale) == expected


@pytest.mark.parametrize(
    ("fixed", "scale", "expected"),
    [(512, 1.0, (512, 512)), ((512, 1024), 1.0, (512, 1024)), ((30, 41), 0.5, (15, 20))],
)
def test_a_fixed_size_does_not_ask_the_image(fixed, scale, expected):
    squash = Protocol(name="p", version=1, title="p", resize_fixed=fixed)
    for size in ((480, 640), (640, 480), (1, 1)):
        assert view_size(*size, squash, scale) == expected


def test_mmsegs_cityscapes_grows_by_a_pixel():
    assert view_size(1024, 2048, load_protocol("mmseg-setr-cityscapes-ss"), 1.0) == (1025, 2049)


def mmcv_rescale(height, width, short, long):
    """mmcv.image.rescale_size with keep-ratio, written once more."""
    factor = min(max(long, short) / max(height, width), min(long, short) / min(height, width))
    return int(height * float(factor) + 0.5), int(width * float(factor) + 0.5)


@given(SIDES, SIDES, st.integers(16, 1024), st.integers(1, 8), SCALES)
def test_view_sizes_are_those_of_mmcv(height, width, short, ratio, scale):
    found = view_size(height, width, protocol(short, short * ratio), scale)
    expected = mmcv_rescale(height, width, int(short * scale), int(short * ratio * scale))
    assert found == tuple(max(side, 1) for side in expected)


@given(SIDES, SIDES, st.integers(16, 1024), SCALES)
def test_the_ratio_is_kept_and_the_short_side_met(height, width, short, scale):
    found = view_size(height, width, protocol(short), scale)
    assert min(found) == int(short * scale)
    exact = max(height, width) * int(short * scale) / min(height, width)
    assert abs(max(found) - exact) <= 0.5 + 1e-6


@given(SIDES, SIDES, st.integers(16, 1024), SCALES, st.sampled_from([8, 32]))
def test_multiples_only_add_and_less_than_one_of_them(height, width, short, scale, multiple):
    plain = view_size(height, width, protocol(short), scale)
    found = view_size(height, width, protocol(short, None, multiple), scale)
    assert all(side % multiple == 0 for side in found)
    assert all(0 <= more - less < multiple for more, less in zip(found, plain, strict=True))


@given(SIDES, SIDES, st.integers(16, 1024), SCALES)
def test_a_turned_image_has_a_turned_view(height, width, short, scale):
    upright = view_size(height, width, protocol(short, 4 * short), scale)
    assert view_size(width, height, protocol(short, 4 * short), scale) == upright[::-1]


def test_cityscapes_at_full_size_is_not_resized():
    assert view_size(1024, 2048, load_protocol("segmenter-cityscapes-768-ss"), 1.0) == (1024, 2048)
