"""`segmodels data`, as people type it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from copies import TRAINED, ade20k, cityscapes, filled, write_label

from segmodels.cli import main

Run = Callable[..., str]


@pytest.fixture
def run(project: Path, edit_yaml: Any, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a command; returns what it prints. With `fails`, what it says is wrong."""

    def small(entries: dict[str, Any]) -> None:
        entries["ade20k"]["splits"] = {"train": {"images": 3}, "val": {"images": 3}}
        entries["cityscapes"]["splits"] = {"train": {"images": 2}, "val": {"images": 1}}

    edit_yaml(project / "params" / "datasets.yaml", small)

    def _run(*arguments: object, fails: bool = False) -> str:
        code = main(["data", *map(str, arguments)])
        out, error = capsys.readouterr()
        assert code == (1 if fails else 0), error
        return error if fails else out

    return _run


def test_the_list_tells_states_as_they_become(run: Run, tmp_path: Path) -> None:
    def line(name: str) -> list[str]:
        (found,) = (text for text in run("list").splitlines() if text.split()[0] == name)
        return found.split()[1:4]

    assert line("cityscapes") == ["gated", "11.2", "GB"]
    assert line("ade20k") == ["ok", "0.9", "GB"]
    assert run() == run("list")
    run("add", "cityscapes", cityscapes(tmp_path / "copy"))
    assert line("cityscapes") == ["added", "11.2", "GB"]
    from segmodels import steps

    steps.ensure_dataset("cityscapes")
    assert line("cityscapes") == ["prepared", "11.2", "GB"]


def test_a_gated_set_is_told_from_registration_to_use(run: Run) -> None:
    page = run("show", "cityscapes")
    for words in (
        "state: gated (the images are behind a registration)",
        "non-commercial, no redistribution",
        "https://www.cityscapes-dataset.com/register",
        "gtFine_trainvaltest.zip, about 0.24 GB, sha1 99f532cb1af174f5fcc4c5bc8feea8c66246ddbc",
        "split val: 1 images, fingerprint not recorded yet",
        "segmodels data add cityscapes FOLDER",
        "cityscapes: 2 files to download, about 11.2 GB;",
        "GB free. Licence: non-commercial, no redistribution",
        "then segmodels verify CLAIM",
        "SEGMODELS_MIRROR",
        "gtFine/val/",
        "*_gtFine_labelIds.png",
    ):
        assert words in page


@pytest.mark.parametrize("name", ["shapes", "imagenet1k", "camvid", "coco_stuff", "pascal_context"])
def test_every_dataset_has_a_page(run: Run, name: str) -> None:
    lines = run("show", name).splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert [line.partition(":")[0] for line in lines[1:4]] == ["state", "from", "licence"]


def test_a_copy_is_added_checked_and_forgotten(run: Run, tmp_path: Path) -> None:
    copy = ade20k(tmp_path / "data" / "ade" / "ADEChallengeData2016")
    told = run("add", "ade20k", tmp_path)
    assert f"ade20k: the challenge's archive, in {copy}" in told
    assert "val: 3 images, each with its labels" in told
    assert f"copy in use: {copy} (train, val)" in run("show", "ade20k")
    assert run("check", "ade20k").count("3 images and their labels, all good") == 2
    assert "is not used any more" in run("forget", "ade20k")
    assert "not prepared" in run("check", "ade20k", fails=True)


def test_an_archive_is_added_as_it_is(run: Run, tmp_path: Path) -> None:
    copy, archive = ade20k(tmp_path / "copy"), tmp_path / "ADEChallengeData2016.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in copy.rglob("*.*"):
            packed.write(path, f"ADEChallengeData2016/{path.relative_to(copy)}")
    assert f"PATH is, or holds, as they were published: {archive.name}" in run("show", "ade20k")
    assert f"in {archive}!/" in run("add", "ade20k", archive)
    assert f"copy in use: {tmp_path}, in {archive.name} (train, val)" in run("show", "ade20k")
    assert run("check", "ade20k").count("3 images and their labels, all good") == 2
    assert "is not used any more" in run("forget", "ade20k")
    assert archive.is_file()


def test_only_a_split(run: Run, tmp_path: Path) -> None:
    told = run("add", "ade20k", ade20k(tmp_path / "copy"), "--split", "val")
    assert "train" not in told
    assert "ade20k val: 3 images" in run("check", "ade20k")


def test_label_train_ids_are_compared_when_asked_for(run: Run, tmp_path: Path) -> None:
    copy = cityscapes(tmp_path / "copy", trained=True)
    run("add", "cityscapes", copy)
    run("check", "cityscapes")
    label = copy / "gtFine/val/munster/munster_000000_000019_gtFine_labelTrainIds.png"
    write_label(label, filled((*TRAINED[:-1], 3)))
    assert "all good" in run("check", "cityscapes", "--split", "train")
    error = run("check", "cityscapes", "--split", "val", fails=True)
    assert f"{label}: differs in 7 pixels from what its labelIds become" in error


def test_masks_without_files_are_named(run: Run, tmp_path: Path) -> None:
    assert f"{tmp_path / 'train.pth'}: missing" in run("masks", tmp_path, fails=True)


def test_a_wrong_folder_is_one_line(run: Run, tmp_path: Path) -> None:
    error = run("add", "ade20k", tmp_path, fails=True)
    assert error.startswith(f"error: {tmp_path}: no ade20k here. Expected, as in the challenge's")
    assert len(error.splitlines()) == 1
