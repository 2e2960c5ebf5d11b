"""A user's own dataset wherever a dataset's name stands: runs, training, evaluation, the board."""

from __future__ import annotations

from pathlib import Path

import own_images
import pytest
import small_project
from small_project import FILES

from segmodels import cli, steps
from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.datasets.described import description_path
from segmodels.errors import SegmodelsError
from segmodels.evidence import find_evidence
from segmodels.leaderboard import rows_here
from segmodels.runs.suite import activate, load_active

RUN = FILES["runs/tiny.yaml"].replace("shapes", "mine").replace("split: test", "split: val")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    folder = own_images.draw(tmp_path / "mine")
    assert cli.main(["data", "add", str(own_images.describe(folder))]) == 0
    (root / "params/runs/own.yaml").write_text(RUN)
    return root


def test_trained_evaluated_and_on_the_board(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "own"]) == 0
    assert cli.main(["evaluate", "own"]) == 0
    assert "own, strict: mIoU" in capsys.readouterr().out
    counted = {one.identity.dataset: one for one in find_evidence(paths.evidence())}
    assert counted["mine"].complete
    assert counted["mine"].classes == own_images.CLASSES
    rows = [row for row in rows_here() if row.run == "own"]
    assert {row.verdict.status for row in rows} == {"measured"}
    assert {row.subject.dataset for row in rows} == {"mine"}


def test_images_that_changed_are_seen_at_once(project: Path, tmp_path: Path) -> None:
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    before = read_json(paths.metrics("own", "plain"))
    scene = tmp_path / "mine/labels/val/0.png"
    scene.write_bytes((tmp_path / "mine/labels/train/0.png").read_bytes())
    scene = tmp_path / "mine/images/val/0.png"
    scene.write_bytes((tmp_path / "mine/images/train/1.png").read_bytes())
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) != 0, "sizes or splits"
    scene.unlink()
    (tmp_path / "mine/labels/val/0.png").unlink()
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    assert read_json(paths.metrics("own", "plain")) != before
    assert [len(one.images) for one in find_evidence(paths.evidence() / "own")] == [1]


def test_a_fault_in_a_split_that_is_not_needed_stops_nothing(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = project / "params/runs/own.yaml"
    run.write_text(run.read_text().replace("recipe: tiny", "weights: published"))
    image = tmp_path / "mine/images/train/1.png"
    whole = image.read_bytes()
    image.write_bytes(b"no picture")
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    told = capsys.readouterr()
    assert "own, plain: mIoU" in told.out
    assert "split 'train' is not needed now, and its images were not compared" in told.err
    assert "images/train/1.png: cannot be decoded" in told.err
    assert read_json(description_path("mine"))["absent"] == ["train"]
    with pytest.raises(SegmodelsError, match=r"images/train/1.png: cannot be decoded"):
        steps.ensure_dataset("mine")
    image.write_bytes(whole)
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    assert "absent" not in read_json(description_path("mine"))


def test_all_splits_are_checked_and_all_that_is_missing_listed(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train/0", "train/2", "val/1"):
        (tmp_path / f"mine/labels/{name}.png").unlink()
    assert cli.main(["data", "check", "mine"]) != 0
    told = capsys.readouterr().err
    assert "2 of 4 images of split 'train' have no label" in told
    assert "1 of 2 images of split 'val' have no label: images/val/1.png" in told
    assert told.count("error: ") == 2


def test_what_did_not_change_is_not_prepared_again(project: Path) -> None:
    steps.ensure_dataset("mine")
    before = description_path("mine").stat()
    steps.ensure_dataset("mine")
    assert description_path("mine").stat() == before


def test_a_run_wants_its_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = project / "params/runs/own.yaml"
    run.write_text(run.read_text().replace("dataset: mine", "dataset: ../mine.yaml"))
    assert cli.main(["evaluate", "own"]) != 0
    assert "segmodels data add ../mine.yaml, and then 'mine'" in capsys.readouterr().err


def test_stages_of_dvc_know_it(project: Path) -> None:
    (project / "params/suites/own.yaml").write_text("title: own\nruns: [own]\n")
    activate(["own"])
    assert load_active().own == ("mine",)
    assert load_active().registered == ()


def test_a_split_that_is_missing_for_training_is_named(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own_images.describe(tmp_path / "mine", splits={"train": "train/*", "test": "val/*"})
    assert cli.main(["data", "add", str(path)]) == 0
    assert cli.main(["train", "own"]) != 0
    assert "Unknown split of mine 'val'" in capsys.readouterr().err
    run = project / "params/runs/own.yaml"
    run.write_text(run.read_text().replace("split: val", "split: test"))
    assert cli.main(["train", "own"]) != 0
    told = (
        "dataset 'mine' has no split 'val', with which a training is looked at; it has train, test"
    )
    assert told in capsys.readouterr().err
