from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from http_server import serving

from segmodels.assets.download import FIRST
from segmodels.assets.entries import DatasetEntry, WeightsEntry
from segmodels.assets.fetch import fetch, fetch_archives, fetch_weights
from segmodels.assets.remote_file import RemoteFile
from segmodels.core.files import sha256_of_file
from segmodels.errors import PassingError, SegmodelsError

CONTENT = bytes(range(256)) * 400
SHA = hashlib.sha256(CONTENT).hexdigest()
WRONG = "ab" * 32


@pytest.fixture
def server(monkeypatch):
    """A server, and no waiting between two tries."""
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    with serving(CONTENT) as one:
        yield one


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "downloads"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "weights"


@pytest.fixture
def bad_luck(monkeypatch):
    """Replace a method of Path so that it fails with an errno wherever `applies` says."""

    def _fail(method, number, applies):
        original = getattr(Path, method)

        def failing(self, *args, **kwargs):
            if applies(self, *args):
                raise OSError(number, errno.errorcode[number], str(self))
            return original(self, *args, **kwargs)

        monkeypatch.setattr(Path, method, failing)

    return _fail


def remote(server, sha256=(SHA,), name="a.bin"):
    return RemoteFile(name=name, url=server.url, sha256=tuple(sha256))


def parts(cache):
    return sorted([*cache.glob("*.part"), *cache.glob("*.json")])


def leave_part(server, cache, folder, size=1000):
    """Interrupt a download after `size` bytes."""
    server.manners.breaks = [size, *[0] * 5]
    with pytest.raises(SegmodelsError, match=f"{size:,} bytes are kept"):
        fetch(remote(server), folder)
    server.manners.breaks = []
    note, part = parts(cache)
    assert (note.suffix, part.stat().st_size) == (".json", size)
    server.asked.clear()
    return part


# From an address


def test_a_file_arrives_whole_and_leaves_nothing_behind(server, cache, folder):
    path = fetch(remote(server), folder)
    assert path == folder / "a.bin"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    assert parts(cache) == []


def test_a_checked_file_is_not_fetched_again(server, folder):
    fetch(remote(server), folder)
    fetch(remote(server), folder)
    fetch(remote(server, [WRONG, SHA]), folder)
    assert len(server.asked) == 1


def test_a_file_with_another_sha_is_replaced(server, folder):
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"damaged")
    assert fetch(remote(server), folder).read_bytes() == CONTENT


def test_without_a_sha_any_content_is_welcome(server, folder):
    server.manners.content = b"packed on request"
    assert fetch(remote(server, ()), folder).read_bytes() == b"packed on request"


def test_a_download_goes_on_where_it_stopped(server, cache, folder):
    leave_part(server, cache, folder)
    assert not (folder / "a.bin").exists()
    assert fetch(remote(server), folder).read_bytes() == CONTENT
    assert server.asked == [f"bytes=1000-{len(CONTENT) - 1}"]
    assert parts(cache) == []


def test_parts_come_in_parallel_as_the_setting_says(server, folder, monkeypatch):
    monkeypatch.setattr("segmodels.assets.download.FIRST", 10_000)
    monkeypatch.setenv("SEGMODELS_CONNECTIONS", "3")
    server.manners.pause = 0.02
    assert fetch(remote(server), folder).read_bytes() == CONTENT
    assert server.most == 3
    monkeypatch.setenv("SEGMODELS_CONNECTIONS", "many")
    with pytest.raises(SegmodelsError, match="CONNECTIONS=many is no number of connections"):
        fetch(remote(server), folder / "b")


def test_wrong_bytes_are_discarded_and_the_old_file_stays(server, cache, folder):
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    with pytest.raises(SegmodelsError, match=f"sha256 is {SHA}, not the registered {WRONG}"):
        fetch(remote(server, [WRONG]), folder)
    assert (folder / "a.bin").read_bytes() == b"old"
    assert parts(cache) == []


def test_a_part_of_other_content_is_fetched_anew(server, cache, folder):
    """A server that gives no validators may have changed the file in the meantime."""
    part = leave_part(server, cache, folder)
    part.write_bytes(b"x" * 1000)
    assert fetch(remote(server), folder).read_bytes() == CONTENT
    assert server.asked == [f"bytes=1000-{len(CONTENT) - 1}", f"bytes=0-{FIRST - 1}"]
    leave_part(server, cache, folder / "b")
    with pytest.raises(SegmodelsError, match="The download was discarded"):
        fetch(remote(server, [WRONG]), folder / "b")
    assert parts(cache) == []


def test_files_of_one_name_do_not_share_a_part(server, cache, folder):
    leave_part(server, cache, folder)
    other = RemoteFile(name="a.bin", url=server.url.replace("a.bin", "other/a.bin"), sha256=(SHA,))
    fetch(other, folder / "other")
    assert server.asked == [f"bytes=0-{FIRST - 1}"]


@pytest.mark.parametrize("status", [404, 403, 500])
def test_an_http_error_is_told_and_keeps_the_old_file(server, folder, status):
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    server.manners.statuses = [status] * 6
    with pytest.raises(
        SegmodelsError, match=f"a.bin: cannot be .*{server.url}.*{status}"
    ) as caught:
        fetch(remote(server), folder)
    assert isinstance(caught.value, PassingError) == (status == 500)
    assert "SEGMODELS_MIRROR" in str(caught.value)
    assert "bytes are kept" not in str(caught.value)
    assert (folder / "a.bin").read_bytes() == b"old"


def test_an_http_error_keeps_the_part(server, cache, folder):
    leave_part(server, cache, folder)
    server.manners.statuses = [503] * 6
    with pytest.raises(SegmodelsError, match=r"503.*1,000 bytes are kept"):
        fetch(remote(server), folder)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a.bin", "http://[::1/a.bin", "http://127.0.0.1:9/ä b"]
)
def test_an_unreachable_address_is_told(folder, url, monkeypatch):
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    with pytest.raises(SegmodelsError, match=r"a.bin: cannot be downloaded from") as caught:
        fetch(RemoteFile(name="a.bin", url=url, sha256=(SHA,)), folder)
    assert isinstance(caught.value, PassingError) == url.startswith("http://127.0.0.1:9/")


def test_two_processes_do_not_write_one_part(server, folder, monkeypatch):
    """The second is refused while the first downloads."""
    from segmodels.assets import download as module

    refused = []
    original = module.download

    def second(*args):
        with pytest.raises(PassingError, match=r"download of a.bin is already being done"):
            fetch(remote(server), folder)
        refused.append(True)
        return original(*args)

    monkeypatch.setattr(module, "download", second)
    fetch(remote(server), folder)
    assert refused == [True]


# Disks


def test_a_full_disk_is_told_and_keeps_what_came(server, cache, folder, monkeypatch):
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    original = os.pwrite

    def full(file, data, at):
        if at >= 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(file, data[: 50_000 - at], at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(SegmodelsError, match=r"No space left on device.*SEGMODELS_CACHE"):
            fetch(remote(server), folder)
    assert (folder / "a.bin").read_bytes() == b"old"
    server.asked.clear()
    assert fetch(remote(server), folder).read_bytes() == CONTENT
    assert int(server.asked[0][6:].partition("-")[0]) > 0


def test_a_cache_on_another_disk(server, cache, folder, bad_luck):
    bad_luck("replace", errno.EXDEV, lambda self, target: self.parent != Path(target).parent)
    path = fetch(remote(server), folder)
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    assert parts(cache) == []


def test_a_full_target_disk_keeps_the_download(server, cache, folder, bad_luck, monkeypatch):
    bad_luck("replace", errno.EXDEV, lambda self, target: self.parent != Path(target).parent)

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(SegmodelsError, match="No space left"):
            fetch(remote(server), folder)
    assert list(folder.iterdir()) == []
    assert len(parts(cache)) == 2
    server.asked.clear()
    fetch(remote(server), folder)
    assert server.asked == []


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SegmodelsError, match=str(tmp_path / "file")):
        fetch(remote(server), tmp_path / "file" / "below")


def test_a_cache_that_is_a_file_is_named(server, folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "file"))
    with pytest.raises(SegmodelsError, match=f"{tmp_path}/file.*SEGMODELS_CACHE"):
        fetch(remote(server), folder)


# From the mirror


@pytest.fixture
def local(tmp_path, monkeypatch):
    folder = tmp_path / "mirror" / "deep"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SEGMODELS_MIRROR", str(folder.parent))
    return folder


def test_the_mirror_comes_before_the_network(server, local, folder):
    (local / "a.bin").write_bytes(CONTENT)
    path = fetch(remote(server), folder)
    assert path.read_bytes() == CONTENT
    assert server.asked == []
    assert list(folder.iterdir()) == [path]
    assert (local / "a.bin").exists()


def test_the_right_one_of_several_is_found(server, local, folder):
    (local / "a.bin").write_bytes(b"another model's")
    (local / "z").mkdir()
    (local / "z" / "a.bin").write_bytes(CONTENT)
    assert sha256_of_file(fetch(remote(server), folder)) == SHA


def test_a_folder_of_that_name_is_no_file(server, local, folder):
    (local / "a.bin").mkdir()
    assert fetch(remote(server), folder).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_wrong_file_in_the_mirror_is_named(server, local, folder):
    (local / "a.bin").write_bytes(b"damaged")
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    with pytest.raises(SegmodelsError, match=r"deep/a.bin: in the mirror .*Replace or remove it"):
        fetch(remote(server), folder)
    assert (folder / "a.bin").read_bytes() == b"old"


def test_what_the_mirror_lacks_comes_from_the_address(server, local, folder):
    assert fetch(remote(server), folder).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_full_disk_while_copying_keeps_the_old_file(server, local, folder, monkeypatch):
    (local / "a.bin").write_bytes(CONTENT)
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(SegmodelsError, match=r"a.bin: No space left on device"):
        fetch(remote(server), folder)
    assert (folder / "a.bin").read_bytes() == b"old"
    assert len(list(folder.iterdir())) == 1


# Entries


def test_all_files_of_an_entry_are_fetched(server, folder):
    files = (remote(server), remote(server, name="b.bin"))
    assert (
        fetch_weights(
            WeightsEntry(name="w", model="unet", state="ok", source="s", files=files), folder
        )
        == folder
    )
    assert (
        fetch_archives(
            DatasetEntry(name="d", title="D", state="ok", source="s", archives=files), folder
        )
        == folder
    )
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin"]


def test_what_cannot_be_had_gives_its_reason(folder):
    weights = WeightsEntry(
        name="w", model="unet", state="gated", source="s", reason="it wants a login"
    )
    with pytest.raises(SegmodelsError, match=r"^weights 'w' are gated: it wants a login"):
        fetch_weights(weights, folder)
    dataset = DatasetEntry(name="d", title="D", state="lost", source="s", reason="the address died")
    with pytest.raises(SegmodelsError, match=r"^dataset 'd' is lost: the address died"):
        fetch_archives(dataset, folder)
    assert not folder.exists()


# Datasets


SHA1 = hashlib.sha1(CONTENT).hexdigest()


def dataset(state="ok", **file):
    archive = RemoteFile(name="a.bin", url="http://127.0.0.1:9/a.bin", **file)
    return DatasetEntry(
        name="odd",
        title="Odd",
        state=state,
        source="here",
        licence="free",
        reason="closed",
        archives=(archive,),
    )


@pytest.fixture
def mirrored(tmp_path, monkeypatch):
    """The file, in a mirror."""
    path = tmp_path / "mirror" / "deep" / "a.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    monkeypatch.setenv("SEGMODELS_MIRROR", str(tmp_path / "mirror"))
    return path


def test_the_published_sha1_is_checked(mirrored, tmp_path):
    folder = fetch_archives(dataset(sha1=SHA1), tmp_path / "a")
    assert (folder / "a.bin").read_bytes() == CONTENT
    with pytest.raises(SegmodelsError, match=rf"its sha1 is {SHA1}, not the published {'ab' * 20}"):
        fetch_archives(dataset(sha1="ab" * 20), tmp_path / "b")


def test_what_is_behind_a_registration_comes_from_the_mirror(mirrored, tmp_path):
    folder = fetch_archives(dataset("gated", sha1=SHA1), tmp_path / "a")
    assert (folder / "a.bin").read_bytes() == CONTENT
    mirrored.unlink()
    assert fetch_archives(dataset("gated", sha1=SHA1), tmp_path / "a") == folder
    with pytest.raises(SegmodelsError, match=r"'odd' is gated: closed\. .*data show odd"):
        fetch_archives(dataset("gated", sha1=SHA1), tmp_path / "b")


def test_a_download_is_announced_and_must_fit(mirrored, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    entry = dataset(sha1=SHA1, bytes=600_000_000)
    fetch_archives(entry, tmp_path / "a")  # from the mirror: nothing to announce
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("SEGMODELS_MIRROR")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=599_999_999))
    with pytest.raises(SegmodelsError, match=r"0.6 GB are free, about 0.6 GB are needed for odd"):
        fetch_archives(entry, tmp_path / "b")
    told = capsys.readouterr().err
    assert "odd: 1 file to download, about 0.6 GB; 0.6 GB free. Licence: free" in told
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=600_000_000))
    with pytest.raises(SegmodelsError, match="cannot be downloaded"):
        fetch_archives(entry, tmp_path / "b")


def test_weights_are_announced_too_and_a_size_may_be_unknown(server, folder, capsys):
    entry = WeightsEntry(
        name="w", model="unet", state="ok", source="s", licence="MIT", files=(remote(server),)
    )
    fetch_weights(entry, folder)
    told = capsys.readouterr().err
    assert "w: 1 file to download, 1 of a size that the server will say" in told
    assert "free. Licence: MIT" in told
    fetch_weights(entry, folder)
    assert capsys.readouterr().err == ""
