"""A clock that jumps, backwards and far ahead, in the middle of a stage: the same results."""

from __future__ import annotations

from pathlib import Path

import pytest
import stage_project
from repeats import chance, seeds, some
from stage_project import STAGES, Project, next_of

pytestmark = pytest.mark.faults

#: Every reading of the clock is another one, within ten years; files keep the true time.
JUMPS = """
import random, time
drawn, true = random.Random({seed}), time.time
time.time = lambda: true() + drawn.uniform(-3e8, 3e8)
time.time_ns = lambda: int(time.time() * 1e9)
"""


@pytest.mark.parametrize("stage", some(STAGES, ("evaluate tiny plain", "local_leaderboard")))
def test_a_clock_that_jumps(computed: tuple[Project, dict[str, Path]], stage: str) -> None:
    project, saved = computed
    stage_project.put(project, saved[next_of(stage)])
    expected = project.state()
    for seed in seeds():
        stage_project.put(project, saved[stage])
        drawn = chance(stage, seed).randrange(2**31)
        code, error = project.run(stage, JUMPS.format(seed=drawn))
        assert code == 0, f"seed {seed}: {error}"
        assert "warning" not in error, f"seed {seed}: {error}"
        assert not stage_project.differing(project.state(), expected), f"seed {seed}"
