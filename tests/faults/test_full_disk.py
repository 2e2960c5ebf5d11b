"""A disk that becomes full at some moment: one line, and with more room the work goes on.

The disk is a tmpfs below the project; skipped where none can be mounted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import stage_project
from repeats import chance, seeds, some
from small_disk import grow, small_disk
from stage_project import Project, next_of

from segmodels.core.exits import DONE, ERROR

pytestmark = pytest.mark.faults

#: The folder that is on the small disk, the stage that writes there, and kilobytes it may have at
#: most. What it needs is more; how much it gets is chance.
CASES = {
    "download": ("weights", "weights published", 500),
    "images": ("data", "prepare shapes", 60),
    "snapshot": (".cache", "train tiny", 900),
    "weights": ("weights/trained", "train tiny", 500),
    "scratch": (".cache", "evaluate tiny plain", 8),
    "evidence": ("reports/local", "evaluate tiny plain", 16),
    "suite": ("reports/local", "robustness tiny quick", 16),
    "report": ("reports/local", "local_leaderboard", 600),
    "board": ("reports", "leaderboard", 300),
}


def onto_disk(folder: Path, kilobytes: int) -> None:
    """Put what a folder holds onto the disk that is mounted over it, which has so much more."""
    held = folder.with_name(f"{folder.name}.held")
    used = sum(-(-path.stat().st_size // 4096) * 4 for path in held.rglob("*") if path.is_file())
    grow(folder, used + kilobytes)
    shutil.copytree(held, folder, dirs_exist_ok=True)
    shutil.rmtree(held)


@pytest.mark.parametrize("case", some(CASES, ("download", "snapshot", "evidence")))
def test_a_full_disk(computed: tuple[Project, dict[str, Path]], case: str) -> None:
    project, saved = computed
    name, stage, most = CASES[case]
    stage_project.put(project, saved[next_of(stage)])
    expected, folder = project.state(), project.root / name
    for seed in seeds():
        stage_project.put(project, saved[stage])
        folder.mkdir(parents=True, exist_ok=True)
        folder.rename(folder.with_name(f"{folder.name}.held"))
        with small_disk(folder, 1024):
            kilobytes = 4 * chance(case, seed).randrange(1, most // 4)
            onto_disk(folder, kilobytes)
            code, error = project.run(stage)
            where = f"{kilobytes} kB, seed {seed}: {error}"
            said = [line for line in error.splitlines() if line.startswith("error: ")]
            assert code in (DONE, ERROR), where
            assert "Traceback" not in error, where
            if code == ERROR:
                assert len(said) == 1, where
                assert "No space left on device" in said[0] or "room" in said[0], where
            grow(folder, 100_000)
            project.done(stage)
            found = project.state()
            assert not stage_project.differing(found, expected), where
