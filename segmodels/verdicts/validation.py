"""What can be wrong with claims beyond their own fields: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from segmodels.assets.entries import load_dataset_entries, load_weights_entries
from segmodels.claims.claim import PERCENT, Claim
from segmodels.claims.reading import claim_files, read_file, repeated
from segmodels.claims.statement import CostPart, EvidencePart, Statement
from segmodels.efficiency.claims import Costs
from segmodels.errors import UnknownNameError
from segmodels.models import list_models
from segmodels.protocols.reading import load_protocols
from segmodels.runs.run import load_runs
from segmodels.verdicts.retrained import wrong_retrains, wrong_seeds


def problems(folder: Path | None = None) -> list[str]:
    """Everything wrong with the claims of the project, one line each, with file and claim.

    Args:
        folder: of the claims files; default `params/claims`.
    """
    found = [(path, *read_file(path)) for path in claim_files(folder)]
    wrong = [text for *_, texts in found for text in texts]
    wrong += repeated((path, entries) for path, entries, _ in found)
    entries = [entry for _, good, _ in found for entry in good]
    known = _Known({entry.id: entry for entry in entries if isinstance(entry, Claim)})
    for path, good, _ in found:
        for entry in good:
            kind = type(entry).__name__.lower()
            wrong += [f"{path}, {kind} {entry.id!r}: {text}" for text in known.about(entry)]
    wrong += known.about_protocols()
    return wrong + list(wrong_retrains(known.runs.values(), known.claims))


class _Known:
    """The names of the project that claims may use."""

    def __init__(self, claims: dict[str, Claim]) -> None:
        self.claims = claims
        self.weights, self.datasets = load_weights_entries(), load_dataset_entries()
        self.runs, self.models = load_runs(), list_models()
        self.protocols, self.costs = load_protocols(), Costs()

    def about(self, entry: Claim | Statement) -> Iterator[str]:
        """What an entry names that does not exist or does not fit."""
        if isinstance(entry, Claim):
            yield from self._measurement(entry)
            yield from self._weights(entry)
            for other in entry.conflicts:
                yield from self._conflict(entry, other)
            return
        for part in entry.parts:
            look = self._cost(part) if isinstance(part, CostPart) else self._evidence(part)
            yield from (f"part {part.about!r}: {text}" for text in look)

    def about_protocols(self) -> Iterator[str]:
        """Datasets that protocols name and that do not exist."""
        for protocol in self.protocols.values():
            for text in _unknown("dataset", protocol.datasets, self.datasets):
                yield f"params/protocols.yaml, protocol {protocol.name!r}, field 'datasets': {text}"

    def _measurement(self, claim: Claim) -> Iterator[str]:
        if claim.dataset not in self.datasets and claim.dataset != "any":
            yield f"field 'dataset': {UnknownNameError('dataset', claim.dataset, self.datasets)}"
        entry = self.datasets.get(claim.dataset)
        known_splits = entry.splits if entry and entry.state == "ok" else {}
        if claim.metric in PERCENT and known_splits and claim.split not in known_splits:
            error = UnknownNameError(f"split of {claim.dataset}", claim.split, known_splits)
            yield f"field 'split': {error}"
        known = self.protocols if claim.metric in PERCENT else self.costs.known(claim.metric)
        if claim.protocol and claim.protocol not in known:
            kind = "protocol" if claim.metric in PERCENT else f"protocol of {claim.metric}"
            yield f"field 'protocol': {UnknownNameError(kind, claim.protocol, known)}"
        protocol = self.protocols.get(claim.protocol or "") if claim.metric in PERCENT else None
        if protocol and protocol.datasets and claim.dataset not in protocol.datasets:
            others = " or ".join(protocol.datasets)
            yield f"field 'protocol': {protocol.name!r} is for {others}, not {claim.dataset!r}."

    def _weights(self, claim: Claim) -> Iterator[str]:
        if claim.weights is None:
            return
        entry = self.weights.get(claim.weights)
        if entry is None:
            yield f"field 'weights': {UnknownNameError('weights', claim.weights, self.weights)}"
        elif entry.model != claim.model:
            yield f"field 'weights': {claim.weights!r} are weights of {entry.model!r}."

    def _conflict(self, claim: Claim, name: str) -> Iterator[str]:
        other = self.claims.get(name)
        if other is None:
            yield f"field 'conflicts': there is no claim {name!r}."
        elif other is claim:
            yield "field 'conflicts': a claim is in no conflict with itself."
        elif claim.id not in other.conflicts:
            yield f"field 'conflicts': {name!r} must name {claim.id!r} too."
        elif other.metric != claim.metric:
            yield f"field 'conflicts': {name!r} is about {other.metric}, not {claim.metric}."

    def _cost(self, part: CostPart) -> Iterator[str]:
        yield from _unknown("convention", [part.convention], self.costs.conventions)
        yield from _unknown("model", [part.subject, part.other], self.models)

    def _evidence(self, part: EvidencePart) -> Iterator[str]:
        yield from _unknown("protocol", [part.protocol, *part.under], self.protocols)
        yield from _unknown("run", part.runs, self.runs)
        runs = [self.runs[name] for name in part.runs if name in self.runs]
        for one, other in pairwise(runs):
            if (one.dataset, one.split) != (other.dataset, other.split):
                yield f"runs {one.name!r} and {other.name!r} are not of the same images."
        for side in (part.subject, part.other):
            if here := [self.runs[name] for name in side if name in self.runs]:
                yield from wrong_seeds(here)


def _unknown(kind: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(names) - set(known)):
        yield str(UnknownNameError(kind, name, known))
