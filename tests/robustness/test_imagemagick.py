"""Motion blur and snow as the generator of ImageNet-C makes them, which blurs with ImageMagick."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from imagemagick_images import CASES, PART, SEED, scene
from reference_arrays import load

from segmodels.robustness import on_device
from segmodels.robustness.corruptions import corruption_of, replay
from segmodels.robustness.corruptions.filters import motion_by_imagemagick
from segmodels.robustness.corruptions.snow import Flakes
from segmodels.robustness.on_device.base import on

EVERY = [(name, size, severity) for name, size in CASES for severity in (1, 2, 3, 4, 5)]
_, ARRAYS = load("imagemagick.json")


def drawn(name, size, severity):
    """What the generator draws after `numpy.random.seed`, in our form."""
    random, level = (
        np.random.RandomState(SEED),
        corruption_of(name, "hendrycks").levels[severity - 1],
    )
    if name == "motion_blur":
        return random.uniform(-45, 45)
    layer = random.normal(size=size, loc=level.mean, scale=level.std)
    return Flakes(layer, random.uniform(-135, -45))


def apart(found, name, size, severity):
    """Grey levels between ours and the generator's."""
    kept = found[PART] if name == "snow" else found
    stored = ARRAYS[f"{name} {'x'.join(map(str, size))} {severity}"]
    return np.abs(kept.astype(int) - stored)


@pytest.mark.parametrize(("name", "size", "severity"), EVERY)
def test_pixels_are_those_of_the_generator(name, size, severity):
    draws = drawn(name, size, severity)
    far = apart(replay(scene(*size), name, severity, draws, "hendrycks"), name, size, severity)
    assert far.max() <= 1
    assert (far > 0).mean() < 0.001
    usual = replay(scene(*size), name, severity, draws)
    assert apart(usual, name, size, severity).max() >= 1


@pytest.mark.parametrize(("name", "size", "severity"), EVERY)
def test_on_a_device_too(name, size, severity):
    kind = corruption_of(name, "hendrycks")
    draws = on("cpu", drawn(name, size, severity))
    apply = on_device._STANDS_FOR[kind.apply]
    found = apply(torch.from_numpy(scene(*size)), kind.levels[severity - 1], draws).numpy()
    assert apart(found, name, size, severity).max() <= 1


@pytest.mark.parametrize("level", range(256))
def test_even_images_stay_as_they_are(level):
    """To the bit: weights that sum up to a little less than 1 cost no grey level."""
    even = np.full((9, 50, 3), level, np.uint8)
    for radius, sigma in ((10, 3), (15, 12), (20, 15)):
        np.testing.assert_array_equal(motion_by_imagemagick(even, radius, sigma, 20.0), even)
