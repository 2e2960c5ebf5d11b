"""The network of a training before its first step: drawn, or begun from ImageNet weights."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from segmodels.checkpoints import load_backbone
from segmodels.errors import SegmodelsError
from segmodels.models import class_of
from segmodels.models.base import SegModel
from segmodels.models.building import build_model
from segmodels.models.encoder_decoder import EncoderDecoder
from segmodels.models.own_source import is_own
from segmodels.models.preprocessing import IMAGENET
from segmodels.training.batch_norms import group_batch_norms, has_batch_norms
from segmodels.training.job import Job
from segmodels.training.recipe import Recipe

#: What `overrides` of a run may not set, because the data set and the recipe decide it.
_DECIDED = ("num_classes", "image_size")

#: Fields of a recipe that are rates of the network, None where the network's own is meant.
_RATES = ("drop_path", "dropout", "decoder_drop_path", "decoder_dropout")


def first_network(job: Job) -> SegModel:
    """The network of a training, on the processor, with the weights that it begins with.

    Raises:
        SegmodelsError: the recipe or the run asks for what this network does not have, or its
            initial weights do not fit.
    """
    torch.manual_seed(job.seed)
    wanted = Wanted(job.run, job.model, job.recipe, len(job.train.class_names), job.overrides)
    model = wanted.built()
    model.preprocessing = model.preprocessing or IMAGENET
    model.class_names = job.train.class_names
    _check_smallest_batch(model, job)
    if job.recipe.initial is not None:
        _fill(model, job)
    return model


def _check_smallest_batch(model: SegModel, job: Job) -> None:
    """Refuse before the first step what some step would refuse: one image for a batch norm."""
    recipe, images = job.recipe, len(job.train)
    size, which = recipe.batch, f"a 'batch' of {recipe.batch}"
    if recipe.epochs is not None and images % size:
        size = images % size
        which += f", the last of each epoch with {size} of {images} images"
    try:
        model.check(torch.zeros(1).expand(size, 3, *recipe.crop))
        if 1 in (size, recipe.batch_norm_images) and has_batch_norms(model):
            with torch.no_grad():  # a copy, whose statistics nobody needs
                deepcopy(model).train().forward_supervised(torch.zeros(1, 3, *recipe.crop))
    except SegmodelsError as error:
        height, width = recipe.crop
        raise SegmodelsError(
            f"recipe {recipe.name!r}, 'crop' {height}x{width} and {which}: {error}"
        ) from error


@dataclass(frozen=True)
class Wanted:
    """A network as a run and its recipe ask for it; no images are needed to say which.

    Attributes:
        run: name of the run, for messages.
        model: name for `create_model`.
        recipe: its crop, rates and gradient checkpointing count.
        classes: of the data set.
        overrides: of the run.
    """

    run: str
    model: str
    recipe: Recipe
    classes: int
    overrides: Mapping[str, Any]

    def built(self) -> SegModel:
        """The network with drawn weights.

        Raises:
            SegmodelsError: the recipe or the run asks for what this network does not have.
        """
        arguments = _arguments(self)
        try:
            model = build_model(self.model, self.classes, self.recipe.crop, arguments)
        except SegmodelsError as error:
            raise SegmodelsError(
                f"run {self.run!r}, recipe {self.recipe.name!r}: {error}"
            ) from error
        if self.recipe.grad_checkpointing:
            self._checkpoint(model)
        self._check_auxiliary_weight(model)
        if self.recipe.auxiliary_detached:
            self._detach(model)
        if self.recipe.batch_norm_images is not None:
            self._group(model, self.recipe.batch_norm_images)
        if self.recipe.accumulate > 1 and has_batch_norms(model):
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: field 'accumulate' would show the batch norms of "
                f"{self.model!r} parts of the batch. Remove it; 'grad_checkpointing' saves memory, "
                f"too."
            )
        return model

    def _check_auxiliary_weight(self, model: SegModel) -> None:
        weighed = self.recipe.auxiliary_weight is not None
        if weighed and not (is_own(self.model) or _has_auxiliary_heads(model)):
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: field 'auxiliary_weight' is of auxiliary heads, and "
                f"{self.model!r} has none. Remove it."
            )

    def _detach(self, model: SegModel) -> None:
        if not _has_auxiliary_heads(model):
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: field 'auxiliary_detached' is about auxiliary heads "
                f"of networks of this library, and {self.model!r} has none. Remove it."
            )
        assert isinstance(model, EncoderDecoder)
        model.auxiliary_detached = True

    def _group(self, model: SegModel, images: int) -> None:
        try:
            group_batch_norms(model, images)
        except SegmodelsError as error:
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: field 'batch_norm_images' is about the batch norms "
                f"of a network, and of {self.model!r} it cannot be: {error} Remove it."
            ) from error

    def _checkpoint(self, model: SegModel) -> None:
        try:
            model.set_grad_checkpointing()
        except SegmodelsError as error:
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: field 'grad_checkpointing': {error} Remove it."
            ) from error


def _has_auxiliary_heads(model: SegModel) -> bool:
    return isinstance(model, EncoderDecoder) and len(model.auxiliary_head) > 0


def _fill(model: SegModel, job: Job) -> None:
    if job.initial is None:
        raise SegmodelsError(
            f"run {job.run!r}: the weights {job.recipe.initial!r} that its recipe begins with are "
            f"not here. Fetch them (dvc repro)."
        )
    load_backbone(model, job.initial)


def _arguments(job: Wanted) -> dict[str, Any]:
    """The run's overrides and the recipe's rates, for the network."""
    for name in _DECIDED:
        if name in job.overrides:
            raise SegmodelsError(
                f"run {job.run!r}: 'overrides' sets {name!r}, which the dataset's classes and the "
                f"recipe's crop decide. Remove it."
            )
    given = {field: rate for field in _RATES if (rate := getattr(job.recipe, field)) is not None}
    names = {} if is_own(job.model) or not given else class_of(job.model).Config.RATES
    for field in given:
        if field not in names:
            raise SegmodelsError(_no_such_rate(job.recipe, field, job.model, list(names)))
        if names[field] in job.overrides:
            raise SegmodelsError(
                f"run {job.run!r}: 'overrides' sets {names[field]!r}, and so does {field!r} of "
                f"recipe {job.recipe.name!r}. Remove one of them."
            )
    return {**job.overrides, **{names[field]: rate for field, rate in given.items()}}


def _no_such_rate(recipe: Recipe, field: str, model: str, known: list[str]) -> str:
    has = f"it has {', '.join(known)}" if known else "it has no such rates"
    return (
        f"recipe {recipe.name!r}: field {field!r} is nothing that {model!r} has; {has}. Remove it."
    )
