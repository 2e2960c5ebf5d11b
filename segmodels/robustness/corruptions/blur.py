"""Blur."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import (
    Corruption,
    Reals,
    strips,
    to_pixels,
    to_unit,
    truncated,
)
from segmodels.robustness.corruptions.glass import GLASS
from segmodels.robustness.corruptions.resampling import enlarged, enlarged_size, opencv_can

#: Columns that are filtered at a time: their rows then stay in a processor's cache.
_COLUMNS = 512


def gaussian_blur(image: Pixels, sigma: float, _: None) -> Pixels:
    """Gaussian filter, sigma in pixels, cut off at four sigma, edges repeated; in float64."""
    import cv2  # here, because judging asks which corruptions there are and needs no OpenCV

    reach, width = int(4 * sigma + 0.5), image.shape[1]
    sides, found = (2 * reach + 1, 2 * reach + 1), np.empty_like(image)
    parts = max(1, width // _COLUMNS)
    for left, right in pairwise(width * part // parts for part in range(parts + 1)):
        first = max(0, left - reach)
        near = to_unit(image[:, first : right + reach])
        blurred = cv2.GaussianBlur(near, sides, sigma, borderType=cv2.BORDER_REPLICATE)
        levels = np.asarray(blurred).reshape(near.shape)[:, left - first : right - first]
        found[:, left:right] = to_pixels(levels)
    return found


#: Lines of a disk that are filtered with at a time: OpenCV looks only at weights that are not 0,
#: but takes a Fourier transform of a larger kernel.
_LINES = 6
#: A larger disk has so many weights that Fourier transforms are faster, of so many rows at a time.
_LARGEST, _ROWS = 8, 256


@lru_cache(maxsize=5)
def disk_of(radius: int, alias: float) -> Reals:
    """A disk with softened edges, float32; it sums to 1.013 at radius 8, 1.011 at 10.

    There the softening filter meets the edge of the array and is reflected, and nobody
    normalises again.
    """
    import cv2

    reach, side = max(8, radius), 3 if radius <= 8 else 5
    steps = np.arange(-reach, reach + 1)
    inside = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float32)
    inside /= inside.sum()
    disk = np.asarray(cv2.GaussianBlur(inside, (side, side), alias))
    used = min(reach, radius + side // 2)
    return np.ascontiguousarray(
        disk[reach - used : reach + used + 1, reach - used :][:, : 2 * used + 1]
    )


def defocus_blur(image: Pixels, level: tuple[int, float], _: None) -> Pixels:
    """Mean over a disk, edges mirrored without repeating the last pixel."""
    if level[0] > _LARGEST:
        return _defocused_by_fourier(image, disk_of(*level))
    return _defocused(image, disk_of(*level))


def _defocused(image: Pixels, disk: Reals) -> Pixels:
    import cv2

    reach = len(disk) // 2
    padded = cv2.copyMakeBorder(image, reach, reach, 0, 0, cv2.BORDER_REFLECT_101)
    found = np.empty_like(image)
    for rows in strips(image, at_least=4 * reach):
        near = np.asarray(padded)[rows.start : rows.stop + 2 * reach].astype(np.float32)
        total = np.zeros((rows.stop - rows.start, *image.shape[1:]), np.float32)
        for first in range(0, len(disk), _LINES):
            lines = disk[first : first + _LINES]
            part = cv2.filter2D(
                near[first : first + len(total) + len(lines) - 1],
                cv2.CV_32F,
                lines,
                anchor=(reach, 0),
            )
            total += np.asarray(part).reshape(-1, *image.shape[1:])[: len(total)]
        found[rows] = truncated(total)
    return found


def _defocused_by_fourier(image: Pixels, disk: Reals) -> Pixels:
    """The same, one level off where a sum lies within 0.0001 of a whole grey level."""
    import cv2

    planes = [_plane_by_fourier(np.asarray(plane), disk) for plane in cv2.split(image)]
    found: Pixels = np.asarray(cv2.merge(planes))
    return found.reshape(image.shape)


def _plane_by_fourier(plane: Pixels, disk: Reals) -> Pixels:
    """Of one channel, uint8 (H, W); some rows at a time, with as many of their neighbours."""
    import cv2

    (height, width), reach = plane.shape, len(disk) // 2
    down = cv2.getOptimalDFTSize(min(_ROWS, height) + 2 * reach)
    across, step = cv2.getOptimalDFTSize(width + 2 * reach), down - 2 * reach
    kernel = np.zeros((down, across), np.float32)
    kernel[: len(disk), : len(disk)] = disk
    spectrum, back = cv2.dft(kernel), cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT
    sides = reach, down + reach, reach, across - width - reach
    padded = np.asarray(cv2.copyMakeBorder(plane, *sides, cv2.BORDER_REFLECT_101))
    found = np.empty_like(plane)
    for top in range(0, height, step):
        rows = min(step, height - top)
        part = padded[top : top + down].astype(np.float32)
        cv2.dft(part, part)
        cv2.mulSpectrums(part, spectrum, 0, part, conjB=True)
        cv2.dft(part, part, flags=back, nonzeroRows=rows)
        found[top : top + rows] = truncated(part[:rows, :width])
    return found


class Motion(NamedTuple):
    """Parameters of motion blur.

    Attributes:
        radius: half the number of pixels that are added up.
        sigma: of their weights, in pixels along the direction.
        loses: bit n is set where an even surface of grey level n comes out as n - 1. The weights
            sum to 1 but for the last bits of float64, in which the authors add them up before
            they truncate; given, since these bits depend on a machine's exponential function.
    """

    radius: int
    sigma: float
    loses: int


def motion_blur(image: Pixels, level: Motion, angle: float) -> Pixels:
    """Half a normal curve along a direction, which also moves what is seen to the left."""
    # A float32 has no room for the outermost of the small sigmas' weights.
    kind, least = (np.float64, 1e-9) if level.sigma <= 5 else (np.float32, 2e-4)
    blurred = filters.motion(image.astype(kind), level.radius, level.sigma, angle)
    found = np.empty_like(image)
    for rows in strips(image):
        found[rows] = filters.truncated_as(blurred[rows], level.loses, least)
    return found


def motion_blur_by_imagemagick(image: Pixels, level: Motion, angle: float) -> Pixels:
    """The same, rounded otherwise, and no copy is lost in an image smaller than the blur."""
    return filters.motion_by_imagemagick(image, level.radius, level.sigma, angle)


def _angle(image: Pixels, level: Motion, random: np.random.Generator) -> float:
    return draws.angle(random, -45, 45)


def zoom_blur(image: Pixels, factors: Reals, _: None) -> Pixels:
    """Mean of the image and its enlargements, of which the first is the image once more.

    What is larger than the image by some pixels loses them at the right and at the bottom.
    """
    return _zoomed(image, factors, centred=False)


def zoom_blur_centred(image: Pixels, factors: Reals, _: None) -> Pixels:
    """The same, but what is too large loses pixels on all sides."""
    return _zoomed(image, factors, centred=True)


def _zoomed(image: Pixels, factors: Reals, *, centred: bool) -> Pixels:
    levels, found = image.astype(np.float32), np.empty_like(image)
    # OpenCV enlarges some rows alone, which then are added up in a processor's cache.
    parts = list(strips(image)) if opencv_can(levels) else [slice(0, len(image))]
    for rows in parts:
        total = levels[rows].copy()
        for factor in factors:
            total += _enlargement(levels, float(factor), rows, centred)
        total /= np.float32(len(factors) + 1)
        found[rows] = truncated(total)
    return found


def _enlargement(levels: Reals, factor: float, rows: slice, centred: bool) -> Reals:
    """Some rows of an enlargement, as wide as the image."""
    sides = levels.shape[:2]
    too_large = [n - side for n, side in zip(enlarged_size(sides, factor), sides, strict=True)]
    top, left = (n // 2 if centred else 0 for n in too_large)
    there = slice(rows.start + top, rows.stop + top)
    return enlarged(levels, factor, there)[:, left : left + sides[1]]


_DISKS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))

_MOTIONS = (
    Motion(10, 3.0, 0x6FFB1AD6C7BD574A68D1739F56639C3ABD4EB7F88DD7E9647A7C3F9ACE74AE20),
    Motion(15, 5.0, 0x28000000020140000000000000000018000000004000080000),
    Motion(15, 8.0, 0x3EDBA79DF8CCFBB649BF49F302F825F96D37CAD6979D0C3DB78E772772F3CDB6),
    Motion(15, 12.0, 0xEFFFFEDFEFEFBFDDE75EDDFEFFD7FF67BFEFBB7FBEFEFFFB7B5F6EFDDFAFF3DE),
    Motion(20, 15.0, 0x6AE57D47CD4F193FD4CCD50268C206188BFBBB57EAF088241D5F8C027F20F0C8),
)

# Of these steps, numpy lets the first range reach its end: 12 factors, 1.11 included.
_ZOOMS = tuple(
    np.arange(1, end, step)
    for end, step in ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))
)

CORRUPTIONS = {
    "gaussian_blur": Corruption((1, 2, 3, 4, 6), gaussian_blur),
    "defocus_blur": Corruption(_DISKS, defocus_blur, version=(1, 1, 1, 1, 2)),
    "glass_blur": GLASS,
    "motion_blur": Corruption(
        _MOTIONS,
        motion_blur,
        _angle,
        {"hendrycks": Corruption(_MOTIONS, motion_blur_by_imagemagick, _angle)},
    ),
    "zoom_blur": Corruption(
        _ZOOMS, zoom_blur, variants={"hendrycks": Corruption(_ZOOMS, zoom_blur_centred)}
    ),
}
