"""What can be wrong with claims beyond their own fields: names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segmodels.assets import load_dataset_entries, load_weights_entries
from segmodels.claims.claim import Claim
from segmodels.claims.reading import claim_files, read_file, repeated
from segmodels.claims.statement import EvidencePart, Statement
from segmodels.efficiency.convention import load_conventions
from segmodels.efficiency.latency import load_latency_protocols
from segmodels.errors import UnknownNameError
from segmodels.models import list_models
from segmodels.protocols import load_protocols
from segmodels.runs import run_names


def problems(folder: Path | None = None) -> list[str]:
    """Everything wrong with the claims of the project, one line each, with file and claim.

    Args:
        folder: of the claims files; default `params/claims`.
    """
    found = [(path, *read_file(path)) for path in claim_files(folder)]
    wrong = [text for *_, texts in found for text in texts]
    wrong += repeated((path, entries) for path, entries, _ in found)
    known = _Known({entry.id for _, entries, _ in found for entry in entries})
    for path, entries, _ in found:
        for entry in entries:
            look = known.claim if isinstance(entry, Claim) else known.statement
            kind = "claim" if isinstance(entry, Claim) else "statement"
            wrong += [f"{path}, {kind} {entry.id!r}: {text}" for text in look(entry)]  # type: ignore[arg-type]
    return wrong


class _Known:
    """The names of the project that claims may use."""

    def __init__(self, ids: set[str]) -> None:
        self.ids = ids
        self.weights, self.datasets = load_weights_entries(), load_dataset_entries()
        self.runs, self.models = run_names(), list_models()
        self.protocols = [*load_protocols(), *load_conventions(), *load_latency_protocols()]

    def claim(self, claim: Claim) -> Iterator[str]:
        """What a claim names that does not exist or does not fit."""
        if claim.dataset not in self.datasets and claim.dataset != "any":
            yield f"field 'dataset': {UnknownNameError('dataset', claim.dataset, self.datasets)}"
        if claim.protocol and claim.protocol not in self.protocols:
            error = UnknownNameError("protocol", claim.protocol, self.protocols)
            yield f"field 'protocol': {error}"
        if claim.weights is not None:
            entry = self.weights.get(claim.weights)
            if entry is None:
                yield f"field 'weights': {UnknownNameError('weights', claim.weights, self.weights)}"
            elif entry.model != claim.model:
                yield f"field 'weights': {claim.weights!r} are weights of {entry.model!r}."
        for other in claim.conflicts:
            if other not in self.ids:
                yield f"field 'conflicts': there is no claim {other!r}."

    def statement(self, statement: Statement) -> Iterator[str]:
        """What a statement names that does not exist."""
        for part in statement.parts:
            names = (
                [part.protocol, *part.under]
                if isinstance(part, EvidencePart)
                else [part.convention]
            )
            for name in set(names) - set(self.protocols):
                yield f"part {part.about!r}: {UnknownNameError('protocol', name, self.protocols)}"
            known = self.runs if isinstance(part, EvidencePart) else self.models
            for name in {part.subject, part.other} - set(known):
                yield f"part {part.about!r}: {UnknownNameError('run or model', name, known)}"
