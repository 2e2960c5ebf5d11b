"""What is evaluated, besides the images: a network with its weights, and what disturbs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segmodels.core.arrays import Pixels
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.errors import SegmodelsError
from segmodels.evaluation.stream import Disturb
from segmodels.evidence import Identity
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol
from segmodels.versions import EVALUATOR

#: Changes an image against a network that is about to be asked for its labels under a protocol
#: (uint8 RGB out). It runs where the network does, in eval mode and full precision.
Attack = Callable[[SegModel, Sample, Protocol], Pixels]

#: The protocol by which the network sees images, of that which it is asked about.
Look = Callable[[Protocol], Protocol]


@dataclass(frozen=True)
class Subject:
    """What is evaluated, besides the images.

    Attributes:
        model: the network, in eval mode, on its device.
        weights: hex SHA-256 of the weights file.
        origin: where the weights come from (see `Evidence.weights_origin`).
        fingerprint: registered fingerprint of the whole split.
        condition: name and arguments of a disturbance, None for clean.
        disturb: the disturbance of pixels that `condition` describes, if it is one.
        attack: the change of images against the network that `condition` describes, if it is one.
        look: the change of the protocol that `condition` describes, if it is one.
        images: of a batch; None for what is usual on the model's device.
        overflows: whether scores beyond float32 are to be expected, as of parameters that noise was
            added to. Labels are then what an argmax gives, for which NaN is the largest score;
            otherwise they are an error.
    """

    model: SegModel
    weights: str
    origin: dict[str, Any]
    fingerprint: str
    condition: dict[str, Any] | None = None
    disturb: Disturb | None = None
    attack: Attack | None = None
    look: Look | None = None
    images: int | None = None
    overflows: bool = False


def identify(
    subject: Subject, dataset: Dataset, protocol: Protocol, limit: int | None = None
) -> Identity:
    """The identity of the evidence that evaluating would give."""
    model = subject.model
    if model.preprocessing is None:
        raise SegmodelsError(f"model {model.config.get('name')!r} carries no preprocessing.")
    return Identity(
        weights=subject.weights,
        model=dict(model.config),
        preprocessing=model.preprocessing.to_dict(),
        dataset=dataset.name,
        split=dataset.split,
        fingerprint=subject.fingerprint,
        inference=protocol.inference_fp32,
        condition=subject.condition,
        images=limit,
        precision=protocol.precision,
        evaluator=EVALUATOR,
    )
