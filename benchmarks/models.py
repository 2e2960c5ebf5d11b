"""Forward passes against what people use today, side by side in one run.

    pip install -e '.[bench]'
    python benchmarks/models.py [--device cpu|cuda] [--threads 1] [--rounds 9] [--json FILE]

Peers: Segmenter and DEPICT with explicit attention and full-size logits, as the official code
computes them; SegFormer of `transformers`, with the same weights. Ours: fused attention and
`optimize_for_inference`, logits at low resolution, from which all inference here starts; the
full-size column adds the upsampling. Variants are interleaved; seconds are medians (CPU
seconds of the process on a CPU). "floor" is the time the counted multiplications would take
at the rate of a large matrix product of the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import segmodels as sm
from segmodels.core.environment import machine
from segmodels.models.base import SegModel

SEGMENTERS = ("segmenter_vit_tiny_patch16_mask", "depict_sa_vit_tiny_patch16")
SEGFORMERS = {
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "b2": ((64, 128, 320, 512), (3, 4, 6, 3), 768),
}
TARGETS = {"segmenter_vit_tiny_patch16_mask": 1.4, "segformer_b0": 2.2, "segformer_b2": 2.6}
SIDE = 512

Forward = Callable[[], object]


def explicit_attention(query: Tensor, key: Tensor, value: Tensor, **_: object) -> Tensor:
    """Softmax of scaled products, built in full as the official code does."""
    scores = (query @ key.transpose(-2, -1)) * query.shape[-1] ** -0.5
    return scores.softmax(dim=-1) @ value


def explicit(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of a model with every attention map built."""
    with mock.patch.object(F, "scaled_dot_product_attention", explicit_attention):
        logits: Tensor = model(images)
    return logits


def quarter(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of transformers' SegFormer, at 1/4 of the image."""
    logits: Tensor = model(images).logits
    return logits


def segformer_pair(size: str, device: str) -> tuple[SegModel, nn.Module]:
    """Our model and transformers' with the same random weights and statistics."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    widths, depths, width = SEGFORMERS[size]
    config = SegformerConfig(
        hidden_sizes=list(widths), depths=list(depths), decoder_hidden_size=width, num_labels=150
    )
    theirs = SegformerForSemanticSegmentation(config).eval()
    for norm in filter(lambda m: isinstance(m, nn.BatchNorm2d), theirs.modules()):
        norm.running_mean.normal_(std=0.2)
        norm.running_var.uniform_(0.5, 2.0)
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        return sm.load_checkpoint(folder, device=device), theirs.to(device)


def seconds(forward: Forward, device: str) -> float:
    """One forward pass: CPU seconds on a CPU, wall seconds on a GPU."""
    if device == "cpu":
        start = time.process_time()
        forward()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    forward()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def medians(
    variants: dict[str, Forward], rounds: int, device: str, *, warm_up: bool = True
) -> dict[str, float]:
    """Seconds of every variant, interleaved, after one warm-up each if wanted."""
    for forward in variants.values() if warm_up else ():
        forward()
    taken = [{name: seconds(f, device) for name, f in variants.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in taken) for name in variants}


def matmul_rate(device: str) -> float:
    """Multiply-adds per second of a 2048-sided float32 matrix product."""
    a, b = (torch.randn(2048, 2048, device=device) for _ in range(2))
    return 2048**3 / medians({"product": lambda: a @ b}, 5, device)["product"]


def macs(forward: Forward) -> int:
    """Multiply-adds of one forward pass."""
    counter = FlopCounterMode(display=False)
    with counter:
        forward()
    return int(counter.get_total_flops()) // 2


@dataclass(frozen=True)
class Pair:
    """A model of ours and the same network in other hands."""

    name: str
    model: SegModel
    peer: str
    theirs: Callable[[Tensor], Tensor]


def pairs(device: str) -> Iterator[Pair]:
    """What is compared, one at a time."""
    for name in SEGMENTERS:
        model = sm.create_model(name).to(device)
        yield Pair(name, model, "official order of operations", partial(explicit, model))
    for size in SEGFORMERS:
        model, theirs = segformer_pair(size, device)
        yield Pair(f"segformer_{size}", model, "transformers", partial(quarter, theirs))


def row(pair: Pair, images: Tensor, rounds: int, rate: float) -> dict[str, Any]:
    """Speed of both, and how far the logits are apart."""
    model = pair.model.eval()
    published, theirs = model.forward_lowres(images), pair.theirs(images)
    model.optimize_for_inference()
    ours = model.forward_lowres(images)
    full = model(images)
    variants: dict[str, Forward] = {
        "peer": lambda: pair.theirs(images),
        "ours": lambda: model.forward_lowres(images),
        "full": lambda: model(images),
    }
    taken = medians(variants, rounds, images.device.type)
    multiplied = macs(variants["ours"])
    same_size = ours if theirs.shape == ours.shape else full
    return {
        "model": pair.name,
        "peer": pair.peer,
        "peer_seconds": taken["peer"],
        "seconds": taken["ours"],
        "full_size_seconds": taken["full"],
        "ratio": taken["peer"] / taken["ours"],
        "full_size_ratio": taken["peer"] / taken["full"],
        "target": TARGETS.get(pair.name),
        "macs": multiplied,
        "over_floor": taken["ours"] * rate / multiplied,
        "gap_to_published_form": (ours - published).abs().max().item(),
        "gap_to_peer": (same_size - theirs).abs().max().item(),
    }


@torch.inference_mode()
def measure(device: str, rounds: int) -> list[dict[str, Any]]:
    """One row per model."""
    torch.manual_seed(0)
    images = torch.randn(1, 3, SIDE, SIDE).to(device)
    rate = matmul_rate(device)
    return [row(pair, images, rounds, rate) for pair in pairs(device)]


def show(rows: list[dict[str, Any]]) -> None:
    """A table for people."""
    head = ("model", "peer s", "ours s", "ratio", "target", "full", "/floor", "gap", "to peer")
    print(f"{head[0]:34}" + "".join(f"{title:>9}" for title in head[1:]))
    for r in rows:
        cells = (
            f"{r['peer_seconds']:.3f}",
            f"{r['seconds']:.3f}",
            f"{r['ratio']:.2f}x",
            f"{r['target']:.1f}x" if r["target"] else "-",
            f"{r['full_size_ratio']:.2f}x",
            f"{r['over_floor']:.2f}",
            f"{r['gap_to_published_form']:.1e}",
            f"{r['gap_to_peer']:.1e}",
        )
        print(f"{r['model']:34}" + "".join(f"{cell:>9}" for cell in cells))


def write_record(path: Path, options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Keep what was measured, with the machine and the options it was measured with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = {"threads": options.threads, "rounds": options.rounds}
    where = {**machine(options.device), "driver": driver(options.device), "code": code()}
    record = {"machine": where, **how, **found}
    path.write_text(json.dumps(record, indent=1) + "\n")


def driver(device: str) -> str | None:
    """Version of the GPU's driver; None on a processor."""
    if not device.startswith("cuda"):
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]


def code() -> str | None:
    """The git tree of `segmodels/` that is measured, which outlives rebased commits.

    `+` behind it if files differ; None outside a repository.
    """
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = git("status", "--porcelain", "--", "../segmodels")
    return git("rev-parse", "HEAD:segmodels") + ("+" if changed else "") or None


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = measure(options.device, options.rounds)
    if options.json:
        write_record(options.json, options, {"side": SIDE, "rows": rows})
    show(rows)


if __name__ == "__main__":
    main()
