"""A network handed to `torch.compile` for training; looks at validation images run it as written.

Operations are fused, so that sums are taken in another order and dropout draws otherwise; the same
batch gives the same numbers every time. There is one program for each size of a batch, whichever
size came first, so that a training that is taken up computes what it would have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segmodels.errors import SegmodelsError
from segmodels.evaluation import precision

#: Of one network: sizes of batches and of their parts. PyTorch allows 8 by default.
_VARIANTS = 64


class Compiled:
    """What computes the logits of every head, compiled when it is first called.

    Args:
        heads: of images (B, 3, H, W).
        recipe: name, for messages.
    """

    def __init__(self, heads: Callable[[Tensor], Any], recipe: str) -> None:
        self.recipe = recipe
        self.program = torch.compile(heads, dynamic=False, backend=precision.BACKEND)

    def __call__(self, images: Tensor) -> Any:
        """What the network gives.

        Raises:
            SegmodelsError: this machine or network cannot be compiled for.
        """
        try:
            with torch._dynamo.config.patch(recompile_limit=_VARIANTS):
                return self.program(images)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise SegmodelsError(
                f"recipe {self.recipe!r}: torch.compile fails on this network here "
                f"({precision.compiler_trouble(error)}). It needs a C++ compiler on a processor, "
                f"Triton on a GPU; without them remove 'compile' from the recipe."
            ) from error
