"""What every engine keeps: results by place, refusals once, lost workers' pieces again."""

from __future__ import annotations

import pytest
from inline_engine import InlineEngine

from segmodels.engines.engine import TRIES
from segmodels.errors import PassingError, SegmodelsError, UnknownNameError


def double(piece: int) -> int:
    if piece == 7:
        raise UnknownNameError("number", "7", ["5", "6"])
    if piece == 8:
        raise ConnectionResetError("gone")
    if piece == 9:
        raise PermissionError(13, "Permission denied", "/data")
    return 2 * piece


def test_results_come_with_their_places() -> None:
    assert sorted(InlineEngine().results(double, [3, 1, 2])) == [(0, 6), (1, 2), (2, 4)]
    assert list(InlineEngine().results(double, [])) == []


@pytest.mark.parametrize(
    ("piece", "words", "passing"),
    [
        (7, r"^worker .*, process \d+: Unknown number '7'.* Known: 5, 6\.$", False),
        (8, r"^worker .*: gone\.$", True),
        (9, r"^worker .*: /data: Permission denied\. Ask its owner", False),
    ],
)
def test_what_a_worker_refuses_is_said_once(piece: int, words: str, passing: bool) -> None:
    engine = InlineEngine()
    with pytest.raises(SegmodelsError, match=words) as found:
        list(engine.results(double, [piece]))
    assert isinstance(found.value, PassingError) == passing
    assert (engine.begun, engine.recovered) == (1, 0)


def test_a_lost_piece_is_done_again_and_no_other() -> None:
    engine = InlineEngine(kill=(3,))
    assert dict(engine.results(double, [1, 2, 3])) == {0: 2, 1: 4, 2: 6}
    assert engine.recovered == 1
    assert engine.pieces.count(3) == 1


def test_workers_that_die_again_and_again_are_told() -> None:
    engine = InlineEngine(kill=tuple(range(1, 20)))
    with pytest.raises(PassingError, match=rf"lost {TRIES + 1} times \(LostError\).*2 of 2 pieces"):
        list(engine.results(double, [1, 2]))


def test_whoever_watches_can_end_it() -> None:
    def watch() -> None:
        raise SegmodelsError("enough")

    with pytest.raises(SegmodelsError, match="enough"):
        list(InlineEngine().results(double, [1], watch))
