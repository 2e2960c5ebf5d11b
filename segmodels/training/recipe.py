"""A recipe is how weights are trained: `params/recipes/<name>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields, take_list
from segmodels.errors import SegmodelsError, UnknownNameError

Optimizer = Literal["adamw", "sgd"]
Precision = Literal["fp32", "bf16"]
Balance = Literal["none", "median_frequency", "log"]


@dataclass(frozen=True)
class Recipe:
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

    name: str
    title: str
    steps: int
    batch: int
    crop: tuple[int, int]
    lr: float
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.01
    warmup: int = 0
    power: float = 0.9
    clip: float = 1.0
    resize_short: int | None = None
    resize_long: int | None = None
    scale: tuple[float, float] = (0.5, 2.0)
    cat_max_ratio: float = 0.75
    flip: float = 0.5
    photometric: float = 1.0
    balance: Balance = "none"
    precision: Precision = "fp32"
    threads: int = 2
    validate_every: int = 200
    validate_images: int = 32

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise SegmodelsError(f"recipe {self.name!r}: {problem}")

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return {**asdict(self), "crop": list(self.crop), "scale": list(self.scale)}

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step (0-based): linear warm-up, then polynomial decay to 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        left = (self.steps - step) / max(self.steps - self.warmup, 1)
        return self.lr * float(left**self.power)


_POSITIVE = (
    "steps",
    "batch",
    "lr",
    "clip",
    "resize_short",
    "resize_long",
    "threads",
    "validate_every",
    "validate_images",
)


_SHARES = {
    "cat_max_ratio": "a share, 0 to 1 (no limit)",
    "flip": "a probability, 0 to 1",
    "photometric": "a strength, 0 (none) to 1 (the ranges of the papers)",
}


def _problems(recipe: Recipe) -> list[str]:
    found = []
    for field in _POSITIVE:
        value = getattr(recipe, field)
        if value is not None and value <= 0:
            found.append(f"field {field!r} must be positive, not {value}.")
    found += _size_problems(recipe)
    for field, meaning in _SHARES.items():
        if not 0 <= getattr(recipe, field) <= 1:
            found.append(f"field {field!r} is {meaning}.")
    for field in ("weight_decay", "power"):
        if getattr(recipe, field) < 0:
            found.append(f"field {field!r} must not be negative.")
    if not 0 <= recipe.warmup < recipe.steps:
        found.append("field 'warmup' must be shorter than 'steps'.")
    for field, kind in (("optimizer", Optimizer), ("precision", Precision), ("balance", Balance)):
        if getattr(recipe, field) not in get_args(kind):
            known = ", ".join(get_args(kind))
            found.append(f"field {field!r} is one of {known}, not {getattr(recipe, field)!r}.")
    return found


def _size_problems(recipe: Recipe) -> Iterator[str]:
    if len(recipe.crop) != 2 or min(recipe.crop) <= 0:
        yield "field 'crop' is [height, width] in pixels."
    if len(recipe.scale) != 2 or not 0 < recipe.scale[0] <= recipe.scale[1]:
        yield "field 'scale' is [smallest, largest] ratio."
    short, long = recipe.resize_short, recipe.resize_long
    if long is not None and (short is None or long < short):
        yield f"field 'resize_long' ({long}) bounds the long side; 'resize_short' is {short}."


_REQUIRED = {"title": str, "steps": int, "batch": int, "crop": list, "lr": float}
_OPTIONAL = {
    "optimizer": str,
    "weight_decay": float,
    "warmup": int,
    "power": float,
    "clip": float,
    "resize_short": int,
    "resize_long": int,
    "scale": list,
    "cat_max_ratio": float,
    "flip": float,
    "photometric": float,
    "balance": str,
    "precision": str,
    "threads": int,
    "validate_every": int,
    "validate_images": int,
}


def load_recipe(name: str, folder: Path | None = None) -> Recipe:
    """Read `params/recipes/<name>.yaml`.

    Raises:
        UnknownNameError: no such recipe; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible.
    """
    folder = folder or project_root() / "params" / "recipes"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise UnknownNameError("recipe", name, (p.stem for p in folder.glob("*.yaml")))
    fields = take_fields(str(path), read_yaml(path), _REQUIRED, _OPTIONAL)
    for pair, kind in (("crop", int), ("scale", float)):
        if pair in fields:
            fields[pair] = tuple(take_list(str(path), pair, fields[pair], kind))
    return Recipe(name=name, **fields)
