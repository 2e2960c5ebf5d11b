"""The whole training pipeline, against mmsegmentation's output and by its properties."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference_arrays import load

from segmodels.core.arrays import VOID
from segmodels.models.preprocessing import ESPNET_CAMVID, HALF, IMAGENET
from segmodels.training.augmentation import Augmentation, Distortion, Draws

RECORD, ARRAYS = load("training_mmseg.json")
PIPELINES = range(len(RECORD["pipelines"]))


def draws_of(fields):
    return Draws(**{**fields, "distortion": Distortion(**fields["distortion"])})


def case(number):
    """Our pipeline and the draws of a reference case."""
    fields = dict(RECORD["pipelines"][number])
    draws = draws_of(fields.pop("draws"))
    return Augmentation(IMAGENET, **{**fields, "crop": tuple(fields["crop"])}), draws


@pytest.mark.parametrize("number", PIPELINES)
def test_the_pixels_of_mmsegmentation(number):
    augment, draws = case(number)
    found = augment.apply(ARRAYS[f"image_{number}"], ARRAYS[f"label_{number}"], draws)
    np.testing.assert_array_equal(found[0], ARRAYS[f"pixels_{number}"])
    np.testing.assert_array_equal(found[1], ARRAYS[f"labels_{number}"])


def test_the_reference_tells_cases_apart():
    """Mirrored or not, padded or not, and crops that are not the first ones tried."""
    kinds, later = set(), 0
    for number in PIPELINES:
        augment, draws = case(number)
        image, label = ARRAYS[f"image_{number}"], ARRAYS[f"label_{number}"]
        size = augment.size(*label.shape, draws.ratio)
        kinds.add((draws.mirrored, size[0] < augment.crop[0]))
        first = dataclasses.replace(augment, cat_max_ratio=1.0).apply(image, label, draws)[1]
        later += (first != ARRAYS[f"labels_{number}"]).any()
    assert {mirrored for mirrored, _ in kinds} == {padded for _, padded in kinds} == {True, False}
    assert later


@pytest.mark.parametrize(("before", "base", "ratio", "expected"), RECORD["sizes"])
def test_the_sizes_of_mmcv(before, base, ratio, expected):
    augment = Augmentation(IMAGENET, (8, 8), *base)
    assert augment.size(*before, ratio) == tuple(expected)


def test_without_a_base_the_ratio_is_of_the_own_size():
    augment = Augmentation(IMAGENET, (8, 8))
    assert augment.size(31, 45, 1.5) == (47, 68)  # 46.5 and 67.5 go up
    assert Augmentation(IMAGENET, (8, 8), 180).size(360, 480, 1.05) == (189, 252)


# What always holds


def pair(height=60, width=80):
    """An image whose first channel says its label, so that a shift between them shows."""
    label = np.zeros((height, width), dtype=np.uint8)
    label[10:40, 20:50] = 1
    label[45:, 60:] = 2
    return np.stack([label * 100] * 3, axis=2), label


PLAIN = Augmentation(HALF, (48, 48), scale=(1.0, 1.0), photometric=0)


def rng(seed=0):
    return np.random.default_rng(seed)


def grey(pixels):
    """Back from normalised to grey levels."""
    return np.rint(pixels[0] * 127.5 + 127.5)


@given(st.integers(0, 10_000))
def test_image_and_label_stay_together(seed):
    moved, labels = PLAIN(*pair(), rng(seed))
    np.testing.assert_array_equal(grey(moved), labels * 100)


@given(st.integers(0, 10_000))
def test_image_and_label_stay_together_when_scaled(seed):
    moved, labels = dataclasses.replace(PLAIN, scale=(0.5, 2.0))(*pair(), rng(seed))
    seen = labels != VOID
    wrong = seen & (np.abs(grey(moved) - labels.astype(int) * 100) > 50)
    assert wrong.mean() < 0.06  # interpolation blurs borders by a pixel


@given(
    st.integers(0, 10_000),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([None, 1, 30]),
)
def test_any_image_gives_a_crop(seed, tall, wide, height, width, short):
    random = rng(seed)
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    label = random.choice(np.array([0, 1, VOID], dtype=np.uint8), (height, width))
    before = image.copy(), label.copy()
    for array in (image, label):
        array.setflags(write=False)
    augment = Augmentation(IMAGENET, (tall, wide), short, short and 3 * short)
    pixels, labels = augment(image, label, random)
    assert (pixels.shape, pixels.dtype) == ((3, tall, wide), np.float32)
    assert (labels.shape, labels.dtype) == ((tall, wide), np.uint8)
    assert np.isfinite(pixels).all()
    assert set(np.unique(labels)) <= {*np.unique(label), VOID}
    assert pixels.flags.c_contiguous
    assert labels.flags.c_contiguous
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label, before[1])


def test_an_image_without_labels():
    image, label = pair()
    pixels, labels = Augmentation(IMAGENET, (32, 32))(image, np.full_like(label, VOID), rng())
    assert (labels == VOID).all()
    assert pixels.any()


def test_one_generator_state_gives_one_result():
    augment = Augmentation(IMAGENET, (48, 48))
    one, other = augment(*pair(), rng(3)), augment(*pair(), rng(3))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert any((augment(*pair(), rng(seed))[0] != one[0]).any() for seed in range(4, 7))


@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.booleans()
)
@example(1, 1, 12, 12, False)
@example(12, 1, 12, 12, True)
def test_what_the_image_does_not_cover_is_nought_and_void(height, width, tall, wide, mirrored):
    random = rng(height)
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    label = random.integers(0, 9, (height, width), dtype=np.uint8)
    augment = dataclasses.replace(PLAIN, preprocessing=IMAGENET, crop=(tall, wide))
    pixels, labels = augment.apply(image, label, Draws(mirrored=mirrored))
    turn = -1 if mirrored else 1
    seen = image[:tall, :wide][:, ::turn]
    below, right = (0, tall - seen.shape[0]), (0, wide - seen.shape[1])
    expected = np.pad(IMAGENET.apply(np.ascontiguousarray(seen)), (below, right, (0, 0)))
    np.testing.assert_array_equal(pixels, expected.transpose(2, 0, 1))
    beside = np.pad(label[:tall, :wide][:, ::turn], (below, right), constant_values=VOID)
    np.testing.assert_array_equal(labels, beside)


@pytest.mark.parametrize("preprocessing", [HALF, IMAGENET, ESPNET_CAMVID])
def test_normalisation_is_that_of_the_weights(preprocessing):
    image = rng().integers(0, 256, (48, 48, 3), dtype=np.uint8)
    augment = dataclasses.replace(PLAIN, preprocessing=preprocessing)
    pixels, _ = augment.apply(image, np.zeros((48, 48), dtype=np.uint8), Draws())
    np.testing.assert_array_equal(pixels, preprocessing.apply(image).transpose(2, 0, 1))


# What is random


def test_mirrors_and_ratios_are_as_asked():
    for flip, low, high in ((0.0, 0, 0), (1.0, 2000, 2000), (0.5, 900, 1100)):
        random = rng()
        found = [Draws.of(random, (0.5, 2.0), flip, 1.0) for _ in range(2000)]
        assert low <= sum(one.mirrored for one in found) <= high
    ratios = np.array([one.ratio for one in found])
    assert (ratios.min() < 0.52, ratios.max() > 1.98) == (True, True)
    assert ((ratios >= 0.5) & (ratios < 2.0)).all()
    assert ratios.mean() == pytest.approx(1.25, abs=0.04)
    corners = np.array([one.corners for one in found])
    assert corners.shape == (2000, 11, 2)
    assert corners.mean(axis=(0, 1)) == pytest.approx([0.5, 0.5], abs=0.02)


def test_one_field_does_not_move_the_chance_of_another():
    one = Draws.of(rng(5), (0.5, 2.0), 0.5, 1.0)
    other = Draws.of(rng(5), (0.5, 2.0), 0.0, 0.0)
    assert (one.ratio, one.corners) == (other.ratio, other.corners)


def test_the_whole_image_is_seen_in_both_directions():
    label = np.arange(8, dtype=np.uint8)[None].repeat(4, axis=0)
    image = np.stack([label] * 3, axis=2)
    augment = dataclasses.replace(PLAIN, crop=(4, 3))
    random = rng()
    starts = {tuple(augment(image, label, random)[1][0]) for _ in range(300)}
    ahead = {(i, i + 1, i + 2) for i in range(6)}
    assert starts == ahead | {three[::-1] for three in ahead}
