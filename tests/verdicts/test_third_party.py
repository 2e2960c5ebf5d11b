"""Evidence that others computed is looked at before it is shown."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import yaml
from synthetic import THEIRS, evidence, matrices
from toy_board import Board

from segmodels.cli import main
from segmodels.errors import SegmodelsError
from segmodels.evidence import Counted, Shard, read_evidence, write_evidence
from segmodels.leaderboard import words
from segmodels.leaderboard.folder import write_board
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.third_party import admit

UNSEEN = {"unseen": True}  # nobody here had the files


@pytest.fixture
def board(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path / "project"))
    (tmp_path / "project").mkdir()
    return Board(tmp_path / "project")


@pytest.fixture
def mail(tmp_path):
    """Puts evidence where a mail attachment may lie."""
    return lambda found: write_evidence(tmp_path / "mail", found)


def admitted(board, path, by="some-lab"):
    return admit(path, [board.evidence], [board.root / "reports" / "datasets"], by)


def test_good_evidence_is_kept_under_their_name(board, mail):
    found = evidence()
    copy = admitted(board, mail(found))
    assert copy == board.evidence / "third-party" / "some-lab" / f"{found.key}.json"
    assert board.row("toy_strict").verdict.level == "third party (some-lab)"


def test_weights_of_which_only_the_first_digits_are_published(board, mail):
    path = board.root / "params" / "weights.yaml"
    entries = yaml.safe_load(path.read_text())
    found = evidence()
    digits = found.identity.weights[:8]
    entries["toy-weights"]["files"][0] |= {"sha256_prefix": digits}
    del entries["toy-weights"]["files"][0]["sha256"]
    path.write_text(json.dumps(entries))
    admitted(board, mail(found))
    verdict = board.row("toy_strict").verdict
    assert (verdict.level, verdict.status) == ("third party (some-lab)", "partial")
    assert "no whole sha256 of them" in verdict.reason
    path.write_text(path.read_text().replace(f'"{digits}"', '"00000000"'))
    with pytest.raises(SegmodelsError, match="weights are none of"):
        admitted(board, mail(found), "other-lab")
    assert board.row("toy_strict").verdict.status == "unverified"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "closed"}, "images of closed test are not registered"),
        ({"split": "val"}, "images of toy val are not registered"),
        ({"fingerprint": "0" * 64}, "saw other images"),
        ({"counts": matrices(9)}, "expects 9 images, the split has 6"),
        ({"evaluator": 0}, "counted by evaluator 0"),
        (
            {"inference": Protocol(name="x", version=1, title="x", window=8, stride=4).inference},
            "no protocol in",
        ),
        ({"weights": "0" * 64}, "weights are none of params/weights.yaml"),
        ({"model": {"name": "unet"}}, "are those of 'espnet_p2_q8', not of 'unet'"),
    ],
)
def test_evidence_that_answers_nothing_here_is_refused(board, mail, changes, message):
    with pytest.raises(SegmodelsError, match=message):
        admitted(board, mail(evidence(**changes)))
    assert not board.evidence.exists()


def test_edited_counts_are_refused(board, mail):
    path = mail(evidence())
    counts = path.with_suffix(".counts.jsonl")
    counts.write_text(counts.read_text().replace("6", "7", 1))
    with pytest.raises(SegmodelsError, match="changed after they were written"):
        admitted(board, path)


def test_an_edited_head_is_refused(board, mail):
    path = mail(evidence(split="val"))
    head = json.loads(path.read_text())
    head["identity"]["split"] = "test"
    path.write_text(json.dumps(head))
    with pytest.raises(SegmodelsError, match="not to the name it carries"):
        admitted(board, path)


def test_counts_that_are_not_those_of_the_labels_are_refused(board, mail):
    found = evidence()
    names = (*found.classes, "void")
    pixels = dict(zip(names, map(int, found.total().sum(axis=1)), strict=True))
    about = {"test": {"fingerprint": found.identity.fingerprint, "pixels": pixels}}
    folder = board.root / "reports" / "datasets"
    folder.mkdir(parents=True)
    text = json.dumps({"classes": list(found.classes), "splits": about})
    (folder / "toy.json").write_text(text)
    assert admitted(board, mail(found)).is_file()
    pixels["road"] += 1
    (folder / "toy.json").write_text(json.dumps({"classes": names[:3], "splits": about}))
    with pytest.raises(SegmodelsError, match="labels of toy test hold"):
        admitted(board, mail(found))


def test_counts_far_from_our_own_are_refused(board, mail):
    board.keep(evidence())
    with pytest.raises(SegmodelsError, match=r"gave .* here"):
        admitted(board, mail(evidence(matrices(6, right=200))))
    assert admitted(board, mail(evidence())).is_file()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (evidence(condition={"corruption": "fog", "severity": 1}), "disturbed images or weights"),
        (evidence(precision="bf16"), "counted in bf16"),
        (replace(evidence(), shard=Shard(0, 1, ("0" * 64,) * 6)), "merge all shards first"),
    ],
)
def test_evidence_that_nobody_here_could_compare_is_refused(board, mail, found, message):
    with pytest.raises(SegmodelsError, match=message):
        admitted(board, mail(found))


def test_a_name_is_no_checksum(board, mail):
    """Where the authors publish no sha256, anybody can say that these are their weights."""
    path = board.root / "params" / "weights.yaml"
    entries = yaml.safe_load(path.read_text())
    del entries["toy-weights"]["files"][0]["sha256"]
    path.write_text(yaml.safe_dump(entries | {"toy-weights": entries["toy-weights"] | UNSEEN}))
    forged = evidence(weights="0" * 64)
    with pytest.raises(SegmodelsError, match="weights are none of"):
        admitted(board, mail(forged))
    board.keep(replace(forged, counted=THEIRS), folder="third-party/some-lab")
    assert board.row("toy_strict").verdict.status == "unverified"
    board.keep(forged)
    assert board.row("toy_strict").verdict.level == "released weights"


def test_their_word_does_not_make_it_a_training_of_ours(board):
    board.run("again", protocols=["strict"], retrains=["toy_strict"])
    forged = evidence(origin={"trained": "again"}, weights="0" * 64, counted=THEIRS)
    board.keep(forged, folder="third-party/some-lab")
    assert board.row("toy_strict").verdict.status == "unverified"


def test_other_counts_do_not_replace_earlier_ones(board, mail):
    admitted(board, mail(evidence()))
    with pytest.raises(SegmodelsError, match="some-lab gave other counts before"):
        admitted(board, mail(evidence(matrices(6, right=61))))


def test_a_copy_without_a_signature_does_not_take_one_away(board, mail):
    places = [board.evidence], [board.root / "reports" / "datasets"], "some-lab", ""
    path = mail(evidence())
    copy = admit(path, *places, "RWkey")
    for signed in ("", "not checked"):
        assert admit(path, *places, signed) == copy
        assert read_evidence(copy).counted.signed == "RWkey"
    assert read_evidence(admit(path, *places, "RWother")).counted.signed == "RWother"


def test_what_was_put_there_by_hand_is_looked_at_as_closely(board, capsys):
    board.keep(evidence(matrices(3), counted=THEIRS), folder="third-party/some-lab")
    assert main(["evidence", "check"]) == 1
    assert "expects 3 images, the split has 6" in capsys.readouterr().err
    board.keep(evidence(matrices(3)), folder="toy-run/strict")
    assert main(["evidence", "check", str(board.evidence / "toy-run")]) == 0


@pytest.mark.parametrize("asked", [["--by", "some-lab"], ["--url", "https://example.org"]])
def test_our_own_evidence_does_not_become_theirs(board, asked, capsys):
    board.keep(evidence())
    assert main(["evidence", "check", *asked]) == 1
    assert asked[0] in capsys.readouterr().err
    assert not (board.evidence / "third-party").exists()


@pytest.mark.parametrize("name", ["", "-", "Some Lab", "../up", "a/b", "a" * 99])
def test_names_that_are_no_folder_are_refused(board, mail, name):
    with pytest.raises(SegmodelsError, match="a name of lower-case letters"):
        admitted(board, mail(evidence()), by=name)


def test_their_number_stands_beside_ours(board, tmp_path):
    ours, theirs = evidence(), evidence(matrices(6, right=40))
    board.keep(ours)
    assert board.row("toy_strict").recounts == ()
    url = "https://example.org/files"
    for name, found in {"some-lab": theirs, "other-lab": ours}.items():
        counted = Counted("checked", name, url, "RWkey")
        board.keep(replace(found, counted=counted), folder=f"third-party/{name}")
    row = board.row("toy_strict")
    assert row.verdict.level == "released weights"
    same, other = row.recounts
    assert (same.by, same.verdict.verified) == ("other-lab", row.verdict.verified)
    assert (other.by, other.at, other.key) == ("some-lab", url, theirs.key)
    alone = evidence_alone(board, "some-lab")
    assert other.verdict == replace(alone, todo=())
    assert other.verdict.level == "third party (some-lab, signed)"
    assert words.level(row) == "released weights; counted by other-lab, some-lab too"

    pages = tmp_path / "pages"
    write_board(board.rows(), pages, pages=True)
    page = (pages / "claims" / "toy_strict.html").read_text()
    assert "Counted by others too" in page
    assert f"{other.verdict.verified:.2f}, gap" in page
    assert f'<a href="{url}">' in page
    found = json.loads((pages / "claims" / "toy_strict.json").read_text())["recounts"]
    assert [(one["by"], one["verified"]) for one in found] == [
        (one.by, one.verdict.verified) for one in row.recounts
    ]
    for name in ("leaderboard.html", "leaderboard.md"):
        assert "counted by other-lab, some-lab too" in (pages / name).read_text()


def evidence_alone(board, name):
    """The verdict where nobody but a third party counted."""
    for folder in [*board.evidence.glob("toy-run"), *(board.evidence / "third-party").iterdir()]:
        if folder.name != name:
            folder.rename(board.root / f"away-{folder.name}")
    verdict = board.row("toy_strict").verdict
    for away in board.root.glob("away-*"):
        name = away.name.removeprefix("away-")
        away.rename(board.evidence / (name if name == "toy-run" else f"third-party/{name}"))
    return verdict


def test_the_command(board, mail, capsys):
    path = mail(evidence())
    asked = ["evidence", "check", str(path), "--by", "some-lab", "--url", "https://example.org/e"]
    assert main(asked) == 0
    assert "third-party/some-lab" in capsys.readouterr().out
    kept = read_evidence(board.evidence / "third-party" / "some-lab" / path.name)
    assert kept.counted == Counted("checked", "some-lab", "https://example.org/e")
    shutil.rmtree(board.evidence)
    path.with_suffix(".counts.jsonl").write_text("")
    assert main(asked) == 1
    assert "counts were changed" in capsys.readouterr().err
    assert not board.evidence.exists()
