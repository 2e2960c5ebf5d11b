"""A repository of its own for tests: this pipeline and code, the small project's parameters."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import small_project

CHECKOUT = Path(__file__).resolve().parents[1]


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
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def git(self, *arguments: str) -> str:
        """As nobody in particular, whatever this machine's settings are; what it printed."""
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        done = subprocess.run(
            ["git", *who, *arguments],
            cwd=self.root,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def repro(self, *targets: str, code: int = 0, **environment: str) -> tuple[set[str], str]:
        """The stages that `dvc repro` ran, and what it printed."""
        output = self.run("dvc", "repro", *targets, code=code, **environment)
        return set(re.findall(r"Running stage '([^']+)'", output)), output

    def results(self) -> dict[str, bytes]:
        """Everything of this machine that must not depend on who ran the stages."""
        reports = self.root / "reports/local"
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
    # With the compiled files: they are of the same moments as the sources, and hold.
    for package in ("segmodels", "flows", "docs"):
        shutil.copytree(CHECKOUT / package, root / package)
    # MLflow takes seconds to start; nothing here may depend on it.
    (root / "mlflow.py").write_text("raise ImportError('left out of this test')\n")
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(CHECKOUT / name, root / name)
    # Nothing is published yet, and no dataset is the user's own.
    for folder in ("reports/evidence", "reports/datasets", "params/datasets"):
        (root / folder).mkdir(parents=True)
        (root / folder / ".gitkeep").touch()
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
    repository.git("init", "-q")
    repository.run("dvc", "init", "-q")
    repository.run("segmodels.cli", "suite", "quick")
    return repository
