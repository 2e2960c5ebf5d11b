"""`segmodels evidence publish`: what is copied to git's folder, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from synthetic import FINGERPRINT, THEIRS, evidence, matrices
from toy_board import SHORT, Board

from segmodels import cli
from segmodels.core import paths
from segmodels.errors import SegmodelsError
from segmodels.evidence import Counted, Shard, evidence_files, read_evidence, write_evidence
from segmodels.evidence.adding import in_blocks
from segmodels.evidence.files import read_head
from segmodels.steps.publishing import publish
from segmodels.verdicts.evidence_index import EvidenceIndex

FOLDER = "toy-run/plain"


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    code = cli.main(["evidence", "publish", *arguments])
    out, error = capsys.readouterr()
    return code, out.splitlines(), error


def describe(board: Board, **splits: dict[str, Any]) -> None:
    path = board.root / "reports/local/datasets/toy.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = {"classes": list(evidence().classes)}
    path.write_text(json.dumps({**names, "splits": {"test": split_of_the_test(), **splits}}))


def split_of_the_test() -> dict[str, Any]:
    found = evidence()
    names = (*found.classes, "void")
    pixels = dict(zip(names, map(int, found.total().sum(axis=1)), strict=True))
    return {"images": 6, "fingerprint": FINGERPRINT, "pixels": pixels}


def test_what_this_machine_counted_is_copied(
    board: Board, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(board.root)
    noise = {"corruption": "gaussian_noise", "severity": 1, "seed": 0}
    board.keep(evidence(), folder=FOLDER, local=True)
    board.keep(evidence(condition=noise), folder="toy-run/robustness-quick", local=True)
    describe(board)
    before = files(paths.local())

    code, lines, error = asked(capsys, "toy-run", "plain")
    assert (code, error) == (0, "")
    place = f"reports/evidence/{FOLDER}/{evidence().key}.json"
    assert lines[:2] == ["reports/datasets/toy.json: published", f"{place}: published"]
    assert "dvc repro leaderboard" in lines[2]
    assert same_evidence(board.evidence / FOLDER, board.local / FOLDER)
    assert not (board.evidence / "toy-run/robustness-quick").exists()
    assert board.row("toy_strict").verdict.level == "released weights"

    assert asked(capsys, "toy-run", "plain")[1] == [f"{place}: published already"]
    assert asked(capsys, "toy-run")[0] == 0
    assert same_evidence(board.evidence, board.local)
    assert files(paths.local()) == before


def same_evidence(one: Path, other: Path) -> bool:
    """Whether two folders hold the same, by paths, heads and counts."""
    found = [
        {path.relative_to(folder): (read_head(path), read_evidence(path)) for path in paths}
        for folder in (one, other)
        if (paths := evidence_files(folder))
    ]
    return len(found) == 2 and found[0] == found[1]


def test_a_suite_is_published_as_one_file(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    noises: list[dict[str, Any]] = [{"parameter_noise": s, "seed": 0} for s in (0.1, 0.2)]
    for noise in noises:
        board.keep(evidence(condition=noise), folder="toy-run/robustness-noise", local=True)
    _, lines, error = asked(capsys, "toy-run")
    bundle = board.evidence / "toy-run/robustness-noise/bundle.json"
    assert (lines[0], error) == (f"{bundle}: published", "")
    names = sorted(path.name for path in bundle.parent.iterdir())
    assert names == ["bundle.counts.xz", "bundle.json"]
    assert same_evidence(bundle.parent, board.local / "toy-run/robustness-noise")
    assert asked(capsys, "toy-run")[1] == [f"{bundle}: published already"]

    more = {"parameter_noise": 0.3, "seed": 0}
    board.keep(evidence(condition=more), folder="toy-run/robustness-noise", local=True)
    assert asked(capsys, "toy-run")[1][0] == f"{bundle}: published"
    assert same_evidence(bundle.parent, board.local / "toy-run/robustness-noise")


def by_drives(board: Board) -> None:
    """The images of the toy set are frames of one drive, three of which go together."""
    path = board.root / "params/datasets.yaml"
    content = yaml.safe_load(path.read_text())
    content["toy"]["groups"] = {"kind": "drive", "pattern": "(.)", "block": 3}
    path.write_text(json.dumps(content))


def test_disturbed_frames_are_published_as_sums_of_blocks(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    by_drives(board)
    noises: list[dict[str, Any]] = [{"parameter_noise": s, "seed": 0} for s in (0.1, 0.2)]
    board.keep(evidence(), folder=FOLDER, local=True)
    for seed, noise in enumerate(noises):
        counts = matrices(6, right=30, seed=seed)
        found = evidence(counts, condition=noise)
        board.keep(found, folder="toy-run/robustness-noise", local=True)
    local = files(board.local)
    assert asked(capsys, "toy-run")[2] == ""
    assert files(board.local) == local
    pieces = [read_evidence(path) for path in evidence_files(board.evidence / "toy-run")]
    assert sorted(one.blocks.sizes if one.blocks else () for one in pieces) == [(), (3, 3), (3, 3)]
    assert all("published already" in line for line in asked(capsys, "toy-run")[1])

    published = board.row("toy_strict")
    here = board.row("toy_strict", local=True)
    assert here.robustness == published.robustness is not None
    found = EvidenceIndex(board.evidence, board.local).disturbed(evidence())
    assert [(one.local, one.contradicts, one.published is None) for one in found] == [
        (True, False, False)
    ] * 2


def test_sums_that_are_not_those_of_the_counts_here_are_contradicted(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    by_drives(board)
    noise = {"parameter_noise": 0.1, "seed": 0}
    honest = evidence(condition=noise)
    board.keep(honest, folder="toy-run/robustness-noise", local=True)
    asked(capsys, "toy-run")
    (path,) = evidence_files(board.evidence)
    reverse = replace(honest, images=tuple(reversed(honest.images)))
    names = zip(in_blocks(reverse, [3, 3]).images, honest.names, strict=True)
    sums = tuple(replace(one, image=name) for one, name in names)
    forged = replace(read_evidence(path), images=sums)
    path.with_suffix(".counts.xz").unlink()
    write_evidence(path.parent, forged)
    assert (forged.total() == honest.total()).all()
    (found,) = EvidenceIndex(board.evidence, board.local).disturbed(evidence())
    assert found.contradicts
    assert "has other counts" in asked(capsys, "toy-run")[2]
    shutil.rmtree(board.local)
    board.keep(honest, folder="elsewhere")
    with pytest.raises(SegmodelsError, match="other counts than"):
        EvidenceIndex(board.evidence)


def test_the_folder_then_holds_this_evidence_alone(board: Board) -> None:
    board.keep(evidence(evaluator=1), folder=FOLDER)
    board.keep(evidence(counted=THEIRS), folder="third-party/some-lab")
    theirs = files(board.evidence / "third-party")
    board.keep(evidence(), folder=FOLDER, local=True)
    publish("toy-run")
    assert same_evidence(board.evidence / FOLDER, board.local / FOLDER)
    assert files(board.evidence / "third-party") == theirs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"counted": THEIRS}, r"not counted by this project \(some-lab\); .* --by NAME"),
        ({"counted": Counted()}, "not counted by this project"),
        ({"evaluator": 1}, "it is stale: of evaluator 1, this is"),
        ({"inference": {"window": [9, 9]}}, "stale: no protocol in params/protocols.yaml has"),
        ({"dataset": "elsewhere"}, "dataset 'elsewhere' is not in params/datasets.yaml"),
        ({"fingerprint": "00" * 32}, "stale: of other images than toy test has now"),
        ({"weights": "00" * 32}, "stale: its weights 000000000000… are none of 'toy-weights'"),
        ({"origin": {"released": "nowhere"}}, "weights 'nowhere' are not in params/weights.yaml"),
        (
            {"origin": {"trained": "gone", "training": {}}},
            "run 'gone' that trained its weights is not",
        ),
        ({"origin": {"trained": "toy-run", "training": {}}}, "run 'toy-run' trains no weights"),
        ({"origin": {"by": "hand"}}, "does not say where its weights come from"),
        ({"precision": "bf16"}, "what bf16 did to the number is not measured"),
        ({"expected": 9}, "6 images are counted, 9 were asked for"),
    ],
)
def test_what_is_stale_or_unsound_is_refused_in_one_line(
    board: Board, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    board.keep(evidence(**changes), folder=FOLDER, local=True)
    refused(board, capsys, words)


def refused(board: Board, capsys: pytest.CaptureFixture[str], words: str) -> None:
    before = files(board.root)
    code, lines, error = asked(capsys, "toy-run")
    assert (code, lines, error.count("\n")) == (1, [], 1)
    assert error.startswith(f"error: {board.local / FOLDER}/")
    assert re.search(words, error), error
    assert files(board.root) == before


def test_a_shard_is_refused(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    shard = replace(evidence(), shard=Shard(0, 1, ("0" * 64,) * 6))
    board.keep(shard, folder=FOLDER, local=True)
    refused(board, capsys, r"it is shard 0/1; merge all shards first")


def test_an_edited_file_is_refused(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    board.keep(evidence(), folder=FOLDER, local=True)
    (path,) = (board.local / FOLDER).glob("*.counts.jsonl")
    path.write_text(path.read_text().replace("60", "61", 1))
    refused(board, capsys, "the counts were changed after they were written")


def test_counts_that_are_not_those_of_the_labels_are_refused(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.keep(evidence(matrices(6, right=80)), folder=FOLDER, local=True)
    describe(board)
    refused(board, capsys, "but the labels of toy test hold")


def test_weights_of_an_earlier_form_of_a_run_are_refused(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.run("own")
    found = evidence(origin={"trained": "own"}, weights="c3" * 32)
    board.keep(found, folder=FOLDER, local=True)
    assert asked(capsys, "toy-run")[0] == 0
    recipe = board.root / "params/recipes/short.yaml"
    recipe.write_text(json.dumps({**SHORT, "steps": 4}))
    shutil.rmtree(board.evidence)
    refused(board, capsys, r"earlier form of run 'own' \(recipe.steps was 3, now it is 4\)")


def test_other_counts_of_the_same_are_refused(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.keep(evidence(), folder="elsewhere/plain")
    board.keep(evidence(matrices(6, right=80)), folder=FOLDER, local=True)
    refused(board, capsys, "is of the very same evaluation and has other counts")


def test_a_name_that_is_not_here_is_told_with_the_nearest(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Known: none." in asked(capsys, "toy-run")[2]
    board.keep(evidence(), folder=FOLDER, local=True)
    assert "Did you mean 'toy-run'?" in asked(capsys, "toy-ran")[2]
    assert "Did you mean 'plain'?" in asked(capsys, "toy-run", "plane")[2]
    assert not board.evidence.exists()


def test_descriptions_are_published_split_by_split(board: Board) -> None:
    """One who has a part of a dataset takes no split away from what is published."""
    published = board.root / "reports/datasets/toy.json"
    published.parent.mkdir(parents=True)
    split = {"images": 1, "fingerprint": "11" * 32}
    published.write_text(json.dumps({"splits": {"val": split, "train": split}}))
    left_out = {**split, "fingerprint": "22" * 32, "skipped": {"a.png": "torn"}}
    describe(board, val=left_out)
    board.keep(evidence(), folder=FOLDER, local=True)
    assert [one.new for one in publish("toy-run")] == [True, True]
    about = json.loads(published.read_text())
    assert about["splits"] == {"val": split, "train": split, "test": split_of_the_test()}
    assert about["classes"] == list(evidence().classes)
