"""Scores from evidence beyond the verdict: classes left out, single images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels.errors import SegmodelsError
from segmodels.metrics.intervals import IntervalRule, miou_interval
from segmodels.metrics.iou import intersection_and_union, iou_from, mean_of
from segmodels.metrics.scores import score, score_per_image
from segmodels.protocols.protocol import Protocol

PLAIN, STRICT = (
    Protocol(name="plain", version=1, title="plain"),
    Protocol(name="strict", version=1, title="strict", void="error"),
)
NO_ROAD = Protocol(name="no-road", version=1, title="no-road", ignore_classes=("road",))


def dense_iou(counts: np.ndarray, protocol: Protocol) -> np.ndarray:
    """IoU (percent) from dense matrices, ignored classes as void."""
    counts = counts.copy()
    if protocol.ignore_classes:
        counts[..., 3, :] += counts[..., 1, :]
        counts[..., 1, :] = 0
    iou = 100 * iou_from(*intersection_and_union(counts, protocol.void))
    if protocol.ignore_classes:
        iou[..., 1] = np.nan
    return iou


def test_an_ignored_class_is_void_and_leaves_the_mean() -> None:
    counts = np.array([[[60, 10, 0, 0], [5, 80, 0, 10], [0, 3, 7, 0], [2, 0, 0, 0]]])
    found = score(evidence(counts), NO_ROAD)
    assert found.per_class["sky"] == pytest.approx(100 * 60 / 70)  # 5 road pixels: nobody asks
    assert math.isnan(found.per_class["road"])
    assert found.per_class["car <b>"] == pytest.approx(100 * 7 / 10)  # 3 lost to road
    assert found.miou == pytest.approx((600 / 7 + 70) / 2)
    assert found.pixel_accuracy == pytest.approx(100 * 67 / 80)
    assert found.mean_accuracy == pytest.approx((600 / 7 + 70) / 2)
    strict = score(evidence(counts), NO_ROAD.replace(void="error"))
    assert strict.per_class["sky"] == pytest.approx(100 * 60 / 77)


def test_an_unknown_ignored_class_is_refused() -> None:
    wrong = PLAIN.replace(ignore_classes=("moon",))
    for measure in (
        score,
        score_per_image,
        lambda e, p: miou_interval(e, p, IntervalRule(confidence=0.95)),
    ):
        with pytest.raises(SegmodelsError, match="names 'moon', which is no class of toy"):
            measure(evidence(), wrong)


@given(st.integers(0, 2**31), st.sampled_from([PLAIN, STRICT, NO_ROAD]))
def test_scores_of_single_images(seed: int, protocol: Protocol) -> None:
    counts = matrices(4, seed=seed)
    counts[0] = 0
    counts[1, :3] = 0
    found = score_per_image(evidence(counts), protocol)
    assert list(found) == ["000.png", "001.png", "002.png", "003.png"]
    np.testing.assert_allclose(list(found.values()), mean_of(dense_iou(counts, protocol)))
    for image, value in zip(counts, found.values(), strict=True):
        alone = score(evidence(image[None]), protocol).miou
        assert value == pytest.approx(alone, nan_ok=True)
