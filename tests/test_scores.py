"""Scores from evidence beyond the verdict: classes left out, single images, paired intervals."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels import scores
from segmodels.errors import SegmodelsError
from segmodels.metrics import intersection_and_union, iou_from, mean_of
from segmodels.protocols import Protocol
from segmodels.scores import (
    Bootstrap,
    bootstrap_interval,
    paired_bootstrap,
    score,
    score_per_image,
)

PLAIN, STRICT = Protocol("plain", 1), Protocol("strict", 1, void="error")
NO_ROAD = Protocol("no-road", 1, ignore_classes=("road",))
DRAWING = Bootstrap(300, 0.95)


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
    for measure in (score, score_per_image, lambda e, p: bootstrap_interval(e, p, DRAWING)):
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


@pytest.mark.parametrize("protocol", [PLAIN, STRICT, NO_ROAD])
def test_the_size_of_chunks_decides_nothing(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evidence(matrices(40))
    expected = bootstrap_interval(found, protocol, DRAWING)
    for chunk in (1, 7, 1000):
        monkeypatch.setattr(scores, "_CHUNK", chunk)
        assert bootstrap_interval(found, protocol, DRAWING) == expected
    low, high = expected
    assert low < score(found, protocol).miou < high


# --- two models on the same images -------------------------------------------------------


def pair(images: int = 40, gain: int = 3):
    """Evidence of two models; the second is a little better on every image."""
    counts = matrices(images)
    hard = np.random.default_rng(1).integers(0, 200, images)  # images differ more than models
    counts[:, 0, 1] += hard
    better = counts.copy()
    for c in range(3):
        better[:, c, c] += gain
        better[:, c, 3] += 20 - gain
        counts[:, c, 3] += 20
    return evidence(better, weights="b" * 64), evidence(counts, weights="c" * 64)


def test_a_paired_interval_sees_what_two_intervals_cannot() -> None:
    better, worse = pair()
    low, high = paired_bootstrap(better, worse, PLAIN, DRAWING)
    assert 0 < low < score(better, PLAIN).miou - score(worse, PLAIN).miou < high
    one, other = (bootstrap_interval(e, PLAIN, DRAWING) for e in (better, worse))
    assert one[0] < other[1]  # they overlap
    assert high - low < 0.2 * (one[1] - one[0])


def test_exchanging_the_two_exchanges_the_ends() -> None:
    better, worse = pair()
    low, high = paired_bootstrap(better, worse, PLAIN, DRAWING)
    np.testing.assert_allclose(paired_bootstrap(worse, better, PLAIN, DRAWING), (-high, -low))
    assert paired_bootstrap(better, worse, PLAIN, DRAWING) == (low, high)


def test_nothing_differs_from_itself() -> None:
    one = evidence()
    assert paired_bootstrap(one, one, STRICT, DRAWING) == (0, 0)


def test_both_are_drawn_with_the_same_images() -> None:
    """A loop as second implementation."""
    better, worse = pair(9)
    generator = np.random.RandomState(scores.paired_seed(better, worse))
    weights = generator.multinomial(9, np.full(9, 1 / 9), size=50)
    dense = [e.matrices() for e in (better, worse)]
    drawn = [
        mean_of(dense_iou(np.repeat(dense[0], w, 0).sum(0), STRICT))
        - mean_of(dense_iou(np.repeat(dense[1], w, 0).sum(0), STRICT))
        for w in weights
    ]
    found = paired_bootstrap(better, worse, STRICT, Bootstrap(50, 0.9))
    np.testing.assert_allclose(found, np.percentile(drawn, [5, 95]), rtol=1e-9)


def test_other_inference_is_welcome_other_images_are_not() -> None:
    one = evidence()
    flipped = evidence(inference=PLAIN.replace(flip=True).inference)
    paired_bootstrap(one, flipped, PLAIN, DRAWING)
    renamed = dataclasses.replace(one.images[0], image="x.png")
    others = {
        "dataset": evidence(dataset="other"),
        "split": evidence(split="val"),
        "fingerprint": evidence(fingerprint="0" * 64),
        "images": dataclasses.replace(one, images=(renamed, *one.images[1:])),
        "classes": dataclasses.replace(one, classes=("a", "b", "c")),
    }
    for field, other in others.items():
        with pytest.raises(SegmodelsError, match=f"their {field} differ"):
            paired_bootstrap(one, other, PLAIN, DRAWING)
    with pytest.raises(SegmodelsError, match="their images differ"):
        paired_bootstrap(one, evidence(matrices(5)), PLAIN, DRAWING)


def test_no_labelled_pixel_no_interval() -> None:
    nothing = evidence(np.zeros((3, 4, 4), np.int64))
    assert all(map(math.isnan, paired_bootstrap(nothing, nothing, PLAIN, DRAWING)))
    none = dataclasses.replace(nothing, images=())
    assert all(map(math.isnan, paired_bootstrap(none, none, PLAIN, DRAWING)))
