"""What DVC knows: which stages there are, which are stale, and how to bring one up to date.

DVC is imported here and in `flows.dvc_lock` alone, and only inside functions: everything that
reads the pipeline asks DVC's own index, everything that runs a stage runs the ``dvc`` command, so
the cache, the lock file and the run cache are the ones that plain ``dvc repro`` uses.
"""

from __future__ import annotations

import enum
import fnmatch
import graphlib
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flows import process
from flows.devices import DEVICE
from flows.hints import hints
from segmodels.core.exits import ERROR, STOPPED, USAGE
from segmodels.core.settings import FORCE
from segmodels.errors import PassingError, SegmodelsError, UnknownNameError

Answer = TypeVar("Answer")

LOCK_PATIENCE_SECONDS = 300.0  # for reading the pipeline; DVC holds its lock for moments only
DVC = (sys.executable, "-P", "-m", "dvc", "--wait-for-lock")  # -P: no import from the data folder
_TAIL_LINES = 25
_EXITED = re.compile(r"exited with (-?\d+)$")
_REFUSED = {ERROR: "refused its input", USAGE: "was called wrongly", STOPPED: "was stopped"}
_BUSY = ("Unable to acquire lock", "is busy, it is being blocked by")


class StageFailedError(SegmodelsError):
    """A stage ended with an error, or ran out of time; the message ends in its last lines."""


class StageRefusedError(StageFailedError):
    """A stage said that its input is wrong, or was stopped by hand: not to be tried again."""


class StageBusyError(PassingError):
    """Another process holds DVC's lock or this stage's files; trying again later helps."""


class StageStoppedError(SegmodelsError):
    """A stage was ended because the caller asked for it."""


class Outcome(enum.StrEnum):
    """What DVC did about a stage."""

    RAN = "ran"
    RESTORED = "restored"  # the run cache knew the result
    FETCHED = "fetched"  # another worker had run it
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline.

    ``changed`` is DVC's opinion of this stage by itself; a stage may also have to run
    because one above it will.
    """

    name: str
    group: str
    upstream: tuple[str, ...]
    changed: bool


def stages(
    root: Path | str, targets: Sequence[str] = (), groups: Sequence[str] = ()
) -> list[Stage]:
    """List the pipeline's stages in an order that can be run; with a selection, only those.

    A target is a stage name, a group (the part before ``@``) or a shell pattern. What a
    selected stage depends on is selected too. A name in ``groups`` may be empty of stages.

    Raises:
        SegmodelsError: no DVC repository, a broken ``dvc.yaml``, or an unknown target.
        StageBusyError: DVC's lock stayed taken.
    """
    from dvc.exceptions import DvcException

    try:
        return patiently(root, lambda repo: _read(repo, targets, groups))
    except DvcException as error:
        raise SegmodelsError(_unread(root, str(error))) from error


def stale(known: Sequence[Stage]) -> list[Stage]:
    """Keep the stages that DVC calls changed and all their descendants, in the same order.

    A descendant may turn out to need nothing once its inputs are rebuilt; that is for
    :func:`reproduce_stage` to find out.
    """
    chosen: dict[str, Stage] = {}
    for stage in known:
        if stage.changed or any(name in chosen for name in stage.upstream):
            chosen[stage.name] = stage
    return list(chosen.values())


def repository_root(start: Path | str = ".") -> Path:
    """Find the DVC repository that ``start`` lies in.

    Raises:
        SegmodelsError: there is none.
    """
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise SegmodelsError(f"{here} is not inside a DVC repository; `segmodels init` makes one.")


def reproduce_stage(
    root: Path | str,
    name: str,
    *,
    force: bool = False,
    timeout: float | None = None,
    on_line: Callable[[str], None] = lambda _line: None,
    stop: threading.Event | None = None,
    grace: float = process.GRACE_SECONDS,
    device: str | None = None,
) -> Outcome:
    """Let DVC bring one stage up to date, handing on each line that is printed.

    ``device`` is where its network runs; None leaves that to the environment.

    Raises:
        StageRefusedError: the stage failed, and would fail again.
        StageFailedError: the stage failed, or took longer than ``timeout`` seconds.
        StageBusyError: another process is at this stage or holds DVC's lock.
        StageStoppedError: ``stop`` was set while the stage ran.
    """
    command = [*DVC, "repro", "--single-item", name, *(["--force"] if force else [])]
    outcome = Outcome.RAN
    tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def take(line: str) -> None:
        nonlocal outcome
        outcome = _outcome(line, name) or outcome
        tail.append(line)
        on_line(line)

    try:
        code = process.run(
            command,
            cwd=repository_root(root),
            env=environment(force, device),
            on_line=take,
            timeout=timeout,
            stop=stop,
            grace=grace,
        )
    except process.StoppedError as error:
        raise StageStoppedError(f"Stage {name!r} was stopped.") from error
    except process.OutOfTimeError as error:
        reason = f"took longer than {timeout:.0f} s and was ended"
        raise StageFailedError(_report(name, reason, tail)) from error
    if code == 0:
        return outcome
    if any(sign in line for sign in _BUSY for line in tail):
        raise StageBusyError(_report(name, "is busy", tail))
    if (ended := _exit_code(tail)) in _REFUSED:
        why = f"{_REFUSED[ended]} (exit code {ended}); it is not tried again"
        raise StageRefusedError(_report(name, why, tail))
    raise StageFailedError(_report(name, f"failed (exit code {code})", tail))


def _outcome(line: str, name: str) -> Outcome | None:
    """Recognise the line in which DVC says what it does about the stage."""
    if line == f"Stage '{name}' is cached - skipping run, checking out outputs":
        return Outcome.RESTORED
    if line in (f"Stage '{name}' didn't change, skipping", f"'{name}' didn't change, skipping"):
        return Outcome.UNCHANGED
    return None


def _exit_code(tail: Iterable[str]) -> int | None:
    """What the command of a stage ended with, as DVC tells it; DVC's own code is always 255."""
    codes = [int(found[1]) for line in tail if (found := _EXITED.search(line))]
    return codes[-1] if codes else None


def _unread(root: Path | str, reason: str) -> str:
    said = f"DVC cannot read the pipeline in {Path(root).resolve()}: {reason.rstrip('.')}."
    return " ".join([said, *hints(reason)])


def _report(name: str, reason: str, tail: Sequence[str]) -> str:
    text = "\n".join(tail)
    return "\n".join([f"Stage {name!r} {reason}.", *hints(text), *tail])


def environment(force: bool = False, device: str | None = None) -> Mapping[str, str]:
    """Let ``python`` in a stage be this Python, its lines come at once, and DVC call nobody.

    A stage that is forced also counts again what is here.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    asked = {FORCE: "1"} if force else {}
    return {**found, **asked, **({} if device is None else {DEVICE: device})}


def _read(repo: Any, targets: Sequence[str], groups: Sequence[str]) -> list[Stage]:
    by_name = {name_of(stage): stage for stage in repo.index.stages}
    edges = {name: _upstream(repo, stage) for name, stage in by_name.items()}
    chosen = _closure(_select(list(by_name), targets, groups), edges)
    order = graphlib.TopologicalSorter({n: edges[n] for n in edges if n in chosen})
    return [
        Stage(name, _group(name), edges[name], _changed(by_name[name]))
        for name in order.static_order()
    ]


def patiently(root: Path | str, ask: Callable[[Any], Answer]) -> Answer:
    """Ask something of DVC's repository (`dvc.repo.Repo`), when nobody else changes it.

    Raises:
        StageBusyError: DVC's lock stayed taken.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            with Repo(str(repository_root(root))) as repo, lock_repo(repo):
                return ask(repo)
        except LockError as error:
            if time.monotonic() > deadline:
                raise StageBusyError(f"DVC's lock in {root} stayed taken: {error}") from error
            time.sleep(1.0)


def name_of(stage: Any) -> str:
    """Address a stage as seen from the repository's root, wherever this process stands.

    DVC's own ``stage.addressing`` is relative to the current directory.
    """
    path: str = stage.path_in_repo
    name: str | None = getattr(stage, "name", None)
    if name is None:
        return path
    return name if path == "dvc.yaml" else f"{path}:{name}"


def _group(name: str) -> str:
    return name.rpartition(":")[2].partition("@")[0]


def _upstream(repo: Any, stage: Any) -> tuple[str, ...]:
    """Name what a stage depends on; a frozen stage is run without a look at its inputs."""
    if stage.frozen:
        return ()
    return tuple(sorted(name_of(other) for other in repo.index.graph.successors(stage)))


def _changed(stage: Any) -> bool:
    from dvc.lock import LockError

    try:
        return bool(stage.changed())
    except LockError:  # another process is at it right now: ask again when its turn comes
        return True


def _select(names: Sequence[str], targets: Sequence[str], groups: Sequence[str]) -> set[str]:
    if not targets and not groups:
        return set(names)
    chosen = {name for name in names if _group(name) in groups}
    for target in targets:
        matches = {n for n in names if target in (n, _group(n)) or fnmatch.fnmatchcase(n, target)}
        if not matches:
            raise UnknownNameError("stage", target, names)
        chosen |= matches
    return chosen


def _closure(names: set[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Add everything that the named stages depend on."""
    found: set[str] = set()
    todo = set(names)
    while todo:
        found |= todo
        todo = {needed for name in todo for needed in edges[name]} - found
    return found
