"""The whole pipeline on a few drawn images: DVC, Prefect and the command line agree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import small_project

CHECKOUT = Path(__file__).resolve().parents[1]
ALL = {
    "generate@shapes",
    "weights@published",
    "train@tiny",
    "evaluate@tiny-plain",
    "evaluate@published-plain",
    "robustness@tiny-quick",
    "efficiency",
    "leaderboard",
}


@dataclass(frozen=True)
class Repository:
    root: Path
    environment: dict[str, str]

    def run(self, *command: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", *command],
            cwd=self.root,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def repro(self, code: int = 0, **environment: str) -> tuple[set[str], str]:
        """The stages that `dvc repro` ran, and what it printed."""
        output = self.run("dvc", "repro", code=code, **environment)
        return set(re.findall(r"Running stage '([^']+)'", output)), output

    def results(self) -> dict[str, bytes]:
        """Everything that must not depend on who ran the stages."""
        reports = self.root / "reports"
        files = [*reports.glob("evidence/**/*"), *reports.glob("claims/*")]
        files += [*reports.glob("leaderboard.*"), *reports.glob("curves/*")]
        files += [*reports.glob("metrics/*"), *reports.glob("datasets/*")]
        return {str(p.relative_to(reports)): p.read_bytes() for p in files if p.is_file()}

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / "params" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


def build(root: Path) -> Repository:
    """A repository of its own: this pipeline and code, the small project's parameters."""
    small_project.make(root)
    (root / "params/suites/quick.yaml").write_text("title: both\nruns: [tiny, published]\n")
    run = root / "params/runs/tiny.yaml"
    run.write_text(run.read_text().replace("[plain, strict, views]", "[plain, strict]"))
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("segmodels", "flows", "docs"):
        shutil.copytree(CHECKOUT / package, root / package, ignore=ignored)
    # MLflow takes seconds to start; nothing here may depend on it.
    (root / "mlflow.py").write_text("raise ImportError('left out of this test')\n")
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(CHECKOUT / name, root / name)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEGMODELS_", "MLFLOW_", "PREFECT_", "DVC_"))
    }
    environment = {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]]),
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
        "SEGMODELS_MIRROR": str(root.parent / "mirror"),
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        "DVC_NO_ANALYTICS": "1",
        "PREFECT_HOME": str(root.parent / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    repository = Repository(root, environment)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True, timeout=60)
    repository.run("dvc", "init", "-q")
    repository.run("segmodels.cli", "suite", "quick")
    return repository


Reproduced = tuple[Repository, dict[str, bytes]]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    """A repository in which `dvc repro` has run, and what it gave that first time."""
    repository = build(tmp_path_factory.mktemp("dvc") / "project")
    ran, output = repository.repro()
    assert ran == ALL, output
    return repository, repository.results()


def test_dvc_repro(reproduced: Reproduced) -> None:
    pristine, results = reproduced
    keys = [name for name in results if re.search(r"/[0-9a-f]{16}\.json$", name)]
    assert len(keys) == 4  # two clean, two disturbed
    board = results["leaderboard.md"].decode()
    for words in ("toy_open", "**below**", "3 blocked", "the address died", "tiny"):
        assert words in board

    ran, output = pristine.repro()
    assert (ran, "Data and pipelines are up to date" in output) == (set(), True)

    # A failing stage says so in one line and leaves what was there.
    pristine.edit("runs/tiny.yaml", "seed: 0", "seed: 1")
    ran, output = pristine.repro(code=255, SEGMODELS_DEVICE="abacus")
    assert ran == {"train@tiny"}
    assert "error: run 'tiny' cannot train on 'abacus'" in output
    assert "Traceback" not in output
    after = pristine.results()
    assert {name: after[name] for name in results if "robustness" not in name} == {
        name: results[name] for name in results if "robustness" not in name
    }

    # Another seed concerns its own run alone.
    ran, output = pristine.repro()
    others = {"generate@shapes", "weights@published", "evaluate@published-plain", "efficiency"}
    assert ran == ALL - others
    changed = {name for name, data in pristine.results().items() if results.get(name) != data}
    assert not any("published" in name for name in changed)
    assert {"curves/tiny.csv", "leaderboard.json"} <= changed


def test_the_command_line_gives_the_same(reproduced: Reproduced, tmp_path: Path) -> None:
    other = build(tmp_path / "project")
    code = (
        "from segmodels.cli import main\n"
        "for line in ('evaluate tiny', 'verify toy_open'): assert main(line.split()) == 0\n"
        "from segmodels import steps; steps.stress_run('tiny', 'quick')\n"
        "assert main(['leaderboard']) == 0\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=other.root,
        env=other.environment,
        check=True,
        timeout=300,
        capture_output=True,
    )
    assert other.results() == reproduced[1]


@pytest.mark.server
def test_the_flow_gives_the_same(reproduced: Reproduced, tmp_path: Path) -> None:
    other = build(tmp_path / "project")
    other.run("flows.reproduce", "--jobs", "1")
    assert other.results() == reproduced[1]
    ran, _ = other.repro()  # and DVC agrees that everything is done
    assert ran == set()
