from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import synthetic

from segmodels.metrics.degradation import degradations
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness, summarise
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")


def robustness(clean: float, **curves: dict[int, float]) -> Robustness:
    def points(levels: dict[int, float]) -> tuple[CurvePoint, ...]:
        return tuple(
            CurvePoint(level, miou, miou / clean if clean else None)
            for level, miou in levels.items()
        )

    noise = Curve("parameter_noise", "parameter_noise", points({1: 3.0}))
    others = (Curve("corruption", name, points(levels)) for name, levels in curves.items())
    return Robustness(clean, None, None, (noise, *others))


def test_errors_are_summed_over_severities_before_they_are_divided() -> None:
    network = robustness(80, fog={1: 70, 2: 40}, snow={1: 60})
    reference = robustness(60, fog={1: 50, 2: 40}, snow={1: 20})
    fog, snow, mean = degradations(network, reference)
    assert (fog.corruption, snow.corruption, mean.corruption) == ("fog", "snow", "mean")
    assert fog.cd == pytest.approx(100 * (30 + 60) / (50 + 60))
    assert fog.rcd == pytest.approx(100 * (10 + 40) / (10 + 20))
    assert fog.miou == 55
    assert fog.kept == pytest.approx((70 + 40) / 2 / 80)
    assert snow.cd == pytest.approx(50)
    assert snow.rcd == pytest.approx(50)
    assert mean.cd == pytest.approx((fog.cd + 50) / 2)
    assert mean.miou == pytest.approx((55 + 60) / 2)


def test_a_reference_is_its_own_hundred() -> None:
    one = robustness(61.5, fog={1: 50.25, 3: 12}, snow={5: 0.0})
    for found in degradations(one, one):
        assert (found.cd, found.rcd) == pytest.approx((100, 100))


def test_only_what_both_have_is_compared() -> None:
    network = robustness(80, fog={1: 70, 2: 40}, snow={1: 60})
    reference = robustness(60, fog={2: 50, 3: 1}, frost={1: 20})
    fog, mean = degradations(network, reference)
    assert fog.cd == pytest.approx(100 * 60 / 50)
    assert mean == dataclasses.replace(fog, corruption="mean")
    assert degradations(network, robustness(60, frost={1: 20})) == []


def test_where_nothing_is_lost_no_loss_can_be_compared_with_it() -> None:
    network = robustness(80, fog={1: 70}, snow={1: 60})
    reference = robustness(60, fog={1: 60.0}, snow={1: 30})
    fog, snow, mean = degradations(network, reference)
    assert fog.rcd is None
    assert fog.cd == pytest.approx(75)
    assert snow.rcd == pytest.approx(100 * 20 / 30)
    assert mean.rcd is None
    perfect = robustness(100, fog={1: 100.0})
    assert degradations(network, perfect)[0].cd is None
    assert degradations(robustness(0, fog={1: 0.0}), reference)[0].kept is None


def test_another_definition_of_a_corruption_is_in_no_mean_of_the_usual_ones() -> None:
    clean = synthetic.evidence()
    usual, other = (
        synthetic.evidence(
            synthetic.matrices(6, right=right),
            condition={"corruption": "fog", "severity": 2, "seed": 0, **variant},
        )
        for right, variant in ((40, {}), (5, {"variant": "hendrycks"}))
    )
    alone, both = (summarise(clean, few, PLAIN) for few in ([usual], [usual, other]))
    assert both.mean == alone.mean
    assert both.curves[0] == alone.curves[0]
    assert [curve.kind for curve in both.curves] == ["corruption", "corruption, variant hendrycks"]


def test_what_was_counted_before_pixels_changed_is_left_out() -> None:
    clean = synthetic.evidence()
    before, now = (
        synthetic.evidence(
            synthetic.matrices(6, right=right),
            condition={"corruption": "shot_noise", "severity": 2, "seed": 0, **version},
        )
        for right, version in ((5, {}), (40, {"version": 2}))
    )
    assert summarise(clean, [now, before], PLAIN) == summarise(clean, [now], PLAIN)


def test_an_attack_is_a_curve_over_its_bound() -> None:
    clean, few = synthetic.evidence(), []
    for epsilon, seed, right in ((2, 0, 40), (2, 1, 40), (8, 0, 5)):
        attack = {"attack": "pgd", "epsilon": epsilon, "steps": 10, "loss": "a+b", "seed": seed}
        few.append(synthetic.evidence(synthetic.matrices(6, right=right), condition=attack))
    fgsm = {"attack": "fgsm", "epsilon": 2, "loss": "a"}
    few.append(synthetic.evidence(synthetic.matrices(6, right=50), condition=fgsm))
    found = summarise(clean, few, PLAIN)
    assert [(curve.kind, curve.name) for curve in found.curves] == [
        ("attack", "fgsm, loss a"),
        ("attack", "pgd, steps 10, loss a+b"),
    ]
    assert [point.level for point in found.curves[1].points] == [2, 8]
    assert found.mean is None  # that is of corruptions


def test_a_part_of_the_images_has_a_curve_and_a_clean_number_of_its_own() -> None:
    clean = synthetic.evidence(synthetic.matrices(12))
    fog: dict[str, Any] = {"corruption": "fog", "severity": 2, "seed": 0}
    counts = synthetic.matrices(12, right=20)
    whole = synthetic.evidence(counts, condition=fog)
    part = synthetic.evidence(counts[::5], 12, condition={**fog, "every": 5})
    both, alone = (summarise(clean, few, PLAIN) for few in ([whole, part], [whole]))
    usual, some = both.curves
    assert (both.mean, usual) == (alone.mean, alone.curves[0])
    assert (some.kind, some.name) == ("corruption, one image in 5", "fog")
    same = score(dataclasses.replace(clean, images=clean.images[::5]), PLAIN).miou
    assert both.clean_of(some) == pytest.approx(same, abs=1e-4)
    assert both.clean_of(some) != both.clean == both.clean_of(usual)
    assert some.points[0].ratio == pytest.approx(score(part, PLAIN).miou / same, abs=1e-4)


def test_the_order_of_the_fields_of_a_condition_does_not_name_the_disturbance() -> None:
    noise = {"noise_on": "encoder", "parameter_noise": 0.1, "seed": 0, "every": 2}
    part = synthetic.evidence(synthetic.matrices(6)[::2], 6, condition=noise)
    (curve,) = summarise(synthetic.evidence(), [part], PLAIN).curves
    assert curve.kind == "parameter_noise"
    assert curve.name == "parameter_noise, noise_on encoder, one image in 2"
    assert [point.level for point in curve.points] == [0.1]
