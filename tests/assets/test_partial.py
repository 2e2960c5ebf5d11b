from __future__ import annotations

import json
import threading

import pytest

from segmodels.assets import partial as module
from segmodels.assets.partial import Partial


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "a.part"


def test_bytes_go_where_they_belong_and_holes_are_known(path):
    with Partial(path) as partial:
        assert (partial.have, partial.missing()) == (0, [(0, None)])
        partial.expect(10, '"1"')
        partial.write(6, b"gh")
        partial.write(0, b"abc")
        assert (partial.have, partial.missing()) == (5, [(3, 6), (8, 10)])
    with Partial(path) as again:
        assert (again.size, again.validator, again.missing()) == (10, '"1"', [(3, 6), (8, 10)])
        again.write(3, b"def")
        again.write(8, b"ij")
        assert again.missing() == []
    assert path.read_bytes() == b"abcdefghij"


def test_bytes_twice_count_once(path):
    with Partial(path) as partial:
        partial.write(0, b"abcd")
        partial.write(2, b"cdef")
        assert (partial.have, partial.missing()) == (6, [(6, None)])


@pytest.mark.parametrize(
    "note",
    [
        "no json",
        "[]",
        '{"size": 4, "done": [[0, 4]]}',
        '{"size": "4", "validator": "", "done": []}',
        '{"size": 4, "validator": "", "done": [[0]]}',
        '{"size": 4, "validator": "", "done": [["a", "b"]]}',
        '{"size": 4, "validator": "", "done": [[2, 1]]}',
        '{"size": 9, "validator": "", "done": [[0, 9]]}',
    ],
)
def test_a_note_that_cannot_be_true_counts_nothing(path, note):
    path.parent.mkdir()
    path.write_bytes(b"abcd")
    path.with_suffix(".json").write_text(note)
    with Partial(path) as partial:
        assert (partial.have, partial.size) == (0, None)


def test_a_file_without_its_note_counts_nothing(path):
    path.parent.mkdir()
    path.write_bytes(b"abcd")
    with Partial(path) as partial:
        assert partial.have == 0


def test_a_note_is_never_ahead_of_the_bytes(path, monkeypatch):
    """Whatever moment a process dies at."""
    monkeypatch.setattr(module, "SAVE_SECONDS", -1.0)
    with Partial(path) as partial:
        for at in range(0, 100, 7):
            partial.write(at, b"1234567")
            noted = json.loads(path.with_suffix(".json").read_text())["done"]
            assert noted == [[0, path.stat().st_size]]


def test_threads_do_not_disturb_each_other(path):
    with Partial(path) as partial:
        partial.expect(64_000, "")

        def fill(first):
            for at in range(first * 1000, 64_000, 8000):
                partial.write(at, bytes([first]) * 1000)

        threads = [threading.Thread(target=fill, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert partial.missing() == []
    assert path.read_bytes() == b"".join(bytes([first]) * 1000 for first in range(8)) * 8


def test_clearing_begins_anew(path):
    with Partial(path) as partial:
        partial.expect(4, '"1"')
        partial.write(0, b"abcd")
        partial.clear()
        assert (partial.have, partial.size, partial.validator) == (0, None, "")
    assert path.read_bytes() == b""
    Partial.forget(path)
    assert list(path.parent.iterdir()) == []
