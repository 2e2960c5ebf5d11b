"""Evidence that is published and evidence of this machine: which is judged by, at what level."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import FINGERPRINT, THEIRS, evidence, matrices
from toy_board import Board

from segmodels.core import paths
from segmodels.errors import SegmodelsError
from segmodels.evidence import Counted, Evidence, write_evidence
from segmodels.leaderboard import write_leaderboard, write_local, write_published
from segmodels.leaderboard.boards import rows_here, rows_of_run, where_counted
from segmodels.verdicts.evidence_index import EvidenceIndex

HERE, THERE = "b2" * 32, "c3" * 32


def claim(board: Board, **fields: object) -> None:
    """A claim that every number of these tests is near enough to."""
    base = {"protocol": "strict", "weights": "toy-weights", "value": 60, "uncertainty": 40}
    board.claim("toy_near", **{**base, **fields})


def test_both_folders_answer_and_this_machine_goes_first(board: Board) -> None:
    claim(board)
    board.keep(evidence())
    published = board.row("toy_near")
    assert board.row("toy_near", local=True).evidence_file == published.evidence_file

    board.keep(evidence(matrices(6, right=80)), local=True)
    row = board.row("toy_near", local=True)
    assert row.evidence_key == published.evidence_key
    assert row.verdict.verified > published.verdict.verified
    assert row.evidence_file == f"local/evidence/toy-run/strict/{row.evidence_key}.json"
    assert row.verdict.reason.startswith(
        f"Published evidence {row.evidence_key} is of the very same evaluat"
    )
    assert board.row("toy_near") == published  # which knows nothing of this machine


def test_trained_again_here_the_number_is_the_one_of_here(board: Board) -> None:
    """Another processor trains other weights; evidence of both is of the run as it is."""
    board.run("own")
    origin = {"trained": "own"}
    board.keep(evidence(origin=origin, weights=THERE), folder="own/plain")
    board.keep(evidence(matrices(6, right=80), origin=origin, weights=HERE), folder="x", local=True)
    (row,) = (row for row in board.rows(local=True) if row.run == "own")
    (published,) = (row for row in board.rows() if row.run == "own")
    assert (row.weights.sha256, published.weights.sha256) == (HERE, THERE)
    assert row.verdict.level == published.verdict.level


@pytest.mark.parametrize(
    "found",
    [
        evidence(matrices(6, right=80), evaluator=1),
        evidence(matrices(3, right=80), expected=6, images=3),
    ],
    ids=["stale", "partial"],
)
def test_what_is_stale_or_partial_here_hides_nothing(board: Board, found: Evidence) -> None:
    claim(board)
    board.keep(evidence())
    expected = board.row("toy_near")
    board.keep(found, folder="x", local=True)
    assert board.row("toy_near", local=True) == expected


def test_a_copy_counts_once(board: Board) -> None:
    """Its disturbed copies too, whose interval would be too narrow else."""
    noise = {"corruption": "gaussian_noise", "severity": 1, "seed": 0}
    found = [evidence(), evidence(matrices(6, right=30), condition=noise)]
    board.keep(*found)
    alone = board.row("toy_strict")
    board.keep(*found, local=True)
    row = board.row("toy_strict", local=True)
    assert (row.robustness, row.evidence_file) == (alone.robustness, alone.evidence_file)
    assert len(EvidenceIndex(board.evidence, board.local).disturbed(evidence())) == 1
    assert row.figure == "local/figures/toy-run-strict.png"  # its picture was drawn here


@pytest.mark.parametrize("counted", [Counted(), THEIRS], ids=["nobody's", "somebody else's"])
def test_moving_a_file_between_the_folders_changes_no_level(board: Board, counted: Counted) -> None:
    claim(board)
    board.keep(evidence(counted=counted))
    published = board.row("toy_near")
    assert published.verdict.level.startswith("third party")
    shutil.move(board.evidence, board.local)
    moved = board.row("toy_near", local=True)
    assert (moved.verdict.level, moved.verdict.status) == (
        published.verdict.level,
        published.verdict.status,
    )
    assert moved.evidence.counted_by == published.evidence.counted_by
    assert moved.figure is None

    board.keep(evidence(matrices(6, right=80)))  # ours goes before theirs, wherever either lies
    row = board.row("toy_near", local=True)
    assert (row.verdict.level, row.evidence.counted_by) == ("released weights", "")


def test_two_counts_in_one_folder_are_refused_in_either(board: Board) -> None:
    for local in (False, True):
        board.keep(evidence(), folder="a", local=local)
        board.keep(evidence(matrices(6, right=80)), folder="b", local=local)
        with pytest.raises(SegmodelsError, match="other counts than"):
            board.rows(local=True)
        shutil.rmtree(board.local if local else board.evidence)


def test_counts_must_be_those_of_the_labels_read_here(board: Board) -> None:
    found = evidence()
    names = (*found.classes, "void")
    pixels = dict(zip(names, map(int, found.total().sum(axis=1)), strict=True))
    split = {"images": 6, "fingerprint": FINGERPRINT, "pixels": pixels}
    path = board.root / "reports/local/datasets/toy.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"classes": list(found.classes), "splits": {"test": split}}))
    board.keep(found, local=True)
    assert board.row("toy_strict", local=True).verdict.verified
    write_evidence(board.evidence / "x", evidence(matrices(6, right=80), weights=HERE))
    with pytest.raises(SegmodelsError, match="labels of toy test hold"):
        board.rows(local=True)
    assert board.rows()  # the published board looks at what is published alone


def test_rows_of_one_run_are_those_of_the_whole_board(board: Board) -> None:
    board.run("own")
    board.run("other", seed=1)
    claim(board)
    board.claim("other_network", model="another_toy", protocol="strict", weights="toy-weights")
    board.keep(evidence())
    board.keep(evidence(origin={"trained": "own"}, weights=HERE), folder="own/plain", local=True)
    every = rows_here()
    assert len({row.run for row in every}) > 1
    for run in ("own", "other", "nothing"):
        found = rows_of_run(run)
        assert [row for row in found if row.run == run] == [row for row in every if row.run == run]
        assert all(row in every for row in found)
        assert all(row.subject.model != "another_toy" for row in found)


def test_rows_judged_before_give_the_same_board(board: Board) -> None:
    board.run("own")
    board.keep(evidence(), local=True)
    board.keep(evidence(origin={"trained": "own"}, weights=HERE), folder="own/plain", local=True)
    write_leaderboard(paths.published_evidence(), paths.local(), paths.evidence())
    alone = files(paths.local())
    write_local(rows_here())
    assert {name: text for name, text in files(paths.local()).items() if "/" in name} == {
        name: text for name, text in alone.items() if "/" in name
    }


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_published_board_is_the_same_bytes_beside_anything_local(board: Board) -> None:
    board.run("own")
    board.keep(evidence())
    write_published()
    alone = files(paths.reports())
    board.keep(evidence(matrices(6, right=80)), local=True)
    board.keep(evidence(origin={"trained": "own"}, weights=HERE), folder="own/plain", local=True)
    (paths.local() / "datasets").mkdir()
    elsewhere = {"classes": [], "splits": {"test": {"fingerprint": "0" * 64, "images": 1}}}
    (paths.local() / "datasets/closed.json").write_text(json.dumps(elsewhere))
    (board.local / "broken").mkdir()
    (board.local / "broken/0123456789abcdef.json").write_text("no evidence at all")
    write_published()
    again = files(paths.reports())
    assert {name: again[name] for name in again if not name.startswith("local/")} == alone


def remark() -> str:
    """What the local board would say of its rows."""
    return where_counted(row.moved(paths.reports(), paths.local()) for row in rows_here())


def test_the_local_board_says_what_its_rows_rest_on(board: Board) -> None:
    board.run("own")
    board.keep(evidence())
    board.keep(evidence(), local=True)  # the same counts: published
    board.keep(evidence(origin={"trained": "own"}, weights=HERE), folder="own/plain", local=True)
    write_local()
    told = (
        "All that is here: 1 row rests on evidence that this machine alone counted, "
        "2 rows rest on evidence that the project published."
    )
    assert f'<p class="headline">{told}</p>' in (paths.local() / "leaderboard.html").read_text()
    text = (paths.local() / "leaderboard.md").read_text()
    assert told in text
    assert "(../../docs/verdicts.md)" in text
    theirs = replace(evidence(matrices(6, right=40)), counted=Counted("checked", "some-lab"))
    board.keep(theirs, folder="third-party/some-lab")
    assert remark() == told  # no row rests on it
    shutil.rmtree(board.local)
    shutil.rmtree(board.evidence / "toy-run")
    assert remark() == (
        "All that is here: 0 rows rest on evidence that this machine alone counted, 0 rows rest on "
        "evidence that the project published, 2 rows rest on evidence of third parties."
    )
    assert where_counted([]).startswith("All that is here: 0 rows rest on evidence that this mach")
    write_published()
    for name in ("leaderboard.html", "leaderboard.md"):
        assert "All that is here" not in (paths.reports() / name).read_text()
