"""Servers on this machine whose clients hang up: nothing is logged, and a thread of their own."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar


class QuietServer(http.server.ThreadingHTTPServer):
    """Takes no client that hangs up for a mistake."""

    daemon_threads = True

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what is tested."""


class QuietHandler:
    """Goes before the handler of a class that is to write no line for each request."""

    def log_message(self, *args: object) -> None:
        pass


Server = TypeVar("Server", bound=QuietServer)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server in a thread, for the length of a block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
