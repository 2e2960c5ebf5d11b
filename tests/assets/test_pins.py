"""Trust on first use: what fetching notes of released files, and what it refuses from then on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from http_server import Server, serving
from hub_server import COMMIT, serving_hub

from segmodels.assets import pins as module
from segmodels.assets.entries import (
    RemoteFile,
    WeightsEntry,
    load_weights_entries,
    load_weights_entry,
)
from segmodels.assets.fetch import fetch_weights
from segmodels.assets.pins import Pin, note_pins, read_pins
from segmodels.core import locks
from segmodels.errors import SegmodelsError

CONTENT, OTHER = b"first bytes" * 100, b"other bytes" * 100
SHA, OTHER_SHA = (hashlib.sha256(content).hexdigest() for content in (CONTENT, OTHER))
HUB = "https://huggingface.co/some/net/resolve/main/a.bin"
PIN = Pin(sha256=SHA, bytes=1100, url="https://host/a.bin", origin="address")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(CONTENT) as one:
        yield one


class Odd:
    """An entry of one file without a sha256, in a project of its own."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.server = root, server
        self.lock = root / "params" / "weights.lock.yaml"
        self.folder = root / "weights" / "released" / "odd"
        self.path = "/x/resolve/main/a.bin"
        self.fields = "unseen: true"
        self.sums = self.url = ""
        self.lock.unlink()

    def entry(self) -> WeightsEntry:
        url = self.url or self.server.url.replace("/a.bin", self.path)
        text = f"odd: {{model: unet, state: ok, source: here, {self.fields}, files: ["
        text += f"{{name: a.bin, url: '{url}'{self.sums}}}]}}\n"
        (self.root / "params" / "weights.yaml").write_text(text)
        return load_weights_entry("odd")

    def fetch(self, **options) -> bytes:
        return (fetch_weights(self.entry(), self.folder, **options) / "a.bin").read_bytes()

    @property
    def pin(self) -> Pin:
        return read_pins(self.lock)["odd"]["a.bin"]


@pytest.fixture
def odd(project, server):
    return Odd(project, server)


@pytest.fixture
def on_hub(odd, tmp_path, monkeypatch):
    """The same entry with an address of the Hub, where `main` has `CONTENT`."""
    with serving_hub(tmp_path / "hub", monkeypatch) as hub:
        hub.put("a.bin", CONTENT)
        odd.hub, odd.url = hub, HUB
        yield odd


def test_what_comes_first_is_noted_and_taken_from_then_on(odd):
    assert odd.entry().pinned == "no"
    assert odd.fetch() == CONTENT
    assert odd.pin == Pin(sha256=SHA, bytes=1100, url=odd.entry().files[0].url, origin="address")
    assert odd.entry().identities == (SHA,)
    assert odd.entry().pinned == "first sight"
    before = odd.lock.read_bytes()
    assert odd.fetch() == CONTENT
    assert odd.lock.read_bytes() == before


def test_a_changed_file_is_refused_with_both_sums_and_what_to_do(odd):
    odd.fetch()
    odd.server.manners.content = OTHER
    (odd.folder / "a.bin").unlink()
    with pytest.raises(SegmodelsError, match=f"sha256 is {OTHER_SHA}, not the {SHA}") as caught:
        odd.fetch()
    assert "remove its note there" in str(caught.value)
    assert odd.pin.sha256 == SHA
    odd.lock.unlink()
    assert odd.fetch() == OTHER
    assert odd.pin.sha256 == OTHER_SHA


def test_a_file_changed_on_disk_is_replaced_by_what_was_noted(odd):
    odd.fetch()
    (odd.folder / "a.bin").write_bytes(OTHER)
    assert odd.fetch() == CONTENT


def test_a_file_of_the_mirror_or_the_folder_is_noted_too(odd, tmp_path, monkeypatch):
    odd.folder.mkdir(parents=True)
    (odd.folder / "a.bin").write_bytes(OTHER)
    assert odd.fetch() == OTHER
    assert (odd.pin.sha256, odd.pin.origin) == (OTHER_SHA, "folder")
    odd.lock.unlink()
    (odd.folder / "a.bin").unlink()
    mirror = tmp_path / "mirror"
    (mirror / "x").mkdir(parents=True)
    (mirror / "x" / "a.bin").write_bytes(CONTENT)
    monkeypatch.setenv("SEGMODELS_MIRROR", str(mirror))
    assert odd.fetch() == CONTENT
    assert (odd.pin.sha256, odd.pin.origin, odd.server.paths) == (SHA, "mirror", [])
    (odd.folder / "a.bin").unlink()
    (mirror / "x" / "a.bin").write_bytes(OTHER)
    with pytest.raises(SegmodelsError, match=f"{OTHER_SHA}, not the {SHA}"):
        odd.fetch()


def test_files_of_one_name_in_the_mirror_are_told_apart_by_their_folder(odd, tmp_path, monkeypatch):
    """Half of all checkpoints are called pytorch_model.bin."""
    mirror = tmp_path / "mirror"
    for folder, content in (("even", OTHER), ("other", CONTENT)):
        (mirror / folder).mkdir(parents=True)
        (mirror / folder / "a.bin").write_bytes(content)
    monkeypatch.setenv("SEGMODELS_MIRROR", str(mirror))
    with pytest.raises(SegmodelsError, match="Put the right one into a folder named odd"):
        odd.fetch()
    assert not odd.lock.exists()
    (mirror / "other").rename(mirror / "odd")
    assert odd.fetch() == CONTENT


def test_what_does_not_open_is_not_noted(odd):
    def broken(folder: Path) -> None:
        raise SegmodelsError(f"{folder}: a page that wants a login")

    with pytest.raises(SegmodelsError, match="wants a login"):
        odd.fetch(accept=broken)
    assert not odd.lock.exists()


def test_the_revision_that_the_hub_tells_is_noted_and_fetched(on_hub):
    on_hub.fetch()
    assert on_hub.pin == Pin(sha256=SHA, bytes=1100, url=HUB, origin="address", revision=COMMIT)
    (on_hub.folder / "a.bin").unlink()
    on_hub.hub.put("a.bin", OTHER, commit="f" * 40)
    on_hub.hub.asked.clear()
    assert on_hub.fetch() == CONTENT
    assert on_hub.hub.asked == []  # the cache of the Hub has that commit


def test_an_address_elsewhere_has_no_revision(odd):
    odd.path = "/x/a.bin"
    odd.fetch()
    assert odd.pin.revision == ""


def test_a_registered_revision_is_fetched(on_hub):
    on_hub.hub.put("a.bin", OTHER, commit="f" * 40)
    on_hub.sums = f", revision: '{COMMIT}'"
    assert on_hub.fetch() == CONTENT


def test_a_registered_revision_of_another_host_is_fetched(odd):
    odd.sums = f", revision: '{COMMIT}'"
    odd.fetch()
    assert odd.server.paths == [f"/x/resolve/{COMMIT}/a.bin"]


def test_the_revision_of_a_registered_file_is_noted_too(on_hub, odd):
    on_hub.fields, on_hub.sums = "licence: MIT", f", sha256: [{SHA}]"
    on_hub.fetch()
    assert (on_hub.pin.sha256, on_hub.pin.revision) == (SHA, COMMIT)


def test_a_later_fetch_adds_the_revision(on_hub):
    on_hub.folder.mkdir(parents=True)
    (on_hub.folder / "a.bin").write_bytes(CONTENT)
    on_hub.fetch()
    assert (on_hub.pin.origin, on_hub.pin.revision) == ("folder", "")
    (on_hub.folder / "a.bin").unlink()
    on_hub.fetch()
    assert (on_hub.pin.sha256, on_hub.pin.revision) == (SHA, COMMIT)


def test_notes_that_cannot_be_written_are_one_error_and_lose_no_file(odd, monkeypatch):
    def full(path: Path, text: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(module, "write_text", full)
    with pytest.raises(SegmodelsError, match=f"Read-only file system.*kept.*a.bin {SHA}") as caught:
        odd.fetch()
    assert str(caught.value).startswith(f"{odd.lock}: ")
    assert (odd.folder / "a.bin").read_bytes() == CONTENT
    monkeypatch.undo()


def test_a_lock_that_cannot_be_written_loses_no_file(odd, monkeypatch):
    real = locks._sign

    def full(path: Path) -> None:
        if path.name == "weights.lock.lock":
            raise OSError(28, "No space left on device")
        real(path)

    monkeypatch.setattr(locks, "_sign", full)
    with pytest.raises(SegmodelsError, match=f"No space left .*kept.*a.bin {SHA}"):
        odd.fetch()
    assert (odd.folder / "a.bin").read_bytes() == CONTENT


# The file


def test_equal_notes_give_equal_bytes(tmp_path, project):
    one, two = tmp_path / "one.lock.yaml", tmp_path / "two.lock.yaml"
    for name in "ab":
        note_pins(one, name, {"y": PIN, "x": PIN})
    for name in "ba":
        note_pins(two, name, {"x": PIN, "y": PIN})
    assert one.read_bytes() == two.read_bytes()
    assert read_pins(one) == {name: {"x": PIN, "y": PIN} for name in "ab"}
    assert one.read_text().startswith("# Released files")
    assert sorted(p.name for p in tmp_path.glob("*.lock.yaml")) == [one.name, two.name]


def test_two_that_note_at_once_lose_nothing(tmp_path, project):
    path = tmp_path / "one.lock.yaml"
    names = [f"w{n:02d}" for n in range(12)]
    many = [threading.Thread(target=note_pins, args=(path, n, {"x": PIN})) for n in names]
    for one in many:
        one.start()
    for one in many:
        one.join()
    assert sorted(read_pins(path)) == names
    with pytest.raises(SegmodelsError, match=f"came twice at once, with sha256 {SHA} and 0000"):
        note_pins(
            path,
            "w00",
            {"x": Pin(sha256="0" * 64, bytes=3, url="https://host/x", origin="address")},
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("odd: [a.bin]", "weights 'odd': expected files by name"),
        ("odd: {a.bin: {sha256: abc}}", "file 'a.bin': field 'bytes' is missing"),
        (
            "odd: {a.bin: {sha256: abc, bytes: 3, url: u, from: mirror}}",
            "'sha256': expected a sha256 .64 digits 0-9a-f., found 'abc'",
        ),
        (
            f"odd: {{a.bin: {{sha256: {SHA}, bytes: 3, url: u, from: x}}}}",
            "'from': expected 'address', 'mirror', 'folder' or 'user', found 'x'",
        ),
        (
            f"odd: {{a.bin: {{sha256: {SHA}, bytes: 3, url: u, from: mirror, revision: v1}}}}",
            "'revision': expected a commit .* found 'v1'",
        ),
        (f"odd: {{b.bin: {{sha256: {SHA}, bytes: 3, url: u, from: mirror}}}}", "no file 'b.bin'"),
        (f"even: {{a.bin: {{sha256: {SHA}, bytes: 3, url: u, from: mirror}}}}", "'even' do not"),
    ],
)
def test_broken_notes_are_named(odd, text, message):
    odd.lock.write_text(text)
    with pytest.raises(SegmodelsError, match=message) as caught:
        odd.entry()
    assert str(caught.value).startswith(str(odd.lock))


def test_a_note_is_of_the_address_it_was_taken_from(tmp_path):
    entry = {"model": "unet", "state": "ok", "source": "here", "unseen": True}
    file = {"name": "a.pth", "url": "https://example.org/new/a.pth"}
    path = tmp_path / "weights.yaml"
    path.write_text(json.dumps({"toy": {**entry, "files": [file]}}))
    old = Pin(sha256="0" * 64, bytes=3, url="https://example.org/old/a.pth", origin="address")
    note_pins(tmp_path / "weights.lock.yaml", "toy", {"a.pth": old})
    with pytest.raises(SegmodelsError, match=r"was noted from https://example\.org/old/a\.pth"):
        load_weights_entries(path)


def test_reading_notes_needs_no_pytorch():
    code = "import sys, segmodels.assets.fetch; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_without_notes_stays_as_it_is():
    plain = RemoteFile(name="a.bin", url="https://host/resolve/main/a.bin", sha256=(SHA,))
    assert (plain.accepted, plain.address) == ((SHA,), plain.url)
