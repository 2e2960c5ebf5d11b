from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import evidence, identity, matrices

from segmodels.errors import SegmodelsError
from segmodels.evidence import ImageCounts, find_evidence, read_evidence, write_evidence
from segmodels.protocols import Protocol

CHANGES = {
    "weights": "b2" * 32,
    "model": {"name": "espnet_p2_q8", "q": 5},
    "preprocessing": {"channels": "RGB"},
    "dataset": "other",
    "split": "val",
    "fingerprint": "0" * 64,
    "inference": Protocol("plain", 1, flip=True).inference,
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
    lenient, strict = Protocol("a", 1), Protocol("b", 2, void="error", title="t", source="s")
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
    path.write_text(json.dumps(head))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["identity"].update(weights="c3" * 32), "hashes to key"),
        (lambda h: h.update(images=5), "field 'images' says 5"),
        (lambda h: h.update(schema=2), "this version reads 1"),
        (lambda h: h.update(outputs=1), "cells outside its matrix"),
        (lambda h: h.pop("software"), "not evidence of schema 1"),
        (lambda h: h["identity"].update(colour="red"), "not evidence of schema 1"),
    ],
)
def test_an_edited_head_is_refused(tmp_path, change, message):
    path = write_evidence(tmp_path, evidence())
    edit(path, change)
    with pytest.raises(SegmodelsError, match=message) as caught:
        read_evidence(path)
    assert str(path) in str(caught.value)


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
