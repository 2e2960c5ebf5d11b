"""docs/verdicts.md names what the rules know."""

from __future__ import annotations

from segmodels.core.settings import project_root
from segmodels.verdicts.rules import load_rules
from segmodels.verdicts.verdict import STATUSES

PAGE = (project_root() / "docs" / "verdicts.md").read_text()


def test_every_verdict_is_explained_in_its_own_words():
    for status, meaning in STATUSES.items():
        assert f"| `{status}` | {meaning.replace('the measured number is', 'it is')} |" in PAGE


def test_every_obstacle_is_there_in_the_order_of_the_rules():
    places = [PAGE.index(f"\n| {kind} | ") for kind in load_rules().obstacles]
    assert places == sorted(places)


def test_the_numbers_are_those_of_the_rules():
    rules = load_rules()
    assert f"({rules.tolerance.released.points:.2f})" in PAGE
    assert f"({rules.tolerance.retrained.points:.2f})" in PAGE
    assert f"{100 * rules.interval.confidence:.0f} % interval" in PAGE
    assert f"at least {rules.tolerance.retrained.seeds} seeds" in PAGE
    assert f"at least {rules.statements.seeds} trainings" in PAGE
