"""What changed between two boards: text, page and feed, from a repository with a history."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from page_rows import HOSTILE, Checker, make_row, make_rows, make_statement, unrun

from segmodels.cli import main
from segmodels.cli.schema import board_schema
from segmodels.core.git import commits_of
from segmodels.errors import SegmodelsError
from segmodels.leaderboard.exports.json import SHORT, render_json
from segmodels.leaderboard.history.change import changes
from segmodels.leaderboard.history.published import PublishedRow, read_board
from segmodels.leaderboard.history.texts import changes_text, render_changes
from segmodels.verdicts.row import Row

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: Three boards, one after the other: the last verifies a claim, drops a row, prints another number.
BOARDS: list[list[Row]] = [
    [unrun(claim="a"), make_row(claim="b"), unrun(claim="c", claimed=40.0)],
    [unrun(claim="a"), make_row(claim="b"), unrun(claim="c", claimed=40.0), unrun(claim="new")],
    [make_row(claim="a", paper=HOSTILE), unrun(claim="c", claimed=41.0), unrun(claim="new")],
]
ATOM = {"a": "http://www.w3.org/2005/Atom"}

pytestmark = pytest.mark.usefixtures("board")


def git(folder: Path, *arguments: str) -> None:
    named = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit for each of `BOARDS`."""
    path = tmp_path / "reports" / "leaderboard.json"
    path.parent.mkdir()
    texts = list(map(render_json, BOARDS))
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    git(tmp_path, "init", "-q")
    for number, text in enumerate(texts):
        path.write_text(text)
        git(tmp_path, "add", "reports")
        git(tmp_path, "commit", "-qm", f"board {number}")
    return path


def rows(board: list[Row]) -> tuple[PublishedRow, ...]:
    return read_board(render_json(board), "a test").rows


def test_the_schema_takes_every_board_and_names_every_field() -> None:
    schema = board_schema()
    assert json.loads((DOCS / "leaderboard.schema.json").read_text()) == schema
    assert tuple(PublishedRow.model_fields) == SHORT
    for board in (*BOARDS, [], [*make_rows(50), make_statement()]):
        jsonschema.validate(json.loads(render_json(board)), schema)
    broken = json.loads(render_json(BOARDS[0]))
    broken["rows"][0]["verdict"] = "true"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_kind_of_change_is_told_by_its_weight() -> None:
    found = changes(rows(BOARDS[1]), rows(BOARDS[2]))
    kinds = [("verdict", "a"), ("claim", "c"), ("gone", "b")]
    assert [(change.kind, change.row.page) for change in found] == kinds
    assert [c.tells_a_verdict for c in found] == [True, False, True]
    assert found[0].words == "blocked \u2192 verified 50.02 of 50"
    assert changes(rows(BOARDS[1]), rows(BOARDS[1])) == []


def test_a_number_that_moves_is_told_although_the_verdict_stands() -> None:
    (found,) = changes(rows([make_row()]), rows([make_row(verified=50.04, gap=0.04)]))
    assert found.kind == "number"
    assert "50.02 of 50 \u2192 verified 50.04 of 50" in changes_text([found])


def test_the_page_is_whole_and_escapes_everything() -> None:
    found = changes(rows(BOARDS[0]), rows([make_row(claim="a", model=HOSTILE), *BOARDS[2][1:]]))
    page = Checker(render_changes(found, "v1", HOSTILE))
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert "Verdicts that changed (1)" in page.text
    assert "No verdict and no number changed." in Checker(render_changes([], "a", "b")).text


def test_two_commits_are_compared(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", "HEAD~2", "HEAD~1"]) == 0
    assert capsys.readouterr().out == "New rows (1)\n  new: blocked, new (toy mIoU)\n"
    assert main(["changes"]) == 0
    assert capsys.readouterr().out == "No verdict and no number changed.\n"
    history.write_text(render_json(BOARDS[0]))
    assert main(["changes", "--format", "html", "--out", str(history.with_name("c.html"))]) == 0
    assert "Verdicts that changed (1)" in history.with_name("c.html").read_text()


def test_the_feed_tells_of_verdicts_newest_first(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["changes", "--format", "atom", "--site", "https://example.org/reports/"]
    assert main(told) == 0
    text = capsys.readouterr().out
    feed = Xml.fromstring(text)
    titles = [entry.findtext("a:title", "", ATOM) for entry in feed.findall("a:entry", ATOM)]
    assert titles == ["a: blocked \u2192 verified 50.02 of 50", "b: verified 50.02 of 50, gone"]
    links = [link.get("href") for link in feed.findall("a:entry/a:link", ATOM)]
    assert links[0] == "https://example.org/reports/leaderboard.html#row=a"
    ids = [element.text for element in feed.iter(f"{{{ATOM['a']}}}id")]
    assert len(set(ids)) == len(ids) == 3
    assert main(told) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch"], "git knows no 'nosuch'"),
        (["HEAD~1", "--format", "atom"], "leave OLD and NEW out"),
        (["--site", "https://example.org"], "goes with --format atom"),
    ],
)
def test_bad_requests_get_one_line(
    history: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["changes", *arguments]) != 0
    assert words in capsys.readouterr().err


def test_a_board_of_another_schema_is_named(history: Path) -> None:
    text = render_json(BOARDS[0]).replace('"schema": 3', '"schema": 2')
    with pytest.raises(SegmodelsError, match="v0: no leaderboard"):
        read_board(text, "v0")


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reports").mkdir()
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SegmodelsError, match="not a git repository"):
        commits_of(tmp_path / "reports" / "leaderboard.json")
