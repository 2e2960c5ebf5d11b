"""Doctor: checks of this machine and of what is on it, and the difference of two measurements."""

from __future__ import annotations

from collections.abc import Iterator

from segmodels.doctor.finding import Finding, Grade, guarded
from segmodels.doctor.machine import examine_machine

__all__ = ["Finding", "Grade", "examine", "examine_machine"]


def examine(deep: bool = False) -> Iterator[Finding]:
    """Run all checks, one finding as it comes; only the cache is written, and only by `deep`.

    Args:
        deep: decode every image and hash every file, however long it takes.
    """
    from segmodels.doctor.holdings import examine_addresses, examine_evidence, examine_weights
    from segmodels.doctor.images import examine_datasets

    machine = examine_machine()
    yield from machine
    if any(f.subject == "project" and f.level == "bad" for f in machine):
        return
    yield from guarded("data", lambda: examine_datasets(deep))
    yield from guarded("addresses", examine_addresses)
    yield from guarded("weights", lambda: examine_weights(deep))
    yield from guarded("evidence", lambda: examine_evidence(deep))
