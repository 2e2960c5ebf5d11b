"""Loss and gradient strip by strip: those of the usual way, without the full-size logits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from segmodels.core.arrays import VOID
from segmodels.models.base import upsample
from segmodels.training import strips
from segmodels.training.strips import pixel_losses

Size = tuple[int, int]


def case(
    seed: int, shape: tuple[int, int, int, int], size: Size, kind: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of a shape, labels of a size (a tenth of them void) and weights of classes."""
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(shape, generator=random, dtype=kind)
    labels = torch.randint(0, shape[1], (shape[0], *size), generator=random)
    labels[torch.rand(labels.shape, generator=random) < 0.1] = VOID
    weight = torch.rand(shape[1], generator=random, dtype=kind)
    return logits.requires_grad_(), labels, weight


def usual(
    logits: Tensor, labels: Tensor, weight: Tensor, upsampled: Size, aligned: bool = False
) -> Tensor:
    height, width = labels.shape[-2:]
    full = upsample(logits, upsampled, aligned)[..., :height, :width]
    return F.cross_entropy(full, labels, weight, ignore_index=VOID, reduction="sum")


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


@settings(max_examples=60)
@given(
    seed=st.integers(0, 99),
    batch=st.integers(1, 2),
    classes=st.integers(1, 30),
    lowres=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    upsampled=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    cut=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    strip=st.sampled_from([1, 300, 1 << 20]),
    aligned=st.booleans(),
)
def test_loss_and_gradient_of_any_size(
    seed: int,
    batch: int,
    classes: int,
    lowres: Size,
    upsampled: Size,
    cut: Size,
    strip: int,
    aligned: bool,
) -> None:
    size = (max(1, upsampled[0] - cut[0]), max(1, upsampled[1] - cut[1]))
    logits, labels, weight = case(seed, (batch, classes, *lowres), size, torch.float64)
    expected = usual(logits, labels, weight, upsampled, aligned)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(strips._STRIP, "cpu", strip)
        loss = pixel_losses(logits, labels, weight, upsampled, aligned)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradient(loss, logits), gradient(expected, logits), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_fp32_is_nearer_to_fp64_than_a_millionth(layout: torch.memory_format) -> None:
    logits, labels, weight = case(1, (2, 150, 16, 16), (128, 120), torch.float32)
    given = logits.detach().to(memory_format=layout).requires_grad_()
    found = gradient(pixel_losses(given, labels, weight, (128, 128)), given)
    double = logits.detach().double().requires_grad_()
    expected = gradient(usual(double, labels, weight.double(), (128, 128)), double)
    assert (found - expected).norm() < 1e-6 * expected.norm()


def test_scores_beyond_what_exp_can_hold() -> None:
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1).requires_grad_()
    loss = pixel_losses(logits, torch.ones(1, 4, 4, dtype=torch.long), torch.ones(3), (4, 4))
    assert loss.item() == 16 * 2e4
    assert gradient(loss, logits).flatten().tolist() == [16, -16, 0]


def test_void_everywhere_moves_nothing() -> None:
    logits, labels, weight = case(2, (1, 5, 3, 3), (9, 9), torch.float32)
    loss = pixel_losses(logits, torch.full_like(labels, VOID), weight, (9, 9))
    assert loss.item() == 0
    assert not gradient(loss, logits).any()


def test_scores_that_are_no_numbers_give_a_loss_that_is_none() -> None:
    logits, labels, weight = case(3, (1, 5, 3, 3), (9, 9), torch.float32)
    with torch.no_grad():
        logits[0, 2, 1, 1] = float("nan")
    assert not pixel_losses(logits, labels, weight, (9, 9)).isfinite()


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that an operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for one in tree_flatten(result)[0]:
            if isinstance(one, Tensor):
                self.numbers = max(self.numbers, one.numel())
        return result


def test_full_size_logits_are_never_there() -> None:
    logits, labels, weight = case(4, (2, 150, 16, 16), (256, 256), torch.float32)
    with Largest() as largest:
        pixel_losses(logits, labels, weight, (256, 256)).backward()
    assert largest.numbers <= strips._STRIP["cpu"] < 2 * 150 * 256 * 256 / 10


def test_a_gradient_of_the_gradient_is_refused() -> None:
    logits, labels, weight = case(5, (1, 5, 3, 3), (9, 9), torch.float32)
    (found,) = torch.autograd.grad(
        pixel_losses(logits, labels, weight, (9, 9)), logits, create_graph=True
    )
    with pytest.raises(RuntimeError, match="does not require grad"):
        found.sum().backward()
