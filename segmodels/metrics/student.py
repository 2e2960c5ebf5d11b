"""Student's t distribution, for intervals from few units: exact where that matters."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

#: From here on the expansion around the normal distribution is right to ten digits.
_MANY = 200


@lru_cache(maxsize=1024)
def t_quantile(confidence: float, freedom: int) -> float:
    """Half the width, in standard errors, of the middle that holds `confidence` of t.

    Args:
        confidence: 0..1, both tails left out: 0.95 gives 12.706 for one degree of freedom.
        freedom: degrees of freedom, at least 1.
    """
    if freedom >= _MANY:
        return _expanded(NormalDist().inv_cdf((1 + confidence) / 2), freedom)
    low, high = 0.0, math.pi / 2  # t = sqrt(freedom) tan(angle), and the middle grows with it
    for _ in range(100):
        angle = (low + high) / 2
        low, high = (angle, high) if _middle(angle, freedom) < confidence else (low, angle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _middle(angle: float, freedom: int) -> float:
    """Probability between -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    sine, squared = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    terms = [term]
    for k in range(2 + odd, freedom - 1, 2):
        term *= squared * (k - 1) / k
        terms.append(term)
    total = sine * math.fsum(terms)
    if not odd:
        return total
    return 2 / math.pi * (angle + (total if freedom > 1 else 0.0))


def _expanded(z: float, freedom: int) -> float:
    """Abramowitz and Stegun, 26.7.5."""
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
