"""`segmodels doctor` looks at datasets, weights and evidence that are here."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from copies import ade20k, filled, pascal_context, write_label
from PIL import Image
from synthetic import WEIGHTS, evidence

from segmodels import cli
from segmodels.assets.pins import Pin, note_pins
from segmodels.core import paths
from segmodels.core.files import write_json
from segmodels.datasets.copies import add_dataset
from segmodels.datasets.described import description_path
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.survey import survey
from segmodels.doctor import Finding
from segmodels.doctor.holdings import examine_addresses, examine_evidence, examine_weights
from segmodels.doctor.images import examine_datasets
from segmodels.evidence import write_evidence


@pytest.fixture
def shapes(project: Path) -> Path:
    prepare_dataset("shapes")
    return project / "data" / "shapes"


def told(found: Iterator[Finding]) -> dict[tuple[str, str], str]:
    return {(finding.level, finding.subject): finding.text for finding in found}


def first(name: str, split: str) -> tuple[Path, Path]:
    files = open_dataset(name, split).files[0]
    return files.image, files.label


# --- datasets --------------------------------------------------------------------------


def test_nothing_here_is_a_note(project: Path) -> None:
    for check in (examine_datasets, examine_weights):
        (finding,) = check()
        assert finding.level == "note"


def test_a_sound_dataset_is_ok_and_then_compared_by_pixels(shapes: Path) -> None:
    assert told(examine_datasets())["ok", "data shapes test"].startswith("3 images, all decoded")
    shutil.rmtree(paths.reports().parents[1] / "cache" / "surveys")
    quick = told(examine_datasets())
    assert quick["ok", "data shapes train"].startswith("4 images, 3 decoded")
    assert "not compared" in quick["note", "data shapes"]
    deep = told(examine_datasets(deep=True))
    assert {level for level, _ in deep} == {"ok"}
    assert deep["ok", "data shapes test"].startswith("3 images, all decoded")
    assert "no image of train, val, test in another split" in deep["ok", "data shapes"]
    assert told(examine_datasets()) == deep  # from the cache


def test_a_copied_image_is_found_whatever_packs_it(shapes: Path) -> None:
    source, target = first("shapes", "train")[0], first("shapes", "val")[0]
    labels = first("shapes", "train")[1], first("shapes", "val")[1]
    Image.open(source).save(target, compress_level=0)
    shutil.copyfile(*labels)
    assert source.read_bytes() != target.read_bytes()
    found = told(examine_datasets(deep=True))["bad", "data shapes"]
    assert f"1 images of train are in val too: {source} is {target}" in found


def test_the_overlap_of_official_splits_is_a_note(shapes: Path, edit_yaml: Any) -> None:
    test_a_copied_image_is_found_whatever_packs_it(shapes)
    prints = {s: survey(open_dataset("shapes", s)).fingerprint for s in ("train", "val")}

    def official(entries: dict[str, Any]) -> None:
        for split, known in prints.items():
            entries["shapes"]["splits"][split]["fingerprint"] = known

    edit_yaml(shapes.parents[1] / "params" / "datasets.yaml", official)
    found = told(examine_datasets())
    assert "are in val too" in found["note", "data shapes"]
    assert "the registered content" in found["ok", "data shapes val"]


def test_truncated_and_empty_files_are_named(shapes: Path) -> None:
    image, label = first("shapes", "test")
    image.write_bytes(image.read_bytes()[:100])
    assert f"{image}: cannot be decoded" in told(examine_datasets())["bad", "data shapes test"]
    label.write_bytes(b"")
    quick = told(examine_datasets())["bad", "data shapes test"]
    assert quick.startswith(f"2 faults: {label}: empty or gone")


def test_only_deep_sees_a_fault_between_the_samples(shapes: Path) -> None:
    between = open_dataset("shapes", "train").files[1].image
    between.write_bytes(between.read_bytes()[:-40])
    assert ("bad", "data shapes train") not in told(examine_datasets())
    deep = told(examine_datasets(deep=True))
    assert str(between) in deep["bad", "data shapes train"]
    assert told(examine_datasets()) == deep


def test_changed_pixels_are_other_content(shapes: Path, edit_yaml: Any) -> None:
    known = survey(open_dataset("shapes", "val")).fingerprint
    params = shapes.parents[1] / "params" / "datasets.yaml"
    edit_yaml(params, lambda e: e["shapes"]["splits"]["val"].update(fingerprint=known))
    image, _ = first("shapes", "val")
    pixels = np.array(Image.open(image))
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(image)
    text = told(examine_datasets(deep=True))["bad", "data shapes val"]
    assert f"lists {known[:12]}…: another copy, or changed files" in text


def test_a_lost_image_is_missed(shapes: Path) -> None:
    for path in first("shapes", "train"):
        path.unlink()
    found = told(examine_datasets())
    assert "images is 3, params/datasets.yaml expects 4" in found["bad", "data shapes train"]


def test_another_known_number_is_a_note_with_its_reason(
    project: Path, tmp_path: Path, edit_yaml: Any
) -> None:
    counts = {"train": 0, "val": 0}

    def small(entries: dict[str, Any]) -> None:
        for split, number in counts.items():
            also = {number: "the number in mmsegmentation's documentation"}
            entries["pascal_context"]["splits"][split] = {"images": 5104, "also": also}

    copy = pascal_context(tmp_path / "copy")
    counts.update(_images_of("pascal_context", copy))
    edit_yaml(project / "params" / "datasets.yaml", small)
    add_dataset("pascal_context", copy)
    text = told(examine_datasets())["note", "data pascal_context val"]
    assert f"val has {counts['val']} images, not 5104: the number in mmseg" in text


def _images_of(name: str, copy: Path) -> dict[str, int]:
    from segmodels.datasets.registry import DATASETS

    return {split: len(DATASETS[name](copy, split)) for split in ("train", "val")}


def test_labels_of_another_encoding_are_recognised(
    project: Path, tmp_path: Path, edit_yaml: Any
) -> None:
    splits = {"train": {"images": 3}, "val": {"images": 3}}
    edit_yaml(
        project / "params" / "datasets.yaml", lambda e: e["ade20k"].update({"splits": splits})
    )
    add_dataset("ade20k", ade20k(tmp_path / "copy"))
    assert "bad" not in {level for level, _ in told(examine_datasets())}
    _, label = first("ade20k", "val")
    write_label(label, filled([0, 149, 255]))
    assert f"{label}: label 255" in told(examine_datasets())["bad", "data ade20k val"]


# --- weights ---------------------------------------------------------------------------


@pytest.fixture
def weights(project: Path, edit_yaml: Any) -> Path:
    path = paths.released_weights("toy") / "toy.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"right")
    file = {"name": "toy.pth", "url": "https://example.org/toy.pth"}
    file |= {"sha256": [hashlib.sha256(b"right").hexdigest()]}
    entry = {"model": "unet", "state": "ok", "source": "made up", "files": [file]}
    edit_yaml(project / "params" / "weights.yaml", lambda entries: entries.update(toy=entry))
    return path


def test_weights_are_compared_with_their_registered_hash(weights: Path) -> None:
    assert "the registered sha256" in told(examine_weights())["ok", "weights toy"]
    weights.write_bytes(b"wrong")
    found = told(examine_weights())["bad", "weights toy"]
    assert found.startswith(f"{weights}: its sha256 is ")
    assert "Delete the file" in found
    weights.unlink()
    assert "missing" in told(examine_weights())["bad", "weights toy"]


def test_large_weights_wait_for_deep(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segmodels.doctor.holdings._QUICK", 4)
    assert "not hashed: segmodels doctor --deep" in told(examine_weights())["note", "weights toy"]
    assert ("ok", "weights toy") in told(examine_weights(deep=True))


def test_weights_without_a_checksum_say_that_nothing_pins_them(
    weights: Path, project: Path, edit_yaml: Any
) -> None:
    def unseen(entries: dict[str, Any]) -> None:
        del entries["toy"]["files"][0]["sha256"]
        entries["toy"]["unseen"] = True

    edit_yaml(project / "params" / "weights.yaml", unseen)
    found = told(examine_weights())["note", "weights toy"]
    digest = hashlib.sha256(b"right").hexdigest()
    assert found.endswith(f"nothing pins it yet; the next fetch notes its sha256 {digest}")
    pin = Pin(sha256=digest, bytes=5, url="https://example.org/toy.pth", origin="folder")
    note_pins(project / "params" / "weights.lock.yaml", "toy", {"toy.pth": pin})
    assert "the noted sha256" in told(examine_weights())["ok", "weights toy"]
    weights.write_bytes(b"wrong")
    assert digest in told(examine_weights())["bad", "weights toy"]


def test_addresses_that_follow_a_branch_are_counted(project: Path, edit_yaml: Any) -> None:
    branch = "https://host/a/resolve/main/"
    files = [
        {"name": "a", "url": branch + "a", "revision": "0" * 40, "sha256": ["a" * 64]},
        {"name": "b", "url": branch + "b", "sha256": ["b" * 64]},
        {"name": "c", "url": "https://host/c"},
    ]
    entry = {"model": "unet", "state": "ok", "source": "made up", "unseen": True, "files": files}
    path = project / "params" / "weights.yaml"
    path.write_text("{}")
    edit_yaml(path, lambda entries: entries.update(toy=entry))
    found = examine_addresses()
    assert (found.level, found.subject) == ("note", "addresses")
    assert "3 files of released weights: 1 lie on a branch at no known revision" in found.text
    assert "1 have no sha256 yet" in found.text


# --- evidence --------------------------------------------------------------------------


def kept(run: str, **changes: Any) -> Path:
    return write_evidence(paths.evidence() / run / "plain", evidence(**changes))


def test_sound_evidence_is_ok(project: Path) -> None:
    kept("a")
    for deep in (False, True):
        ((key, text),) = told(examine_evidence(deep)).items()
        assert key == ("ok", "evidence")
        assert text.startswith("1 files")


def test_stale_evidence_names_the_run_to_repeat(project: Path) -> None:
    path = kept("old-run", evaluator=1)
    found = told(examine_evidence())["note", "evidence"]
    assert "evaluator 1, now it is" in found
    assert f"segmodels evaluate old-run (1 files): {path}" in found


def test_evidence_of_unregistered_weights_or_images_is_bad(weights: Path) -> None:
    kept("a", origin={"released": "toy"})
    text = told(examine_evidence())["bad", "evidence"]
    assert f"weights {WEIGHTS[:12]}… are none of toy in params/weights.yaml" in text
    shutil.rmtree(paths.evidence())
    kept("a")
    about = {"classes": [], "splits": {"test": {"fingerprint": "00" * 32}}}
    write_json(description_path("toy"), about)
    assert "other images than the toy prepared here" in told(examine_evidence())["bad", "evidence"]


def test_only_deep_reads_the_counts(project: Path) -> None:
    counts = kept("a").with_suffix(".counts.jsonl")
    counts.write_text(counts.read_text().replace("000.png", "00x.png"))
    assert ("ok", "evidence") in told(examine_evidence())
    found = told(examine_evidence(deep=True))["bad", "evidence"]
    assert f"{counts}: its sha256" in found


def test_a_file_that_is_no_evidence(project: Path) -> None:
    path = kept("a")
    path.write_text("{}")
    assert "not evidence" in told(examine_evidence())["bad", "evidence"]


def test_the_command_fails_on_bad_and_prints_all(
    shapes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, _ = first("shapes", "val")
    image.write_bytes(b"")
    assert cli.main(["doctor", "--deep"]) == 1
    out = capsys.readouterr().out
    assert "bad   data shapes val: " in out
    assert "ok    data shapes train: " in out
