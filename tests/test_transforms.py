from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmodels.protocols import Protocol, load_protocol
from segmodels.transforms import VOID, Augmentation, resize, resized_view, view_size

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
    aligned = Protocol("aligned", 1, resize_short=50, resize_multiple=32)
    first = cv2.resize(image, (76, 50), interpolation=cv2.INTER_LINEAR)
    second = cv2.resize(first, (96, 64), interpolation=cv2.INTER_LINEAR)
    found = resized_view(image, aligned, 1.0)
    np.testing.assert_array_equal(found, second)
    assert not np.array_equal(found, resize(image, 64, 96))


@given(st.integers(1, 50), st.integers(1, 50), SCALES, st.sampled_from(["opencv", "pillow"]))
def test_a_view_has_the_size_that_was_announced(height, width, scale, library):
    target = Protocol("p", 1, resize_short=20, resize_multiple=8, resize_library=library)
    found = resized_view(noise(height, width), target, scale)
    assert found.shape == (*view_size(height, width, target, scale), 3)


# View sizes, computed by hand from mmcv's rescale_size


def protocol(short=None, long=None, multiple=None):
    return Protocol("p", 1, resize_short=short, resize_long=long, resize_multiple=multiple)


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
    squash = Protocol("p", 1, resize_fixed=fixed)
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


# Augmentation


def pair(height=60, width=80):
    """An image whose first channel says its label, so that a shift between them shows."""
    label = np.zeros((height, width), dtype=np.uint8)
    label[10:40, 20:50] = 1
    label[45:, 60:] = 2
    return np.stack([label * 100] * 3, axis=2), label


def rng(seed=0):
    return np.random.default_rng(seed)


@given(st.integers(0, 10_000))
def test_image_and_label_stay_together(seed):
    image, label = pair()
    augment = Augmentation(crop=(48, 48), scale=(1.0, 1.0), jitter=0)
    moved, labels = augment(image, label, rng(seed))
    np.testing.assert_array_equal(moved[..., 0], labels * 100)


@given(st.integers(0, 10_000))
def test_image_and_label_stay_together_when_scaled(seed):
    image, label = pair()
    moved, labels = Augmentation(crop=(48, 48), scale=(0.5, 2.0), jitter=0)(image, label, rng(seed))
    seen = labels != VOID
    wrong = seen & (np.abs(moved[..., 0].astype(int) - labels.astype(int) * 100) > 50)
    assert wrong.mean() < 0.06  # interpolation blurs borders by a pixel


@given(st.integers(0, 10_000), st.integers(1, 100), st.integers(1, 100))
def test_the_crop_has_its_size_and_known_labels(seed, height, width):
    image, label = pair()
    moved, labels = Augmentation(crop=(height, width))(image, label, rng(seed))
    assert (moved.shape, moved.dtype) == ((height, width, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((height, width), np.uint8)
    assert set(np.unique(labels)) <= {0, 1, 2, VOID}
    assert labels.flags.c_contiguous


def test_one_generator_state_gives_one_result_and_touches_nothing():
    image, label = pair()
    before = image.copy(), label.copy()
    for array in (image, label):
        array.setflags(write=False)
    augment = Augmentation(crop=(48, 48))
    one, other = augment(image, label, rng(3)), augment(image, label, rng(3))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert any((augment(image, label, rng(seed))[0] != one[0]).any() for seed in range(4, 7))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label, before[1])


def test_what_the_image_does_not_cover_is_grey_and_void():
    image, label = pair(20, 30)
    augment = Augmentation(crop=(50, 40), scale=(1.0, 1.0), flip=0, jitter=0)
    moved, labels = augment(image, label, rng())
    np.testing.assert_array_equal(labels[:20, :30], label)
    np.testing.assert_array_equal(moved[:20, :30], image)
    for outside in (np.s_[20:], np.s_[:, 30:]):
        assert (labels[outside] == VOID).all()
        assert (moved[outside] == 128).all()


def test_mirrors_are_as_frequent_as_asked():
    image, label = pair()
    for flip, low, high in ((0.0, 0, 0), (1.0, 200, 200), (0.5, 75, 125)):
        augment = Augmentation(crop=label.shape, scale=(1.0, 1.0), flip=flip, jitter=0)
        random = rng()
        mirrored = [
            np.array_equal(augment(image, label, random)[1], label[:, ::-1]) for _ in range(200)
        ]
        assert low <= sum(mirrored) <= high


def test_light_changes_pixels_within_bounds_and_no_labels():
    image, label = pair()
    augment = Augmentation(crop=label.shape, scale=(1.0, 1.0), flip=0, jitter=0.25)
    bound = 128 * 0.25 + 255 * 0.125 + 1
    for seed in range(20):
        moved, labels = augment(image, label, rng(seed))
        np.testing.assert_array_equal(labels, label)
        assert np.abs(moved.astype(float) - image).max() <= bound


def test_every_place_of_the_image_is_cropped_sometimes():
    label = np.arange(8, dtype=np.uint8)[None].repeat(4, axis=0)
    image = np.stack([label] * 3, axis=2)
    augment = Augmentation(crop=(4, 3), scale=(1.0, 1.0), flip=0, jitter=0)
    random = rng()
    starts = {int(augment(image, label, random)[1][0, 0]) for _ in range(100)}
    assert starts == set(range(6))
