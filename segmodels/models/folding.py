"""Linear steps in a row, multiplied into one for inference.

Folding never touches parameters: products are kept beside them, leave no trace in a state
dict, are not used in training, and are computed again when a parameter has changed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Foldable(nn.Module):
    """A module that can compute the same function from fewer, premultiplied tensors.

    Attributes:
        folding: whether inference shall use them.
    """

    folding: bool = False
    _products: tuple[Tensor, ...] = ()
    _stamp: tuple[tuple[int, int], ...] = ()

    def fold(self) -> tuple[Tensor, ...]:
        """Premultiplied tensors of the present parameters and statistics."""
        raise NotImplementedError

    @property
    def products(self) -> tuple[Tensor, ...] | None:
        """What ``fold`` gives, up to date; None if this forward pass shall do without.

        It shall in training and wherever gradients are recorded, since they would pass by
        the parameters. Compilers find what was there when they were called: see ``refold``.
        """
        if self.training or not self.folding or torch.is_grad_enabled():
            return None
        if torch.compiler.is_compiling() and self._products:
            return self._products
        tensors = (*self.parameters(), *self.buffers())
        stamp = tuple(map(_stamp, tensors))
        if stamp != self._stamp:
            with torch.autocast(tensors[0].device.type, enabled=False):  # they outlive a bf16 pass
                self._products, self._stamp = self.fold(), stamp
        return self._products


@torch.no_grad()
def refold(model: nn.Module) -> None:
    """Bring the products of all modules up to date."""
    for module in model.modules():
        if isinstance(module, Foldable):
            module.products  # noqa: B018 - multiplied by being asked for


def fold_batch_norm(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift (C,) to which a BatchNorm with fixed statistics comes down."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _stamp(tensor: Tensor) -> tuple[int, int]:
    """Changes whenever the tensor is replaced, moved or written to."""
    version = 0 if tensor.is_inference() else tensor._version
    return tensor.data_ptr(), version
