"""What `dvc metrics` shows of a robustness suite."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import evidence, matrices

from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol
from segmodels.steps.robustness import scores_of_suite

PLAIN = Protocol(name="plain", version=1, title="plain")


def test_seeds_of_a_condition_are_averaged() -> None:
    found = [
        evidence(matrices(2, seed=seed), condition={"parameter_noise": sigma, "seed": seed})
        for sigma in (0.1, 0.2)
        for seed in (0, 1, 2)
    ]
    values = [score(one, PLAIN).miou for one in found]
    told = scores_of_suite(found, PLAIN)
    assert told["mIoU"] == {
        "0.1": pytest.approx(np.mean(values[:3]), abs=1e-4),
        "0.2": pytest.approx(np.mean(values[3:]), abs=1e-4),
    }
    assert told["mean_mIoU"] == pytest.approx(np.mean(values), abs=1e-4)
    assert len({round(value, 2) for value in values[:3]}) > 1


def test_nothing_that_is_labelled_is_no_score() -> None:
    void = np.zeros((2, 4, 4), dtype=np.int64)
    void[:, 3] = 5
    nothing = evidence(void, condition={"corruption": "fog", "severity": 2, "seed": 0})
    assert scores_of_suite([nothing], PLAIN) == {"mean_mIoU": None, "mIoU": {"fog-2": None}}


def test_a_part_of_the_images_is_named() -> None:
    condition = {"corruption": "fog", "severity": 1, "seed": 0, "every": 2}
    some = evidence(matrices(6)[::2], 6, condition=condition)
    assert list(scores_of_suite([some], PLAIN)["mIoU"]) == ["fog-1-1-in-2"]
