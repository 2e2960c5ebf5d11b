"""Download over HTTP: in parallel parts, with retries, resumed from where it stopped.

urllib3 carries connections, redirects, timeouts, retries, backoff and Retry-After; here is what it
leaves to its user: which bytes are asked for, and whether the answer is the same file as before.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from tqdm import tqdm
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, ResponseError

from segmodels.assets.connections import pool_for
from segmodels.assets.partial import Partial, Span
from segmodels.assets.retries import Patience, RefusedError

#: Bytes of the first request, whose answer has size and ranges, and the limit of later ones.
FIRST, PIECE = 4 << 20, 32 << 20
_READ = 1 << 18
#: Tries that bring fewer bytes than this count as failures in a row.
_PROGRESS = 1 << 20
_TIMEOUT = Timeout(connect=20.0, read=60.0)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class DownloadError(Exception):
    """The network or the server stopped a download; the message has the cause.

    Attributes:
        passing: whether another try may do better later.
    """

    def __init__(self, cause: object, passing: bool = True) -> None:
        super().__init__(str(cause))
        self.passing = passing


class _ChangedError(HTTPError):
    """The address serves another file than the one that was begun."""


@dataclass
class _Piece:
    """A range of bytes that one connection fetches; `at` is the next one."""

    at: int
    end: int | None


def download(url: str, partial: Partial, name: str, connections: int) -> None:
    """Fetch all bytes that are missing of a file.

    What is there already is kept only if the server still has the same file (If-Range, ETag,
    Last-Modified, size). A server that knows no ranges, or changes its mind, sends one stream.

    Args:
        url: of the file.
        partial: what has come so far; whole at the end.
        name: for people.
        connections: how many parts of a large file come at a time.

    Raises:
        DownloadError: unreachable, refused, or broken off too often. What came is kept.
        SegmodelsError: it does not fit on the disk.
        OSError: the disk is full, or fails.
    """
    bar = tqdm(
        total=partial.size,
        initial=partial.have,
        unit="B",
        unit_scale=True,
        desc=name,
        mininterval=0.1 if sys.stderr.isatty() else 15.0,
    )
    try:
        with bar:
            _Download(url, partial, name, connections, bar).run()
    except (HTTPError, ValueError) as error:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        raise DownloadError(cause, _may_pass(cause)) from error


def _may_pass(error: Exception) -> bool:
    """Whether what ended a download may be otherwise later: not an address, or its answer."""
    if isinstance(error, RefusedError):
        return error.later
    circle = isinstance(error, ResponseError) and "redirect" in str(error)
    return not (circle or isinstance(error, ValueError))


class _Download:
    """The download of one file."""

    def __init__(
        self, url: str, partial: Partial, name: str, connections: int, bar: tqdm[Any]
    ) -> None:
        self.url, self.partial, self.name, self.bar = url, partial, name, bar
        self.connections = connections
        self.stop = Event()
        self.todo: deque[_Piece] = deque()
        self.working = 0
        self.lock = Lock()
        self.pool = pool_for(url, connections)

    def run(self) -> None:
        with self.pool:
            try:
                self._probe()
                self._rest()
            except _ChangedError:
                self.stop.clear()
                self._fetch(self._restart(_Piece(0, None)), alone=True)
        if self.partial.missing():
            raise ProtocolError(f"only {self.partial.have} of {self.partial.size} bytes came")

    def _probe(self) -> None:
        """Fetch one piece alone; the answer has the size and whether the server knows ranges."""
        for start, end in self.partial.missing()[:1]:
            self._fetch(_Piece(start, min(end or start + FIRST, start + FIRST)), alone=True)

    def _rest(self) -> None:
        self.todo.extend(_pieces(self.partial.missing(), self.connections))
        if not self.todo:
            return
        self.working = min(self.connections, len(self.todo))
        with ThreadPoolExecutor(self.working) as threads:
            try:
                work = [threads.submit(self._work) for _ in range(self.working)]
                for ended in as_completed(work):
                    ended.result()
            except BaseException:
                self.stop.set()
                raise

    def _work(self) -> None:
        """One worker: fetch pieces until there are none; only the last worker left may fail."""
        while piece := self._take():
            try:
                self._fetch(piece, alone=False)
            except _ChangedError:
                raise
            except HTTPError:
                if self._give_back(piece):
                    return
                raise

    def _take(self) -> _Piece | None:
        with self.lock:
            if self.todo and not self.stop.is_set():
                return self.todo.popleft()
            self.working -= 1
            return None

    def _give_back(self, piece: _Piece) -> bool:
        """Return a piece to the queue (some servers allow few connections); False without."""
        with self.lock:
            self.todo.append(piece)
            self.working -= 1
            return self.working > 0

    def _fetch(self, piece: _Piece, alone: bool) -> None:
        """Fetch a piece, with retries; `alone`: the whole file if the server sends only that."""
        patience = self._patience()
        while True:
            before = piece.at
            try:
                return self._try(piece, alone)
            except (MaxRetryError, RefusedError):
                raise
            except HTTPError as error:
                if isinstance(error, _ChangedError):
                    if not alone:
                        raise
                    self._restart(piece)
                if piece.at - before >= _PROGRESS:
                    patience = self._patience()
                patience = patience.increment("GET", self.url, error=error)
                patience.sleep()

    def _try(self, piece: _Piece, alone: bool) -> None:
        with self._ask(piece) as response:
            self._compare(response, piece, alone)
            while data := response.read1(_READ, decode_content=False):
                if self.stop.is_set():
                    return
                self._write(piece, data)
        if piece.end is None:
            self.partial.size = piece.at
        elif piece.at < piece.end:
            raise ProtocolError(f"the answer ended after {piece.at} of {piece.end} bytes")

    def _ask(self, piece: _Piece) -> BaseHTTPResponse:
        headers = {"User-Agent": "segmodels", "Accept-Encoding": "identity"}
        if piece.at or piece.end is not None:
            last = "" if piece.end is None else piece.end - 1
            headers["Range"] = f"bytes={piece.at}-{last}"
            if _is_strong(self.partial.validator) and self.partial.have:
                headers["If-Range"] = self.partial.validator
        return self.pool.request(
            "GET",
            self.url,
            headers=headers,
            retries=self._patience(),
            timeout=_TIMEOUT,
            preload_content=False,
        )

    def _compare(self, response: BaseHTTPResponse, piece: _Piece, alone: bool) -> None:
        """Check that a response is of the requested bytes, and of the same file as before."""
        total: int | None
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if response.status == 206:
            total = _total(response, piece)
            known = (self.partial.size or total, self.partial.validator)
            if self.partial.have and known != (total, validator):
                raise _ChangedError("the file changed at its address")
            piece.end = min(piece.end or total, total)
        elif response.status == 200 and alone:
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            self._restart(piece).end = total
        elif response.status in (200, 416):
            raise _ChangedError("the file changed at its address")
        else:
            raise RefusedError(f"HTTP {response.status} {response.reason or ''}".strip())
        self.partial.expect(total, validator)
        self.bar.total = total

    def _write(self, piece: _Piece, data: bytes) -> None:
        if piece.end is not None:
            data = data[: piece.end - piece.at]  # more than was asked for
        self.partial.write(piece.at, data)
        piece.at += len(data)
        with self.lock:
            self.bar.update(len(data))

    def _restart(self, piece: _Piece) -> _Piece:
        """Drop all bytes; the piece becomes the whole file."""
        self.partial.clear()
        self.bar.reset()
        piece.at, piece.end = 0, None
        return piece

    def _patience(self) -> Patience:
        return Patience.fresh(self.name, self.stop)


def _pieces(spans: list[Span], connections: int) -> Iterator[_Piece]:
    """Pieces that keep all connections busy until the end."""
    known = [(start, end) for start, end in spans if end is not None]
    share = sum(end - start for start, end in known) // connections
    step = min(max(share, FIRST), PIECE)
    for start, end in known:
        yield from (_Piece(at, min(at + step, end)) for at in range(start, end, step))


def _total(response: BaseHTTPResponse, piece: _Piece) -> int:
    header = response.headers.get("Content-Range", "")
    matched = _RANGE.fullmatch(header)
    if not matched or int(matched[1]) != piece.at:
        raise ProtocolError(f"asked for bytes from {piece.at} on, the server sends {header!r}")
    return int(matched[3])


def _is_strong(validator: str) -> bool:
    """Whether If-Range may carry it."""
    return bool(validator) and not validator.startswith("W/")
