"""How far a command has come."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from segmodels.core.progress import duration

if TYPE_CHECKING:
    from tqdm import tqdm


class ProgressBar:
    """A bar with the time that is left; where nobody watches, one line at the end."""

    def __init__(self) -> None:
        self.bar: tqdm[NoReturn] | None = None

    def __call__(self, done: int, total: int) -> None:
        """So many of so many images are done."""
        if sys.stderr.isatty():
            self._draw(done, total)
        elif done == total:
            print(f"{done}/{total} images", file=sys.stderr)

    def _draw(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None:  # what an earlier attempt finished says nothing about speed
            first = max(done - 1, 0)
            self.bar = tqdm(total=total, initial=first, unit=" images", leave=True)
        self.bar.update(done - self.bar.n)
        if done == total:
            self.bar.close()
            self.bar = None


progress = ProgressBar()


def curve(point: dict[str, float], steps: int) -> None:
    """One point of a training curve, and how fast the training goes."""
    print(
        f"step {point['step']:.0f}/{steps}: "
        f"loss {point['loss']:.3g}, mIoU {point['val_miou']:.2f}; "
        f"{point['images_per_second']:.3g} images/s, {duration(point['seconds_left'])} left, "
        f"{point['memory_bytes'] / 2**30:.1f} GiB",
        file=sys.stderr,
    )
