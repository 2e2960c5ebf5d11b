"""The same counts averaged in other ways."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels.metrics.averages import AVERAGES, averages
from segmodels.metrics.scores import score, score_per_image
from segmodels.protocols.protocol import Protocol

PLAIN, STRICT = (
    Protocol(name="plain", version=1, title="plain"),
    Protocol(name="strict", version=1, title="strict", void="error"),
)

#: One image; the last class is never found.
HAND = np.array([[[6, 2, 0, 0], [1, 3, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]])


def of(counts: npt.NDArray[np.int64], protocol: Protocol = PLAIN) -> dict[str, float]:
    return averages(evidence(counts), protocol)


def test_by_hand() -> None:
    ious = [6 / 9, 3 / 8, 0.0]
    found = of(HAND)
    assert score(evidence(HAND), PLAIN).miou == pytest.approx(100 * sum(ious) / 3)
    assert found["without classes at zero"] == pytest.approx(100 * sum(ious) / 2)
    assert found["absent classes as zero"] == pytest.approx(100 * sum(ious) / 3)
    expected = 8 / 14 * 6 / 9 + 4 / 14 * 3 / 8
    assert found["frequency-weighted IoU"] == pytest.approx(100 * expected)
    f1 = [2 * (6 / 7) * (6 / 8) / (6 / 7 + 6 / 8), 2 * 3 / (2 * 3 + 5), 0.0]
    assert found["mean Dice (F1)"] == pytest.approx(100 * sum(f1) / 3)


def test_an_absent_class_counts_as_zero_in_one_of_them_alone() -> None:
    counts = HAND.copy()
    counts[0, 2] = 0
    counts[0, :, 2] = 0
    ious = [6 / 9, 3 / 6]
    found = of(counts)
    assert found["without classes at zero"] == pytest.approx(100 * sum(ious) / 2)
    assert found["absent classes as zero"] == pytest.approx(100 * sum(ious) / 3)


def test_a_mean_over_images_is_that_of_single_scores() -> None:
    counts = matrices(4, seed=3)
    counts[0] = 0  # an image without labelled pixels has no say
    single = [v for v in score_per_image(evidence(counts), STRICT).values() if not math.isnan(v)]
    found = of(counts, STRICT)["mean over images"]
    assert len(single) == 3
    assert found == pytest.approx(sum(single) / 3)
    assert found != pytest.approx(score(evidence(counts), STRICT).miou)


def test_nothing_counted_is_no_number() -> None:
    assert all(map(math.isnan, of(np.zeros((2, 4, 4), np.int64)).values()))


@given(st.integers(0, 2**31), st.sampled_from([PLAIN, STRICT]))
def test_the_mistakes_lie_on_their_side_of_the_mean(seed: int, protocol: Protocol) -> None:
    counts = matrices(3, seed=seed)
    found, miou = of(counts, protocol), score(evidence(counts), protocol).miou
    assert found["absent classes as zero"] <= miou + 1e-9
    assert found["without classes at zero"] >= miou - 1e-9
    assert found["mean Dice (F1)"] >= miou - 1e-9


def test_every_average_says_what_it_is() -> None:
    assert len({average.name for average in AVERAGES}) == len(AVERAGES)
    assert all(average.meaning.endswith(".") for average in AVERAGES)
