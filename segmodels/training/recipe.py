"""A recipe is how weights are trained: `params/recipes/<name>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import AboveZero, Entry, NotNegative, Share, Size, read_entry
from segmodels.core.listing import yaml_files
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import UnknownNameError

Optimizer = Literal["adamw", "sgd"]
TrainingPrecision = Literal["fp32", "bf16"]
Balance = Literal["none", "median_frequency", "log"]


class Recipe(Entry):
    """How weights are trained; a field of the augmentation that is left out is as in the papers.

    Attributes:
        name: file name in `params/recipes/`.
        title: one line for people.
        steps: optimiser steps.
        batch: images a step.
        crop: height and width of the training crop in pixels.
        lr: peak learning rate.
        optimizer: `adamw`, or `sgd` with Nesterov momentum 0.9.
        weight_decay: of matrices and kernels; biases and norms have none.
        warmup: steps of linear warm-up.
        power: of the polynomial decay to zero that follows.
        clip: largest gradient norm.
        resize_short: short side of an image at ratio 1 of the random resize, in training and
            where the curve is measured; None is its own size.
        resize_long: bound of its long side at ratio 1, in proportion at others; None is no bound.
        scale: smallest and largest ratio of the random resize.
        cat_max_ratio: a crop in which one category has this share of the labelled pixels is drawn
            again, ten times at most; 1 takes any crop.
        flip: probability of a mirror image.
        photometric: strength of the change of light and colours: 1 is the ranges of the papers,
            less is all of them in proportion, 0 none.
        balance: `median_frequency` weighs each class by the median of all classes' shares of
            the training pixels over its own share (after Eigen and Fergus, ICCV 2015, who
            count a class's share within the images that hold it); `log` by
            1 / ln(1.02 + share), which is gentler (ENet, arXiv 1606.02147).
        precision: `bf16` trains under autocast; evaluation is always fp32.
        threads: processor threads; part of the recipe because sums depend on them.
        validate_every: steps between looks at the validation split.
        validate_images: how many of its images.
    """

    name: SkipJsonSchema[str]
    title: str
    steps: PositiveInt
    batch: PositiveInt
    crop: Size
    lr: AboveZero
    optimizer: Optimizer = "adamw"
    weight_decay: NotNegative = 0.01
    warmup: NonNegativeInt = 0
    power: NotNegative = 0.9
    clip: AboveZero = 1.0
    resize_short: PositiveInt | None = None
    resize_long: PositiveInt | None = None
    scale: Annotated[tuple[AboveZero, AboveZero], Field(strict=False)] = (0.5, 2.0)
    cat_max_ratio: Share = 0.75
    flip: Share = 0.5
    photometric: Share = 1.0
    balance: Balance = "none"
    precision: TrainingPrecision = "fp32"
    threads: PositiveInt = 2
    validate_every: PositiveInt = 200
    validate_images: PositiveInt = 32

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if self.warmup >= self.steps:
            yield f"field 'warmup' ({self.warmup}) must be shorter than 'steps' ({self.steps})"
        if self.scale[0] > self.scale[1]:
            yield f"field 'scale' is [smallest, largest] ratio, not {list(self.scale)}"
        short, long = self.resize_short, self.resize_long
        if long is not None and (short is None or long < short):
            yield f"field 'resize_long' ({long}) bounds the long side; 'resize_short' is {short}"

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return {**vars(self), "crop": list(self.crop), "scale": list(self.scale)}

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step (0-based): linear warm-up, then polynomial decay to 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        left = (self.steps - step) / max(self.steps - self.warmup, 1)
        return self.lr * float(left**self.power)


def load_recipe(name: str, folder: Path | None = None) -> Recipe:
    """Read `params/recipes/<name>.yaml`.

    Raises:
        UnknownNameError: no such recipe; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible.
    """
    folder = folder or project_root() / "params" / "recipes"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise UnknownNameError("recipe", name, (p.stem for p in yaml_files(folder, "recipes")))
    return read_entry(Recipe, str(path), read_yaml(path), name=name)
