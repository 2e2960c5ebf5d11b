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
from segmodels.obstacles import Obstacle
from segmodels.protocols import Protocol
from segmodels.rules import ObstacleRule, Rules, Tolerance, load_rules
from segmodels.scores import Bootstrap, bootstrap_interval, mean_interval, score
from segmodels.severities import Severities
from segmodels.verdict import (
    STATUSES,
    Answer,
    blocked,
    judge,
    judge_corrupted,
    judge_cost,
    measure,
)

PLAIN, STRICT = Protocol("plain", 1), Protocol("strict", 1, void="error")
RULES = Rules(
    version=1,
    released=Tolerance(0.1),
    retrained=Tolerance(0.5, interval=1.0),
    third_party=Tolerance(0.2),
    bootstrap=Bootstrap(200, 0.95),
    obstacles={
        "weights unpublished": ObstacleRule("nobody gave them out", "ask the authors"),
        "gated data": ObstacleRule("a login", "register"),
    },
)
GATED = Obstacle("gated data", "The images want a login.")


def claim(value=50.0, decimals=2, **fields):
    base = {
        "id": "toy",
        "paper": "toy",
        "title": "Toy",
        "model": "m",
        "dataset": "toy",
        "split": "test",
        "metric": "mIoU",
        "protocol": "plain",
        "image_size": (512, 512),
        "source": "here",
    }
    return Claim.model_validate({**base, "value": value, "decimals": decimals, **fields})


def released(*evidences):
    return Answer(tuple(evidences), "released")


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
        (50.10, 2, "verified"),
        (50.11, 2, "below"),
        (49.90, 2, "verified"),
        (49.89, 2, "better"),
        (50.1, 1, "verified"),
        (50.2, 1, "below"),
        (49.8, 1, "better"),
        (50, 0, "verified"),
        (51, 0, "below"),
        (49, 0, "better"),
    ],
)
def test_tolerance_is_a_setting_plus_the_rounding_of_the_print(value, decimals, status):
    verdict = judge(claim(value, decimals), PLAIN, released(half_right()), [], RULES)
    assert verdict.status == status
    assert verdict.verified == 50.0
    assert verdict.gap == pytest.approx(50 - value)
    assert verdict.tolerance == pytest.approx(0.1 + 0.5 / 10**decimals)
    assert verdict.level == "released weights"


def seeds(*rights):
    """Evidence of one image per seed: `right` of 1000 pixels are found, mIoU is right / 10."""
    return [
        evidence(
            np.array([[[right, 1000 - right], [0, 0]]]),
            origin={"trained": "run", "recipe": "r", "seed": seed},
            weights=f"{seed:064x}",
        )
        for seed, right in enumerate(rights)
    ]


def test_weights_trained_here_have_their_own_tolerance_and_level():
    answer = Answer(tuple(seeds(500)), "retrained")
    verdict = judge(claim(50.4), PLAIN, answer, [], RULES)
    assert (verdict.status, verdict.level) == ("verified", "retrained (1 seed)")
    assert judge(claim(50.6), PLAIN, answer, [], RULES).status == "below"


def test_several_seeds_are_judged_by_their_mean():
    verdict = judge(claim(50.4), PLAIN, Answer(tuple(seeds(490, 500, 510)), "retrained"), [], RULES)
    assert verdict.level == "retrained (3 seeds, 50.00 ± 1.00)"
    assert verdict.verified == pytest.approx(50)
    assert verdict.seeds == pytest.approx((49, 50, 51))


def test_the_interval_widens_the_tolerance_of_retrained_weights():
    two = evidence(np.array([[[400, 600], [0, 0]], [[600, 400], [0, 0]]]))
    verdict = judge(claim(50.0), PLAIN, Answer((two,), "retrained"), [], RULES)
    low, high = verdict.interval
    assert verdict.tolerance == pytest.approx(0.005 + 0.5 + (high - low) / 2)
    same = judge(claim(50.0), PLAIN, released(two), [], RULES)
    assert same.tolerance == pytest.approx(0.005 + 0.1)


def test_third_parties_have_their_own_tolerance_and_name():
    verdict = judge(claim(50.2), PLAIN, Answer((half_right(),), "third_party", "lab"), [], RULES)
    assert (verdict.status, verdict.level) == ("verified", "third party (lab)")
    assert verdict.tolerance == pytest.approx(0.205)


def test_blocked_tells_every_reason_and_what_would_help():
    lost = Obstacle("weights unpublished", "The weights are unpublished.")
    verdict = blocked([GATED, lost], RULES)
    assert verdict.obstacle == "weights unpublished"  # the rules name it first
    assert verdict.reason == (
        "The weights are unpublished. The images want a login. To change that: ask the authors."
    )
    assert judge(claim(), PLAIN, None, [GATED, lost], RULES) == verdict
    with pytest.raises(SegmodelsError, match="obstacle 'gone' is missing"):
        blocked([Obstacle("gone", "It is gone.")], RULES)


def test_unverified_says_how():
    verdict = judge(claim(), PLAIN, None, [], RULES)
    assert verdict.status == "unverified"
    assert "segmodels verify toy" in verdict.reason
    assert (verdict.verified, verdict.gap, verdict.interval) == (None, None, None)


def test_evidence_beats_an_obstacle():
    assert judge(claim(), PLAIN, released(half_right()), [GATED], RULES).status == "verified"


def test_partial_and_stale_show_numbers_but_are_not_verified():
    partial = judge(claim(), PLAIN, released(half_right(expected=9)), [], RULES)
    assert partial.status == "partial"
    assert "1 of 9 images" in partial.reason
    assert "inside the interval" in partial.reason
    assert "outside" in judge(claim(9), PLAIN, released(half_right(expected=9)), [], RULES).reason
    stale = judge(claim(), PLAIN, released(half_right(evaluator=0, expected=9)), [], RULES)
    assert stale.status == "stale"
    assert "evaluator 0" in stale.reason
    assert partial.gap == stale.gap == 0.0


def test_accuracies_are_judged_from_the_same_counts():
    counts = np.array([[[60, 20, 0, 0], [0, 20, 0, 0], [0, 0, 0, 0], [9, 9, 9, 9]]])
    found = evidence(counts)
    mean = judge(claim(87.5, 1, metric="mAcc"), PLAIN, released(found), [], RULES)
    pixels = judge(claim(80.5, 1, metric="aAcc"), PLAIN, released(found), [], RULES)
    assert (mean.status, mean.verified) == ("verified", pytest.approx((75 + 100) / 2))
    assert (pixels.status, pixels.verified) == ("below", pytest.approx(80))
    assert mean.interval is pixels.interval is None


@pytest.mark.parametrize(
    ("counted", "status"),
    [(8.44, "verified"), (8.36, "verified"), (8.46, "better"), (8.3, "below")],
)
def test_costs_are_judged_by_rounding_alone(counted, status):
    verdict = judge_cost(claim(8.4, 1, metric="GFLOPs"), counted, [], RULES)
    assert (verdict.status, verdict.level) == (status, "counted")
    assert verdict.gap == pytest.approx(counted - 8.4)


def test_a_number_read_off_a_figure_has_the_width_of_the_pen():
    verdict = judge_cost(claim(8.4, 1, metric="GFLOPs", uncertainty=0.3), 8.7, [], RULES)
    assert verdict.status == "verified"
    assert verdict.tolerance == pytest.approx(0.35)


def test_costs_nobody_counted_or_can_count():
    assert judge_cost(claim(metric="GFLOPs"), None, [], RULES).status == "unverified"
    assert judge_cost(claim(metric="fps"), None, [GATED], RULES).obstacle == "gated data"


def corrupted(severity, right, name="fog", **fields):
    condition = {"corruption": name, "severity": severity, "seed": 0}
    counts = np.array([[[right, 1000 - right], [0, 0]]])
    return evidence(counts, condition=condition, **fields)


def test_a_corruption_is_the_mean_over_its_severities():
    asked = claim(50.0, metric="mIoU-c", corruption="fog")
    copies = [corrupted(severity, 400 + 50 * (severity - 1)) for severity in range(1, 6)]
    verdict = judge_corrupted(asked, PLAIN, [*copies, corrupted(3, 0, "snow")], [], RULES)
    assert (verdict.status, verdict.verified) == ("verified", 50.0)
    part = judge_corrupted(asked, PLAIN, copies[1:], [], RULES)
    assert (part.status, part.gap) == ("partial", pytest.approx(2.5))
    assert "4 of 5 severities" in part.reason
    assert judge_corrupted(asked, PLAIN, [], [GATED], RULES).status == "blocked"
    first = [corrupted(3, 500, images=1)]  # of some images only
    assert judge_corrupted(asked, PLAIN, first, [], RULES).status == "unverified"


def test_seeds_of_a_corruption_are_averaged_and_none_overwrites_another():
    asked = claim(50, metric="mIoU-c", corruption="fog")
    one, other = (
        [seeded(severity, seed, 300 + 200 * seed) for severity in range(1, 6)] for seed in (0, 1)
    )
    apart = [judge_corrupted(asked, PLAIN, copies, [], RULES).verified for copies in (one, other)]
    together = judge_corrupted(asked, PLAIN, [*one, *other], [], RULES)
    assert apart[0] < apart[1]
    assert together.verified == pytest.approx(np.mean(apart))
    assert together.reason.endswith("Each severity is the mean of 2 seeds.")


def seeded(severity, seed, right):
    condition = {"corruption": "fog", "severity": severity, "seed": seed}
    return evidence(matrices(6, right=right, seed=severity), condition=condition)


def corrupted_images(severity, seed, **fields):
    condition = {"corruption": "fog", "severity": severity, "seed": 0}
    return evidence(matrices(30, right=90 - 9 * severity, seed=seed), condition=condition, **fields)


def test_the_mean_over_severities_has_an_interval_of_images_drawn_together():
    asked = claim(50.0, metric="mIoU-c", corruption="fog")
    copies = [corrupted_images(severity, severity) for severity in range(1, 6)]
    found = judge_corrupted(asked, PLAIN, copies, [], RULES)
    assert found.interval == mean_interval(copies, PLAIN, RULES.bootstrap)
    low, high = found.interval
    assert low < found.verified < high
    others = [*copies[:4], dataclasses.replace(copies[4], images=copies[4].images[1:])]
    assert judge_corrupted(asked, PLAIN, others, [], RULES).interval is None  # not the same images


def test_corruptions_without_labels_verify_nothing():
    empty = np.zeros((2, 4, 4), np.int64)
    conditions = ({"corruption": "fog", "severity": s, "seed": 0} for s in range(1, 6))
    copies = [evidence(empty, condition=condition) for condition in conditions]
    asked = claim(50.0, metric="mIoU-c", corruption="fog")
    found = judge_corrupted(asked, PLAIN, copies, [], RULES)
    assert (found.status, found.verified) == ("unverified", None)


def test_a_corruption_counted_by_another_evaluator_is_stale():
    copies = [corrupted(severity, 60, evaluator=0) for severity in range(1, 6)]
    told = judge_corrupted(claim(metric="mIoU-c", corruption="fog"), PLAIN, copies, [], RULES)
    assert told.status == "stale"


def test_the_rules_say_which_severities_are_averaged():
    three = Severities(fewer={"shot_noise": (1, 2, 3)})
    asked = claim(40.0, metric="mIoU-c", corruption="shot_noise")
    copies = [corrupted(severity, 400, "shot_noise") for severity in (1, 2, 3)]
    copies += [corrupted(severity, 0, "shot_noise") for severity in (4, 5)]
    rules = dataclasses.replace(RULES, corruptions=three)
    assert judge_corrupted(asked, PLAIN, copies, [], rules).status == "verified"
    assert judge_corrupted(asked, PLAIN, copies, [], RULES).status == "below"


def test_evidence_without_labels_verifies_nothing():
    empty = evidence(np.zeros((2, 4, 4), np.int64))
    verdict = judge(claim(), PLAIN, released(empty), [], RULES)
    assert (verdict.status, verdict.verified) == ("unverified", None)
    assert verdict.reason


def test_measured_gives_its_reason():
    answer = released(half_right())
    verdict = measure(PLAIN, answer, "No paper prints it.", "segmodels evaluate x", RULES)
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
        judge(claim(), protocol, released(made), [], RULES)


def test_the_interval_of_one_model_is_its_own():
    found = evidence(matrices(12))
    own = bootstrap_interval(found, PLAIN, RULES.bootstrap)
    assert mean_interval([found], PLAIN, RULES.bootstrap) == own


def test_the_interval_of_a_mean_lies_between_those_of_its_parts():
    first = evidence(matrices(30, right=40), weights="a" * 64)
    second = evidence(matrices(30, right=90), weights="b" * 64)
    low, high = mean_interval([first, second], PLAIN, RULES.bootstrap)
    middle = (score(first, PLAIN).miou + score(second, PLAIN).miou) / 2
    assert low < middle < high
    assert bootstrap_interval(first, PLAIN, RULES.bootstrap)[1] < low
    assert (low, high) == mean_interval([second, first], PLAIN, RULES.bootstrap)


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


def test_the_rules_of_this_project():
    rules = load_rules()
    assert 0 < rules.released.points < rules.retrained.points
    assert rules.released.interval == 0  # the images are the same ones
    assert rules.bootstrap == Bootstrap(1000, 0.95)
    assert set(STATUSES) >= {"verified", "better", "below", "partial", "blocked", "unverified"}
    assert set(rules.obstacles) >= {"weights unpublished", "gated data", "needs retraining"}


GOOD = "{released: {points: 1}, retrained: {points: 1}, third_party: {points: 1}}"


@pytest.mark.parametrize(
    ("tolerance", "bootstrap", "message"),
    [
        (GOOD.replace("1", "-1", 1), "{resamples: 9, confidence: 0.9}", "released: .* negative"),
        (GOOD, "{resamples: 0, confidence: 0.9}", "at least 1"),
        (GOOD, "{resamples: 9, confidence: 95}", "between 0 and 1"),
        (GOOD.replace("released", "relased"), "{resamples: 9, confidence: 0.9}", "is missing"),
        (GOOD.replace("points", "point", 1), "{resamples: 9, confidence: 0.9}", "'points'"),
        (GOOD, "", "'bootstrap' is missing"),
    ],
)
def test_broken_rules_are_named(tmp_path, tolerance, bootstrap, message):
    path = tmp_path / "verdict.yaml"
    path.write_text(f"version: 1\ntolerance: {tolerance}\nbootstrap: {bootstrap}\n")
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_rules(path)
    assert "verdict.yaml" in str(caught.value)
