"""Which severities and seeds a number for a corruption is the mean of."""

from __future__ import annotations

import pytest
from synthetic import evidence

from segmodels.core.entry import read_entry
from segmodels.errors import SegmodelsError
from segmodels.metrics.severities import ALL, Severities, by_severity
from segmodels.verdicts.rules import load_rules


def disturbed(severity: int, seed: int, name: str = "fog", **fields: object):
    condition = {"corruption": name, "severity": severity, "seed": seed}
    return evidence(condition=condition, **fields)


def test_noises_are_averaged_over_the_first_three() -> None:
    rules = load_rules().corruptions
    assert rules.of("fog") == (1, 2, 3, 4, 5)
    for noise in ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"):
        assert rules.of(noise) == (1, 2, 3)


def test_a_rule_is_data() -> None:
    read = read_entry(Severities, "file", {"severities": [2, 4], "fewer": {"fog": [1]}})
    assert (read.of("fog"), read.of("snow")) == ((1,), (2, 4))
    assert Severities(severities=ALL).of("fog") == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "entry",
    [
        {"severities": []},
        {"severities": [0, 1]},
        {"severities": [6]},
        {"severities": [1, 1]},
        {"severities": [1], "fewer": {"fog": "1"}},
        {"severities": [1], "fewer": {"fog": [9]}},
        {"severities": [1], "less": {}},
        {},
        [],
    ],
)
def test_a_rule_that_is_none_is_refused(entry: object) -> None:
    with pytest.raises(SegmodelsError, match=r"verdict\.yaml, corruptions"):
        read_entry(Severities, "params/verdict.yaml, corruptions", entry)


def test_seeds_that_all_severities_have_are_taken() -> None:
    copies = [disturbed(1, 0), disturbed(1, 1), disturbed(2, 1), disturbed(2, 2)]
    found = by_severity(
        [*copies, disturbed(1, 0, "snow"), disturbed(1, 1, images=2)], "fog", (1, 2)
    )
    assert found == {1: [copies[1]], 2: [copies[2]]}


def test_no_seed_overwrites_another() -> None:
    copies = [disturbed(level, seed) for level in (1, 2) for seed in (0, 1, 2)]
    found = by_severity(copies[::-1], "fog", (1, 2, 3))
    assert found == {1: copies[:3], 2: copies[3:]}


def test_of_one_condition_the_newest_count_is_taken() -> None:
    old, new = disturbed(1, 0, evaluator=1), disturbed(1, 0)
    for copies in ([old, new], [new, old]):
        assert by_severity(copies, "fog", (1,)) == {1: [new]}
