"""Every corruption against outputs and statistics of the published generators."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest

from segmodels.robustness.corruptions import CORRUPTIONS, corrupt, replay
from segmodels.robustness.corruptions.elastic import Shifts
from segmodels.robustness.corruptions.fog import side_of
from segmodels.robustness.corruptions.glass import GLASS, copied
from segmodels.robustness.corruptions.snow import Flakes

DRAWS = 20
#: Ours by the names of the stored variants; all others are the default.
VARIANTS = {"box_both_ways": "hendrycks", "imagecorruptions_then_jpeg85": None}


@pytest.fixture(scope="module")
def published(mirror):
    path = mirror / "reference" / "corruptions" / "corruptions.py"
    if not path.is_file():
        pytest.skip(f"no outputs of published generators at {path}")
    spec = importlib.util.spec_from_file_location("published_corruptions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def images(published):
    return {name: image for name, image in published.images().items() if "large" not in name}


def fields(random, image, decay) -> Iterator[list[np.ndarray]]:
    wide, side = 100.0, side_of(*image.shape[:2])
    for k in (1 << level for level in range(side.bit_length() - 1)):
        yield [random.uniform(-wide, wide, (k, k)) for _ in range(3)]
        wide /= decay


def drawn(name, variant, image, level):
    """What the published generator drew after `numpy.random.seed(7)`, in our form."""
    random, shape = np.random.RandomState(7), image.shape[:2]
    if name == "gaussian_noise":
        return random.normal(size=image.shape, scale=level)
    if name == "motion_blur":
        angle = random.uniform(-45, 45)
        return float(variant.removeprefix("angle")) if variant.startswith("angle") else angle
    if name == "snow":
        layer = random.normal(size=shape, loc=level.mean, scale=level.std)
        return Flakes(layer, random.uniform(-135, -45))
    if name == "fog":
        return list(fields(random, image, level[1]))
    assert name == "elastic_transform"
    most = 0.005 * shape[0]
    return Shifts(*(random.uniform(-most, most, shape) for _ in range(2)))


def faults(published, found, image, stored):
    """What breaks the rules that come with the stored outputs."""
    apart = published.compare_exact(found, image, stored)
    limits = {"max": 1, "share_gt1": 0}
    if image != "flat_64x64":
        limits |= {"mean_shift": 0.1, "blocks": 0.6}
    return {name: apart[name] for name, limit in limits.items() if apart[name] > limit}


def test_without_chance_pixels_are_those_of_the_published_generators(published, images):
    wrong = {}
    for name, variant, image, severity, stored in published.iter_exact("det"):
        if image in images:
            ours = VARIANTS.get(variant, "imagecorruptions") or variant
            found = corrupt(images[image], name, severity, variant=ours)
            wrong[name, variant, image, severity] = faults(published, found, image, stored)
    assert len(wrong) >= 4 * 4 * 5
    assert not {case: fault for case, fault in wrong.items() if fault}


def test_from_the_same_draws_pixels_are_those_of_the_published_generator(published, images):
    wrong = {}
    for name, variant, image, severity, stored in published.iter_exact("replay"):
        level = CORRUPTIONS[name].levels[severity - 1]
        draws = drawn(name, variant, images[image], level)
        found = replay(images[image], name, severity, draws)
        wrong[name, variant, image, severity] = faults(published, found, image, stored)
    assert len(wrong) >= 5 * 5
    assert not {case: fault for case, fault in wrong.items() if fault}


@pytest.mark.parametrize(
    "name", ["gaussian_noise", "motion_blur", "snow", "fog", "elastic_transform", "frost"]
)
def test_own_draws_are_distributed_as_the_published_generators(published, images, name):
    stored, wrong = published.load_random(name), {}
    for image in ("flat_64x64", "small_96x128"):
        for severity in (1, 3, 5):
            case, x = stored["cases"][f"{image}|{severity}"], images[image]
            found = [corrupt(x, name, severity, seed) for seed in range(DRAWS)]
            rows = [published.stats(one, x) for one in found]
            wrong[image, severity] = published.compare_random(rows, case)
            if extra := stored.get("extra", {}).get(f"{image}|{severity}"):
                rows = [published.extra_stats(name, one, x, severity) for one in found]
                names = published.extra_names(name)
                wrong[image, severity] += published.compare_random(rows, extra, names)
    assert not {case: fault for case, fault in wrong.items() if fault}


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_glass_copies_one_after_the_other(severity):
    """As a loop over pixels, from the last to the first."""
    reach = GLASS.levels[severity - 1].reach
    random = np.random.default_rng(severity)
    image = random.integers(0, 256, (19, 23, 3), dtype=np.uint8)
    sides = (19 - 2 * reach, 23 - 2 * reach)
    shifts = random.integers(-reach, reach, (*sides, 2), dtype=np.int8)
    expected = image.copy()
    for row in range(19 - reach, reach, -1):
        for column in range(23 - reach, reach, -1):
            right, down = shifts[row - reach - 1, column - reach - 1]
            expected[row, column] = expected[row + down, column + right]
    numbers = np.arange(19 * 23, dtype=np.uint32).reshape(19, 23)
    found = image.reshape(-1, 3)[copied(numbers, reach, shifts)]
    np.testing.assert_array_equal(found, expected)
