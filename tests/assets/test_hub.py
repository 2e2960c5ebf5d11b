"""Addresses of the Hugging Face Hub go through its own library."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time

import pytest
from hub_server import COMMIT, HubServer, serving_hub

from segmodels.assets.fetch import fetch
from segmodels.assets.hub import HubFile
from segmodels.assets.remote_file import RemoteFile
from segmodels.errors import PassingError, SegmodelsError

CONTENT = b"weights" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()
URL = "https://huggingface.co/some/net/resolve/main/sub/a.bin"


@pytest.fixture
def hub(project, tmp_path, monkeypatch):
    with serving_hub(tmp_path / "hub", monkeypatch) as server:
        server.put("sub/a.bin", CONTENT)
        yield server


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "folder"


def test_addresses_are_told_apart():
    assert HubFile.at(URL) == HubFile("some/net", "main", "sub/a.bin")
    assert HubFile.at(URL.replace("main", COMMIT)) == HubFile("some/net", COMMIT, "sub/a.bin")
    for other in ("https://host/some/net/resolve/main/a.bin", "https://huggingface.co/some/net"):
        assert HubFile.at(other) is None


def test_a_file_comes_through_the_cache_of_the_hub_once(hub: HubServer, folder):
    path = fetch(RemoteFile(name="a.bin", url=URL, sha256=(SHA,)), folder)
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()
    pinned = RemoteFile(name="a.bin", url=URL, sha256=(SHA,), revision=COMMIT)
    path.unlink()
    hub.asked.clear()
    assert fetch(pinned, folder).read_bytes() == CONTENT
    assert hub.asked == []


def test_a_damaged_file_in_the_cache_of_the_hub_is_fetched_once_more(hub: HubServer, folder):
    file = RemoteFile(name="a.bin", url=URL, sha256=(SHA,), revision=COMMIT)
    fetch(file, folder).unlink()
    cached = HubFile("some/net", COMMIT, "sub/a.bin").cached()
    assert cached is not None
    cached.resolve().write_bytes(b"damaged")
    assert fetch(file, folder).read_bytes() == CONTENT


def test_another_file_than_the_registered_one_is_refused(hub: HubServer, folder):
    with pytest.raises(SegmodelsError, match=f"sub/a.bin of some/net at main .*sha256 is {SHA}"):
        fetch(RemoteFile(name="a.bin", url=URL, sha256=("0" * 64,)), folder)
    assert not (folder / "a.bin").exists()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, "GatedRepo", "wants a login"),
        (404, "RevisionNotFound", "no such revision"),
        (404, "EntryNotFound", "no such file"),
        (401, "RepoNotFound", "no such repository"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(hub: HubServer, folder, status, code, said):
    hub.repository.refusal = (status, code)
    with pytest.raises(SegmodelsError, match=f"sub/a.bin of some/net.*{said}.*SEGMODELS_MIRROR"):
        fetch(RemoteFile(name="a.bin", url=URL), folder)


def test_a_hub_out_of_order_may_do_better_later(hub: HubServer, folder, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # the library's growing waits
    hub.repository.refusal = (503, "")
    with pytest.raises(PassingError, match=r"a\.bin of some/net"):
        fetch(RemoteFile(name="a.bin", url=URL), folder)


_OUTSIDE = """
import sys
from pathlib import Path
from segmodels.assets.remote_file import RemoteFile
from segmodels.assets.fetch import fetch
from segmodels.errors import SegmodelsError
try:
    print(fetch(RemoteFile(name="a.bin", url=sys.argv[1]), Path(sys.argv[2])).stat().st_size)
except SegmodelsError as error:
    print(type(error).__name__, error)
"""


def test_its_settings_mean_what_they_mean_everywhere(hub: HubServer, tmp_path):
    """`HF_ENDPOINT` is asked, `HF_HOME` has the cache, `HF_HUB_OFFLINE` takes from it alone."""

    def outside(home: str, out: str, **settings: str) -> str:
        own = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / home), **settings}
        command = [sys.executable, "-c", _OUTSIDE, URL, str(tmp_path / out)]
        env = {**os.environ, "no_proxy": "127.0.0.1", **own}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert outside("home", "1") == str(len(CONTENT))
    assert (tmp_path / "home" / "hub").is_dir()
    asked = list(hub.asked)
    assert outside("home", "2", HF_HUB_OFFLINE="1") == str(len(CONTENT))
    refused = outside("empty", "3", HF_HUB_OFFLINE="1")
    assert refused.startswith("PassingError sub/a.bin of some/net")
    assert hub.asked == asked
