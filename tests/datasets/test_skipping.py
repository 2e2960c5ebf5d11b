"""Damaged images of a copy are left out when asked for: told everywhere, never verified."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import small_project
import torch
import yaml
from copies import camvid_720
from PIL import Image
from synthetic import evidence, matrices

from segmodels import cli, steps
from segmodels.checkpoints import save_checkpoint
from segmodels.claims import load_claim
from segmodels.core import paths
from segmodels.core.files import read_json, sha256_of_file, write_json
from segmodels.datasets.copies import add_dataset, skip_unreadable
from segmodels.datasets.described import described_split, skipped_in
from segmodels.datasets.description import describe_split, left_out
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.survey import Look, Survey, survey
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import evaluate
from segmodels.evidence import check_evidence, find_evidence, read_evidence, write_evidence
from segmodels.leaderboard import build_rows
from segmodels.metrics.scores import score
from segmodels.models import create_model
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.verdicts.compare import judge
from segmodels.verdicts.corrupted import judge_corrupted
from segmodels.verdicts.rules import load_rules
from segmodels.verdicts.third_party import objections
from segmodels.verdicts.verdict import Answer

BROKEN = "0001TP_008550"
REASON = f"{BROKEN}.png: cannot be decoded"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a run on a copy of CamVid, and the copy: two test frames, one broken."""
    root = small_project.enter(tmp_path / "project", monkeypatch)
    torch.manual_seed(5)
    save_checkpoint(create_model("segformer_nano", 11), tmp_path / "mirror/eleven")
    files = [
        {"name": path.name, "url": "https://example.org/x", "sha256": [sha256_of_file(path)]}
        for path in sorted((tmp_path / "mirror/eleven").iterdir())
    ]
    entry = {"model": "segformer_nano", "state": "ok", "source": "made up", "files": files}
    _add(root / "params/weights.yaml", eleven=entry)
    gated = {"state": "gated", "reason": "by hand", "source": "x", "title": "frames", "splits": {}}
    _add(root / "params/datasets.yaml", camvid_720=gated)
    run = {"model": "segformer_nano", "weights": "eleven", "dataset": "camvid_720"}
    run |= {"split": "test", "protocols": ["plain"], "robustness": ["quick"]}
    (root / "params/runs/frames.yaml").write_text(yaml.safe_dump(run))
    claims = yaml.safe_load((root / "params/claims/toy.yaml").read_text())
    claims["claims"].append(
        {
            **claims["claims"][0],
            **{"id": "toy_frames", "dataset": "camvid_720", "weights": "eleven"},
            **{"protocol": "plain", "value": 1.0},
        }
    )
    (root / "params/claims/toy.yaml").write_text(yaml.safe_dump(claims))
    place = camvid_720(
        root.parent / "copy", lambda *_: ("701_StillsRaw_full", "LabeledApproved_full")
    )
    for path in place.rglob("*.png"):  # as large as networks want them
        with Image.open(path) as small:
            larger = small.resize((36, 24), Image.Resampling.NEAREST)
        larger.save(path)
    tear(place)
    return place


def tear(copy: Path, frame: str = BROKEN) -> None:
    """Cut a file off."""
    path = copy / "701_StillsRaw_full" / f"{frame}.png"
    path.write_bytes(path.read_bytes()[:30])


def _add(path: Path, **entries: Any) -> None:
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **entries}))


def written() -> dict[str, bytes]:
    folder = paths.evidence() / "frames"
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def repair(copy: Path) -> None:
    frames = copy / "701_StillsRaw_full"
    shutil.copy(frames / "Seq05VD_f00000.png", frames / f"{BROKEN}.png")


# --- asking for it ----------------------------------------------------------------------


def test_without_asking_one_damaged_file_stops_with_its_name_and_the_way_on(copy: Path) -> None:
    with pytest.raises(SegmodelsError, match=f"{BROKEN}.png: cannot be decoded"):
        add_dataset("camvid_720", copy)  # it is among the three that are looked at
    add_dataset("camvid_720", copy, skip=True)
    add_dataset("camvid_720", copy, ["train", "val"])
    assert steps.prepare("camvid_720")["absent"] == ["test"]


def test_the_way_on_is_said_by_prepare(copy: Path) -> None:
    """A file may break after its copy was added, or lie between the three."""
    repair(copy)
    add_dataset("camvid_720", copy)
    tear(copy)
    way = "Or go on without: segmodels data check camvid_720 --skip-unreadable"
    with pytest.raises(SegmodelsError, match=f"{BROKEN}.*{way}"):
        steps.ensure_dataset("camvid_720")


def test_data_add_and_check_tell_what_is_left_out(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "add", "camvid_720", str(copy)]) == 1
    assert f"{BROKEN}.png: cannot be decoded" in capsys.readouterr().err
    assert cli.main(["data", "add", "camvid_720", str(copy), "--skip-unreadable"]) == 0
    assert f"note: left out: {copy}" in capsys.readouterr().out
    assert cli.main(["data", "check", "camvid_720"]) == 0
    out = capsys.readouterr().out
    assert f"camvid_720 test: left out {BROKEN} ({REASON}" in out
    assert "camvid_720 test: 1 images and their labels, all good" in out
    cli.main(["data", "show", "camvid_720"])
    assert "images that cannot be read are left out" in capsys.readouterr().out


def test_what_was_made_here_is_made_again_instead(copy: Path) -> None:
    steps.ensure_dataset("shapes")
    with pytest.raises(SegmodelsError, match=r"shapes is no copy of yours: delete .*data/shapes"):
        skip_unreadable("shapes")


def test_the_wish_makes_the_dataset_stale_for_dvc_and_survives(copy: Path) -> None:
    """DVC sees `data/<name>` change; the stages then need no flag."""
    add_dataset("camvid_720", copy, ["train", "val"])
    steps.prepare("camvid_720")
    pointer = paths.reports().parent / "data/camvid_720/root.json"
    before = pointer.read_bytes()
    skip_unreadable("camvid_720")
    assert pointer.read_bytes() != before
    assert not (paths.local() / "datasets/camvid_720.json").exists()
    steps.download("camvid_720")
    steps.prepare("camvid_720")
    assert read_json(pointer)["skip_unreadable"] is True


# --- what may be left out ---------------------------------------------------------------


def described(copy: Path, skip: bool = True) -> dict[str, Any]:
    add_dataset("camvid_720", copy, skip=skip)
    return steps.prepare("camvid_720")["splits"]["test"]


def test_the_description_counts_and_names_it(copy: Path) -> None:
    about = described(copy)
    assert about["images"] == 1
    assert list(about["skipped"]) == [BROKEN]
    assert about["skipped"][BROKEN].startswith(REASON)
    assert str(copy) not in str(about)
    assert "skipped" not in described_split("camvid_720", "train")
    dataset = open_dataset("camvid_720", "test")
    assert (len(dataset), dataset.skipped) == (1, about["skipped"])
    assert len(open_dataset("camvid_720", "test", whole=True)) == 2


def fifty(dataset: Any, damaged: int, wrong: int = 0) -> tuple[Any, Survey]:
    files = tuple(dataclasses.replace(dataset.files[0], name=str(i)) for i in range(50))
    look = survey(dataset).good[0][1]
    bad, odd = Look(fault="a.png: torn", reason="torn"), Look(fault="b.png: label 255")
    looks = (bad,) * damaged + (odd,) * wrong + (look,) * (50 - damaged - wrong)
    dataset.files = list(files)
    return dataset, Survey(files, looks)


def test_few_may_be_left_out_and_many_may_not(copy: Path) -> None:
    described(copy)
    dataset = open_dataset("camvid_720", "test")
    assert list(left_out(*fifty(dataset, 1), skip=True)) == ["0"]
    with pytest.raises(SegmodelsError, match=r"2 of 50 test images cannot be read, .* too many"):
        left_out(*fifty(open_dataset("camvid_720", "test"), 2), skip=True)


def test_a_wrong_encoding_is_never_left_out(copy: Path) -> None:
    described(copy)
    found = fifty(open_dataset("camvid_720", "test"), 1, wrong=1)
    with pytest.raises(SegmodelsError, match=r"b.png: label 255"):
        describe_split(*found, skip=True)


def test_what_was_repaired_is_used_again(copy: Path) -> None:
    described(copy)
    repair(copy)
    assert cli.main(["data", "check", "camvid_720"]) == 0
    steps.ensure_dataset("camvid_720")
    assert skipped_in("camvid_720", "test") == {}
    assert len(open_dataset("camvid_720", "test")) == 2


def test_asking_again_sees_what_broke_since(copy: Path) -> None:
    described(copy)
    tear(copy, "0016E5_00390")
    skip_unreadable("camvid_720")
    steps.ensure_dataset("camvid_720")
    assert list(skipped_in("camvid_720", "train")) == ["0016E5_00390"]


def test_a_name_that_is_gone_is_an_error(copy: Path) -> None:
    described(copy)
    path = paths.local() / "datasets/camvid_720.json"
    about = read_json(path)
    about["splits"]["test"]["skipped"] = {"other": "torn"}
    write_json(path, about)
    with pytest.raises(SegmodelsError, match=r"'other' was left out when camvid_720 was described"):
        open_dataset("camvid_720", "test")


# --- evidence and verdict ---------------------------------------------------------------


@pytest.fixture
def skipping(copy: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The run evaluated by command; what it printed."""
    repair(copy)
    add_dataset("camvid_720", copy)
    tear(copy)
    assert cli.main(["evaluate", "frames"]) == 1
    assert "--skip-unreadable" in capsys.readouterr().err
    assert cli.main(["evaluate", "frames", "--skip-unreadable"]) == 0
    return capsys.readouterr().out


def test_the_printed_result_and_the_evidence_name_what_is_missing(skipping: str) -> None:
    sentence = f"1 of 2 images could not be read and was left out: {BROKEN} ({REASON}"
    assert sentence in skipping
    assert "The result is partial." in skipping
    (found,) = find_evidence(paths.evidence())
    assert list(found.skipped) == [BROKEN]
    assert (len(found.images), found.expected_images, found.complete) == (1, 2, False)
    assert found.exhausted


def test_the_evidence_is_checked_to_the_pixel(
    skipping: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evidence", "check"]) == 0
    assert "ok, 1 images, 1 left out, pixels as in the labels" in capsys.readouterr().out


def test_the_leaderboard_says_partial_and_why_whatever_the_number(skipping: str) -> None:
    (found,) = find_evidence(paths.evidence())
    claims = paths.reports().parent / "params/claims/toy.yaml"
    text = yaml.safe_load(claims.read_text())
    text["claims"][-1]["value"] = round(score(found, load_protocol("plain")).miou, 1)
    claims.write_text(yaml.safe_dump(text))
    (row,) = (row for row in build_rows(paths.evidence()) if row.subject.id == "toy_frames")
    assert (row.verdict.status, row.evidence.images, row.evidence.expected_images) == (
        "partial",
        1,
        2,
    )
    assert row.verdict.reason.startswith(
        f"1 of 2 images could not be read and was left out: {BROKEN}"
    )


def test_a_registered_fingerprint_does_not_hide_it(skipping: str) -> None:
    path = paths.reports().parent / "params/datasets.yaml"
    entries = yaml.safe_load(path.read_text())
    entries["camvid_720"]["splits"] = {"test": {"images": 2, "fingerprint": "ab" * 32}}
    path.write_text(yaml.safe_dump(entries))
    (row,) = (row for row in build_rows(paths.evidence()) if row.subject.id == "toy_frames")
    assert row.verdict.status == "partial"
    (found,) = find_evidence(paths.evidence())
    told = list(objections(found, paths.local() / "datasets"))
    assert any("left out 1 images" in objection for objection in told)


def test_shards_and_a_second_attempt_give_the_same_bytes(skipping: str) -> None:
    alone = written()
    for index in (0, 1):
        steps.evaluate_run("frames", "plain", steps.Options(shard=(index, 2), force=True))
    assert written() == alone
    steps.evaluate_run("frames", "plain", steps.Options(force=True))
    assert written() == alone


def test_a_killed_evaluation_goes_on_with_the_same_images(copy: Path) -> None:
    tear(copy, "0006R0_f00930")
    add_dataset("camvid_720", copy, skip=True)
    about = steps.prepare("camvid_720")["splits"]["train"]
    dataset, protocol = open_dataset("camvid_720", "train"), load_protocol("plain")
    steps.fetch_released("eleven")
    subject = dataclasses.replace(
        steps.subject_of(load_run("frames")), fingerprint=about["fingerprint"], images=1
    )
    whole, _ = evaluate(subject, dataset, protocol)
    assert (len(whole.images), list(whole.skipped)) == (2, ["0006R0_f00930"])

    def kill(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(subject, dataset, protocol, progress=kill)
    again, record = evaluate(subject, dataset, protocol)
    assert (again, record["resumed_at"]) == (whole, 1)


def test_disturbed_copies_are_partial_too(skipping: str) -> None:
    for found in steps.stress_run("frames", "quick"):
        assert list(found.skipped) == [BROKEN]
        check_evidence(paths.evidence() / "frames/robustness-quick" / f"{found.key}.json")
    rows = {row.subject.id: row for row in build_rows(paths.evidence())}
    assert rows["toy_frames"].robustness is not None


def test_a_corrupted_mean_without_some_images_is_partial(skipping: str) -> None:
    """Images of disturbed evidence are merged into one, so their number says nothing."""
    corrupted = {"metric": "mIoU-c", "corruption": "fog"}
    claim = load_claim("toy_frames").model_copy(update=corrupted)
    copies = [
        dataclasses.replace(
            evidence(condition={"corruption": "fog", "severity": severity}), skipped={"x": "torn"}
        )
        for severity in range(1, 6)
    ]
    rules, protocol = load_rules(), load_protocol("plain")
    assert judge_corrupted(claim, protocol, copies, (), rules).status == "partial"
    whole = [dataclasses.replace(one, skipped={}) for one in copies]
    assert judge_corrupted(claim, protocol, whole, (), rules).status != "partial"


def test_weights_that_missed_training_images_verify_nothing(copy: Path) -> None:
    protocol = load_protocol("plain")
    made = evidence(origin={"trained": "frames", "skipped_images": 3}, dataset="shapes")
    told = {"protocol": "plain", "value": round(score(made, protocol).miou, 1)}
    claim = load_claim("toy_open").model_copy(update=told)
    verdict = judge(claim, protocol, Answer((made,), "retrained"), (), load_rules())
    assert verdict.status == "partial"
    assert verdict.reason.startswith("The weights were trained without 3 images")


# --- the file ---------------------------------------------------------------------------


def test_evidence_without_skips_has_no_word_of_them(tmp_path: Path) -> None:
    head = read_json(write_evidence(tmp_path, evidence()))
    assert "skipped" not in head


def test_skips_are_read_back_and_leave_the_key_alone(tmp_path: Path) -> None:
    made = dataclasses.replace(evidence(matrices(4), expected=6), skipped={"a": "torn", "b": "cut"})
    path = write_evidence(tmp_path, made)
    assert check_evidence(path) == read_evidence(path) == made
    assert made.key == evidence(matrices(4)).key


@pytest.mark.parametrize(
    ("skipped", "message"),
    [
        ({"000.png": "torn"}, "image '000.png' is counted, and left out"),
        ({"a": ""}, "gives each image that was left out its reason"),
        ({"a": 1}, "gives each image that was left out its reason"),
        ({"a": "torn", "b": "torn"}, "2 images are left out, which leaves too few"),
        ("torn", "not evidence of schemas 1 to 3"),
    ],
)
def test_impossible_skips_are_refused(tmp_path: Path, skipped: Any, message: str) -> None:
    path = write_evidence(tmp_path, evidence(matrices(4), expected=5))
    write_json(path, {**read_json(path), "skipped": skipped})
    with pytest.raises(SegmodelsError, match=message):
        read_evidence(path)


def test_fewer_images_than_were_left_to_count_are_refused(tmp_path: Path) -> None:
    made = dataclasses.replace(evidence(matrices(4), expected=6), skipped={"a": "torn"})
    with pytest.raises(SegmodelsError, match="4 images are counted, 5 were asked for"):
        check_evidence(write_evidence(tmp_path, made))
