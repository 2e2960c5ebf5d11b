"""Small files that would unpack to gigabytes, or are nested without end, are refused at once."""

from __future__ import annotations

import io
import json
import lzma
import re
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from segmodels.checkpoints.readers import read_any
from segmodels.core.yaml_entries import read_yaml
from segmodels.datasets.reading.archives import unpack
from segmodels.datasets.reading.matlab import read_matrix
from segmodels.datasets.reading.packed import open_tree
from segmodels.datasets.reading.pickled_masks import read_masks
from segmodels.errors import SegmodelsError
from segmodels.evidence.packing import unpack as unpack_counts
from segmodels.exchange.mmseg.package import open_package

GIGABYTE = 2**30


def claims_to_hold(path: Path, names: list[str], size: int) -> Path:
    """A zip archive whose list says that every member unpacks to so many bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, bytes(1000))
    content = path.read_bytes()
    at = content.index(b"PK\1\2")
    for _ in names:
        content = content[: at + 24] + size.to_bytes(4, "little") + content[at + 28 :]
        at = content.find(b"PK\1\2", at + 4)
    path.write_bytes(content)
    return path


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """What is done takes no more memory than so many bytes at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


READERS = {
    "a dataset that is unpacked": lambda path: unpack(path, path.parent / "out", lambda name: name),
    "a dataset that is read in place": lambda path: open_tree((path,), str),
    "masks": lambda path: list(read_masks(path)),
    "weights of PyTorch": read_any,
    "a wheel": open_package,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_an_archive_that_unpacks_to_gigabytes_is_not_opened(reader, tmp_path: Path) -> None:
    path = claims_to_hold(tmp_path / "bomb.zip", ["x/data.pkl", "x/data/0"], GIGABYTE)
    with pytest.raises(SegmodelsError, match=r"bomb\.zip: .* would unpack to 2\.1 GB"):
        reader(path)
    assert [one.name for one in tmp_path.iterdir()] == ["bomb.zip"]


def test_arrays_that_unpack_to_gigabytes_are_not_read(tmp_path: Path) -> None:
    path = claims_to_hold(tmp_path / "bomb.npz", ["a.npy", "b.npy"], GIGABYTE)
    with pytest.raises(SegmodelsError, match="would unpack to"):
        read_any(path)


def test_a_member_gives_no_more_bytes_than_the_list_says(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.png", bytes(2**26))
    content = path.read_bytes()
    at = content.index(b"PK\1\2")
    path.write_bytes(content[: at + 24] + (10).to_bytes(4, "little") + content[at + 28 :])
    member = open_tree((path,), str).root / "image.png"
    with at_most(2**25), pytest.raises(SegmodelsError, match=r"image\.png: damaged"):
        member.read_bytes()


def test_sparse_members_of_a_tar_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tar"
    member = tarfile.TarInfo("big.png")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (8 * GIGABYTE - 1)  # what it says to be when unpacked
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(SegmodelsError, match=r"sparse\.tar: damaged .*more bytes than the archive"):
        unpack(path, tmp_path / "out", lambda name: name)
    assert not (tmp_path / "out").exists()


def test_a_packed_tar_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 2**20
        archive.addfile(member, io.BytesIO(bytes(2**20)))
    with pytest.raises(SegmodelsError, match=r"packed\.tar: damaged"):
        unpack(tmp_path / "packed.tar", tmp_path / "out", lambda name: name)


def test_a_matrix_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segmodels.datasets.reading.matlab._LARGEST", 2**20)
    packed = zlib.compress(bytes(2**21))
    element = np.array([15, len(packed)], "<u4").tobytes() + packed
    (tmp_path / "a.mat").write_bytes(bytes(126) + b"IM" + element)
    with pytest.raises(SegmodelsError, match="of more than 1048576 bytes"):
        read_matrix(tmp_path / "a.mat", "LabelMap")


def bombs_of_counts() -> Iterator[tuple[str, bytes]]:
    def head(**fields: object) -> bytes:
        return json.dumps({"bytes": 1, "cells": 4, "images": ["a", "b"], **fields}).encode() + b"\n"

    yield "no line", bytes(2**26)
    yield "many cells", head(cells=2**40) + bytes(2**20)
    yield "many images", head(cells=2**20, images=[""] * 2**12) + bytes(2**20)
    yield "wide counts", head(bytes=2**30) + b"\xff" + bytes(2**20)
    yield "more than it tells", head() + b"\x00" + bytes(2**26)
    yield "negative", head(cells=-4) + bytes(8)


@pytest.mark.parametrize(
    "block", [b for _, b in bombs_of_counts()], ids=[name for name, _ in bombs_of_counts()]
)
def test_counts_unpack_to_no_more_than_they_tell(block: bytes) -> None:
    packed = lzma.compress(block, preset=6)
    with at_most(2**28), pytest.raises(ValueError, match=r"."):
        unpack_counts(packed)


NESTED = {
    "lists in a line": "classes: " + "[" * 100_000,
    "lists in lists": "- " * 100_000 + "1",
    "keys": "? " * 50_000 + "1",
    "mappings": "a: " + "{a: " * 50_000,
    "between others": "a: " + "[']', " * 50_000,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_yaml_without_end_is_one_line(text: str, tmp_path: Path) -> None:
    """In a process of its own: a loader that recurses in C does not fail, it ends the process."""
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    reading = "import sys, pathlib; from segmodels.core.yaml_entries import read_yaml as read; "
    done = subprocess.run(
        [sys.executable, "-c", f"{reading} read(pathlib.Path(sys.argv[1]))", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.search(r"SegmodelsError: .*deep\.yaml: not valid YAML", last), last[:300]


def test_yaml_whose_aliases_multiply_is_read_as_it_is_written(tmp_path: Path) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]")
    (tmp_path / "aliases.yaml").write_text("\n".join(lines))
    with at_most(2**26):
        assert len(read_yaml(tmp_path / "aliases.yaml")["j"]) == 9
