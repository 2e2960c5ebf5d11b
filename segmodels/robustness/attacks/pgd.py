"""PGD: many small steps, brought back to the bound (Madry et al., ICLR 2018, arXiv 1706.06083)."""

from __future__ import annotations

from segmodels.robustness.attacks.ascent import ascend
from segmodels.robustness.attacks.base import Attack

PGD = Attack(ascend, frozenset({"step", "steps", "losses", "start", "seed"}))
