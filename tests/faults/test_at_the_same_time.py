"""Two of every stage at the same moment: the end is that of one alone.

`SEGMODELS_FAULTS=10 pytest -m slow tests/faults/test_at_the_same_time.py` does it ten times.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import stage_project
from repeats import seeds
from stage_project import STAGES, Project, next_of

from segmodels.core.exits import DONE, PASSING

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.mark.parametrize("stage", STAGES)
def test_two_of_a_stage(computed: tuple[Project, dict[str, Path]], stage: str) -> None:
    """The second waits and takes what the first made, or says that it is being made."""
    project, saved = computed
    stage_project.put(project, saved[next_of(stage)])
    expected = project.state()
    for seed in seeds():
        stage_project.put(project, saved[stage])
        codes = [one.finish() for one in [project.start(stage) for _ in range(2)]]
        assert {code for code, _, _ in codes} <= {DONE, PASSING}, f"{seed}: {codes}"
        assert DONE in {code for code, _, _ in codes}
        assert "Traceback" not in codes[0][2] + codes[1][2]
        found = project.state()
        assert not stage_project.differing(found, expected)
