"""How far a long task has come, for whoever watches."""

from __future__ import annotations

from collections.abc import Callable

#: Called with the number of images that are done, and of all.
Progress = Callable[[int, int], None]


class TimeLeft:
    """How long the rest takes at the mean speed since the first call.

    What was done before that says nothing about speed: an earlier attempt may have done it.
    """

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int, now: float) -> float | None:
        """Seconds that are left; None where nothing was done between two calls, or all is.

        Args:
            done, total: so many of all are done.
            now: of a clock, seconds.
        """
        if self._first is None or done < self._first[0]:
            self._first = done, now
        before, start = self._first
        if done == before or done >= total:
            return None
        return (now - start) / (done - before) * (total - done)


def duration(seconds: float) -> str:
    """Hours and minutes, as `2:05 h`; minutes below two hours, seconds below two minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60}:{minutes % 60:02d} h"
