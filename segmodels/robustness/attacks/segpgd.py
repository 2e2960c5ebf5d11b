"""SegPGD: PGD that looks at right pixels first (Gu et al., ECCV 2022, arXiv 2207.12391)."""

from __future__ import annotations

from segmodels.robustness.attacks.ascent import ascend
from segmodels.robustness.attacks.base import Attack

SEGPGD = Attack(
    ascend, frozenset({"step", "steps", "start", "seed"}), loss="balanced_cross_entropy"
)
