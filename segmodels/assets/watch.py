"""Is a released file still where it was? Asked of its server without downloading it.

A server that refuses the file for good has lost it; one that does not answer may answer tomorrow,
and says nothing. What it said at the first look is kept, so that another file at the same address
shows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from urllib3 import BaseHTTPResponse, Retry, Timeout
from urllib3.exceptions import HTTPError

from segmodels.assets.connections import pool_for
from segmodels.assets.retries import PASSING
from segmodels.core.files import read_json, write_json
from segmodels.errors import SegmodelsError

_TIMEOUT = Timeout(connect=20.0, read=30.0)
_TRIES = Retry(total=2, redirect=10, status_forcelist=PASSING, backoff_factor=1.0)
#: Answers of servers that do not know HEAD.
_NO_HEAD = (403, 405, 501)


@dataclass(frozen=True)
class Look:
    """What a server says of a file.

    Attributes:
        status: HTTP status; 0 where no server answered.
        size: bytes; None where it does not say.
        etag: its name of the content; "" where it has none.
        revision: commit that a host of repositories serves; "" elsewhere.
    """

    status: int
    size: int | None = None
    etag: str = ""
    revision: str = ""

    @property
    def reached(self) -> bool:
        """Whether the answer says something about the file."""
        return self.status != 0 and self.status not in PASSING


@dataclass(frozen=True)
class Watched:
    """An address with what was said of it first and last, in looks that reached its server."""

    first: Look
    last: Look

    @property
    def lost(self) -> str:
        """Why the file cannot be had any more; "" while it can."""
        return f"its address answers HTTP {self.last.status}" if self.last.status >= 400 else ""

    @property
    def changed(self) -> str:
        """How the file seems to be another one than at first; "" where it does not."""
        first, last = self.first, self.last
        if self.lost or first.status >= 400:
            return ""
        if None not in (first.size, last.size) and first.size != last.size:
            return f"its address serves {last.size} bytes, at first {first.size}"
        if first.etag and last.etag and first.etag != last.etag:
            return "its server names another content (ETag) than at first"
        return ""


def look(address: str) -> Look:
    """Ask about a file: HEAD, or the first byte where a server knows no HEAD."""
    pool = pool_for(address, 1)
    try:
        answer = pool.request("HEAD", address, timeout=_TIMEOUT, retries=_TRIES)
        if answer.status in _NO_HEAD:
            answer = pool.request(
                "GET",
                address,
                headers={"Range": "bytes=0-0"},
                timeout=_TIMEOUT,
                retries=_TRIES,
                preload_content=False,
            )
            answer.close()
    except HTTPError:
        return Look(0)
    return Look(
        200 if answer.status in (206, 416) else answer.status,
        _size(answer),
        answer.headers.get("ETag", ""),
        answer.headers.get("X-Repo-Commit", ""),
    )


def _size(answer: BaseHTTPResponse) -> int | None:
    """Bytes of the whole file."""
    told = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if answer.status == 200:
        told = told or answer.headers.get("Content-Length", "")
    return int(told) if told.isdigit() else None


def read_record(path: Path) -> dict[str, Watched]:
    """What was seen of addresses; nothing where there is no record.

    Raises:
        SegmodelsError: the file is no such record.
    """
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = read_json(path)
        return {
            address: Watched(Look(**one["first"]), Look(**one["last"]))
            for address, one in found.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise SegmodelsError(f"{path}: no record of addresses ({error!r}); remove it.") from None


def write_record(path: Path, found: dict[str, Watched]) -> None:
    """Write it, sorted by address."""
    write_json(path, {address: asdict(found[address]) for address in sorted(found)})
