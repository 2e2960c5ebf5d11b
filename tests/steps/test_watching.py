"""Released addresses are looked at without downloading; what is gone blocks its rows here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_project
from http_server import Server, serving

from segmodels import cli
from segmodels.assets.watch import Look, Watched, look, read_record
from segmodels.core import paths
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import rows_here
from segmodels.steps.watching import Found, watch


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(b"weights" * 100) as one:
        one.manners.etag = '"one"'
        yield one


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """The small project, whose released weights lie on the server."""
    root = small_project.enter(tmp_path / "project", monkeypatch)
    entries = root / "params" / "weights.yaml"
    text = entries.read_text()
    for name in "ab":
        text = text.replace(f"http://127.0.0.1:9/{name}", server.url)
    entries.write_text(text)
    return root


def only(found: list[Found]) -> Found:
    (one,) = found  # both files have one address here, the lost entry none
    return one


def test_a_file_that_is_there_costs_no_download(project: Path, server: Server) -> None:
    one = only(watch())
    assert one.reached
    assert one.problem == ""
    assert one.names == ("published",)
    assert server.sent <= 1
    (seen,) = read_record(paths.watched()).values()
    assert (seen.first, seen.last) == (Look(200, 700, '"one"'), Look(200, 700, '"one"'))


def test_a_lost_file_is_new_once_and_blocks_its_rows_here(project: Path, server: Server) -> None:
    watch()
    server.manners.statuses = [404] * 4
    first = only(watch())
    assert first.problem == "its address answers HTTP 404"
    assert first.new
    assert not only(watch()).new
    verdicts = {row.subject.id: row.verdict for row in rows_here()}
    assert verdicts["toy_open"].obstacle == "link lost"
    assert "model.safetensors: its address answers HTTP 404" in verdicts["toy_open"].reason
    published = {row.subject.id: row.verdict.status for row in rows_here(published=True)}
    assert published["toy_open"] == "unverified"
    server.manners.statuses = []
    assert only(watch()).problem == ""
    verdicts = {row.subject.id: row.verdict for row in rows_here()}
    assert verdicts["toy_open"].status == "unverified"


def test_another_file_at_the_address_shows(project: Path, server: Server) -> None:
    watch()
    server.manners.etag = '"two"'
    assert "names another content" in only(watch()).problem
    server.manners.content = b"other"
    assert only(watch()).problem == "its address serves 5 bytes, at first 700"


def test_a_server_that_does_not_answer_says_nothing(project: Path, server: Server) -> None:
    watch()
    server.manners.statuses = [503] * 6
    found = only(watch())
    assert not found.reached
    assert found.problem == ""


def test_an_address_without_a_server_is_not_reached() -> None:
    assert look("http://127.0.0.1:9/a.bin") == Look(0)
    assert not Look(0).reached


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (Look(200, 5), Look(410), "HTTP 410"),
        (Look(200, 5), Look(403), "HTTP 403"),
        (Look(404), Look(200, 5), ""),
        (Look(200, None), Look(200, 5), ""),
        (Look(200, 5, "a"), Look(200, 5, ""), ""),
    ],
)
def test_what_was_said_first_and_last(first: Look, last: Look, words: str) -> None:
    seen = Watched(first, last)
    assert words in (seen.lost or seen.changed)
    assert bool(words) == bool(seen.lost or seen.changed)


def test_the_command_says_what_it_found(
    project: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.manners.statuses = [404, 404]
    assert cli.main(["watch"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("new: published: its address answers HTTP 404")
    assert said[1] == "addresses: 1, lost or changed: 1, without an answer now: 0"


def test_a_broken_record_is_named(project: Path) -> None:
    paths.watched().parent.mkdir(parents=True, exist_ok=True)
    paths.watched().write_text(json.dumps({"http://a": {"first": {}}}))
    with pytest.raises(SegmodelsError, match=r"watch\.json: no record of addresses"):
        watch()
