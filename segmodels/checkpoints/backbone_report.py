"""What came of filling an encoder from ImageNet weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackboneReport:
    """What ``load_backbone`` did; names as in the model's state dict, in its order.

    Attributes:
        loaded: tensors taken from the file as they are.
        resized: tensors taken from the file and fitted to the model's image size.
        fresh: tensors that stay as they were, the decoder's and maybe an unused head's.
        unused: names in the file of tensors the model has no place for: the ImageNet head;
            for SETR also the last norm and the bias of the patches.
    """

    loaded: tuple[str, ...]
    resized: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]
