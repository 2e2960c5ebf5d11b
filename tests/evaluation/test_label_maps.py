"""Label maps: kept whole or not at all, and they give the counts of their evidence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from segmodels import cli, steps
from segmodels.core import paths
from segmodels.datasets import Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation import image_counter as module
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.label_maps import (
    check_maps,
    check_names,
    evidence_of,
    is_whole,
    map_folders,
    map_path,
    read_map,
    write_map,
)
from segmodels.evaluation.reference import predict
from segmodels.evaluation.subject import Subject
from segmodels.evidence import Evidence, find_evidence
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.steps import stored


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    return root


@pytest.fixture
def dataset(root: Path) -> Dataset:
    return open_dataset("shapes", "test")


@pytest.fixture
def subject(root: Path) -> Subject:
    return steps.subject_of(load_run("published"))


@pytest.fixture
def kept(subject: Subject, dataset: Dataset, tmp_path: Path) -> tuple[Path, Evidence]:
    folder = tmp_path / "kept"
    evidence, _ = evaluate(subject, dataset, load_protocol("plain"), maps=folder)
    return folder, evidence


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


# --- one file --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_labels_survive_their_file(kind: Any, tmp_path: Path) -> None:
    @given(arrays(kind, st.tuples(st.integers(1, 9), st.integers(1, 9))))
    def survives(labels: Any) -> None:
        one = write_map(tmp_path, "town/a.b.jpg", labels)
        assert one.file == "town/a.b.png"
        found = read_map(tmp_path / one.file)
        assert found.dtype == kind
        assert np.array_equal(found, labels)

    survives()


def test_other_pictures_are_no_label_map(tmp_path: Path) -> None:
    with pytest.raises(SegmodelsError, match=r"a\.png: missing"):
        read_map(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(SegmodelsError, match=r"a\.png: cannot be decoded"):
        read_map(tmp_path / "a.png")
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    with pytest.raises(SegmodelsError, match="no label map"):
        read_map(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", ""])
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(SegmodelsError, match="cannot be kept under this name"):
        map_path(name)


def test_names_that_share_a_file() -> None:
    check_names(["a.jpg", "b.jpg", "town/a.jpg"])
    with pytest.raises(SegmodelsError, match=r"'a\.jpg' and 'a\.png' would be one file"):
        check_names(["a.jpg", "b.jpg", "a.png"])


# --- a split ---------------------------------------------------------------------------


def test_maps_are_the_predictions_and_give_the_counts(
    root: Path, subject: Subject, dataset: Dataset, kept: tuple[Path, Evidence]
) -> None:
    folder, evidence = kept
    assert evidence_of(folder) == evidence.key
    assert is_whole(folder, evidence.key)
    assert not is_whole(folder, "0" * 16)
    assert sorted(bytes_of(folder)) == ["00000.png", "00001.png", "00002.png", "manifest.json"]
    for sample in dataset:
        found = read_map(folder / map_path(sample.name))
        assert np.array_equal(found, predict(subject.model, sample.image, load_protocol("plain")))
    assert check_maps(folder, evidence, dataset) == 3
    without, _ = evaluate(subject, dataset, load_protocol("plain"))
    assert without == evidence
    assert not list((root / ".cache" / "evaluations").glob("*.maps"))


def one_pixel(folder: Path) -> None:
    labels = read_map(folder / "00001.png").copy()
    labels[0, 0] ^= 1
    entry = write_map(folder, "00001", labels)
    head = manifest(folder)
    head["images"][1]["sha256"] = entry.sha256
    (folder / "manifest.json").write_text(json.dumps(head))


def edited(**changes: Any) -> Any:
    def edit(folder: Path) -> None:
        (folder / "manifest.json").write_text(json.dumps({**manifest(folder), **changes}))

    return edit


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "00001.png").unlink(), r"00001\.png: missing"),
        (lambda f: (f / "00001.png").write_bytes(b""), r"00001\.png: cannot be decoded"),
        (lambda f: (f / "00000.png").replace(f / "00001.png"), r"00000\.png: missing"),
        (lambda f: (f / "00001.png").write_bytes((f / "00000.png").read_bytes()), "is another"),
        (one_pixel, r"00001\.png: counting it does not give the counts"),
        (edited(evidence="0" * 16), "field 'evidence' is '0000"),
        (edited(outputs=9), "field 'outputs' is 9, not 8"),
        (edited(images=[]), "the images are not those of evidence"),
        (edited(images=[{"file": 1}]), "field 'images' is broken"),
        (edited(schema=0), "no manifest of label maps of schema 1"),
        (lambda f: (f / "manifest.json").write_text("[]"), "no manifest"),
        (lambda f: (f / "manifest.json").unlink(), "no such file"),
    ],
)
def test_damage_is_found(
    dataset: Dataset, kept: tuple[Path, Evidence], damage: Any, words: str
) -> None:
    folder, evidence = kept
    damage(folder)
    with pytest.raises(SegmodelsError, match=words):
        check_maps(folder, evidence, dataset)


def interrupt(subject: Subject, dataset: Dataset, maps: Path | None) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(subject, dataset, load_protocol("plain"), progress=stop, maps=maps)


@pytest.mark.parametrize(
    ("kept_before", "damage", "left"),
    [
        (True, lambda _: None, 2),
        (True, lambda draft: (draft / "00001.png").unlink(), 1),
        (True, lambda draft: (draft / "00000.png").write_bytes(b"half"), 0),
        (False, lambda _: None, 0),
    ],
)
def test_resumed_maps_are_the_same_to_the_byte(
    root: Path,
    subject: Subject,
    dataset: Dataset,
    kept: tuple[Path, Evidence],
    tmp_path: Path,
    kept_before: bool,
    damage: Any,
    left: int,
) -> None:
    again = tmp_path / "again"
    interrupt(subject, dataset, again if kept_before else None)
    assert not again.exists()  # whole or not at all
    damage(root / ".cache" / "evaluations" / f"{kept[1].key}.maps")
    evidence, record = evaluate(subject, dataset, load_protocol("plain"), maps=again)
    assert record["resumed_at"] == left
    assert evidence == kept[1]
    assert bytes_of(again) == bytes_of(kept[0])


def test_counts_alone_go_on_where_maps_were_kept(
    root: Path, subject: Subject, dataset: Dataset, kept: tuple[Path, Evidence], tmp_path: Path
) -> None:
    interrupt(subject, dataset, tmp_path / "again")
    evidence, record = evaluate(subject, dataset, load_protocol("plain"))
    assert record["resumed_at"] == 2
    assert evidence == kept[1]
    assert not list((root / ".cache" / "evaluations").glob("*.maps"))


def test_a_folder_is_replaced_whole(
    subject: Subject, dataset: Dataset, kept: tuple[Path, Evidence]
) -> None:
    folder, evidence = kept
    (folder / "of an older split.png").write_bytes(b"")
    before = bytes_of(folder)
    interrupt(subject, dataset, folder)
    assert bytes_of(folder) == before
    other, _ = evaluate(subject, dataset, load_protocol("views"), maps=folder)
    assert other.key != evidence.key
    assert check_maps(folder, other, dataset) == 3
    assert "of an older split.png" not in bytes_of(folder)
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".k")] == []


# --- runs, shards, commands -------------------------------------------------------------


def test_keeping_with_the_command(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["evaluate", "published"]) == 0
    assert not (root / "labels").exists()
    assert cli.main(["evaluate", "published", "--keep-labels"]) == 0
    folder = paths.maps("published", "plain")
    assert map_folders(root / "labels") == [folder]
    monkeypatch.setattr(stored, "evaluate", lambda *_, **__: pytest.fail("counted again"))
    assert cli.main(["evaluate", "published", "--keep-labels"]) == 0
    capsys.readouterr()
    assert cli.main(["evidence", "check", "--labels", "labels"]) == 0
    assert "labels/published/plain: ok, 3 maps give the counts of" in capsys.readouterr().out
    one_pixel(folder)
    assert cli.main(["evidence", "check", "--labels", str(folder)]) == 1
    assert "00001.png: counting it does not" in capsys.readouterr().err
    assert cli.main(["evidence", "check", "--labels", "params"]) == 1
    assert "no label maps here" in capsys.readouterr().err
    next(paths.evidence().rglob("*.json")).unlink()
    assert cli.main(["evidence", "check", "--labels", "labels"]) == 1
    assert "is not here" in capsys.readouterr().err


def test_shards_leave_the_maps_of_one_process(root: Path) -> None:
    steps.evaluate_run("published", "plain", steps.Options(keep_maps=True))
    folder = paths.maps("published", "plain")
    alone = bytes_of(folder)
    # A shard that kept no maps is not enough.
    steps.evaluate_run("published", "plain", steps.Options(shard=(1, 2), force=True))
    steps.evaluate_run(
        "published", "plain", steps.Options(shard=(0, 2), force=True, keep_maps=True)
    )
    assert len(list((root / ".cache").rglob("maps/*.png"))) == 2
    folder.rename(root / "elsewhere")
    whole = steps.evaluate_run(
        "published", "plain", steps.Options(shard=(1, 2), force=True, keep_maps=True)
    )
    assert whole.shard is None
    assert bytes_of(folder) == alone
    assert not list((root / ".cache").rglob("*.png"))


def test_shards_by_hand(root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = []
    for index in range(2):
        argument = f"--shard={index}/2"
        assert cli.main(["evaluate", "published", argument, "--keep-labels"]) == 0
        path = root / capsys.readouterr().out.split(" in ")[-1].strip()
        if index == 0:
            path = path.parent.rename(tmp_path / "copied") / path.name
        files.append(str(path))
    where = ["reports/local/evidence/published/plain", *files]
    assert cli.main(["evidence", "merge", "--labels", "labels/published/plain", *where]) == 0
    assert cli.main(["evidence", "check", "--labels", "labels"]) == 0
    assert "3 maps give the counts" in capsys.readouterr().out
    (tmp_path / "copied" / "maps" / "00002.png").unlink()
    assert cli.main(["evidence", "merge", "--labels", "elsewhere", *where]) == 1
    assert "copied/maps: label maps of evidence" in capsys.readouterr().err
    assert cli.main(["evidence", "merge", "--labels", "elsewhere", *where[:1], *files[:1] * 2]) == 1
    assert "needs each of its 2 shards once" in capsys.readouterr().err


def test_the_stage_keeps_what_gives_the_evidence(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SegmodelsError, match="has no evidence under 'plain': segmodels evaluate"):
        steps.keep_maps("published", "plain")
    evidence = steps.evaluate_run("published", "plain")
    folder = steps.keep_maps("published", "plain")
    assert folder == paths.maps("published", "plain")
    assert check_maps(folder, evidence, open_dataset("shapes", "test")) == 3
    assert list(find_evidence(paths.evidence())) == [evidence]

    real = module.predict_many

    def elsewhere(*arguments: Any) -> Any:
        first, *rest = real(*arguments)
        labels = first.labels.clone()
        labels[0, 0] ^= 1
        return [dataclasses.replace(first, labels=labels), *rest]

    monkeypatch.setattr(module, "predict_many", elsewhere)
    with pytest.raises(SegmodelsError, match="do not give the counts of evidence"):
        steps.keep_maps("published", "plain")
    assert not folder.exists()
