from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import THEIRS, evidence, identity, matrices

from segmodels.core.files import digest
from segmodels.errors import SegmodelsError
from segmodels.evidence import (
    Counted,
    ImageCounts,
    check_evidence,
    evidence_files,
    find_evidence,
    read_evidence,
    registered_pixels,
    write_evidence,
)
from segmodels.evidence.check import check_part
from segmodels.evidence.places import whole_of
from segmodels.protocols.protocol import Protocol

CHANGES = {
    "weights": "b2" * 32,
    "model": {"name": "espnet_p2_q8", "q": 5},
    "preprocessing": {"channels": "RGB"},
    "dataset": "other",
    "split": "val",
    "fingerprint": "0" * 64,
    "inference": Protocol(name="plain", version=1, title="plain", flip=True).inference,
    "condition": {"corruption": "fog", "severity": 3, "seed": 0},
    "images": 2,
    "precision": "bf16",
    "evaluator": 99,
}


def test_every_field_of_the_identity_changes_the_key():
    assert set(CHANGES) == {field.name for field in dataclasses.fields(identity())}
    keys = {identity(**{name: value}).key for name, value in CHANGES.items()}
    assert len({*keys, identity().key}) == len(CHANGES) + 1


def test_key_is_sixteen_hex_digits_of_the_identity_alone():
    assert len(identity().key) == 16
    assert set(identity().key) <= set("0123456789abcdef")
    assert evidence().key == evidence(origin={"trained": "run"}, expected=9).key == identity().key


def test_scoring_does_not_belong_to_the_key():
    lenient, strict = (
        Protocol(name="a", version=1, title="a"),
        Protocol(name="b", version=2, void="error", title="t", source="s"),
    )
    assert identity(inference=lenient.inference).key == identity(inference=strict.inference).key


@settings(deadline=None)
@given(arrays(np.int64, (4, 5), elements=st.integers(0, 2**40)))
def test_image_counts_survive_their_line(matrix):
    counts = ImageCounts.from_matrix("a b/ü.png", matrix)
    again = ImageCounts.from_line(counts.to_line())
    assert again == counts
    dense = np.zeros(20, np.int64)
    dense[list(again.cells)] = again.counts
    np.testing.assert_array_equal(dense.reshape(4, 5), matrix)
    assert all(counts.counts)


def test_matrices_and_total():
    counts = matrices(5)
    found = evidence(counts)
    np.testing.assert_array_equal(found.matrices(), counts)
    np.testing.assert_array_equal(found.total(), counts.sum(axis=0))
    assert found.complete
    assert not evidence(counts, expected=6).complete


def test_writing_what_was_read_gives_the_same_bytes(tmp_path):
    first = write_evidence(tmp_path / "a", evidence())
    again = read_evidence(first)
    second = write_evidence(tmp_path / "b", again)
    assert again == evidence()
    assert first.name == second.name == f"{evidence().key}.json"
    for suffix in (".json", ".counts.jsonl"):
        assert first.with_suffix(suffix).read_bytes() == second.with_suffix(suffix).read_bytes()


def test_changed_counts_are_detected(tmp_path):
    path = write_evidence(tmp_path, evidence())
    counts = path.with_suffix(".counts.jsonl")
    lines = counts.read_text().splitlines()
    line = json.loads(lines[0])
    line["counts"][0] += 1
    counts.write_text("\n".join([json.dumps(line), *lines[1:]]) + "\n")
    with pytest.raises(SegmodelsError, match="changed after they were written"):
        read_evidence(path)


def test_missing_counts_are_told(tmp_path):
    path = write_evidence(tmp_path, evidence())
    path.with_suffix(".counts.jsonl").unlink()
    with pytest.raises(SegmodelsError, match=r"counts\.jsonl: missing beside"):
        read_evidence(path)


def edit(path, change):
    head = json.loads(path.read_text())
    change(head)
    if head.get("expected_images") != math.inf:  # of which there is no digest
        head["record_sha256"] = digest({k: v for k, v in head.items() if k != "record_sha256"})
    path.write_text(json.dumps(head))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["identity"].update(weights="c3" * 32), "hashes to key"),
        (lambda h: h.update(images=5), "field 'images' says 5"),
        (lambda h: h.update(schema=4), "this version reads 3 with a field 'blocks', 2 without"),
        (lambda h: h.update(schema=3), "field 'schema' is 3"),
        (lambda h: h.update(outputs=1), "'outputs' is 1 for 3 classes"),
        (lambda h: h.update(outputs=10**12), "'outputs' is 1000000000000"),
        (lambda h: h.update(classes=["a", "a", "b"]), "names a class twice"),
        (lambda h: h.update(classes=[1, 2, 3]), "1 is no name of a class"),
        (
            lambda h: (h["identity"].update(precision="bf16"), h.update(effect={"moved": 0})),
            "not evidence of schemas 1 to 3",
        ),
        (lambda h: h.update(effect={"moved": 0, "scores": []}), "cheaper arithmetic than fp32"),
        (lambda h: h.update(expected_images=1e999), "not evidence of schemas 1 to 3"),
        (lambda h: h.pop("images"), "not evidence of schemas 1 to 3"),
        (lambda h: h.pop("key"), "not evidence of schemas 1 to 3"),
        (lambda h: h["identity"].update(evaluator="1"), "'identity.evaluator' cannot be '1'"),
        (lambda h: h.pop("software"), "not evidence of schemas 1 to 3"),
        (lambda h: h["identity"].update(colour="red"), "not evidence of schemas 1 to 3"),
    ],
)
def test_an_edited_head_is_refused(tmp_path, change, message):
    path = write_evidence(tmp_path, evidence())
    edit(path, change)
    with pytest.raises(SegmodelsError, match=message) as caught:
        read_evidence(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["counted"].update(how="evaluated"),
        lambda h: h["counted"].pop("by"),
        lambda h: h.pop("counted"),
        lambda h: h["weights_origin"].update(released="other"),
        lambda h: h["software"].update(torch="9"),
        lambda h: h.pop("record_sha256"),
    ],
)
def test_no_field_can_be_edited_in_passing(tmp_path, change):
    """Who counted, and from which weights, is as firmly written down as what was counted."""
    path = write_evidence(tmp_path, evidence(counted=THEIRS))
    head = json.loads(path.read_text())
    change(head)
    path.write_text(json.dumps(head))
    with pytest.raises(SegmodelsError, match=path.name):
        read_evidence(path)


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        (Counted("forged"), "'counted.how' is one of evaluated, checked, unknown"),
        (Counted("checked"), "'counted.by' names the third party"),
        (Counted("evaluated", by="some-lab"), "'counted.by' names the third party"),
        (Counted("checked", by=7), "'counted' holds texts alone"),
    ],
)
def test_who_counted_is_said_in_one_way(tmp_path, counted, message):
    path = write_evidence(tmp_path, evidence(counted=counted))
    with pytest.raises(SegmodelsError, match=message):
        read_evidence(path)


def test_files_of_the_first_schema_say_nothing_about_who_counted(tmp_path):
    path = write_evidence(tmp_path, evidence())
    head = json.loads(path.read_text())
    del head["counted"], head["record_sha256"]
    path.write_text(json.dumps({**head, "schema": 1}))
    found = read_evidence(path)
    assert found.counted == Counted("unknown")
    assert not found.counted.ours
    assert found.counted.third_party


@pytest.mark.parametrize("made", [None, [], {"recipe": 1}, {"overrides": "x"}])
def test_a_training_that_is_none_is_refused(tmp_path, made):
    path = write_evidence(tmp_path, evidence(origin={"trained": "x", "training": made}))
    with pytest.raises(SegmodelsError, match=r"'weights_origin\.training' is broken"):
        read_evidence(path)


def test_a_renamed_file_is_refused(tmp_path):
    path = write_evidence(tmp_path, evidence())
    other = path.with_name("0123456789abcdef.json")
    path.with_suffix(".counts.jsonl").rename(other.with_suffix(".counts.jsonl"))
    path.rename(other)
    with pytest.raises(SegmodelsError, match="not to the name it carries"):
        read_evidence(other)


def test_counts_that_are_no_counts_are_refused(tmp_path):
    path = write_evidence(tmp_path, evidence())
    path.with_suffix(".counts.jsonl").write_text("nonsense\n")
    digest = hashlib.sha256(b"nonsense\n").hexdigest()
    edit(path, lambda head: head.update(counts_sha256=digest))
    with pytest.raises(SegmodelsError, match="not evidence"):
        read_evidence(path)


def test_finding_looks_below_folders_and_passes_other_files(tmp_path):
    write_evidence(tmp_path / "run" / "plain", evidence())
    write_evidence(tmp_path / "run" / "noise", evidence(condition={"parameter_noise": 0.1}))
    (tmp_path / "run" / "record.json").write_text("{}")
    assert len(list(find_evidence(tmp_path))) == 2
    assert list(find_evidence(tmp_path / "missing")) == []


def test_a_name_of_sixteen_letters_is_no_key(tmp_path):
    (tmp_path / "my-notes-of-2024.json").write_text("{}")
    (tmp_path / "ABCDEF0123456789.json").write_text("{}")
    assert list(find_evidence(tmp_path)) == []


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"corruption": "fog", "severity": [3], "seed": 0}, r"condition\.severity"),
        ({"corruption": "fog", "severity": "3", "seed": 0}, r"condition\.severity"),
        ({"corruption": "fog", "seed": 0}, "condition' has a corruption without a severity"),
        ({"corruption": ["fog"], "severity": 3, "seed": 0}, r"condition\.corruption"),
        ({"corruption": "fog", "severity": 3, "seed": None}, r"condition\.seed"),
        ({"corruption": "fog", "severity": True, "seed": 0}, r"condition\.severity"),
        ({"parameter_noise": "0.1"}, r"condition\.parameter_noise"),
        ({"parameter_noise": {}}, r"condition\.parameter_noise"),
        ({"blur": {"sigma": 2}}, r"condition\.blur"),
    ],
)
def test_a_condition_that_is_none_is_refused(tmp_path, condition, field):
    path = write_evidence(tmp_path, evidence(condition=condition))
    with pytest.raises(SegmodelsError, match=f"identity.{field}") as caught:
        read_evidence(path)
    assert str(path) in str(caught.value)


# --- a closer look ---------------------------------------------------------------------


def rewrite(path, change):
    """Change the counts and the hash that guards them, as somebody who cheats would."""
    counts = path.with_suffix(".counts.jsonl")
    lines = [json.loads(line) for line in counts.read_text().splitlines()]
    change(lines)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    counts.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    edit(path, lambda head: head.update(counts_sha256=digest, images=len(lines)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1]["counts"].__setitem__(0, -3), r"'001.png' holds a count below 1"),
        (lambda lines: lines[1]["counts"].__setitem__(0, 0), "holds a count below 1"),
        (lambda lines: lines[1]["cells"].reverse(), "cells that do not ascend"),
        (lambda lines: lines[2].update(image="000.png"), "'000.png' is counted 2 times"),
    ],
)
def test_counts_that_mislead_cannot_be_read(tmp_path, change, message):
    path = write_evidence(tmp_path, evidence())
    rewrite(path, change)
    with pytest.raises(SegmodelsError, match=message) as caught:
        read_evidence(path)
    assert str(path) in str(caught.value)


def test_checking_finds_images_that_are_missing(tmp_path):
    path = write_evidence(tmp_path, evidence())
    check_evidence(path)
    rewrite(path, lambda lines: lines.pop())
    read_evidence(path)
    with pytest.raises(SegmodelsError, match="5 images are counted, 6 were asked for"):
        check_evidence(path)


@pytest.mark.parametrize(
    ("made", "field"),
    [({"model": "unet"}, "name"), ({"model": "espnet_p2_q8", "overrides": {"q": 3}}, "q")],
)
def test_weights_of_one_network_are_not_those_of_another(tmp_path, made, field):
    model = {"name": "espnet_p2_q8", "q": 8}
    found = evidence(model=model, origin={"trained": "x", "training": made})
    path = write_evidence(tmp_path, found)
    with pytest.raises(SegmodelsError, match=f"'identity.model' has {field} "):
        read_evidence(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1]["counts"].__setitem__(0, 2.0), "no whole numbers"),
        (lambda lines: lines[1]["counts"].__setitem__(0, 10**30), "more pixels than any image"),
        (lambda lines: lines[1]["cells"].__setitem__(0, 0.5), "no whole numbers"),
        (lambda lines: lines[1]["cells"].__setitem__(0, "a"), "not evidence of schemas 1 to 3"),
        (lambda lines: lines[1].update(image=["x"]), "is no name of a class or an image"),
    ],
)
def test_reading_refuses_what_nobody_can_count_with(tmp_path, change, message):
    path = write_evidence(tmp_path, evidence())
    rewrite(path, change)
    with pytest.raises(SegmodelsError, match=message):
        read_evidence(path)


def test_classes_under_other_names_do_not_escape_the_labels(tmp_path, described):
    path = write_evidence(tmp_path, evidence())
    edit(path, lambda head: head.update(classes=["one", "two", "three"]))
    check_evidence(path)
    with pytest.raises(SegmodelsError, match="'classes' is not that of"):
        check_evidence(path, described)


@pytest.fixture
def described(tmp_path):
    """What `prepare` would have written about the toy split."""
    names, rows = ("sky", "road", "car <b>", "void"), evidence().total().sum(axis=1)
    split = {
        "images": 6,
        "fingerprint": evidence().identity.fingerprint,
        "pixels": dict(zip(names, map(int, rows), strict=True)),
    }
    about = {"dataset": "toy", "classes": list(names[:3]), "splits": {"test": split}}
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "toy.json").write_text(json.dumps(about))
    return tmp_path / "datasets"


def test_counts_add_up_to_the_pixels_of_the_labels(tmp_path, described):
    path = write_evidence(tmp_path, evidence())
    assert check_evidence(path, described) == evidence()
    assert registered_pixels(evidence(), described)["void"] == evidence().total()[-1].sum()
    rewrite(path, lambda lines: lines[3]["counts"].__setitem__(0, lines[3]["counts"][0] + 1))
    check_evidence(path)
    with pytest.raises(SegmodelsError, match="pixels are counted as 'sky', but the labels of toy"):
        check_evidence(path, described)


def test_labels_that_are_not_here_are_not_compared(tmp_path, described):
    for other in (
        evidence(dataset="unprepared"),
        evidence(split="val"),
        evidence(fingerprint="0" * 64),
        evidence(expected=9),
    ):
        assert registered_pixels(other, described) is None
    path = write_evidence(tmp_path, evidence(fingerprint="0" * 64))
    check_evidence(path, described)


def test_all_evidence_of_this_project_is_in_order():
    """Counts that are committed add up to the pixels of the labels, class by class, unless those
    were resized; those of a part of a split to what undisturbed evidence has of the same images.
    """
    reports = Path(__file__).resolve().parents[2] / "reports"
    files = evidence_files(reports / "evidence")
    assert files
    by_key = {file.stem: file for file in files}
    for file in files:
        found = check_evidence(file, reports / "datasets")
        resized = bool(found.identity.inference.get("labels_resized"))
        part = found.identity.every > 1
        assert (registered_pixels(found, reports / "datasets") is None) == (resized or part)
        if part:
            check_part(file, found, read_evidence(by_key[whole_of(found.identity)]))
