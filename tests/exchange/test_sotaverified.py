"""SOTAVerified's interface: the board in its shape, and a paper's JSON as claims."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from page_rows import make_measurement, make_row, unrun
from synthetic import evidence
from toy_board import Board

from segmodels import cli
from segmodels.claims import load_claims
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.exchange.sotaverified.claims import import_paper
from segmodels.exchange.sotaverified.files import write_api
from segmodels.exchange.sotaverified.papers import verification
from segmodels.leaderboard import Row
from segmodels.verdicts.validation import problems
from segmodels.verdicts.verdict import Status

PAPER = {
    "arxiv_id": "2101.00001v2",
    "title": "ToyNet: a network",
    "verification": "unverified",
    "verification_score": 0,
    "tasks": ["Semantic Segmentation"],
    "leaderboard": [
        {"task": "Semantic Segmentation", "dataset": "Toy test", "metric": "mIoU", "value": 54.3},
        {"dataset": "TOY", "metric": "Mean IoU", "value": "51.50%", "reproductions": 0},
        {"dataset": "Toyy", "metric": "mIoU", "value": 1},
        {"dataset": "toy", "metric": "Boundary IoU", "value": 1},
    ],
    "code_links": [],
}


def rows() -> list[Row]:
    known = {"arxiv": "2101.00001"}
    return [
        make_row(claim="held", **known),
        make_row(claim="differs", verdict="below", **known),
        unrun(claim="open", **known),
        unrun(claim="elsewhere", arxiv="2202.00002"),
        make_row(claim="book"),
        make_measurement(run="mine"),
    ]


def test_papers_and_numbers_stand_where_the_interface_has_them(tmp_path: Path) -> None:
    written = write_api(tmp_path, rows())
    assert (written.papers, written.numbers, written.without_arxiv) == (2, 4, 1)
    paper = json.loads((tmp_path / "api/v1/papers/2101.00001").read_text())
    assert {key for key in paper if key != "segmodels"} == PAPER.keys()
    assert (paper["verification"], paper["verification_score"]) == ("partial", 0.3333)
    assert paper["segmodels"]["verdicts"] == {"verified": 1, "below": 1, "blocked": 1}
    first, _, last = paper["leaderboard"]
    assert first.keys() == {"task", "dataset", "metric", "value", "reproductions", "segmodels"}
    assert (first["value"], first["reproductions"], last["reproductions"]) == (50.0, 1, 0)
    assert first["segmodels"]["claim"] == "held"
    sota = json.loads((tmp_path / "api/v1/sota").read_text())
    assert [line["segmodels"]["claim"] for line in sota] == ["held", "differs", "open", "elsewhere"]
    assert sota[0]["arxiv_id"] == "2101.00001"


def test_costs_and_numbers_of_others_do_not_verify_a_paper(tmp_path: Path) -> None:
    known = {"arxiv": "2101.00001"}
    found = [
        make_row(claim="small", metric="params_M", **known),
        make_row(claim="again", claimant="re-implementation (somebody)", **known),
        unrun(claim="score", **known),
    ]
    write_api(tmp_path, found)
    paper = json.loads((tmp_path / "api/v1/papers/2101.00001").read_text())
    assert (paper["verification"], paper["verification_score"]) == ("unverified", 0.0)
    assert paper["segmodels"]["scores_of_the_authors"] == 1
    assert len(paper["leaderboard"]) == 3


def test_a_second_export_removes_what_has_gone(tmp_path: Path) -> None:
    write_api(tmp_path, rows())
    once = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_api(tmp_path, rows())
    assert once == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write_api(tmp_path, rows()[:3])
    assert [path.name for path in (tmp_path / "api/v1/papers").iterdir()] == ["2101.00001"]


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "api" / "v1" / "sota"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[{}]")
    with pytest.raises(SegmodelsError, match="not written by `segmodels export sotaverified`"):
        write_api(tmp_path, rows())
    assert not (tmp_path / "api" / "v1" / "papers").exists()


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        ({"blocked": 3, "unverified": 1, "stale": 1}, "unverified"),
        ({"verified": 2}, "verified"),
        ({"verified": 1, "blocked": 3}, "partial"),
        ({}, "unverified"),
        ({"verified": 2, "better": 1}, "partial"),
        ({"below": 1, "inconclusive": 1}, "partial"),
        ({"partial": 1}, "partial"),
        ({"below": 2, "better": 1, "blocked": 1}, "contradicted"),
    ],
)
def test_a_paper_gets_one_word(verdicts: dict[Status, int], word: str) -> None:
    assert verification(Counter(verdicts)) == word


def given(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "paper.json"
    path.write_text(json.dumps({**PAPER, **changes}))
    return path


def test_a_paper_becomes_claims_with_an_open_protocol(board: Board, tmp_path: Path) -> None:
    imported = import_paper(given(tmp_path))
    assert imported.path == board.root / "params/claims/sotaverified/2101.00001.yaml"
    one, other = (load_claims()[name] for name in imported.ids)
    assert (one.model, one.dataset, one.split, one.printed) == ("toynet", "toy", "test", "54.3")
    assert one.protocol == ""
    assert one.stated == "mIoU on Toy test; no protocol"
    assert (other.printed, other.decimals) == ("51.50", 2)
    assert other.stated == "Mean IoU on TOY; split not said, test assumed; no protocol"
    assert imported.left_out == [
        "Toyy, mIoU: dataset not known here. Did you mean 'toy'?",
        "toy, Boundary IoU: metric not known here (GFLOPs, aAcc, mAcc, mIoU, params_M)",
    ]
    assert problems() == []
    row = board.row(one.id)
    assert (row.verdict.status, row.subject.notes[:28]) == (
        "blocked",
        "The interface names no netwo",
    )


def test_what_is_known_is_not_written_again(board: Board, tmp_path: Path) -> None:
    text = import_paper(given(tmp_path), "espnet_p2_q8")
    assert text.path is not None
    before = text.path.read_bytes()
    assert import_paper(given(tmp_path), "espnet_p2_q8").ids == text.ids
    assert text.path.read_bytes() == before
    assert "names no network" not in before.decode()
    by_hand = before.decode().replace("SOTAVerified's interface", "Table 2 of").replace("sv_", "t_")
    (board.root / "params/claims/by_hand.yaml").write_text(by_hand)
    text.path.unlink()
    again = import_paper(given(tmp_path))
    assert (again.path, again.ids) == (None, [])
    assert again.known == [name.replace("sv_", "t_") for name in text.ids]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"arxiv_id": "ToyNet"}, "field 'arxiv_id'"),
        ({"title": 3}, "field 'title'"),
        ({"leaderboard": "none"}, "field 'leaderboard'"),
        ({"leaderboard": [{"dataset": "toy", "metric": "mIoU"}]}, "entry 1: field 'value'"),
        (
            {"leaderboard": [{"dataset": "toy", "metric": "mIoU", "value": "high"}]},
            "entry 1, field 'value': expected a number such as 54.3, found 'high'",
        ),
        (
            {"leaderboard": [{"dataset": "toy", "metric": "mIoU", "value": 0.543}]},
            "entry 1: field 'value' is a percentage; expected 54.3",
        ),
    ],
)
def test_json_of_another_shape_is_one_line(
    board: Board, tmp_path: Path, changes: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(SegmodelsError, match=re.escape(wrong)) as refused:
        import_paper(given(tmp_path, **changes))
    assert str(tmp_path / "paper.json") in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (board.root / "params/claims/sotaverified").exists()


def test_other_mistakes_are_named(board: Board, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1]")
    with pytest.raises(SegmodelsError, match="expected one paper, an object with 'arxiv_id'"):
        import_paper(path)
    with pytest.raises(UnknownNameError, match="espnet_p2_q8"):
        import_paper(given(tmp_path), "espnet_p2_q9")


def test_a_log_holds_all_that_is_behind_a_row(
    board: Board, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = evidence()
    board.keep(found)
    assert cli.main(["log", "toy_strict"]) == 0
    text = capsys.readouterr().out
    for part in (
        "# Reproduction log: toy_strict",
        "- printed: 50.0",
        "- measured: ",
        "95% interval over 6 images: ",
        "**better**, released weights",
        "`strict`, version 1",
        f"weights: sha256 `{found.identity.weights}`",
        f"sha256 `{found.identity.fingerprint}`",
        f"`{found.key}`",
        "counts_sha256: `",
        "- torch: 2.7.1",
        "segmodels verify toy_strict",
    ):
        assert part in text, part
    assert cli.main(["log", "toy_strict", "--out", str(tmp_path / "log.md")]) == 0
    assert (tmp_path / "log.md").read_text() == text


def test_a_log_of_what_nobody_measured_says_so(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["log", "toy_strict"]) == 0
    text = capsys.readouterr().out
    assert "- measured: nothing yet" in text
    assert "**unverified**" in text
    assert "counts_sha256" not in text
    assert cli.main(["log", "toy_strikt"]) == 1
    assert "toy_strict" in capsys.readouterr().err
