"""Counting what claims and statements say about parameters and operations."""

from __future__ import annotations

from pathlib import Path

from segmodels.claims import Claim, Statement, load_claims, load_statements
from segmodels.efficiency.claims import all_wanted
from segmodels.efficiency.convention import load_conventions
from segmodels.efficiency.record import Wanted, load_measured, measured_file


def count_wanted() -> Path:
    """Count everything that claims and statements ask for; seconds, on no device.

    Returns:
        the record, `reports/efficiency.json`.
    """
    from segmodels.efficiency.counter import count  # brings torch
    from segmodels.efficiency.record import write_measured

    wanted = all_wanted(load_claims().values(), load_statements().values())
    return write_measured(count(wanted))


def is_counted(entry: Claim | Statement) -> bool:
    """Whether all counts that a claim or statement asks for are recorded and of today's code."""
    if not measured_file().is_file():
        return False
    measured, conventions = load_measured(), load_conventions()
    return all(
        one.key in measured and measured[one.key].is_current(conventions[one.convention])
        for one in _wanted_by(entry)
    )


def count_for(entry: Claim | Statement) -> Path:
    """Count what one claim or statement asks for, and leave what is recorded of others.

    Returns:
        the record; where there is none, everything is counted.
    """
    from segmodels.efficiency.counter import count
    from segmodels.efficiency.record import write_measured

    if not measured_file().is_file():
        return count_wanted()
    return write_measured([*load_measured().values(), *count(_wanted_by(entry))])


def _wanted_by(entry: Claim | Statement) -> list[Wanted]:
    return all_wanted([entry], []) if isinstance(entry, Claim) else all_wanted([], [entry])
