from __future__ import annotations

from dataclasses import replace

from segmodels.metrics.attack_doubts import attack_doubts
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness


def attacked(**curves: dict[int, float]) -> Robustness:
    found = [Curve("corruption", "fog", ())]
    for name, at in curves.items():
        points = tuple(CurvePoint(level, miou, None) for level, miou in at.items())
        found.append(Curve("attack", name.replace("_", ", "), points))
    return Robustness(60, None, None, tuple(found))


def test_attacks_as_they_should_be_are_not_doubted() -> None:
    found = attacked(noise={2: 59, 8: 55}, fgsm={2: 40, 8: 30}, pgd_loss={2: 20, 8: 3})
    assert attack_doubts(found) == []
    assert attack_doubts(attacked()) == []


def test_an_attack_must_beat_noise() -> None:
    (doubt,) = attack_doubts(attacked(noise={2: 59, 8: 55}, pgd_loss={2: 20, 8: 58}))[:1]
    assert doubt.startswith("pgd, loss: leaves 58.00 at 8 grey levels, where noise leaves 55.00.")


def test_many_steps_must_beat_one() -> None:
    (doubt,) = attack_doubts(attacked(noise={2: 59}, fgsm={2: 40}, pgd_loss={2: 45}))
    assert "pgd, loss: leaves 45.00 at 2 grey levels, where a single step (fgsm) leaves 40" in doubt


def test_a_larger_bound_must_be_stronger() -> None:
    (doubt,) = attack_doubts(attacked(noise={2: 59, 8: 55}, pgd={2: 20, 8: 21}))
    assert doubt.startswith("pgd: leaves 21.00 at 8 grey levels and 20.00 at 2.")


def test_noise_must_be_there() -> None:
    (doubt,) = attack_doubts(attacked(pgd={2: 20, 8: 3}))
    assert doubt.startswith("No noise of the same bounds was counted")


def test_attacks_on_other_images_are_not_compared() -> None:
    noise = Curve("attack", "noise, one image in 10", (CurvePoint(2, 40.0, None),), clean=41.0)
    whole = Curve("attack", "pgd", (CurvePoint(2, 58.0, None),))
    (lacking,) = attack_doubts(Robustness(60, None, None, (whole, noise)))
    assert lacking == "No noise of the same bounds was counted, which every attack must beat."
    part = replace(noise, name="pgd, one image in 10")
    (doubt,) = attack_doubts(Robustness(60, None, None, (noise, part)))
    assert doubt.startswith("pgd, one image in 10: leaves 40.00 at 2 grey levels, where noise")
    alone = attack_doubts(Robustness(60, None, None, (part,)))
    assert alone == [
        "No noise of the same bounds was counted on one image in 10, which every attack must beat."
    ]
