"""What happens to pixels after they were taken."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Floats, Pixels
from segmodels.robustness.corruptions.base import Corruption, to_pixels
from segmodels.robustness.corruptions.colour import SATURATE
from segmodels.robustness.corruptions.elastic import ELASTIC

if TYPE_CHECKING:
    from PIL import Image


_UNIT = np.arange(256) / 255.0

#: At most so much of itself does a float64 sum lose with a further number, and twice that.
_ROUNDING = 2.0**-52

#: Pixels that are added up at a time: as float64 they fit into a processor's first caches.
_PIXELS = 4096


def contrast(image: Pixels, factor: float, _: None) -> Pixels:
    """Pull every channel towards its mean."""
    import cv2

    table = _towards_mean(image, factor)
    found: Pixels = np.asarray(cv2.LUT(image, table[None]))
    return found.reshape(image.shape)


def _towards_mean(image: Pixels, factor: float) -> Pixels:
    """New grey levels by channel, uint8 (256, 3).

    The mean is that of grey levels in [0, 1], added up pixel by pixel in float64, as numpy's mean
    does: its last bits decide about whole grey levels where colours are few, and evidence rests on
    them. Adding up whole numbers takes a tenth of the time. That sum is exact, so a bound for the
    rounding of the other is known, and where both ends of it give the same levels, so does the
    mean between them.
    """
    import cv2

    pixels = image.shape[0] * image.shape[1]
    mean = np.array(cv2.sumElems(image)[:3]) / (255 * pixels)
    slack = mean * (pixels + 16) * _ROUNDING + 1e-14
    least, most = (_pulled(end, factor) for end in (mean - slack, mean + slack))
    return least if np.array_equal(least, most) else _pulled(_means(image), factor)


def _pulled(mean: Floats, factor: float) -> Pixels:
    return to_pixels((_UNIT[:, None] - mean) * factor + mean)


def _means(image: Pixels) -> Floats:
    """Mean of every channel in [0, 1], added up pixel by pixel in float64."""
    pixels, total = image.reshape(-1, 3), np.zeros((1, 3))
    for first in range(0, len(pixels), _PIXELS):
        part = _UNIT[pixels[first : first + _PIXELS]]
        total = np.add.reduce(np.concatenate([total, part]), axis=0, keepdims=True)
    return np.asarray(total[0] / len(pixels))


def jpeg_compression(image: Pixels, quality: int, _: None) -> Pixels:
    """Encode and decode as JPEG at a low quality, colours at half the resolution."""
    import cv2

    # Pillow gives the same bits, from the same library, but copies more.
    blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded))


def as_jpeg(image: Pixels, **how: Any) -> Pixels:
    """What comes back from a JPEG file written by Pillow."""
    from PIL import Image  # here, as OpenCV in contrast

    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", **how)
    return np.array(Image.open(encoded).convert("RGB"))


def pixelate(image: Pixels, factor: float, _: None) -> Pixels:
    """Reduce by averaging and enlarge by repeating."""
    import cv2

    small = np.asarray(_reduced(image, factor))
    rows, columns = (nearest(*sides) for sides in zip(image.shape, small.shape[:2], strict=False))
    # A pixel as one number is moved several times as fast as three values.
    packed = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)).reshape(*small.shape[:2], 4)
    wide = np.take(packed.view(np.uint32)[..., 0], columns, axis=1)
    large = np.take(wide, rows, axis=0)[..., None].view(np.uint8)
    found: Pixels = np.asarray(cv2.cvtColor(large, cv2.COLOR_RGBA2RGB))
    return found.reshape(image.shape)


def nearest(side: int, small: int) -> npt.NDArray[np.int64]:
    """Which of `small` values each of `side` repeats: steps are added up, as in Pillow."""
    steps = np.full(side, small / side)
    steps[0] *= 0.5
    return np.minimum(np.add.accumulate(steps).astype(np.int64), small - 1)


def pixelate_by_means(image: Pixels, factor: float, _: None) -> Pixels:
    """Reduce and enlarge by averaging, which mixes where the middle of a pixel falls on an edge."""
    from PIL import Image

    size = image.shape[1], image.shape[0]
    return np.array(_reduced(image, factor).resize(size, Image.Resampling.BOX))


def _reduced(image: Pixels, factor: float) -> Image.Image:
    from PIL import Image

    height, width = image.shape[:2]
    small = (max(1, int(width * factor)), max(1, int(height * factor)))
    # Columns first, as Pillow does up to version 12; 13 takes rows first of images that are more
    # than twice as tall as wide, and both round.
    narrow = Image.fromarray(image).resize((small[0], height), Image.Resampling.BOX)
    return narrow.resize(small, Image.Resampling.BOX)


_PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)

CORRUPTIONS = {
    "contrast": Corruption((0.4, 0.3, 0.2, 0.1, 0.05), contrast),
    "elastic_transform": ELASTIC,
    "pixelate": Corruption(
        _PIXELATE, pixelate, variants={"hendrycks": Corruption(_PIXELATE, pixelate_by_means)}
    ),
    "jpeg_compression": Corruption((25, 18, 15, 10, 7), jpeg_compression),
    "saturate": SATURATE,
}
