"""What git remembers of a file. The program `git` is asked; nothing is ever written."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from segmodels.errors import SegmodelsError


@dataclass(frozen=True)
class Commit:
    """A commit.

    Attributes:
        sha: its whole hash.
        time: when it was committed.
        subject: first line of its message.
    """

    sha: str
    time: datetime
    subject: str


def commits_of(path: Path) -> list[Commit]:
    """Commits that changed a file, newest first.

    Raises:
        SegmodelsError: it lies in no git repository, or git is not installed.
    """
    lines = _git(path.parent, "log", "--format=%H %cI %s", "--", path.name).splitlines()
    parts = (line.split(" ", 2) for line in lines)
    return [Commit(sha, datetime.fromisoformat(time), text) for sha, time, text in parts]


def content_at(path: Path, revision: str) -> str:
    """A file as it was at a revision: a commit, tag, branch, or `HEAD~3`.

    Raises:
        SegmodelsError: there is no such revision, or it does not have the file.
    """
    sha = _git(path.parent, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    return _git(path.parent, "show", f"{sha.strip()}:./{path.name}")


def tracked_in(folder: Path) -> set[str]:
    """Paths, from the folder, of what git keeps in it.

    Raises:
        SegmodelsError: it lies in no git repository, or git is not installed.
    """
    return set(filter(None, _git(folder, "ls-files", "-z").split("\0")))


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise SegmodelsError("git is not installed, or not on the PATH.") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        asked = arguments[-1].removesuffix("^{commit}")
        raise SegmodelsError(f"{folder}: git knows no {asked!r} ({said[0] if said else 'failed'}).")
    return done.stdout.decode()
