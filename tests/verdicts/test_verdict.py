from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from synthetic import evidence, matrices

from segmodels.claims import Claim
from segmodels.errors import SegmodelsError
from segmodels.metrics.intervals import IntervalRule, mean_interval
from segmodels.metrics.scores import score
from segmodels.metrics.severities import ALL, Severities
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.compare import blocked, judge, judge_cost, measure
from segmodels.verdicts.corrupted import judge_corrupted
from segmodels.verdicts.obstacles import Obstacle
from segmodels.verdicts.rules import (
    ObstacleRule,
    Rules,
    StatementRule,
    Tolerance,
    Tolerances,
    load_rules,
)
from segmodels.verdicts.verdict import STATUSES, Answer

PLAIN, STRICT = (
    Protocol(name="plain", version=1, title="plain"),
    Protocol(name="strict", version=1, title="strict", void="error"),
)
RULES = Rules(
    version=1,
    tolerance=Tolerances(
        released=Tolerance(points=0.1),
        retrained=Tolerance(points=0.5, seeds=3),
        third_party=Tolerance(points=0.2),
    ),
    interval=IntervalRule(confidence=0.95),
    statements=StatementRule(seeds=2),
    obstacles={
        "not implemented": ObstacleRule(means="no network", fix="write it"),
        "weights unpublished": ObstacleRule(means="nobody gave them out", fix="ask the authors"),
        "gated data": ObstacleRule(means="a login", fix="register"),
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
    assert (verdict.status, verdict.level) == ("inconclusive", "retrained (1 seed)")
    assert "At least 3 seeds are needed." in verdict.reason
    assert verdict.interval is None  # of a single image


def test_several_seeds_are_judged_by_their_mean():
    verdict = judge(claim(50.4), PLAIN, Answer(tuple(seeds(490, 500, 510)), "retrained"), [], RULES)
    assert verdict.level == "retrained (3 seeds, 50.00 ± 1.00)"
    assert verdict.verified == pytest.approx(50)
    assert verdict.seeds == pytest.approx((49, 50, 51))


def test_the_interval_over_images_widens_no_tolerance():
    """2.45 points on 64 images were within it once; ignorance verifies nothing."""
    two = evidence(np.array([[[400, 600], [0, 0]], [[600, 400], [0, 0]]]))
    answer = Answer((two,), "retrained")
    for value in (50.0, 52.45):
        verdict = judge(claim(value), PLAIN, answer, [], RULES)
        assert verdict.status == "inconclusive"
        assert verdict.tolerance == pytest.approx(0.005 + 0.5)
        low, high = verdict.interval
        assert low < 50 < high
    same = judge(claim(50.0), PLAIN, released(two), [], RULES)
    assert (same.status, same.tolerance) == ("verified", pytest.approx(0.005 + 0.1))


@pytest.mark.parametrize(
    ("rights", "value", "status"),
    [
        ((499, 500, 501), 50.0, "verified"),
        ((499, 500, 501), 50.2, "verified"),
        ((490, 500, 510), 50.0, "inconclusive"),  # the mean is right, and known to 2.5 points
        ((499, 501), 50.0, "inconclusive"),  # three are needed
        ((499, 500, 501), 60.0, "below"),
        ((499, 500, 501), 40.0, "better"),
        ((499, 500, 501), 50.6, "inconclusive"),  # beyond by less than one training may be
    ],
)
def test_trainings_are_equivalent_or_not_or_cannot_tell(rights, value, status):
    verdict = judge(claim(value), PLAIN, Answer(tuple(seeds(*rights)), "retrained"), [], RULES)
    assert verdict.status == status
    assert verdict.seeds == pytest.approx([right / 10 for right in rights])
    low, high = verdict.seed_interval
    assert low < verdict.verified < high


def test_the_interval_shown_is_over_seeds_and_images():
    found = [
        evidence(matrices(9, right=60 + seed, seed=1), weights=f"{seed:064x}") for seed in range(3)
    ]
    several = measure(PLAIN, Answer(tuple(found), "retrained"), "", "", RULES)
    single = measure(PLAIN, Answer(tuple(found[:1]), "retrained"), "", "", RULES)
    assert (several.over, single.over) == ("3 seeds and 9 images", "9 images")
    assert several.interval[1] - several.interval[0] > single.interval[1] - single.interval[0]
    assert single.seed_interval is None


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
    two = evidence(np.array([[[499, 501], [0, 0]], [[501, 499], [0, 0]]]), expected=9)
    partial = judge(claim(), PLAIN, released(two), [], RULES)
    assert partial.status == "partial"
    assert "2 of 9 images" in partial.reason
    assert "inside the interval" in partial.reason
    assert "outside" in judge(claim(9), PLAIN, released(two), [], RULES).reason
    one = judge(claim(9), PLAIN, released(half_right(expected=9)), [], RULES)
    assert "interval" not in one.reason  # a single image tells none
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
    missing = judge_corrupted(asked, PLAIN, [], [GATED], RULES)
    assert (missing.status, missing.obstacle) == ("unverified", GATED.kind)
    assert GATED.text in missing.reason
    absent = Obstacle("not implemented", "No such network.")
    assert judge_corrupted(asked, PLAIN, [], [GATED, absent], RULES).status == "blocked"
    noisy = claim(50.0, metric="mIoU-n", noise=0.01)
    assert judge_corrupted(noisy, PLAIN, [], [GATED], RULES).status == "blocked"
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
    assert found.interval == mean_interval(copies, PLAIN, RULES.interval)
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
    three = Severities(severities=ALL, fewer={"shot_noise": (1, 2, 3)})
    asked = claim(40.0, metric="mIoU-c", corruption="shot_noise")
    copies = [corrupted(severity, 400, "shot_noise") for severity in (1, 2, 3)]
    copies += [corrupted(severity, 0, "shot_noise") for severity in (4, 5)]
    rules = RULES.replace(corruptions=three)
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
        (
            half_right(inference=Protocol(name="x", version=1, title="x", flip=True).inference),
            PLAIN,
        ),
        (half_right(condition={"corruption": "fog", "severity": 1}), PLAIN),
        (half_right(), STRICT),
    ],
)
def test_evidence_of_something_else_is_refused(made, protocol):
    with pytest.raises(SegmodelsError, match="does not answer claim 'toy'"):
        judge(claim(), protocol, released(made), [], RULES)


def test_the_rules_of_this_project():
    rules = load_rules()
    assert 0 < rules.tolerance.released.points < rules.tolerance.retrained.points
    assert (
        rules.tolerance.released.seeds,
        rules.tolerance.retrained.seeds,
        rules.statements.seeds,
    ) == (1, 3, 2)
    assert rules.interval.confidence == 0.95
    assert set(rules.interval.groups) == {"camvid", "camvid_720", "cityscapes", "cityscapes_c"}
    assert set(STATUSES) >= {"verified", "better", "below", "partial", "blocked", "unverified"}
    assert set(rules.obstacles) >= {"weights unpublished", "gated data", "needs retraining"}


GOOD = "{released: {points: 1}, retrained: {points: 1}, third_party: {points: 1}}"


@pytest.mark.parametrize(
    ("tolerance", "interval", "statements", "message"),
    [
        (
            GOOD.replace("1", "-1", 1),
            "{confidence: 0.9}",
            "{seeds: 2}",
            "released.points': expected .* 0, found -1",
        ),
        (
            GOOD.replace("1}", "1, seeds: 0}", 1),
            "{confidence: 0.9}",
            "{seeds: 2}",
            "seeds': expected .* 0, found 0",
        ),
        (
            GOOD,
            "{confidence: 95}",
            "{seeds: 2}",
            "'interval.confidence': expected above 0 and below 1",
        ),
        (GOOD, "{confidence: 0.9}", "{seeds: 0}", "'statements.seeds': expected .* 0, found 0"),
        (
            GOOD.replace("released", "relased"),
            "{confidence: 0.9}",
            "{seeds: 2}",
            "Did you mean 'released'",
        ),
        (GOOD.replace("points", "point", 1), "{confidence: 0.9}", "{seeds: 2}", "mean 'points'"),
        (
            GOOD.replace("1}", "1, interval: 1}"),
            "{confidence: 0.9}",
            "{seeds: 2}",
            r"released\.interval'",
        ),
        (GOOD, "", "{seeds: 2}", "'interval': expected fields"),
    ],
)
def test_broken_rules_are_named(tmp_path, tolerance, interval, statements, message):
    path = tmp_path / "verdict.yaml"
    told = f"tolerance: {tolerance}\ninterval: {interval}\nstatements: {statements}\n"
    path.write_text(f"version: 1\n{told}")
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_rules(path)
    assert "verdict.yaml" in str(caught.value)
