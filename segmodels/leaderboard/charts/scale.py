"""A scale of a diagram."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Distances between round values.
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Scale:
    """A range of numbers laid over a range of pixels, by their logarithm if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Pixels; a value outside stands at the edge."""
        low, high, inside = self.low, self.high, min(self.high, max(self.low, value))
        if self.log:
            low, high, inside = (math.log10(v) for v in (low, high, inside))
        return self.start + (inside - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values, few enough to be read."""
        if self.log:
            tens = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [v for t in tens if self.low <= (v := 10.0**t) <= self.high]
        step = next(s for s in _STEPS if (self.high - self.low) / s <= 9)
        first = -(-self.low // step)
        count = int((self.high - first * step) / step + 1e-9) + 1
        return [(first + i) * step for i in range(count)]
