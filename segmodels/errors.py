"""The one kind of error a user of segmodels is meant to read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

Known = TypeVar("Known")

#: More names than this are not listed in a message.
_LISTED = 20

#: Longer values are cut.
_LONGEST = 80


#: To the last @, as a password may hold some where its writer did not know better.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s'\"]+@")


def without_credentials(text: str) -> str:
    """A text in which addresses have no user and no password: `https://…@example.org`."""
    return _CREDENTIALS.sub("\u2026@", text)


class SegmodelsError(Exception):
    """Bad input, as one sentence that names the file, the field and the fix.

    Everything that a person can cause (a wrong name, a broken file, an unreachable
    address) is raised as this class, so that the command line prints one line for it and
    a traceback only for our own mistakes. A message never shows the user and the password of an
    address.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(without_credentials(message))


class PassingError(SegmodelsError):
    """What the same call may do better later: a connection, a server, a file that others hold.

    Every other error stays until somebody changes its cause, so that nothing is to be tried again.
    """


class UnknownNameError(SegmodelsError):
    """A name that no registry knows; the message has the three nearest, and all if they are few."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(set(known))  # of several kinds, one may be there twice
        super().__init__(f"Unknown {kind} {name!r}.{nearest(name, names)} {_known(names)}")


def nearest(name: str, known: Sequence[str]) -> str:
    """The three names nearest to one that is not known, as a question; empty if none is near."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _known(names: Sequence[str]) -> str:
    """Of hundreds of names nobody reads a listing."""
    if len(names) > _LISTED:
        return f"{len(names)} are known."
    return f"Known: {', '.join(names) if names else 'none'}."


def shown(value: object) -> str:
    """A value as Python writes it, on one line of at most 80 letters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class Named(Protocol):
    """A path, or what has a name as a path has."""

    @property
    def name(self) -> str:
        """The last part."""


class UnreadableError(SegmodelsError):
    """One file of a dataset is damaged, or does not fit the other file of its sample.

    Unlike a wrong encoding, that is no fault of the whole set: the sample can be left out when
    the user asks for it. `reason` names the file without its folder.
    """

    def __init__(self, path: Named, problem: str, fix: str = "") -> None:
        self.reason = f"{path.name}: {problem}".replace(str(path), path.name)
        super().__init__(f"{path}: {problem}.{fix and f' {fix}'}")


def pick(kind: str, name: str, known: Mapping[str, Known]) -> Known:
    """An entry by name.

    Raises:
        UnknownNameError: no such name; the message suggests the nearest.
    """
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return known[name]
