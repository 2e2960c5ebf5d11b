"""What a stage was run with and gave, as one entry of dvc.lock: read it, or adopt another clone's.

The second module that imports DVC, inside functions as the first (`flows.dvc_stages`): whether an
entry fits the files that are here, only DVC can say.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows import process
from flows.dvc_stages import (
    DVC,
    StageFailedError,
    StageStoppedError,
    environment,
    name_of,
    patiently,
)
from flows.hints import hints
from segmodels.errors import SegmodelsError

#: An entry of dvc.lock: command, and hashes of dependencies, parameters and outputs.
LockEntry = dict[str, Any]

_TAIL_LINES = 10


def check_remote(root: Path) -> None:
    """Ask before hours of work whether there is a remote to exchange through.

    Raises:
        SegmodelsError: there is none.
    """
    if not patiently(root, lambda repo: repo.config["core"].get("remote")):
        raise SegmodelsError(
            f"{root}/.dvc/config names no remote to exchange results through: "
            f"dvc remote add -d storage /path/or/s3-url (docs/storage.md)."
        )


def entries(root: Path, names: Sequence[str]) -> dict[str, LockEntry]:
    """The entries of stages in dvc.lock; those that were never run are missing."""
    return patiently(root, lambda repo: _entries(repo, set(names)))


def _entries(repo: Any, names: set[str]) -> dict[str, LockEntry]:
    from dvc.dvcfile import Lockfile

    opened: Any = Lockfile  # which has no types
    found: dict[str, LockEntry] = {}
    for stage in repo.index.stages:
        if name_of(stage) in names:
            lock = opened(repo, str(Path(stage.path).with_suffix(".lock")))
            stages = lock.load().get("stages", {}) if lock.exists() else {}
            if entry := stages.get(stage.name):
                found[name_of(stage)] = entry
    return found


def adopt(root: Path, name: str, entry: Mapping[str, Any]) -> bool:
    """Write an entry into dvc.lock if this clone's stage would have been run with the same.

    Returns:
        whether it would: command, parameters and dependencies are equal. Outputs are not looked
        at; `pull` brings them.
    """
    return patiently(root, lambda repo: _adopted(repo, name, entry))


def _adopted(repo: Any, name: str, entry: Mapping[str, Any]) -> bool:
    from dvc.stage.loader import StageLoader

    loader: Any = StageLoader  # which has no types
    stage = next(one for one in repo.index.stages if name_of(one) == name)
    if entry.get("cmd") != stage.cmd:
        return False
    loader.fill_from_lock(stage, dict(entry))
    if stage.changed_deps():
        return False
    stage.dvcfile.dump(stage, update_pipeline=False)
    return True


def push(root: Path, names: Sequence[str], stop: threading.Event) -> None:
    """Send the outputs of stages to the remote.

    Raises:
        StageFailedError: DVC could not; it may pass by itself.
        StageStoppedError: `stop` was set meanwhile.
    """
    _done(root, ["push", *names], stop, "Outputs cannot be pushed to the DVC remote.")


def pull(root: Path, name: str, stop: threading.Event) -> None:
    """Bring the outputs of a stage, as dvc.lock names them.

    Raises:
        StageFailedError: not all of them came.
        StageStoppedError: `stop` was set meanwhile.
    """
    words = f"Outputs of {name} cannot be pulled from the DVC remote."
    _done(root, ["pull", "--force", name], stop, words)


def _done(root: Path, arguments: Sequence[str], stop: threading.Event, if_not: str) -> None:
    """Run DVC; what it said comes with the words that its failure is told in."""
    code, tail = _run(root, arguments, stop)
    if code:
        raise StageFailedError("\n".join([if_not, *hints(tail), tail]))


def _run(root: Path, arguments: Sequence[str], stop: threading.Event) -> tuple[int, str]:
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        code = process.run(
            [*DVC, *arguments], cwd=root, env=environment(), on_line=tail.append, stop=stop
        )
    except process.StoppedError as error:
        raise StageStoppedError(f"dvc {arguments[0]} was stopped.") from error
    return code, "\n".join(tail)
