"""mmsegmentation's training transforms, with chance in somebody else's hands.

For `make_training.py` and `benchmarks/transforms.py`; needs mmsegmentation 1.2.2 and
mmcv 2.1 (mmcv-lite will do). Nothing of them is changed: what they draw from `np.random` is
handed to them from a list, in the order and by the names they ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
from mmcv.transforms import Normalize, Pad, RandomResize
from mmseg.datasets.transforms import PhotoMetricDistortion, RandomCrop, RandomFlip
from mmseg.utils import register_all_modules

register_all_modules()

#: A function of `np.random` that is asked for, and what it answers.
Drawn = tuple[str, Any]


@contextmanager
def scripted(drawn: list[Drawn]) -> Iterator[None]:
    """Let `np.random` answer with these values: all of them, in this order, and no others."""
    left = list(drawn)

    def answer(name: str) -> Any:
        def answered(*_: Any, **__: Any) -> Any:
            expected, value = left.pop(0)
            if expected != name:
                raise RuntimeError(f"np.random.{name} was called where {expected} was expected.")
            return value

        return answered

    names = ("randint", "uniform", "random_sample", "choice")
    with mock.patch.multiple(np.random, **{name: answer(name) for name in names}):
        yield
    if left:
        raise RuntimeError(f"nobody asked for {left}.")


@contextmanager
def cornered(corners: list[tuple[float, float]]) -> Iterator[list[Drawn]]:
    """Let `np.random.randint` answer with these shares of its range, as far as it is asked.

    Yields:
        what it answered.
    """
    shares = iter(share for corner in corners for share in corner)
    answers: list[Drawn] = []

    def randint(low: int, high: int) -> int:
        answers.append(("randint", low + int(next(shares) * (high - low))))
        return int(answers[-1][1])

    with mock.patch.object(np.random, "randint", randint):
        yield answers


def colours(distortion: dict[str, Any]) -> list[Drawn]:
    """What `PhotoMetricDistortion` draws for these changes."""

    def maybe(name: str, by: str = "uniform") -> list[Drawn]:
        value = distortion[name]
        return [("randint", 0)] if value is None else [("randint", 1), (by, value)]

    contrast, between = maybe("contrast"), maybe("saturation") + maybe("hue", "randint")
    last = distortion["contrast_last"]
    rest = [*between, *contrast] if last else [*contrast, *between]
    return [*maybe("brightness"), ("randint", 0 if last else 1), *rest]


def distort(image: Any, distortion: dict[str, Any]) -> Any:
    """`PhotoMetricDistortion` of a uint8 RGB image."""
    with scripted(colours(distortion)):
        found = PhotoMetricDistortion().transform({"img": np.ascontiguousarray(image[..., ::-1])})
    return found["img"][..., ::-1]


class Peer:
    """The pipeline of the published configs, from a decoded image to normalised pixels.

    Args:
        base: (long, short) of the random resize.
        crop: height and width.
        mean, std: of the normalisation, RGB.
    """

    def __init__(
        self,
        base: tuple[int, int],
        crop: tuple[int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self.resize = RandomResize(scale=base, ratio_range=(0.5, 2.0), keep_ratio=True)
        self.crop = RandomCrop(crop_size=crop, cat_max_ratio=0.75)
        self.flip = RandomFlip(prob=0.5)
        self.colours = PhotoMetricDistortion()
        self.normalise = Normalize(mean, std, to_rgb=True)
        self.pad = Pad(size=crop[::-1], pad_val={"img": 0, "seg": 255})

    def augment(self, results: dict[str, Any]) -> dict[str, Any]:
        """What a worker of mmsegmentation 1.x does: everything up to normalisation."""
        for transform in (self.resize, self.crop, self.flip, self.colours):
            results = transform(results)
        return results

    def finish(self, results: dict[str, Any]) -> tuple[Any, Any]:
        """Normalisation, padding and the order of axes: float32 (3, h, w), uint8 (h, w)."""
        results = self.pad(self.normalise(results))
        pixels = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        return pixels, results["gt_seg_map"]

    def replay(
        self, results: dict[str, Any], draws: dict[str, Any]
    ) -> tuple[dict[str, Any], list[Drawn]]:
        """`augment` with these draws, which have the names of
        `segmodels.training.augmentation.Draws`.

        Returns:
            what `augment` returns, and a script under which it would do the same.
        """
        low, high = self.resize.ratio_range
        scale = [("random_sample", (draws["ratio"] - low) / (high - low))]
        rest = [("choice", "horizontal" if draws["mirrored"] else None)]
        rest += colours(draws["distortion"])
        with scripted(scale):
            results = self.resize(results)
        with cornered(draws["corners"]) as corners:
            results = self.crop(results)
        with scripted(rest):
            return self.colours(self.flip(results)), [*scale, *corners, *rest]


def results_of(image: Any, label: Any) -> dict[str, Any]:
    """What a pipeline of mmsegmentation starts with; it reads images as BGR."""
    return {
        "img": np.ascontiguousarray(image[..., ::-1]),
        "gt_seg_map": label,
        "seg_fields": ["gt_seg_map"],
        "img_shape": image.shape[:2],
        "ori_shape": image.shape[:2],
    }
