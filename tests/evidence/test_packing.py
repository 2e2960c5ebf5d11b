"""Packed counts: the same integers in fewer bytes, and no byte of them that can be changed."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import evidence, matrices

from segmodels.errors import SegmodelsError
from segmodels.evidence import ImageCounts, evidence_files, read_evidence, write_evidence
from segmodels.evidence.files import write_compact
from segmodels.evidence.packing import pack, unpack

SPARSE = st.integers(0, 2**40) | st.just(0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 9).flatmap(lambda n: arrays(np.int64, (n, 4, 5), elements=SPARSE)))
def test_any_counts_come_back(counts: np.ndarray) -> None:
    images = [ImageCounts.from_matrix(f"ü {i}\n.png", m) for i, m in enumerate(counts)]
    assert unpack(pack(images, 20)) == images


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9).flatmap(lambda n: arrays(np.int64, (n, 4, 5), elements=SPARSE)))
def test_any_counts_come_back_by_their_gaps(counts: np.ndarray) -> None:
    images = [ImageCounts.from_matrix(f"{i}.png", m) for i, m in enumerate(counts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segmodels.evidence.stream._MOST_BITS", -1)
        block = pack(images, 20)
    assert b'"gaps"' in lzma.decompress(block)
    assert unpack(block) == images


def test_a_million_cells_of_which_one_is_counted(tmp_path: Path) -> None:
    """Top-1 of ImageNet: as bits, this would take six gigabytes."""
    drawn, cells = np.random.default_rng(0), 1001 * 1000
    images = [
        ImageCounts(f"{i:08}.JPEG", (int(cell),), (1,))
        for i, cell in enumerate(drawn.integers(0, cells, 50_000))
    ]
    block = pack(images, cells)
    assert len(block) < 500_000
    assert unpack(block) == images


def test_gaps_may_be_long() -> None:
    images = [ImageCounts("a", (3, 2**35), (1, 2))]
    assert unpack(pack(images, 2**36)) == images


def test_it_is_a_fraction_of_the_lines(tmp_path: Path) -> None:
    found = evidence(matrices(200))
    lines = write_evidence(tmp_path / "a", found).with_suffix(".counts.jsonl")
    write_compact(tmp_path / "b", [found])
    packed = tmp_path / "b" / f"{found.key}.counts.xz"
    assert packed.stat().st_size < lines.stat().st_size / 5
    heads = [(tmp_path / folder / f"{found.key}.json").read_bytes() for folder in "ab"]
    assert heads[0] == heads[1]
    assert read_evidence(tmp_path / "b" / f"{found.key}.json") == found


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Packed counts of two images."""
    (head, counts) = write_compact(tmp_path, [evidence(matrices(2))])
    assert head.is_file()
    return counts


def test_no_byte_of_it_can_be_changed(packed: Path) -> None:
    whole, head = packed.read_bytes(), evidence_files(packed.parent)[0]
    wrong = [whole[:-1], whole[:50], b"", whole + b"\0", whole + bytes(4), whole + whole]
    wrong += [
        whole[:i] + bytes([whole[i] ^ bit]) + whole[i + 1 :]
        for i in range(len(whole))
        for bit in (1, 128)
    ]
    for content in wrong:
        packed.write_bytes(content)
        with pytest.raises(SegmodelsError, match=rf"{head.stem}\.counts\.xz: ") as caught:
            read_evidence(head)
        assert "\n" not in str(caught.value)
    packed.write_bytes(whole)
    read_evidence(head)


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense",
        b'{"bytes":1,"cells":16}\n',
        b'{"bytes":9,"cells":8,"images":[]}\n',
        b'{"bytes":1,"cells":1000000000000,"images":["a"]}\n\x00',
        b'{"bytes":-1,"cells":8,"images":["a"]}\n\x00',
        b'{"bytes":1,"cells":-8,"images":["a"]}\n\x00',
        b'{"bytes":1,"cells":8,"images":3}\n\x00',
        b'{"bytes":1,"cells":8,"counts":1,"gaps":1,"images":["a"]}\n\x08\x01',
        b'{"bytes":1,"cells":8,"counts":1,"gaps":1,"images":["a"]}\n\x00\x01\x01',
        b'{"bytes":1,"cells":8,"counts":1,"gaps":9,"images":["a"]}\n' + bytes(10),
        b'{"bytes":0,"cells":8,"counts":1,"gaps":8,"images":["a"]}\n' + b"\xff" * 8,
        b'{"bytes":0,"cells":8,"counts":1e9,"gaps":0,"images":["a"]}\n',
        b'{"bytes":1,"cells":16,"counts":3,"gaps":8,"images":["a","b"]}\n'
        + np.array([2**62, 2**63 - 1, 2**62 + 1], "<u8").view(np.uint8).reshape(3, 8).T.tobytes()
        + bytes([1, 1, 1]),
    ],
)
def test_a_stream_of_something_else_is_refused(packed: Path, text: bytes) -> None:
    packed.write_bytes(lzma.compress(text))
    with pytest.raises(SegmodelsError, match=r"counts\.xz: .* cannot be unpacked"):
        read_evidence(evidence_files(packed.parent)[0])


def test_other_counts_are_told_from_those_recorded(packed: Path) -> None:
    packed.write_bytes(pack(evidence(matrices(2, seed=1)).images, 16))
    with pytest.raises(SegmodelsError, match=r"counts\.xz: its sha256 .* changed after they were"):
        read_evidence(evidence_files(packed.parent)[0])


def test_what_another_library_packed_otherwise_stays(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = packed.read_bytes()
    monkeypatch.setattr("segmodels.evidence.stream._PRESET", 0)
    assert pack(evidence(matrices(2)).images, 16) != before
    write_compact(packed.parent, [evidence(matrices(2))])
    assert packed.read_bytes() == before


def test_lines_beside_it_go_before_it_and_vanish_when_it_is_packed(packed: Path) -> None:
    head = write_evidence(packed.parent, evidence(matrices(2)))
    packed.write_bytes(b"")
    read_evidence(head)
    write_compact(packed.parent, [evidence(matrices(2))])
    assert not head.with_suffix(".counts.jsonl").exists()
    assert read_evidence(head) == evidence(matrices(2))
    packed.unlink()
    with pytest.raises(SegmodelsError, match=r"counts\.jsonl: missing beside"):
        read_evidence(head)
