"""The processes that train one network together, as torchrun starts them; usually there is one.

    torchrun --nproc-per-node 2 -m segmodels.cli train RUN

Each process looks at its share of every batch, and all have the same weights after every step. The
loss is divided by the pixels of the whole batch, so that how many processes there are changes
rounding and dropout's draws, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from segmodels.engines.joining import join
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.training.batch_norms import are_grouped, has_batch_norms, statistics

#: The first process may wait for another training, or for a download, while the others wait for it.
_PATIENCE = timedelta(days=7)

Item = TypeVar("Item")

#: Logits of every head, and its weight, of images (B, 3, H, W).
Heads = Callable[[Tensor], list[tuple[Tensor, float]]]


@dataclass(frozen=True)
class Processes:
    """One of the processes of a training, and what it does together with the others.

    Attributes:
        rank: its number, from 0. The first writes.
        count: how many there are.
        sharded: whether each keeps a part of weights, gradients and moments, and none the whole.
    """

    rank: int = 0
    count: int = 1
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this one writes what comes of the training."""
        return self.rank == 0

    def added(self, values: Tensor) -> Tensor:
        """Numbers of this process, on its device, with those of the others added in place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def from_first(self, make: Callable[[], Item]) -> Item:
        """What the first process makes, in all of them; the others wait for it."""
        made = [make() if self.first else None]
        if self.count > 1:
            dist.broadcast_object_list(made, src=0)
        found: Item = made[0]  # type: ignore[assignment]
        return found

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those that are this process's."""
        return items[self.rank :: self.count]

    def shard(self, model: SegModel) -> None:
        """Share out a network, where that is wanted, before its optimiser is made.

        Raises:
            SegmodelsError: batch norm over several processes, which PyTorch has for GPUs only.
        """
        if self.sharded:
            from segmodels.training.sharding import shard  # half a second of imports

            _synchronise(model)
            shard(model)

    def put_together(self, value: Tensor) -> Tensor:
        """What is computed of parameters, whole, where they are shared out."""
        whole: Tensor = value.full_tensor() if self.sharded else value  # type: ignore[attr-defined]
        return whole

    def take_statistics_of_first(self, model: SegModel) -> None:
        """Give all processes the running statistics of the first one's batch norms."""
        if self.count == 1 or not (own := statistics(model)):
            return
        together = torch.cat(own)
        dist.broadcast(together, src=0)
        for one, first in zip(own, torch.split(together, [len(one) for one in own]), strict=True):
            one.copy_(first)

    def heads(self, model: SegModel, compiled: Callable[[Heads], Heads] | None = None) -> Heads:
        """`forward_supervised` of a network whose gradients become those of all processes.

        FSDP2 and DistributedDataParallel average gradients; a loss that is summed over processes
        has to be multiplied by `count` before its gradient is taken.

        Args:
            model: the network.
            compiled: what makes another program of `forward_supervised`, if anything does.

        Raises:
            SegmodelsError: batch norm over several processes, which PyTorch has for GPUs only.
        """
        if self.count > 1 and not self.sharded:
            _synchronise(model)
        forward: Heads = model.forward_supervised
        if compiled is not None:
            forward = compiled(forward)
        if self.count == 1 or self.sharded:
            return forward
        supervised = Supervised(model, forward)
        # Parameters that are never used are found in the first step; all others are like it.
        # Gradients are kept once, in the buckets in which they are exchanged.
        parallel = nn.parallel.DistributedDataParallel(
            supervised, static_graph=True, gradient_as_bucket_view=True
        )
        heads: Heads = parallel
        return heads


ALONE = Processes()


class Supervised(nn.Module):
    """A network whose `forward` is `forward_supervised`, which is what is trained.

    Args:
        model: the network.
        heads: another program of the same.
    """

    def __init__(self, model: SegModel, heads: Heads | None = None) -> None:
        super().__init__()
        self.model, self.heads = model, heads or model.forward_supervised

    def forward(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """Low-resolution logits of every head, and its weight."""
        return self.heads(images)


def _synchronise(model: SegModel) -> None:
    """Let batch norms see the whole batch."""
    if not has_batch_norms(model) or are_grouped(model):
        return
    if next(model.parameters()).device.type != "cuda":
        raise SegmodelsError(
            f"{type(model).__name__} has batch norms, whose statistics PyTorch shares between "
            f"processes on GPUs only. Train it in one process, or with --device cuda, or let the "
            f"recipe take statistics over fewer images ('batch_norm_images')."
        )
    synchronised(model)


def synchronised(model: SegModel) -> None:
    """Make its batch norms such as share their statistics between processes."""
    # PyTorch's own conversion drops an activation inside.
    from timm.layers.norm_act import convert_sync_batchnorm

    convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]


@contextmanager
def joined(device: str, sharded: bool = False) -> Iterator[Processes]:
    """The processes that torchrun started along with this one; alone without torchrun.

    Args:
        device: of this process.
        sharded: whether weights are shared out.

    Raises:
        SegmodelsError: there is nobody to share weights with.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 and sharded:
        raise SegmodelsError(
            "weights can be shared out over several processes, and this is one alone: start it "
            "with torchrun, or leave out --sharding."
        )
    if count == 1:
        yield ALONE
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(device)
    join("nccl" if on_gpu else "gloo", _PATIENCE)
    try:
        yield Processes(dist.get_rank(), count, sharded)
    finally:
        dist.destroy_process_group()
