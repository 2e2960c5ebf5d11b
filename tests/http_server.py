"""A server on this machine that behaves like the servers one meets."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from quiet_server import QuietHandler, QuietServer, running
from waiting import until


@dataclass
class Manners:
    """What a server serves and how.

    Attributes:
        ranges: whether it knows them.
        etag, modified: validators it sends; `if_range`: whether it looks at If-Range.
        breaks: after how many bytes of a body each of the next answers breaks off.
        statuses: of the next answers instead of content, with `retry_after`.
        chunked: bodies come in chunks of 100 bytes, without a length.
        length: what it claims the length to be, if not the truth.
        pause: seconds before every 10 kB of a body.
        crowd: answers 503 to more than this many connections at a time.
        moved: paths that redirect to `/a.bin`.
        commit: that it says it serves, in the answer that redirects if there is one.
    """

    content: bytes
    ranges: bool = True
    etag: str = ""
    modified: str = ""
    if_range: bool = True
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    retry_after: str = ""
    chunked: bool = False
    length: int | None = None
    pause: float = 0.0
    crowd: int = 1000
    moved: tuple[str, ...] = ()
    commit: str = ""


class Server(QuietServer):
    """`asked` are the ranges of all questions, `paths` their paths, `sent` bytes of all bodies."""

    def __init__(self, content: bytes) -> None:
        super().__init__(_Handler)
        self.manners = Manners(content)
        self.asked: list[str | None] = []
        self.conditions: list[str | None] = []
        self.paths: list[str] = []
        self.sent = 0
        self.open = 0
        self.most = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.address}/a.bin"

    def rest(self) -> None:
        """Wait until nobody is served any more, and count bytes anew."""
        self.manners.pause = 0.0
        until(lambda: not self.open)
        self.sent = 0


class _Handler(QuietHandler, http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.open += 1
            server.most = max(server.most, server.open)
            crowded = server.open > server.manners.crowd
        try:
            if crowded:
                self._refuse(503)
            else:
                self._answer(server.manners)
        finally:
            with server.lock:
                server.open -= 1

    def _answer(self, manners: Manners) -> None:
        with self.server.lock:
            self.server.asked.append(self.headers.get("Range"))
            self.server.conditions.append(self.headers.get("If-Range"))
            self.server.paths.append(self.path)
            status = manners.statuses.pop(0) if manners.statuses else 0
            cut = manners.breaks.pop(0) if manners.breaks and not status else None
        if status:
            self._refuse(status)
        elif self.path in manners.moved:
            self.send_response(302)
            self.send_header("Location", "/a.bin")
            if manners.commit:
                self.send_header("X-Repo-Commit", manners.commit)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._serve(manners, cut)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        if self.server.manners.retry_after:
            self.send_header("Retry-After", self.server.manners.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, manners: Manners, cut: int | None) -> None:
        whole = len(manners.content)
        start, end, partial = 0, whole, False
        matched = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        same = condition is None or condition == (manners.etag or manners.modified)
        if matched and manners.ranges and (same or not manners.if_range):
            start, end = int(matched[1]), min(whole, int(matched[2] or whole) + bool(matched[2]))
            partial = True
            if start >= whole:
                self._refuse(416)
                return
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{whole}")
        for name, value in (("ETag", manners.etag), ("Last-Modified", manners.modified)):
            if value:
                self.send_header(name, value)
        if manners.commit and not manners.moved:
            self.send_header("X-Repo-Commit", manners.commit)
        length = manners.length if manners.length is not None else end - start
        kind = ("Transfer-Encoding", "chunked") if manners.chunked else ("Content-Length", length)
        self.send_header(kind[0], str(kind[1]))
        self.end_headers()
        self._body(manners, manners.content[start:end], cut)

    def _body(self, manners: Manners, body: bytes, cut: int | None) -> None:
        whole = cut is None and manners.length is None
        body, step = body[:cut], 100 if manners.chunked else 10_000
        for at in range(0, len(body), step):
            time.sleep(manners.pause)
            piece = body[at : at + step]
            with self.server.lock:
                self.server.sent += len(piece)
            frame = b"%x\r\n%s\r\n" % (len(piece), piece) if manners.chunked else piece
            self.wfile.write(frame)
        if manners.chunked and whole:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.close_connection or not whole


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    """A server for the length of a block."""
    with running(Server(content)) as one:
        yield one
