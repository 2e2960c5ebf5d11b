"""Counting what claims and statements say about parameters and operations."""

from __future__ import annotations

from pathlib import Path

from segmodels.claims import load_claims, load_statements
from segmodels.efficiency.claims import all_wanted


def count_wanted() -> Path:
    """Count everything that claims and statements ask for; seconds, on no device.

    Returns:
        the record, `reports/efficiency.json`.
    """
    from segmodels.efficiency.counter import count  # brings torch
    from segmodels.efficiency.record import write_measured

    wanted = all_wanted(load_claims().values(), load_statements().values())
    return write_measured(count(wanted))
