"""How long the rest of a task takes."""

from __future__ import annotations

import pytest

from segmodels.core.progress import TimeLeft, duration


def test_the_rest_goes_as_fast_as_what_was_done_since_the_first_call() -> None:
    left = TimeLeft()
    assert left(0, 10, now=5.0) is None
    assert left(0, 10, now=6.0) is None  # nothing is done yet
    assert left(2, 10, now=9.0) == pytest.approx(16.0)
    assert left(5, 10, now=10.0) == pytest.approx(5.0)
    assert left(10, 10, now=20.0) is None


def test_what_an_earlier_attempt_did_is_not_counted_in() -> None:
    left = TimeLeft()
    assert left(90, 100, now=0.0) is None
    assert left(91, 100, now=3.0) == pytest.approx(27.0)
    assert left(10, 100, now=4.0) is None  # begun again
    assert left(11, 100, now=5.0) == pytest.approx(89.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (119.4, "119 s"), (120, "2 min"), (7140, "119 min"), (7500, "2:05 h")],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
