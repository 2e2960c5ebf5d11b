"""Draws of images with replacement, from the counts of every image."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import evidence, matrices

from segmodels.metrics.draws import REPEATS, draws_of
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

ONCE = Protocol(name="once", version=1, title="once")
DRAWN = ONCE.replace(images_drawn=20)


def test_a_protocol_that_draws_none_has_no_distribution() -> None:
    assert draws_of(evidence(matrices(6)), ONCE) is None


def test_draws_scatter_around_the_number_of_every_image_once() -> None:
    found = evidence(matrices(30))
    draws = draws_of(found, DRAWN)
    assert draws is not None
    assert (draws.drawn, draws.repeats) == (20, REPEATS)
    assert draws.low < draws.middle < draws.high
    assert draws.low < score(found, ONCE).miou < draws.high
    assert draws == draws_of(found, DRAWN)


def test_more_images_in_a_draw_scatter_less() -> None:
    found = evidence(matrices(30))
    few, many = (draws_of(found, ONCE.replace(images_drawn=n)) for n in (5, 500))
    assert few is not None
    assert many is not None
    assert many.high - many.low < 0.25 * (few.high - few.low)


def test_images_that_are_all_alike_do_not_scatter() -> None:
    alike = np.repeat(matrices(1), 6, axis=0)
    draws = draws_of(evidence(alike), DRAWN)
    assert draws is not None
    assert draws.low == draws.high == pytest.approx(score(evidence(alike), ONCE).miou, abs=0.005)


def test_drawing_decides_neither_labels_nor_score() -> None:
    assert (ONCE.digest, ONCE.inference, ONCE.scoring) == (
        DRAWN.digest,
        DRAWN.inference,
        DRAWN.scoring,
    )
