"""A project as judging sees it: what is claimed, by which rules, and all that was counted."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segmodels.assets.entries import (
    DatasetEntry,
    WeightsEntry,
    load_dataset_entries,
    load_weights_entries,
)
from segmodels.assets.watch import read_record
from segmodels.claims import Claim, Statement, load_claims, load_statements
from segmodels.efficiency.claims import Costs
from segmodels.errors import SegmodelsError
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocols
from segmodels.runs.run import Run, load_runs
from segmodels.training.provenance import Training, training_fingerprint, training_of
from segmodels.verdicts.evidence_index import EvidenceIndex
from segmodels.verdicts.matching import as_prepared
from segmodels.verdicts.retrained import wrong_retrains
from segmodels.verdicts.rules import Rules, load_rules
from segmodels.verdicts.watched import datasets_as_seen, weights_as_seen

Claims = Mapping[tuple[str, str], Sequence[Claim]]


@dataclass(frozen=True)
class Project:
    """Everything a verdict depends on, read once.

    Attributes:
        link_from: folder that links to evidence are relative to.
        figures: folder of the pictures that evaluations on this machine drew; None where only
            published evidence is judged, which comes without.
        rules: tolerances, intervals and obstacles.
        claims: all of them, in file order.
        statements: all of them, in file order.
        runs: all of them, by name.
        weights: entries of `params/weights.yaml`.
        datasets: entries of `params/datasets.yaml`, with the fingerprints of what is here where
            none are registered.
        protocols: entries of `params/protocols.yaml`.
        index: the evidence.
        costs: parameters and operations that were counted.
        trainings: what would train the weights of a run now, by the run's name.
        by_network: the claims about a model on a dataset.
    """

    link_from: Path
    figures: Path | None
    rules: Rules
    claims: tuple[Claim, ...]
    statements: tuple[Statement, ...]
    runs: tuple[Run, ...]
    weights: Mapping[str, WeightsEntry]
    datasets: Mapping[str, DatasetEntry]
    protocols: Mapping[str, Protocol]
    index: EvidenceIndex
    costs: Costs
    trainings: Mapping[str, Training]
    by_network: Claims

    def linked(self, path: Path) -> str:
        """A path, seen from the folder of the leaderboard."""
        return Path(os.path.relpath(path, self.link_from)).as_posix()


def load_project(evidence_folder: Path, link_from: Path, local: Path | None = None) -> Project:
    """Read `params/`, the descriptions of prepared datasets, and all evidence.

    Args:
        evidence_folder: published evidence; searched with all folders below it; may be missing.
        link_from: folder that links to evidence are relative to.
        local: evidence of this machine, which goes before published one; None leaves it out.
            Descriptions of datasets lie in `datasets` beside a folder of evidence.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    rules, claims, statements = load_rules(), load_claims(), load_statements()
    runs = _load_runs(claims)
    descriptions = [one.parent / "datasets" for one in (local, evidence_folder) if one]
    seen = read_record(local.parent / "watch.json") if local else {}
    weights = weights_as_seen(load_weights_entries(), seen)
    entries = datasets_as_seen(load_dataset_entries(), seen)
    datasets = {name: as_prepared(one, *descriptions) for name, one in entries.items()}
    return Project(
        link_from=link_from,
        figures=local and local.parent / "figures",
        rules=rules,
        claims=tuple(claims.values()),
        statements=tuple(statements.values()),
        runs=runs,
        weights=weights,
        datasets=datasets,
        protocols=load_protocols(),
        index=EvidenceIndex(evidence_folder, local),
        costs=Costs(),
        trainings=dict(_trainings(runs, datasets, weights, descriptions)),
        by_network=_by_network(claims.values()),
    )


def _load_runs(claims: Mapping[str, Claim]) -> tuple[Run, ...]:
    runs = tuple(load_runs().values())
    if wrong := list(wrong_retrains(runs, claims)):
        raise SegmodelsError("\n".join(wrong))
    return runs


def _trainings(
    runs: Iterable[Run],
    datasets: Mapping[str, DatasetEntry],
    weights: Mapping[str, WeightsEntry],
    descriptions: Sequence[Path],
) -> Iterator[tuple[str, Training]]:
    for run in runs:
        fingerprint = training_fingerprint(datasets.get(run.dataset), *descriptions)
        if training := training_of(run, fingerprint, weights):
            yield run.name, training


def _by_network(claims: Iterable[Claim]) -> Claims:
    found: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        found[claim.model, claim.dataset].append(claim)
    return dict(found)
