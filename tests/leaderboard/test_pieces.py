"""Text with links and code in it."""

from __future__ import annotations

import pytest

from segmodels.leaderboard.pieces import Piece, code, file_link, link, plain, prose


def test_prose_is_taken_apart_in_order() -> None:
    text = "See `a <b>`, (https://example.org/x?a=1&b=2), and http://y.org."
    assert prose(text) == [
        Piece("See "),
        Piece("a <b>", code=True),
        Piece(", ("),
        Piece("https://example.org/x?a=1&b=2", address="https://example.org/x?a=1&b=2"),
        Piece("), and "),
        Piece("http://y.org", address="http://y.org"),
        Piece("."),
    ]


@pytest.mark.parametrize("text", ["", "`", "``", "a ` b", "https://", "ftp://a.org", "x\n<b>"])
def test_nothing_of_prose_is_lost(text: str) -> None:
    pieces = prose(text)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    assert not any(piece.address or piece.code for piece in pieces)


def test_nothing_gives_no_piece() -> None:
    assert plain("") == code("") == link("https://a.org", "") == file_link("a.json", "") == []


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "", "//a.org/x"])
def test_what_leads_neither_to_the_web_nor_to_a_file_is_text(address: str) -> None:
    assert link(address, "text") == [Piece("text")]
    assert file_link(address, "text", "../") == [Piece("text", code=True)]


def test_files_are_found_from_where_the_page_lies() -> None:
    (piece,) = file_link("evidence/a.json", "a", "../")
    assert piece == Piece("a", code=True, address="../evidence/a.json")
