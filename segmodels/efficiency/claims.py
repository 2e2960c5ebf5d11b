"""Parameters and operations as they were counted here, looked up for claims."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from segmodels.claims import Claim, CostPart, Statement
from segmodels.efficiency.convention import Convention, load_conventions
from segmodels.efficiency.latency import LatencyProtocol, load_latency_protocols
from segmodels.efficiency.record import Measured, Wanted, load_measured, measured_file
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models import list_models


class Costs:
    """`params/efficiency.yaml` and `reports/efficiency.json`."""

    @cached_property
    def conventions(self) -> dict[str, Convention]:
        """Ways to count, by name."""
        return load_conventions()

    @cached_property
    def _latencies(self) -> dict[str, LatencyProtocol]:
        return load_latency_protocols()

    @cached_property
    def _measured(self) -> dict[str, Measured]:
        return load_measured() if measured_file().is_file() else {}

    def protocol(self, claim: Claim) -> Convention | LatencyProtocol | None:
        """How the cost a claim states is counted or timed; None when it does not say.

        Raises:
            SegmodelsError: it names something that does not exist.
        """
        if not claim.protocol:
            return None
        known = self.known(claim.metric)
        if claim.protocol not in known:
            error = UnknownNameError("convention", claim.protocol, known)
            raise SegmodelsError(f"claim {claim.id!r}: {error}")
        return known[claim.protocol]

    def known(self, metric: str) -> Mapping[str, Convention | LatencyProtocol]:
        """The ways to count or time what a metric means; none for others than costs."""
        if metric == "fps":
            return self._latencies
        wanted = {"params_M": "parameters", "GFLOPs": "operations"}.get(metric)
        return {k: one for k, one in self.conventions.items() if one.quantity == wanted}

    def counted(self, claim: Claim) -> float | None:
        """Millions of parameters or 10^9 operations; None when nobody counted."""
        wanted = wanted_by_claim(claim)
        return self._figure(wanted) if wanted else None

    def compared(self, part: CostPart) -> tuple[float, float] | None:
        """The subject's and the other's figure; None when one of them was not counted."""
        found = [self._figure(wanted) for wanted in wanted_by_part(part)]
        subject, other = found
        return None if subject is None or other is None else (subject, other)

    def file(self, link_from: Path) -> str:
        """The record, relative to a folder."""
        return Path(os.path.relpath(measured_file(), link_from)).as_posix()

    def _figure(self, wanted: Wanted) -> float | None:
        found: Measured | None = self._measured.get(wanted.key)
        convention = self.conventions.get(wanted.convention)
        if found is None or convention is None or not found.is_current(convention):
            return None
        return found.figure


def all_wanted(claims: Iterable[Claim], statements: Iterable[Statement]) -> list[Wanted]:
    """Every count that claims and statements ask for and that can be made here, each once."""
    known = set(list_models())
    found = {wanted.key: wanted for wanted in _wanted(claims, statements) if wanted.model in known}
    return list(found.values())


def wanted_by_claim(claim: Claim) -> Wanted | None:
    """What must be counted for a claim; None for one that is not about a count."""
    if claim.metric not in ("params_M", "GFLOPs") or not claim.protocol or not claim.image_size:
        return None
    return _asked(claim.model, claim.overrides, claim.protocol, claim.image_size)


def wanted_by_part(part: CostPart) -> tuple[Wanted, Wanted]:
    """What must be counted for both sides of a comparison."""
    return (
        _asked(part.subject, part.subject_overrides, part.convention, part.image_size),
        _asked(part.other, part.other_overrides, part.convention, part.image_size),
    )


def _wanted(claims: Iterable[Claim], statements: Iterable[Statement]) -> Iterator[Wanted]:
    yield from filter(None, map(wanted_by_claim, claims))
    for statement in statements:
        for part in statement.parts:
            if isinstance(part, CostPart):
                yield from wanted_by_part(part)


def _asked(
    model: str, overrides: Mapping[str, Any], convention: str, size: tuple[int, int]
) -> Wanted:
    return Wanted(
        model=model,
        overrides=dict(overrides),
        convention=convention,
        height=size[0],
        width=size[1],
    )
