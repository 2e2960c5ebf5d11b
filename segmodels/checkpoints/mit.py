"""MiT encoders as NVlabs released them after ImageNet: bare names and a ``head``."""

from __future__ import annotations

from segmodels.checkpoints.imagenet import MIT_MARK, ImageNet, classifier
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.models.base import SegModel


def recognises(source: Source) -> bool:
    """A state dict of a bare MiT, with or without something around it."""
    return MIT_MARK in source.names


def load(source: Source) -> SegModel:
    """The classifier; a file without its head is refused."""
    return classifier(read(source))


def read(source: Source) -> ImageNet:
    """The tensors of the file."""
    return ImageNet(source.path, tensors_of(source.path, source.state))
