"""Memory that ends somewhere: one line that says so, and with more of it the work goes on.

PyTorch's oneDNN and the C library look at not every piece of memory that they ask for: where they
are refused one, they may end the process; and Python waits for ever for a thread of its own that
had no memory to begin. That is no error of ours to say, and is allowed.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest
import stage_project
from repeats import chance, seeds, some
from stage_project import Project, next_of

from segmodels.core.exits import DONE, ERROR

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does"),
]

#: Before a stage: no more than so many bytes beyond what the process has already.
LIMIT = """
import resource
from pathlib import Path
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {more}, resource.RLIM_INFINITY))
"""

#: The process is gone without a word of ours: in oneDNN, in the C library (127), or because it
#: waited so many seconds for what never came.
ENDED = (-signal.SIGSEGV, -signal.SIGABRT, 127, -signal.SIGKILL)
PATIENCE = 60.0

STAGES = ("train tiny", "evaluate tiny plain", "robustness tiny quick", "leaderboard")


def limited(project: Project, stage: str, more: int) -> tuple[int, str]:
    """Run a stage that may have so many bytes more than it has when it begins."""
    started = project.start(stage, LIMIT.format(more=more))
    killer = threading.Timer(PATIENCE, started.kill)
    killer.start()
    code, _, error = started.finish()
    killer.cancel()
    return code, error


@pytest.mark.parametrize("stage", some(STAGES, ("evaluate tiny plain",)))
def test_memory_that_ends(computed: tuple[Project, dict[str, Path]], stage: str) -> None:
    project, saved = computed
    stage_project.put(project, saved[next_of(stage)])
    expected = project.state()
    for seed in seeds():
        stage_project.put(project, saved[stage])
        more = chance(stage, seed).randrange(2**20, 2**26)
        code, error = limited(project, stage, more)
        where = f"{more} bytes, seed {seed}: {error}"
        assert code in (DONE, ERROR, *ENDED), where
        assert "libgcc_s" not in error, where
        assert "Traceback" not in error, where
        if code == ERROR:
            (said,) = (line for line in error.splitlines() if line.startswith("error: "))
            assert "emory" in said, where
        project.done(stage)
        assert not stage_project.differing(project.state(), expected), where
