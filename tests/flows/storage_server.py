"""A DVC remote over HTTP that stops answering when a test says so."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from quiet_server import QuietHandler, QuietServer, running


class Storage(QuietServer):
    """Keeps what is posted; hangs up once it was asked so often to take or give a file it has."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.files: dict[str, bytes] = {}
        self.left = 1000
        self.lock = threading.Lock()


class _Handler(QuietHandler, http.server.BaseHTTPRequestHandler):
    server: Storage

    def do_HEAD(self) -> None:
        self._say(self.server.files.get(self.path))

    def do_GET(self) -> None:
        if self.path not in self.server.files or self._served():
            self._say(self.server.files.get(self.path))

    def do_POST(self) -> None:
        if self._served():
            self.server.files[self.path] = self._body()
            self._say(b"")

    def _served(self) -> bool:
        with self.server.lock:
            self.server.left -= 1
            return self.server.left >= 0

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _say(self, content: bytes | None) -> None:
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content or b"")


@pytest.fixture
def storage() -> Iterator[Storage]:
    with running(Storage()) as one:
        yield one
