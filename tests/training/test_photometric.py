"""Photometric distortion, against mmsegmentation's outputs and its definition written out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_arrays import load

from segmodels.training.augmentation import Distortion

RECORD, ARRAYS = load("training_mmseg.json")


@pytest.mark.parametrize("number", range(len(RECORD["distortions"])))
def test_the_pixels_of_mmsegmentation(number):
    distortion = Distortion(**RECORD["distortions"][number])
    found = distortion.apply(ARRAYS["image"])
    np.testing.assert_array_equal(found, ARRAYS[f"distorted_{number}"])


def test_the_reference_has_every_set_of_changes():
    def changes(record):
        return tuple(record[name] is not None for name in names), record["contrast_last"]

    names = ("brightness", "contrast", "saturation", "hue")
    assert len({changes(record) for record in RECORD["distortions"]}) == 24
    moved = [(ARRAYS[f"distorted_{n}"] != ARRAYS["image"]).any() for n in range(24)]
    assert sum(moved) == 23  # all but the one without any change


def step_by_step(image, distortion):
    """One change after the other on float values; every step ends in whole grey levels."""

    def linear(values, factor=1.0, added=0.0):
        changed = values.astype(np.float32) * np.float32(factor) + np.float32(added)
        return np.clip(changed, 0, 255).astype(np.uint8)

    def contrast(values):
        return values if distortion.contrast is None else linear(values, distortion.contrast)

    if distortion.brightness is not None:
        image = linear(image, added=distortion.brightness)
    if not distortion.contrast_last:
        image = contrast(image)
    if distortion.saturation is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 1] = linear(hsv[..., 1], distortion.saturation)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if distortion.hue is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + distortion.hue) % 180
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return contrast(image) if distortion.contrast_last else image


def maybe(strategy):
    return st.one_of(st.none(), strategy)


DISTORTIONS = st.builds(
    Distortion,
    maybe(st.floats(-32, 32)),
    maybe(st.floats(0.5, 1.5)),
    st.booleans(),
    maybe(st.floats(0.5, 1.5)),
    maybe(st.integers(-18, 17)),
)


@given(DISTORTIONS, st.integers(0, 1000), st.integers(1, 20))
def test_fewer_passes_give_the_same_pixels(distortion, seed, width):
    image = np.random.default_rng(seed).integers(0, 256, (5, width, 3), dtype=np.uint8)
    before = image.copy()
    image.setflags(write=False)
    np.testing.assert_array_equal(distortion.apply(image), step_by_step(image, distortion))
    prepared, table = distortion.prepared(image)
    np.testing.assert_array_equal(table[prepared], step_by_step(image, distortion))
    np.testing.assert_array_equal(image, before)


def drawn(strength, number=4000):
    random = np.random.default_rng(0)
    return [Distortion.draw(random, strength) for _ in range(number)]


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_ranges_and_frequencies(strength):
    found = drawn(strength)
    hue = round(18 * strength)
    bounds = {
        "brightness": (-32 * strength, 32 * strength),
        "contrast": (1 - strength / 2, 1 + strength / 2),
        "saturation": (1 - strength / 2, 1 + strength / 2),
        "hue": (-hue, hue - 1),
    }
    for name, (low, high) in bounds.items():
        values = [v for v in (getattr(one, name) for one in found) if v is not None]
        assert len(values) / len(found) == pytest.approx(0.5, abs=0.04)
        assert low <= min(values) < low + (high - low) / 20
        assert high - (high - low) / 20 < max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=(high - low) / 20)
    assert np.mean([one.contrast_last for one in found]) == pytest.approx(0.5, abs=0.04)
    assert {one.hue for one in found} == {None, *range(-hue, hue)}


def test_changes_are_drawn_independently():
    flags = np.array(
        [
            [
                one.brightness is not None,
                one.contrast is not None,
                one.contrast_last,
                one.saturation is not None,
                one.hue is not None,
            ]
            for one in drawn(1.0)
        ]
    )
    assert np.abs(np.corrcoef(flags.T) - np.eye(5)).max() < 0.06


def test_no_strength_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    for one in drawn(0.0, 50):
        assert (one.brightness, one.contrast, one.saturation, one.hue) == (None,) * 4
        np.testing.assert_array_equal(one.apply(image), image)
