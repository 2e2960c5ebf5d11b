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


def added_weights(name: str) -> Path:
    """Copies of the files that a user added as a released checkpoint."""
    return project_root() / "weights" / "added" / name


def trained_weights(run: str) -> Path:
    """Weights trained here."""
    return project_root() / "weights" / "trained" / run


def reports() -> Path:
    """What is published, in git: evidence, the board made of it, counts, records of benchmarks."""
    return project_root() / "reports"


def local() -> Path:
    """What this machine computed, and the board of all that is here: kept by DVC, not by git."""
    return reports() / "local"


def evidence() -> Path:
    """Evidence of this machine: a folder per run, below it one per protocol or robustness suite.

    Whatever counts writes here and nowhere else.
    """
    return local() / "evidence"


def asked() -> Path:
    """What every stage of dvc.yaml is asked to do, from `params/`: `<group>/<name>.json`."""
    return local() / "stages"


def watched() -> Path:
    """What servers said of released files (`segmodels watch`)."""
    return local() / "watch.json"


def published_evidence() -> Path:
    """Evidence that was placed in git on purpose: ours by run, that of others in `third-party`."""
    return reports() / "evidence"


def evidence_folders() -> tuple[Path, Path]:
    """All folders of evidence; what this machine counted goes first."""
    return evidence(), published_evidence()


def descriptions() -> tuple[Path, Path]:
    """Folders of `<dataset>.json` as `prepare` writes them; what was read here goes first."""
    return local() / "datasets", reports() / "datasets"


def curve(run: str) -> Path:
    """Training curve of a run."""
    return local() / "curves" / f"{run}.csv"


def samples(run: str) -> Path:
    """What a training last said of a few validation images, as PNG."""
    return curve(run).with_suffix(".png")


def metrics(run: str, what: str) -> Path:
    """Scores of a run under a protocol or suite, for `dvc metrics`."""
    return local() / "metrics" / f"{run}-{what}.json"


def record(run: str, what: str) -> Path:
    """Machine, seconds and memory of a step: no evidence, and different every time."""
    return local() / "records" / f"{run}-{what}.json"


def figure(run: str, protocol: str) -> Path:
    """A few images with their truth and prediction, as PNG."""
    return local() / "figures" / f"{run}-{protocol}.png"


def maps(run: str, protocol: str) -> Path:
    """Label maps of a run under a protocol: large, for DVC's cache and not for git."""
    return project_root() / "labels" / run / protocol
