"""A recipe is how weights are trained: `params/recipes/<name>.yaml`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import (
    AboveZero,
    BelowOne,
    Entry,
    NotNegative,
    Several,
    Share,
    Size,
    Words,
)
from segmodels.training.parameter_rule import ParameterRule

Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["plain", "mmcv", "mmengine"]
Warmup = Literal["linear", "constant", "exponential"]
TrainingPrecision = Literal["fp32", "bf16"]
Balance = Literal["none", "median_frequency", "log"]
Keep = Literal["last", "best"]
LossMean = Literal["valid", "all", "mmseg"]


def _none_or(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    return None if value == "none" else check(value)


#: Above 0, or `none`.
Limit = Annotated[
    AboveZero | None,
    WrapValidator(_none_or),
    WithJsonSchema({"anyOf": [{"exclusiveMinimum": 0, "type": "number"}, {"const": "none"}]}),
]

#: Vectors (biases, norms, scalars) do not decay.
USUAL_GROUPS = (ParameterRule(kind="vector", weight_decay=0.0),)

#: Fields of one optimiser alone.
_ONLY = {
    **dict.fromkeys(("momentum", "nesterov"), "sgd"),
    **dict.fromkeys(("betas", "eps", "fused"), "adamw"),
}


class Recipe(Entry):
    """How weights are trained; a field of the augmentation that is left out is as in the papers.

    Attributes:
        name: file name in `params/recipes/`.
        title: one line for people.
        steps: optimiser steps; batches follow each other across epochs.
        epochs: instead of `steps`: as often every image is seen, the last batch of an epoch
            being as short as it comes.
        batch: images a step, over all devices.
        accumulate: parts in which a batch is computed, one after the other, so that memory is
            needed for one; gradients are those of the whole. Batch norms would see parts, so
            networks with them are refused.
        crop: height and width of the training crop in pixels.
        initial: entry of `params/weights.yaml` whose ImageNet weights fill the encoder; None
            draws all weights.
        lr: peak learning rate.
        min_lr: where the decay ends, whatever factor `groups` puts on `lr`.
        optimizer: `adamw` or `sgd`.
        momentum: of `sgd`.
        nesterov: whether that is Nesterov's, as timm's `sgd` has it.
        betas: of `adamw`.
        eps: of `adamw`.
        fused: whether `adamw` is torch's fused kernel, which is faster and rounds otherwise: in
            single precision it is up to three times as far from the plain one as rounding is.
        weight_decay: of all parameters but those of `groups`.
        groups: rules for parameters with a learning rate or a decay of their own; the first that
            fits counts. Left out, vectors (biases, norms) do not decay; `[]` treats all alike.
        schedule: how warm-up and decay go together (docs/training.md): `plain`, `mmcv` 1.x or
            `mmengine`.
        warmup: steps of warm-up.
        warmup_kind: how the learning rate grows in them.
        warmup_ratio: share of the learning rate they begin with.
        power: of the polynomial decay.
        clip: largest gradient norm, or `none`.
        loss_mean: of which pixels the loss is the mean: `valid` ones, or `all` of them, the void
            ones counting 0, as in mmsegmentation 0.x; `mmseg` is `all` as in 1.x, which divides by
            the number of pixels and float32's epsilon (it shows in double precision alone).
        auxiliary_weight: of each auxiliary head's loss; None is the network's own.
        auxiliary_detached: whether that loss moves the auxiliary heads alone, not what they see.
        drop_path: rate of stochastic depth in the last block of the encoder; None, here and
            below, is the network's own.
        dropout: in the encoder.
        decoder_drop_path: as `drop_path`, in the decoder.
        decoder_dropout: in the decoder; before the classifier of convolutional heads.
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
        ema: decay of the exponential moving average of all weights and statistics, which then is
            what is validated and what comes out; None is none.
        batch_norm_images: over how many images batch norms take their statistics in training, as
            on one device of several without synchronised batch norms; None is the whole batch,
            which is what synchronised ones do. Running statistics are those of the first group.
        grad_checkpointing: whether blocks are computed again in the backward pass, which saves
            memory and changes no gradient.
        compile: whether `torch.compile` makes a program of the network, for training alone. It
            rounds otherwise and draws other dropout.
        threads: processor threads; part of the recipe because sums depend on them.
        validate_every: steps between looks at the validation split.
        validate_images: how many of its images.
        keep: weights that come out: of the `last` step, or the `best` by mIoU on these images.
        patience: looks without a better one after which training ends; None never ends it.
    """

    name: SkipJsonSchema[str]
    title: str
    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    batch: PositiveInt
    accumulate: PositiveInt = 1
    crop: Size
    initial: Words | None = None
    lr: AboveZero
    min_lr: NotNegative = 0
    optimizer: Optimizer = "adamw"
    momentum: BelowOne = 0.9
    nesterov: bool = True
    betas: Annotated[tuple[BelowOne, BelowOne], Field(strict=False)] = (0.9, 0.999)
    eps: AboveZero = 1e-8
    fused: bool = True
    weight_decay: NotNegative = 0.01
    groups: Several[ParameterRule] = USUAL_GROUPS
    schedule: Schedule = "plain"
    warmup: NonNegativeInt = 0
    warmup_kind: Warmup = "linear"
    warmup_ratio: Share = 0
    power: NotNegative = 0.9
    clip: Limit = 1.0
    loss_mean: LossMean = "valid"
    auxiliary_weight: NotNegative | None = None
    auxiliary_detached: bool = False
    drop_path: BelowOne | None = None
    dropout: BelowOne | None = None
    decoder_drop_path: BelowOne | None = None
    decoder_dropout: BelowOne | None = None
    resize_short: PositiveInt | None = None
    resize_long: PositiveInt | None = None
    scale: Annotated[tuple[AboveZero, AboveZero], Field(strict=False)] = (0.5, 2.0)
    cat_max_ratio: Share = 0.75
    flip: Share = 0.5
    photometric: Share = 1.0
    balance: Balance = "none"
    precision: TrainingPrecision = "fp32"
    ema: BelowOne | None = None
    batch_norm_images: PositiveInt | None = None
    grad_checkpointing: bool = False
    compile: bool = False
    threads: PositiveInt = 2
    validate_every: PositiveInt = 200
    validate_images: PositiveInt = 32
    keep: Keep = "last"
    patience: PositiveInt | None = None

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if (self.steps is None) == (self.epochs is None):
            yield "give either 'steps' or 'epochs'"
        if self.steps is not None and self.warmup >= self.steps:
            yield f"field 'warmup' ({self.warmup}) must be shorter than 'steps' ({self.steps})"
        if self.scale[0] > self.scale[1]:
            yield f"field 'scale' is [smallest, largest] ratio, not {list(self.scale)}"
        short, long = self.resize_short, self.resize_long
        if long is not None and (short is None or long < short):
            yield f"field 'resize_long' ({long}) bounds the long side; 'resize_short' is {short}"
        if self.accumulate > self.batch:
            yield f"field 'accumulate' ({self.accumulate}) parts a 'batch' of {self.batch} images"
        yield from self._problems_of_the_groups()
        if self.patience is not None and self.keep == "last":
            yield "field 'patience' needs 'keep: best', whose weights are then kept"
        yield from self._problems_of_the_optimizer()
        yield from self._problems_of_the_schedule()

    def _problems_of_the_groups(self) -> Iterator[str]:
        images = self.batch_norm_images
        if images is None:
            return
        if self.batch % images:
            yield f"field 'batch_norm_images' ({images}) must part the 'batch' ({self.batch})"
        if self.steps is None:
            yield "field 'batch_norm_images' needs 'steps': epochs may end with fewer images"

    def _problems_of_the_optimizer(self) -> Iterator[str]:
        for field, optimizer in _ONLY.items():
            if field in self.model_fields_set and optimizer != self.optimizer:
                yield f"field {field!r} is for {optimizer!r}, and 'optimizer' is {self.optimizer!r}"
        if self.optimizer == "sgd" and self.nesterov and not self.momentum:
            yield "field 'nesterov' needs a 'momentum' above 0"

    def _problems_of_the_schedule(self) -> Iterator[str]:
        if self.min_lr > self.lr:
            yield f"field 'min_lr' ({self.min_lr}) must not be above 'lr' ({self.lr})"
        for field in ("warmup_kind", "warmup_ratio"):
            if field in self.model_fields_set and not self.warmup:
                yield f"field {field!r} needs steps of 'warmup'"
        if self.warmup_kind != "linear" and not self.warmup_ratio:
            yield f"a {self.warmup_kind} warm-up needs a 'warmup_ratio' above 0"

    def total_steps(self, images: int) -> int:
        """Optimiser steps of a training on so many images."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * math.ceil(images / self.batch)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return {name: plain(value) for name, value in vars(self).items()}


def plain(value: Any) -> Any:
    """The value of a field as JSON gives it back."""
    if isinstance(value, ParameterRule):
        return value.to_dict()
    return [plain(one) for one in value] if isinstance(value, tuple) else value
