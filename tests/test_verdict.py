from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels.claims import Claim
from segmodels.errors import SegmodelsError
from segmodels.metrics import intersection_and_union, iou_from, mean_of
from segmodels.protocols import Protocol
from segmodels.verdict import (
    STATUSES,
    Bootstrap,
    VerdictSettings,
    bootstrap_interval,
    judge,
    load_verdict_settings,
    measure,
    score,
)

PLAIN, STRICT = Protocol("plain", 1), Protocol("strict", 1, void="error")
RULES = VerdictSettings(version=1, released=0.1, retrained=1.0, bootstrap=Bootstrap(200, 0.95))


def claim(value=50.0, decimals=2, **fields):
    base = Claim("toy", "toy", "Toy", "m", "toy", "test", "mIoU", value, decimals, "plain", "here")
    return dataclasses.replace(base, **fields)


def half_right(**fields):
    """mIoU of exactly 50 %: one class, half of its pixels found."""
    return evidence(np.array([[[500, 500], [0, 0]]]), **fields)


def test_score_under_two_protocols():
    counts = np.array([[[60, 10, 0, 0], [0, 80, 0, 10], [0, 0, 0, 0], [5, 0, 7, 0]]])
    lenient, strict = score(evidence(counts), PLAIN), score(evidence(counts), STRICT)
    assert lenient.per_class["sky"] == pytest.approx(100 * 60 / 70)
    assert lenient.per_class["road"] == pytest.approx(100 * 80 / 100)
    assert math.isnan(lenient.per_class["car <b>"])
    assert lenient.miou == pytest.approx((600 / 7 + 80) / 2)
    assert strict.per_class["sky"] == pytest.approx(100 * 60 / 75)
    assert strict.per_class["car <b>"] == 0.0  # predicted on void only: a false positive
    assert strict.miou == pytest.approx((80 + 80 + 0) / 3)
    for seen in (lenient, strict):  # over labelled pixels, whatever void is worth
        assert seen.pixel_accuracy == pytest.approx(100 * 140 / 160)
        assert seen.mean_accuracy == pytest.approx(100 * (60 / 70 + 80 / 90) / 2)


def test_score_of_nothing_is_nan():
    nothing = score(evidence(np.zeros((2, 4, 4), np.int64)), PLAIN)
    assert math.isnan(nothing.miou)
    assert math.isnan(nothing.pixel_accuracy)
    assert math.isnan(nothing.mean_accuracy)


@pytest.mark.parametrize(
    ("value", "decimals", "status"),
    [
        (50.0, 2, "verified"),
        (50.105, 2, "verified"),
        (50.106, 2, "below"),
        (49.895, 2, "verified"),
        (49.894, 2, "better"),
        (50.15, 1, "verified"),
        (50.16, 1, "below"),
        (50.6, 0, "verified"),
        (49.4, 0, "verified"),
        (50.61, 0, "below"),
    ],
)
def test_tolerance_is_a_setting_plus_the_rounding_of_the_print(value, decimals, status):
    verdict = judge(claim(value, decimals), PLAIN, half_right(), None, RULES)
    assert verdict.status == status
    assert verdict.verified == 50.0
    assert verdict.gap == pytest.approx(50 - value)
    assert verdict.tolerance == pytest.approx(0.1 + 0.5 / 10**decimals)
    assert verdict.level == "released weights"


def test_weights_trained_here_have_their_own_tolerance_and_level():
    trained = half_right(origin={"trained": "run", "recipe": "r", "seed": 0})
    verdict = judge(claim(50.9), PLAIN, trained, None, RULES)
    assert (verdict.status, verdict.level) == ("verified", "retrained (1 seed)")


def test_blocked_and_unverified_say_why():
    blocked = judge(claim(), PLAIN, None, "The weights are lost.", RULES)
    assert (blocked.status, blocked.reason) == ("blocked", "The weights are lost.")
    unverified = judge(claim(), PLAIN, None, None, RULES)
    assert unverified.status == "unverified"
    assert "segmodels verify toy" in unverified.reason
    assert (unverified.verified, unverified.gap, unverified.interval) == (None, None, None)


def test_evidence_beats_an_obstacle():
    verdict = judge(claim(), PLAIN, half_right(), "The dataset is gated.", RULES)
    assert verdict.status == "verified"


def test_partial_and_stale_show_numbers_but_are_not_verified():
    partial = judge(claim(), PLAIN, half_right(expected=9), None, RULES)
    assert partial.status == "partial"
    assert "1 of 9 images" in partial.reason
    stale = judge(claim(), PLAIN, half_right(evaluator=0, expected=9), None, RULES)
    assert stale.status == "stale"
    assert "evaluator 0" in stale.reason
    assert partial.gap == stale.gap == 0.0


def test_a_metric_nobody_measures_is_told():
    verdict = judge(claim(metric="GFLOPs"), PLAIN, half_right(), None, RULES)
    assert verdict.status == "unverified"
    assert "GFLOPs" in verdict.reason


def test_evidence_without_labels_verifies_nothing():
    empty = evidence(np.zeros((2, 4, 4), np.int64))
    verdict = judge(claim(), PLAIN, empty, None, RULES)
    assert (verdict.status, verdict.verified) == ("unverified", None)
    assert verdict.reason


def test_measured_gives_its_reason():
    verdict = measure(PLAIN, half_right(), "No paper prints it.", "segmodels evaluate x", RULES)
    assert (verdict.status, verdict.reason) == ("measured", "No paper prints it.")
    assert verdict.gap is None


@pytest.mark.parametrize(
    ("made", "protocol"),
    [
        (half_right(dataset="other"), PLAIN),
        (half_right(split="val"), PLAIN),
        (half_right(inference=Protocol("x", 1, flip=True).inference), PLAIN),
        (half_right(condition={"corruption": "fog", "severity": 1}), PLAIN),
        (half_right(), STRICT),
    ],
)
def test_evidence_of_something_else_is_refused(made, protocol):
    with pytest.raises(SegmodelsError, match="does not answer claim 'toy'"):
        judge(claim(), protocol, made, None, RULES)


def test_interval_is_deterministic_and_holds_the_score():
    found = evidence(matrices(40))
    first = bootstrap_interval(found, PLAIN, RULES.bootstrap)
    assert first == bootstrap_interval(found, PLAIN, RULES.bootstrap)
    assert first[0] < score(found, PLAIN).miou < first[1]
    other = evidence(matrices(40), fingerprint="0" * 64)
    assert bootstrap_interval(other, PLAIN, RULES.bootstrap) != first


def test_interval_keeps_its_value_on_every_machine():
    found = evidence(matrices(6), evaluator=1)  # the key is the seed
    low, high = bootstrap_interval(found, PLAIN, RULES.bootstrap)
    assert (round(low, 6), round(high, 6)) == (68.704146, 74.410141)


def test_equal_images_have_an_interval_without_width():
    same = evidence(np.repeat(matrices(1), 9, axis=0))
    low, high = bootstrap_interval(same, PLAIN, RULES.bootstrap)
    assert low == high == pytest.approx(score(same, PLAIN).miou)


def test_no_images_have_no_interval():
    nothing = dataclasses.replace(evidence(), images=())
    assert all(map(math.isnan, bootstrap_interval(nothing, PLAIN, RULES.bootstrap)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 150), st.integers(0, 2**31), st.sampled_from([PLAIN, STRICT]))
def test_interval_equals_drawing_images_one_by_one(number, seed, protocol):
    """More than one chunk of images, rare classes, and a loop as second implementation."""
    counts = matrices(number, seed=seed)
    counts[1:, 2, :] = 0  # a class that many draws miss
    counts[1:, :, 2] = 0
    found = evidence(counts)
    drawing = Bootstrap(20, 0.9)
    key = found.key
    generator = np.random.RandomState([int(key[:8], 16), int(key[8:], 16)])
    weights = generator.multinomial(number, np.full(number, 1 / number), size=20)
    scores = [
        100
        * mean_of(iou_from(*intersection_and_union(np.repeat(counts, w, 0).sum(0), protocol.void)))
        for w in weights
    ]
    expected = np.percentile(scores, [5, 95])
    np.testing.assert_allclose(bootstrap_interval(found, protocol, drawing), expected, rtol=1e-12)


def test_the_settings_of_this_project():
    rules = load_verdict_settings()
    assert 0 < rules.released < rules.retrained
    assert rules.bootstrap == Bootstrap(1000, 0.95)
    assert set(STATUSES) >= {"verified", "better", "below", "partial", "blocked", "unverified"}


@pytest.mark.parametrize(
    ("tolerance", "bootstrap", "message"),
    [
        ("{released: -1, retrained: 1}", "{resamples: 9, confidence: 0.9}", "negative"),
        ("{released: 1, retrained: 1}", "{resamples: 0, confidence: 0.9}", "at least 1"),
        ("{released: 1, retrained: 1}", "{resamples: 9, confidence: 95}", "between 0 and 1"),
        ("{relased: 1, retrained: 1}", "{resamples: 9, confidence: 0.9}", "'released' is missing"),
        ("{released: 1, retrained: 1}", "", "'bootstrap' is missing"),
    ],
)
def test_broken_settings_are_named(tmp_path, tolerance, bootstrap, message):
    path = tmp_path / "verdict.yaml"
    path.write_text(f"version: 1\ntolerance: {tolerance}\nbootstrap: {bootstrap}\n")
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_verdict_settings(path)
    assert "verdict.yaml" in str(caught.value)
