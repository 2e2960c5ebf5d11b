"""Kills a training again and again and takes it up: `killed_training.py FOLDER [KILLS]`.

The places are where the training is about to begin a step, has changed weights without having
counted the step, is about to open, write, bring to the disk, rename or delete a file, or has just
done so. They are numbered by a training that is not disturbed; KILLS of them, evenly spread, are
tried (default: all). PyTorch is imported once, and every training is forked from this process.

Prints what was other than in the undisturbed training, one line each, and at the end how many
places there are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before torch is imported: a fork has no threads but one.
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
import small_project
import torch

from segmodels import steps
from segmodels.datasets.described import description
from segmodels.datasets.opening import open_dataset
from segmodels.training import loop, snapshot
from segmodels.training.job import Job
from segmodels.training.recipe import Recipe
from segmodels.training.step import Step

RECIPE = Recipe(
    name="tiny",
    title="",
    steps=4,
    batch=2,
    crop=(32, 32),
    lr=1e-3,
    warmup=1,
    ema=0.5,
    keep="best",
    drop_path=0.2,
    threads=1,
    validate_every=2,
    validate_images=1,
)

#: Bytes of a write that is a place of its own.
LARGE = 50_000

#: Events of Python's own about files.
FILES = ("open", "os.rename", "os.remove", "os.mkdir", "shutil.rmtree")


def job_in(folder: Path) -> Job:
    small_project.enter(folder, pytest.MonkeyPatch())
    steps.prepare("shapes")
    about = description("shapes")["splits"]["train"]
    return Job(
        run="tiny",
        model="segformer_nano",
        recipe=RECIPE,
        seed=0,
        train=open_dataset("shapes", "train"),
        val=open_dataset("shapes", "val"),
        fingerprint=about["fingerprint"],
        pixels=about["pixels"],
    )


class Places:
    """The places of a training at which it can be killed, in their order.

    Args:
        project: whose files count.
        killed_at: number of the place, from 0; None counts them in `seen`.
    """

    def __init__(self, project: Path, killed_at: int | None) -> None:
        self.project, self.killed_at, self.seen = str(project), killed_at, 0

    def __call__(self, *_: Any) -> None:
        if self.seen == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += 1

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            self()
            result = call(*given, **named)
            self()
            return result

        return called

    def audit(self, event: str, given: tuple[Any, ...]) -> None:
        if event in FILES and str(given[0]).startswith(self.project):
            self()

    def torn(self, write: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
        """For the writes of a snapshot: half of the data is in the file when it is killed."""

        def written(body: Any, data: Any) -> int:
            if len(data) > LARGE:
                if self.seen == self.killed_at:
                    body.file.write(bytes(data)[: len(data) // 2])
                    body.file.flush()
                self()
            return write(body, data)

        return written

    def watch(self) -> None:
        snapshot._Hashed.write = self.torn(snapshot._Hashed.write)  # type: ignore[method-assign]
        os.fsync = self.around(os.fsync)
        loop.set_learning_rates = self.around(loop.set_learning_rates)
        Step.__call__ = self.around(Step.__call__)  # type: ignore[method-assign]
        sys.addaudithook(self.audit)


def note_batches(job: Job, log: Path) -> None:
    """Let a training write the digest of every batch that it computes."""
    compute = Step.__call__
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def noted(step: Step, images: torch.Tensor, labels: torch.Tensor) -> Any:
        seen = hashlib.sha256(images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
        outcome = compute(step, images, labels)
        os.write(handle, f"{seen} {outcome.losses.sum().item()!r}\n".encode())
        return outcome

    Step.__call__ = noted  # type: ignore[method-assign]


def trained(job: Job, out: Path, killed_at: int | None) -> int:
    """Train in a fork; returns how many places it had, or -1 if it was killed."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        places = Places(out, killed_at)
        note_batches(job, out / "batches")
        places.watch()
        loop._SNAPSHOT_SECONDS = -1.0  # type: ignore[misc]
        loop.train(job, out / "weights", out / "curve.csv")
        os.write(writing, str(places.seen).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        seen = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return int(seen) if code == 0 else -1


def results(out: Path) -> Iterator[tuple[str, Any]]:
    for path in (out / "curve.csv", *sorted((out / "weights").iterdir())):
        yield path.name, path.read_bytes()
    yield "batches", set((out / "batches").read_text().splitlines())
    yield "left behind", sorted(path.name for path in (out / "cache/training").glob("*/*"))


def fresh(project: Path, name: str) -> Path:
    out = project / name
    out.mkdir()
    os.environ["SEGMODELS_CACHE"] = str(out / "cache")
    return out


def main(folder: Path, kills: int | None) -> None:
    job, project = job_in(folder / "project"), folder / "project"
    out = fresh(project, "first")  # what PyTorch imports in its first step is not imported again
    loop.train(job, out / "weights", out / "curve.csv")
    whole = fresh(project, "whole")
    places = trained(job, whole, None)
    expected = dict(results(whole))
    chosen = range(places) if kills is None else range(0, places, max(1, -(-places // kills)))
    for place in chosen:
        out = fresh(project, f"killed-{place}")
        assert trained(job, out, place) == -1
        assert trained(job, out, None) > 0
        for name, found in results(out):
            if found != expected[name]:
                print(f"killed at place {place}: {name} is another")
        shutil.rmtree(out)
    print(f"{len(chosen)} of {places}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
