"""Blurs that are computed in parts or by Fourier transforms."""

from __future__ import annotations

import numpy as np
import pytest

from segmodels.robustness.corruptions import CORRUPTIONS, blur
from segmodels.robustness.corruptions.base import to_pixels, to_unit

SHAPES = [(1, 1), (1, 90), (90, 1), (2, 3), (17, 300), (300, 17), (70, 1100), (530, 40), (9, 1600)]


def picture(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [1, 6])
def test_a_gaussian_filter_of_parts_is_that_of_the_whole(shape, sigma):
    cv2 = pytest.importorskip("cv2")
    image, side = picture(shape), 2 * int(4 * sigma + 0.5) + 1
    whole = cv2.GaussianBlur(
        to_unit(image), (side, side), sigma, borderType=cv2.BORDER_REPLICATE
    ).reshape(image.shape)
    assert np.array_equal(blur.gaussian_blur(image, sigma, None), to_pixels(whole))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_disk_by_fourier_transforms_is_the_sum_of_neighbours(shape):
    image, level = picture(shape), CORRUPTIONS["defocus_blur"].levels[4]
    disk = blur.disk_of(*level).astype(np.float64)
    reach = len(disk) // 2
    near, sums = mirrored(image, reach), np.zeros(image.shape)
    for down, across in np.argwhere(disk):
        sums += disk[down, across] * near[down : down + shape[0], across : across + shape[1]]
    sums = np.clip(sums, 0, 255)
    found = blur.defocus_blur(image, level, None).astype(int)
    clear = np.abs(sums - np.rint(sums)) > 0.001
    assert np.array_equal(found[clear], sums.astype(int)[clear])
    assert np.abs(found - sums.astype(int)).max() <= 1


def mirrored(image: np.ndarray, reach: int) -> np.ndarray:
    """Edges mirrored again and again where an image is smaller than what is added to it."""
    rows, columns = (
        np.abs((np.arange(-reach, side + reach) + side - 1) % max(1, 2 * side - 2) - (side - 1))
        for side in image.shape[:2]
    )
    return image[rows][:, columns].astype(float)


@pytest.mark.parametrize("level", [0, 255])
def test_an_even_surface_under_a_large_disk_stays_in_range(level):
    image = np.full((300, 90, 3), level, np.uint8)
    blurred = blur.defocus_blur(image, CORRUPTIONS["defocus_blur"].levels[4], None)
    assert np.array_equal(blurred, image)
