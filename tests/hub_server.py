"""A server on this machine that answers as the Hugging Face Hub does, for its own library."""

from __future__ import annotations

import functools
import hashlib
import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import pytest
from quiet_server import QuietHandler, QuietServer, running

COMMIT = "0123456789" * 4


@dataclass
class Repository:
    """What the server has, by path below `owner/name/resolve/<commit>/`, and how it behaves.

    Attributes:
        files: content by commit and path.
        branches: commit by branch.
        refusal: status and error code (`GatedRepo`, …) of the next answers.
    """

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    refusal: tuple[int, str] | None = None


class HubServer(QuietServer):
    """`asked` holds method and path of every question."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.repository = Repository()
        self.asked: list[str] = []

    def put(self, path: str, content: bytes, commit: str = COMMIT) -> None:
        """Make a commit that has this content; `main` is it from now on."""
        self.repository.files[commit, path] = content
        self.repository.branches["main"] = commit


class _Handler(QuietHandler, http.server.BaseHTTPRequestHandler):
    server: HubServer

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        held = self.server.repository
        _, _, rest = self.path.partition("/resolve/")
        revision, _, path = rest.partition("/")
        commit = held.branches.get(revision, revision)
        content = held.files.get((commit, path))
        if held.refusal is not None or content is None:
            status, code = held.refusal or (404, "EntryNotFound")
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def serving_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The library asks this server and keeps its cache in a folder, for the length of a block."""
    with running(HubServer()) as one:
        real, look = huggingface_hub.hf_hub_download, huggingface_hub.try_to_load_from_cache
        there = functools.partial(real, endpoint=one.address, cache_dir=cache, etag_timeout=5)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", there)
        monkeypatch.setattr(
            huggingface_hub, "try_to_load_from_cache", functools.partial(look, cache_dir=cache)
        )
        yield one
