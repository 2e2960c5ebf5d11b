"""What to train."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segmodels.datasets.reading.base import Dataset
from segmodels.protocols.protocol import Protocol
from segmodels.training.provenance import training
from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule


@dataclass(frozen=True)
class Job:
    """What to train.

    Attributes:
        run: name of the run, recorded in the weights.
        model: name for `create_model`, with
        overrides: of its arguments.
        recipe: how.
        seed: of initialisation, sampling and augmentation.
        train, val: the splits.
        fingerprint: registered fingerprint of the training split.
        pixels: training pixels per class and `void`, as `prepare` counted them.
        device: where to train.
        looked_at: as the curve's images are; None is whole and resized as in training.
        initial: ImageNet weights that the encoder begins with, where the recipe names some.
        initial_identity: of these weights (`segmodels.assets.entries.weights_identity`).
    """

    run: str
    model: str
    recipe: Recipe
    seed: int
    train: Dataset
    val: Dataset
    fingerprint: str
    pixels: dict[str, int]
    overrides: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    looked_at: Protocol | None = None
    initial: Path | None = None
    initial_identity: str | None = None

    @property
    def protocol(self) -> Protocol:
        """How validation images are looked at: at one scale, in full precision."""
        if self.looked_at is not None:
            return self.looked_at.replace(scales=(1.0,), flip=False, precision="fp32")
        return Protocol(
            name="training",
            version=1,
            title="training",
            resize_short=self.recipe.resize_short,
            resize_long=self.recipe.resize_long,
        )

    @property
    def steps(self) -> int:
        """Optimiser steps of the training."""
        return self.recipe.total_steps(len(self.train))

    @property
    def schedule(self) -> Schedule:
        """The learning rate of every step."""
        return Schedule(self.recipe, self.steps)

    @property
    def provenance(self) -> dict[str, Any]:
        """Everything that decides the weights; recorded in them and naming the scratch folder."""
        return training(
            self.model,
            self.overrides,
            self.recipe,
            self.seed,
            self.train.name,
            self.fingerprint,
            self.initial_identity,
        )
