from __future__ import annotations

import importlib.util
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import confusion_matrix, count_pairs
from segmodels.metrics.iou import (
    intersection_and_union,
    iou_from,
    iou_per_class,
    mean_accuracy,
    mean_iou,
    mean_of,
    pixel_accuracy,
)

CLASSES, OUTPUTS, VOID = 3, 4, 255
LABELS = st.sampled_from([0, 1, 2, VOID])


@st.composite
def image_pairs(draw, outputs=OUTPUTS):
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    label = draw(arrays(np.uint8, shape, elements=LABELS))
    return label, draw(arrays(np.uint8, shape, elements=st.integers(0, outputs - 1)))


def iou_in_plain_python(pixels, void):
    """The definition, pixel by pixel: the second implementation everything is held against."""
    result = []
    for c in range(CLASSES + (void == "class")):
        both = either = 0
        for labelled, guess in pixels:
            if labelled == VOID and void == "ignore":
                continue
            truth = CLASSES if labelled == VOID and void == "class" else labelled
            both += truth == c and guess == c
            either += c in (truth, guess)
        result.append(both / either if either else math.nan)
    return result


@settings(deadline=None)
@given(
    st.lists(image_pairs(), min_size=1, max_size=4), st.sampled_from(["ignore", "error", "class"])
)
def test_summed_counts_score_like_all_pixels_together(images, void):
    counts = sum(count_pairs(label, guess, CLASSES, OUTPUTS) for label, guess in images)
    pixels = [p for lab, out in images for p in zip(lab.flat, out.flat, strict=True)]
    expected = iou_in_plain_python(pixels, void)
    found = iou_from(*intersection_and_union(counts, void))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    present = [iou for iou in expected if not math.isnan(iou)]
    mean = sum(present) / len(present) if present else math.nan
    assert float(mean_of(found)) == pytest.approx(mean, nan_ok=True)


@settings(deadline=None)
@given(image_pairs(outputs=CLASSES))
def test_square_matrix_agrees_with_the_tall_one(pair):
    square = confusion_matrix(*pair, CLASSES)
    tall = count_pairs(*pair, CLASSES, CLASSES)
    np.testing.assert_array_equal(
        iou_per_class(square), iou_from(*intersection_and_union(tall, "ignore"))
    )


@settings(deadline=None)
@given(image_pairs())
def test_void_as_error_only_adds_to_unions(pair):
    counts = count_pairs(*pair, CLASSES, OUTPUTS)
    same, small = intersection_and_union(counts, "ignore")
    also, large = intersection_and_union(counts, "error")
    np.testing.assert_array_equal(same, also)
    np.testing.assert_array_equal(large - small, counts[CLASSES, :CLASSES])


@settings(deadline=None)
@given(image_pairs())
def test_every_pixel_is_counted_once_and_inputs_stay(pair):
    label, guess = pair
    before = label.copy(), guess.copy()
    assert count_pairs(label, guess, CLASSES, OUTPUTS).sum() == label.size
    np.testing.assert_array_equal(label, before[0])
    np.testing.assert_array_equal(guess, before[1])


def test_per_image_counts_broadcast():
    counts = np.random.default_rng(0).integers(0, 9, (5, CLASSES + 1, OUTPUTS))
    stacked = intersection_and_union(counts, "error")
    for i in range(5):
        one = intersection_and_union(counts[i], "error")
        np.testing.assert_array_equal(stacked[0][i], one[0])
        np.testing.assert_array_equal(stacked[1][i], one[1])


def test_an_absent_class_is_left_out_not_scored_zero():
    counts = confusion_matrix(np.array([0, 0, 1]), np.array([0, 0, 1]), 3)
    assert np.isnan(iou_per_class(counts)).tolist() == [False, False, True]
    assert mean_iou(counts) == 1.0


def test_a_class_only_predicted_scores_zero():
    counts = confusion_matrix(np.array([0, 0]), np.array([0, 2]), 3)
    assert iou_per_class(counts)[2] == 0.0
    assert mean_iou(counts) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("label", "prediction", "field"),
    [
        ([0, 1], [0, 3], "prediction"),  # would spill into the next row
        ([0, 1], [0, -1], "prediction"),
        ([0, 3], [0, 1], "label"),  # equal to the class count: the last histogram bin is closed
        ([0, -1], [0, 1], "label"),
        ([0, 254], [0, 1], "label"),
    ],
)
def test_values_outside_their_range_are_refused(label, prediction, field):
    with pytest.raises(SegmodelsError, match=f"{field} holds"):
        confusion_matrix(np.array(label), np.array(prediction), 3)


def test_void_is_no_prediction():
    with pytest.raises(SegmodelsError, match="prediction holds 255"):
        confusion_matrix(np.array([0]), np.array([255]), 3)


def test_shapes_and_types_are_checked():
    with pytest.raises(SegmodelsError, match=r"\(2,\) but prediction is \(3,\)"):
        confusion_matrix(np.zeros(2, int), np.zeros(3, int), 3)
    with pytest.raises(SegmodelsError, match="integers, not float64"):
        confusion_matrix(np.zeros(2), np.zeros(2, int), 3)
    with pytest.raises(
        SegmodelsError, match=r"'counts': expected a .* \(C, C\) .*found int64 \(3, 4\)"
    ):
        mean_iou(np.zeros((3, 4), np.int64))


def test_another_ignore_index_may_lie_inside_the_class_range():
    counts = confusion_matrix(np.array([0, 1, 2]), np.array([1, 1, 1]), 3, ignore_index=0)
    assert counts.sum() == 2
    assert counts[0].sum() == 0


def test_accuracies():
    counts = np.array([[3, 1], [0, 4]])
    assert pixel_accuracy(counts) == pytest.approx(7 / 8)
    assert mean_accuracy(counts) == pytest.approx((3 / 4 + 1) / 2)
    assert math.isnan(pixel_accuracy(np.zeros((2, 2), np.int64)))
    assert math.isnan(mean_iou(np.zeros((2, 2), np.int64)))


def test_counts_do_not_overflow_small_types():
    label = np.zeros(70_000, np.uint8)
    assert confusion_matrix(label, label, 2)[0, 0] == 70_000


def _reference(mirror):
    path = mirror / "reference" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference_vectors", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reduced(label):
    """Zero-label reduction as the datasets do it, without touching the input."""
    return np.where(label == 0, 255, label.astype(np.int64) - 1)


def test_scores_equal_those_of_the_official_code(mirror):
    reference = _reference(mirror)
    cases = json.loads((mirror / "reference" / "cases" / "eval_miou.json").read_text())["cases"]
    for case in cases:
        classes, counts = case["num_classes"], 0
        for spec in case["maps"]:
            raw = reference.label_map(spec["gt"])
            prediction = reference.prediction_map(spec["pred"], raw)
            label = _reduced(raw) if case["reduce_zero_label"] else raw
            counts = counts + confusion_matrix(label, prediction, classes, case["ignore_index"])
        for expected in case["expected"].values():
            np.testing.assert_array_equal(np.diagonal(counts), expected["intersect"])
            iou = np.array(expected["IoU"], dtype=np.float64)  # null is NaN
            np.testing.assert_allclose(iou_per_class(counts), iou, rtol=1e-12)
            assert mean_iou(counts) == pytest.approx(expected["mIoU"], rel=1e-12)
            assert pixel_accuracy(counts) == pytest.approx(expected["aAcc"], rel=1e-12)
            assert mean_accuracy(counts) == pytest.approx(expected["mAcc"], rel=1e-12)
