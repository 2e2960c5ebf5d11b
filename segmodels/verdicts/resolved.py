"""A claim with what it names: the entries behind its weights, its dataset and its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from segmodels.assets.entries import DatasetEntry, WeightsEntry
from segmodels.claims import COUNTED, Claim
from segmodels.errors import SegmodelsError, UnknownNameError, pick
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.obstacles import NEEDS_RETRAINING, Obstacle, obstacles
from segmodels.verdicts.project import Project

ParamsEntry = TypeVar("ParamsEntry")


@dataclass(frozen=True)
class ResolvedClaim:
    """A claim, and what its names stand for in a project.

    Attributes:
        claim: as it is printed.
        weights: the entry of the released weights it is of; None where it names none.
        dataset: the entry of its dataset; None for `any`.
        protocol: how its number was measured; None where the source does not say, and for costs,
            which are counted by a convention.
        obstacles: what keeps it from being checked.
        trainings: names of the runs that train its weights again.
    """

    claim: Claim
    weights: WeightsEntry | None
    dataset: DatasetEntry | None
    protocol: Protocol | None
    obstacles: tuple[Obstacle, ...]
    trainings: tuple[str, ...] = ()


def resolve(project: Project, claim: Claim) -> ResolvedClaim:
    """A claim with what it names in a project.

    Raises:
        SegmodelsError: there are no weights, dataset or protocol of that name.
    """
    weights = None if claim.weights is None else _named(claim, "weights", project.weights)
    dataset = None if _any_dataset(project, claim) else _named(claim, "dataset", project.datasets)
    without = is_cost(claim) or not claim.protocol
    protocol = None if without else _named(claim, "protocol", project.protocols)
    trainings = tuple(run.name for run in project.runs if claim.id in run.retrains)
    found = obstacles(claim, weights, dataset)
    if trainings:
        found = [obstacle for obstacle in found if obstacle.kind != NEEDS_RETRAINING]
    return ResolvedClaim(claim, weights, dataset, protocol, tuple(found), trainings)


def is_cost(claim: Claim) -> bool:
    """Whether a claim is about parameters, operations or a speed."""
    return claim.metric in (*COUNTED, "fps")


def _any_dataset(project: Project, claim: Claim) -> bool:
    return claim.dataset == "any" and claim.dataset not in project.datasets


def _named(claim: Claim, kind: str, known: Mapping[str, ParamsEntry]) -> ParamsEntry:
    """The entry of the name in that field of a claim."""
    try:
        return pick(kind, getattr(claim, kind), known)
    except UnknownNameError as error:
        raise SegmodelsError(f"claim {claim.id!r}: {error}") from None
