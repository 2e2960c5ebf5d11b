"""How often a fault is tried, and where chance lets it strike."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterable
from typing import Any

import pytest

#: `SEGMODELS_FAULTS=40 pytest -m faults tests/faults` tries each fault so many times.
REPEATS = int(os.environ.get("SEGMODELS_FAULTS", "1"))
#: The first of the seeds; a failure names its own.
SEED = int(os.environ.get("SEGMODELS_FAULTS_SEED", "0"))


def seeds() -> range:
    """A seed for each repeat."""
    return range(SEED, SEED + REPEATS)


def chance(*of: object) -> random.Random:
    """Random numbers that are the same for the same seed and fault."""
    return random.Random(" ".join(map(str, of)))


def some(every: Iterable[str], usual: Collection[str]) -> list[Any]:
    """Parameters of a test: those that every run of the tests tries, the others marked slow."""
    return [one if one in usual else pytest.param(one, marks=pytest.mark.slow) for one in every]
