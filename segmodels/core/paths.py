"""Where a project keeps what its steps make. One place, so that no path is spelled twice."""

from __future__ import annotations

from pathlib import Path

from segmodels.core.settings import project_root


def downloads(dataset: str) -> Path:
    """Archives of a dataset as fetched."""
    return project_root() / "data" / "downloads" / dataset


def released_weights(name: str) -> Path:
    """Files of a released checkpoint as fetched."""
    return project_root() / "weights" / "released" / name


def trained_weights(run: str) -> Path:
    """Weights trained here."""
    return project_root() / "weights" / "trained" / run


def reports() -> Path:
    """Everything small that is generated and committed."""
    return project_root() / "reports"


def evidence() -> Path:
    """All evidence: one folder per run, below it one per protocol or robustness suite."""
    return reports() / "evidence"


def curve(run: str) -> Path:
    """Training curve of a run."""
    return reports() / "curves" / f"{run}.csv"


def metrics(run: str, what: str) -> Path:
    """Scores of a run under a protocol or suite, for `dvc metrics`."""
    return reports() / "metrics" / f"{run}-{what}.json"


def record(run: str, what: str) -> Path:
    """Machine, seconds and memory of a step: no evidence, and different every time."""
    return reports() / "records" / f"{run}-{what}.json"


def figure(run: str, protocol: str) -> Path:
    """A few images with their truth and prediction, as PNG."""
    return reports() / "figures" / f"{run}-{protocol}.png"


def maps(run: str, protocol: str) -> Path:
    """Label maps of a run under a protocol: large, for DVC's cache and not for git."""
    return project_root() / "labels" / run / protocol
