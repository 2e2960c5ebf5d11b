"""Attacked images: every one is changed against the network that is then asked for its labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from segmodels.core.arrays import Pixels
from segmodels.core.entry import EachOnce, Entry, SomeOnce
from segmodels.datasets.reading.base import Sample
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.subject import Subject
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.attacks import ATTACKS, attacked, condition_of
from segmodels.robustness.attacks.base import Start
from segmodels.robustness.attacks.losses import LOSSES
from segmodels.robustness.attacks.victim import Victim


def _known_attack(name: str) -> str:
    if name not in ATTACKS:
        raise ValueError(str(UnknownNameError("attack", name, ATTACKS)))
    return name


def _known_loss(name: str) -> str:
    if name not in LOSSES:
        raise ValueError(str(UnknownNameError("loss", name, LOSSES)))
    return name


AttackName = Annotated[
    str, AfterValidator(_known_attack), Field(json_schema_extra={"enum": sorted(ATTACKS)})
]
LossName = Annotated[
    str, AfterValidator(_known_loss), Field(json_schema_extra={"enum": sorted(LOSSES)})
]
GreyLevels = Annotated[int, Field(ge=1, le=255)]


class AttackEntry(Entry):
    """One attack of a suite, at several bounds.

    Attributes:
        attack: its name.
        epsilon: bounds, grey levels of 255; a condition each.
        step: by which values move at once, grey levels; 1 where it is not given.
        steps: how often, or draws of `noise`; 20 where it is not given.
        losses: of which the strongest image of each image is taken; cross-entropy where none is
            given.
        start: `random` within the bound where it is not given, or the `image`.
    """

    attack: AttackName
    epsilon: SomeOnce[GreyLevels]
    step: GreyLevels | None = None
    steps: Annotated[int, Field(ge=1, le=100_000)] | None = None
    losses: EachOnce[LossName] = ()
    start: Start | None = None

    def problems(self) -> Iterator[str]:
        """Fields that are none of this attack, or steps that do not reach the bound."""
        try:
            self.conditions((0,))
        except SegmodelsError as error:
            yield str(error).rstrip(".")

    def conditions(self, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
        """A condition for each bound and seed; one for all seeds where nothing is drawn."""
        names = ("step", "steps", "losses", "start")
        given = {name: getattr(self, name) for name in names if getattr(self, name)}
        found: list[dict[str, Any]] = []
        for epsilon in self.epsilon:
            for seed in seeds:
                drawn = {"seed": seed} if "seed" in ATTACKS[self.attack].fields else {}
                condition = condition_of(self.attack, epsilon, {**given, **drawn})
                if condition not in found:
                    found.append(condition)
        return found


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """Attack every image before its labels are asked for.

    Raises:
        SegmodelsError: the condition is of another version of the attack than that of now.
    """
    now = ATTACKS[condition["attack"]].version
    if condition.get("version", 1) != now:
        raise SegmodelsError(
            f"condition {condition}: field 'version': expected {now}, found "
            f"{condition.get('version', 1)}; the images of this attack changed since."
        )

    def attack(model: SegModel, sample: Sample, protocol: Protocol) -> Pixels:
        return attacked(Victim(model, protocol, sample.label), sample.image, sample.name, condition)

    return dataclasses.replace(subject, condition=condition, attack=attack)
