"""A step of a training against what people use today, side by side in one run.

    pip install -e '.[bench]'
    python benchmarks/training.py [--only WORD] [--device cpu|cuda] [--threads 1] [--rounds 5]
                                  [--side 512] [--batch 2] [--json FILE]

Peers: for Segmenter and DEPICT the official plain loop (explicit attention, logits upsampled in
full, cross-entropy, SGD); for SegFormer the model of `transformers` with its own loss and AdamW.
Ours: `segmodels.training.step`, as every training here does it. Same weights, same batch, no
dropout. Variants are interleaved; seconds are medians (CPU seconds of the process on a CPU).
"floor" is the time that the counted multiplications of forward and backward would take at the rate
of a large matrix product of the same run. Memory is what a process of its own needs for its second
step beyond weights, gradients and the optimiser's state. "gap" compares the first step: the
difference of the gradients of all parameters over their length (SegFormer: of their lengths).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from inference import MEBIBYTE, resident
from models import explicit_attention, macs, matmul_rate, medians, segformer_pair, write_record
from torch import Tensor, nn

import segmodels as sm
from segmodels.core.arrays import VOID
from segmodels.models.base import SegModel
from segmodels.training.loss import Loss
from segmodels.training.optimizer import build_optimizer
from segmodels.training.recipe import Recipe
from segmodels.training.step import Step

CLASSES = 150


@dataclass(frozen=True)
class Case:
    """One row of the table: a network, the peer and the ratio that is aimed at."""

    name: str
    peer: str
    target: float | None = None


CASES = (
    Case("segmenter_vit_tiny_patch16_mask", "official loop", 1.6),
    Case("depict_sa_vit_tiny_patch16", "official loop"),
    Case("segformer_b0", "transformers", 1.4),
)

SGD = Recipe(
    name="sgd",
    title="",
    steps=10,
    batch=2,
    crop=(512, 512),
    lr=1e-3,
    optimizer="sgd",
    weight_decay=0,
    clip="none",
)
ADAMW = SGD.replace(optimizer="adamw", lr=6e-5, weight_decay=0.01)


@dataclass(frozen=True)
class Trainee:
    """A network, and what one step of it does.

    Attributes:
        network: whose parameters are trained.
        step: forward, backward, update.
    """

    network: nn.Module
    step: Callable[[Tensor, Tensor], object]


def official(model: SegModel) -> Trainee:
    """The loop of Segmenter's repository, which DEPICT's is too."""
    optimizer = torch.optim.SGD(model.parameters(), SGD.lr, momentum=0.9, nesterov=True)
    criterion = nn.CrossEntropyLoss(ignore_index=VOID)

    def step(images: Tensor, labels: Tensor) -> None:
        model.train()
        with mock.patch.object(F, "scaled_dot_product_attention", explicit_attention):
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        loss.item()

    return Trainee(model, step)


def transformers(model: nn.Module) -> Trainee:
    """What their examples do: the model computes the loss."""
    optimizer = torch.optim.AdamW(model.parameters(), ADAMW.lr, weight_decay=0.01)

    def step(images: Tensor, labels: Tensor) -> None:
        model.train()
        loss = model(pixel_values=images, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return Trainee(model, step)


def ours(model: SegModel, recipe: Recipe) -> Trainee:
    """The step of every training here."""
    device = next(model.parameters()).device
    loss = Loss(torch.ones(CLASSES, device=device))
    return Trainee(model, Step(model, build_optimizer(model, recipe), loss, recipe))


def trainees(case: Case, device: str) -> dict[str, Trainee]:
    """Ours and the peer's, with the same weights and no dropout."""
    torch.manual_seed(0)
    if case.peer == "transformers":
        mine, theirs = segformer_pair(case.name.split("_")[1], device)
        found = {"peer": transformers(theirs), "ours": ours(mine, ADAMW)}
    else:
        one = sm.create_model(case.name, CLASSES).to(device)
        other = sm.create_model(case.name, CLASSES).to(device)
        other.load_state_dict(one.state_dict())
        found = {"peer": official(one), "ours": ours(other, SGD)}
    for trainee in found.values():
        without_chance(trainee.network)
    return found


def without_chance(network: nn.Module) -> None:
    """Set every rate of dropout and drop path to 0."""
    for module in network.modules():
        for name in ("p", "drop_prob", "rate", "dropout", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def batch_of(options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Normalised noise, and labels in blocks of 8 pixels, a tenth of them void."""
    random = torch.Generator().manual_seed(0)
    count, side = options.batch, options.side
    images = torch.randn(count, 3, side, side, generator=random)
    labels = torch.randint(0, CLASSES, (count, side // 8, side // 8), generator=random)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[torch.rand(labels.shape, generator=random) < 0.1] = VOID
    return images.to(options.device), labels.to(options.device)


def gradient_gap(one: nn.Module, other: nn.Module) -> float:
    """How far the gradients of two networks are apart, over the length of the first's.

    Parameters that another library cuts otherwise are compared by the length of all together.
    """
    both = [
        [p.grad.flatten() for p in net.parameters() if p.grad is not None] for net in (one, other)
    ]
    first, second = (torch.cat(found).double() for found in both)
    if [len(part) for part in both[0]] == [len(part) for part in both[1]]:
        return ((first - second).norm() / first.norm()).item()
    return ((first.norm() - second.norm()).abs() / first.norm()).item()


def row(case: Case, options: argparse.Namespace, rate: float) -> dict[str, Any]:
    """Speed, memory and agreement of one case."""
    both, (images, labels) = trainees(case, options.device), batch_of(options)
    multiplied = macs(lambda: both["ours"].step(images, labels))
    both["peer"].step(images, labels)
    gap = gradient_gap(both["peer"].network, both["ours"].network)
    variants: dict[str, Callable[[], object]] = {
        who: lambda trainee=trainee: trainee.step(images, labels)  # type: ignore[misc]
        for who, trainee in both.items()
    }
    taken = medians(variants, options.rounds, options.device, warm_up=False)
    memory = {who: extra_memory(case, who, options) for who in both}
    return {
        "case": case.name,
        "peer": case.peer,
        "peer_seconds": taken["peer"],
        "seconds": taken["ours"],
        "ratio": taken["peer"] / taken["ours"],
        "target": case.target,
        "macs": multiplied,
        "over_floor": taken["ours"] * rate / multiplied,
        "peer_extra_bytes": memory["peer"],
        "extra_bytes": memory["ours"],
        "gradient_gap": gap,
    }


def extra_memory(case: Case, who: str, options: argparse.Namespace) -> int:
    """Bytes that a step takes at its peak, in a process of its own."""
    command = [sys.executable, __file__, "--memory", who, "--only", case.name]
    for name in ("device", "threads", "batch", "side"):
        command += [f"--{name}", str(getattr(options, name))]
    # What is freed goes back to the system, or the first step's memory would hide the second's.
    freed = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **freed}
    )
    return int(done.stdout)


def measure_memory(case: Case, who: str, options: argparse.Namespace) -> int:
    """Peak of a second step above what was there before (of PyTorch's allocator on a GPU)."""
    both, batch = trainees(case, options.device), batch_of(options)
    trainee = both.pop(who)
    both.clear()
    trainee.step(*batch)
    if options.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        trainee.step(*batch)
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak (Linux)
    before = resident("VmRSS")
    trainee.step(*batch)
    return resident("VmHWM") - before


def show(rows: list[dict[str, Any]]) -> None:
    """A table for people."""
    head = ("peer s", "ours s", "ratio", "target", "/floor", "peer MiB", "MiB", "gap")
    print(f"{'case':34}" + "".join(f"{title:>9}" for title in head))
    for r in rows:
        cells = (
            f"{r['peer_seconds']:.2f}",
            f"{r['seconds']:.2f}",
            f"{r['ratio']:.2f}x",
            f"{r['target']:.1f}x" if r["target"] else "-",
            f"{r['over_floor']:.2f}",
            f"{r['peer_extra_bytes'] / MEBIBYTE:.0f}",
            f"{r['extra_bytes'] / MEBIBYTE:.0f}",
            f"{r['gradient_gap']:.1e}",
        )
        print(f"{r['case']:34}" + "".join(f"{cell:>9}" for cell in cells))


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory", choices=("ours", "peer"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases = [case for case in CASES if options.only in case.name]
    if options.memory:
        print(measure_memory(cases[0], options.memory, options))
        return
    rate = matmul_rate(options.device)
    rows = [row(case, options, rate) for case in cases]
    if options.json:
        found = {"batch": options.batch, "side": options.side, "rows": rows}
        write_record(options.json, options, found)
    show(rows)


if __name__ == "__main__":
    main()
