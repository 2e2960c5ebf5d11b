"""Ground truth resized along with the image, and void as a class."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_project
import torch
from synthetic import evidence, matrices

from segmodels import steps
from segmodels.core.arrays import VOID
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.base import Sample
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.reference import predict
from segmodels.evaluation.subject import Subject
from segmodels.evaluation.truth import compared
from segmodels.evidence import check_evidence, write_evidence
from segmodels.metrics.scores import score
from segmodels.models import create_model
from segmodels.protocols.protocol import Protocol

SQUASHED = Protocol(
    name="squashed", version=1, title="squashed", resize_fixed=(40, 56), labels_resized=True
)
CLASS = Protocol(name="class", version=1, title="class", void="class")


def test_between_two_classes_there_are_others() -> None:
    """Half a pixel of 0 beside half a pixel of void, whose number is 8, is class 4."""
    label = np.array([[0, 0, VOID, VOID]] * 2, dtype=np.uint8)
    sample = Sample("a", np.zeros((2, 4, 3), dtype=np.uint8), label)
    protocol = SQUASHED.replace(resize_fixed=(2, 6))
    found = compared(sample, protocol, classes=8)
    assert found.image.shape == (2, 6, 3)
    assert found.label[0].tolist() == [0, 0, 1, 7, VOID, VOID]
    assert compared(sample, SQUASHED.replace(labels_resized=False), classes=8) is sample


@pytest.mark.parametrize(
    ("library", "expected"),
    [("pillow", [0, 3, 3, VOID]), ("opencv", [0, 0, 3, 3])],
)
def test_the_nearest_label_is_the_librarys(library: str, expected: list[int]) -> None:
    """Pillow looks into the middle of the new pixel, OpenCV at its corner; no class is invented."""
    row = np.array([0, 0, 3, 3, 3, 3, VOID, VOID], dtype=np.uint8)[[0, 1, 2, 3, 5, 6]]
    sample = Sample("a", np.zeros((2, 6, 3), dtype=np.uint8), np.stack([row] * 2))
    protocol = SQUASHED.replace(
        resize_fixed=(2, 4), labels_resized_by="nearest", resize_library=library
    )
    found = compared(sample, protocol, classes=8)
    assert found.image.shape == (2, 4, 3)
    assert found.label.tolist() == [expected] * 2


def test_counts_are_those_of_resized_images_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.prepare("shapes")
    dataset = open_dataset("shapes", "test")
    torch.manual_seed(0)
    model = create_model("segformer_nano", len(dataset.class_names) + 1).eval()
    model.extra_outputs = 1
    about = json.loads((root / "reports/local/datasets/shapes.json").read_text())
    fingerprint = about["splits"]["test"]["fingerprint"]
    subject = Subject(model, "ab" * 32, {"made": "up"}, fingerprint)
    found, _ = evaluate(subject, dataset, SQUASHED)
    plain = Protocol(name="plain", version=1, title="plain")
    for sample, matrix in zip(dataset, found.matrices(), strict=True):
        image = cv2.resize(sample.image, (56, 40), interpolation=cv2.INTER_LINEAR)
        ids = np.where(sample.label == VOID, 8, sample.label).astype(np.uint8)
        truth = cv2.resize(ids, (56, 40), interpolation=cv2.INTER_LINEAR)
        expected = np.zeros((9, 9), dtype=np.int64)
        np.add.at(expected, (truth.ravel(), predict(model, image, plain).ravel()), 1)
        assert np.array_equal(matrix, expected)
    path = write_evidence(tmp_path / "evidence", found)
    assert check_evidence(path).key == found.key


def test_pixels_of_resized_labels_are_counted(tmp_path: Path) -> None:
    """Their sums per class are nobody's; their number is that of the size."""
    counts = matrices(3)
    wrong = evidence(counts, inference=SQUASHED.inference)
    path = write_evidence(tmp_path, wrong)
    with pytest.raises(SegmodelsError, match=r"of '000\.png', but labels resized .* have 2240"):
        check_evidence(path)


def test_void_is_a_class_of_networks_that_have_an_output_for_it() -> None:
    counts = matrices(2)
    found = score(evidence(counts), CLASS)
    total = counts.sum(axis=0)
    union = total.sum(axis=0) + total.sum(axis=1) - np.diagonal(total)
    expected = 100 * np.diagonal(total) / union
    assert list(found.per_class.values()) == pytest.approx(expected.tolist())
    assert list(found.per_class)[-1] == "void"
    assert found.miou == pytest.approx(expected.mean())
    assert found.pixel_accuracy == pytest.approx(100 * np.trace(total) / total.sum())
    with pytest.raises(SegmodelsError, match=r"'class'.*needs a network with an output for void"):
        score(evidence(matrices(2, outputs=3)), CLASS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels_resized": True}, "needs `resize_fixed` or `resize_short`"),
        ({**{"resize_fixed": 8, "labels_resized": True}, "scales": (1.0, 2.0)}, "the scale 1"),
        ({"labels_resized_by": "nearest"}, "needs `labels_resized` and OpenCV or Pillow"),
        ({"void": "class", "ignore_classes": ("sky",)}, "leave out one of them"),
    ],
)
def test_what_does_not_go_together(fields: dict[str, object], message: str) -> None:
    with pytest.raises(SegmodelsError, match=message):
        Protocol(name="a", version=1, title="a", **fields)  # type: ignore[arg-type]
