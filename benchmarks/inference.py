"""From an image to its labels: the fast path against what people use today, in one run.

    pip install -e '.[bench]'
    python benchmarks/inference.py [--only WORD] [--device cpu|cuda] [--threads 1]
                                   [--rounds 3] [--json FILE]

Peers: for Segmenter the official order of operations, which is `predict_views` and argmax,
with every attention map built; for SegFormer the model of `transformers` (same weights)
with mmsegmentation's sliding window. Ours: `predict_fast`, which evaluations use; "folded": the
same after `optimize_for_inference`, which they do not (a Segmenter has nothing to fold).
Variants are interleaved; seconds are medians (CPU seconds of the process on a CPU, wall
seconds on a GPU). "floor" is the time the network's counted multiplications would take at the
rate of a large matrix product of the same run. Memory is what a process of its own
needs beyond the model and the image. "differ" counts labels at one scale that are not the
peer's, and how many of them are no ties (best two probabilities further apart than 1e-6).
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from models import explicit_attention, macs, matmul_rate, medians, segformer_pair, write_record
from torch import Tensor, nn

import segmodels as sm
from segmodels.core.arrays import Pixels
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict_views
from segmodels.evaluation.views import image_views
from segmodels.evaluation.windows import low_resolution
from segmodels.models.base import ModelConfig, SegModel, upsample
from segmodels.models.folding import Foldable
from segmodels.protocols.protocol import Protocol

SEGMENTER = "segmenter_vit_tiny_patch16_mask"
SIX_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
#: Where the best two probabilities are nearer than this, rounding may choose.
TIE = 1e-6
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    model: str
    classes: int
    size: tuple[int, int]
    protocol: Protocol
    target: float
    rounds: int | None = None

    @property
    def image(self) -> Pixels:
        """Smooth coloured noise: labels come in patches, as in photographs."""
        generator = torch.Generator().manual_seed(0)
        coarse = torch.rand(1, 3, self.size[0] // 16, self.size[1] // 16, generator=generator)
        pixels = upsample(coarse, self.size)[0].permute(1, 2, 0) * 255
        return pixels.to(torch.uint8).numpy()


SLIDE = Protocol(name="slide", version=1, title="slide", window=512, stride=480, enlarge=True)
CASES = (
    Case("segmenter-t 512x683 slide", SEGMENTER, 150, (512, 683), SLIDE, 3.0),
    Case(
        "segmenter-t 512x683 6 scales + flip",
        SEGMENTER,
        150,
        (512, 683),
        SLIDE.replace(resize_short=512, resize_long=2048, scales=SIX_SCALES, flip=True),
        3.0,
        rounds=1,
    ),
    Case(
        "segmenter-t 1024x2048 slide 768/512",
        SEGMENTER,
        19,
        (1024, 2048),
        SLIDE.replace(window=768, stride=512),
        2.7,
        rounds=1,
    ),
    Case(
        "segformer-b0 512x683 slide",
        "segformer_b0",
        150,
        (512, 683),
        SLIDE.replace(enlarge=False),
        3.0,
    ),
)


class Theirs(SegModel):
    """transformers' SegFormer, upsampled to its window as mmsegmentation does."""

    def __init__(self, model: nn.Module, like: SegModel) -> None:
        super().__init__(ModelConfig(num_classes=like.num_classes))
        self.model = model
        self.preprocessing = like.preprocessing

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the size of the images."""
        return upsample(self.model(images).logits, tuple(images.shape[-2:]))


def networks(case: Case, device: str) -> tuple[SegModel, SegModel]:
    """Ours and the peer's network, with the same weights."""
    torch.manual_seed(0)
    if case.model.startswith("segformer"):
        ours, theirs = segformer_pair(case.model.split("_")[1], device)
        return ours.eval(), Theirs(theirs, ours).eval()
    window = case.protocol.window
    model = sm.create_model(case.model, case.classes, image_size=window).to(device).eval()
    return model, model


def peer(model: SegModel, image: Pixels, protocol: Protocol) -> Tensor:
    """Averaged probabilities in the official order of operations."""
    with mock.patch.object(F, "scaled_dot_product_attention", explicit_attention):
        return predict_views(model, image_views(model, image, protocol), image.shape[:2], protocol)


def peer_labels(model: SegModel, image: Pixels, protocol: Protocol) -> Pixels:
    """Labels in the official order of operations."""
    return peer(model, image, protocol).argmax(dim=0).to(torch.uint8).cpu().numpy()


def compare(ours: Pixels, probabilities: Tensor) -> dict[str, int]:
    """How many labels differ, and how many of them are no ties."""
    best, second = probabilities.topk(2, dim=0).values
    differs = ours != probabilities.argmax(dim=0).cpu().numpy()
    sure = (best - second > TIE).cpu().numpy()
    return {"differing": int(differs.sum()), "differing_beyond_ties": int((differs & sure).sum())}


@torch.inference_mode()
def row(case: Case, device: str, rounds: int, rate: float) -> dict[str, Any]:
    """Speed, memory and agreement of one case."""
    ours, theirs = networks(case, device)
    image, protocol = case.image, case.protocol
    warm = np.ascontiguousarray(image[:64, :64])
    peer_labels(theirs, warm, protocol)
    once = protocol.replace(scales=(1.0,), flip=False)
    same = compare(predict_fast(ours, image, once), peer(theirs, image, once))
    folded = copy.deepcopy(ours).optimize_for_inference()
    folds = any(isinstance(module, Foldable) for module in ours.modules())
    variants: dict[str, Callable[[], object]] = {
        "peer": lambda: peer_labels(theirs, image, protocol),
        "ours": lambda: predict_fast(ours, image, protocol),
        "network": lambda: network(ours, image, protocol),
    }
    if folds:
        variants["folded"] = lambda: predict_fast(folded, image, protocol)
        same |= {
            f"folded_{name}": number
            for name, number in compare(
                predict_fast(folded, image, once), peer(theirs, image, once)
            ).items()
        }
    taken = medians(variants, case.rounds or rounds, device, warm_up=False)
    multiplied = macs(lambda: network(ours, image, protocol))
    memory = {who: extra_memory(case, who, device) for who in ("peer", "ours")}
    return {
        "case": case.name,
        "peer_seconds": taken["peer"],
        "seconds": taken["ours"],
        "network_seconds": taken["network"],
        "ratio": taken["peer"] / taken["ours"],
        "folded_ratio": taken["peer"] / taken["folded"] if folds else None,
        "target": case.target,
        "macs": multiplied,
        "over_floor": taken["ours"] * rate / multiplied,
        "peer_extra_bytes": memory["peer"],
        "extra_bytes": memory["ours"],
        "memory_share": memory["ours"] / memory["peer"],
        **same,
    }


def network(model: SegModel, image: Pixels, protocol: Protocol) -> Tensor:
    """The part of the fast path before the tiles."""
    views = image_views(model, image, protocol)
    return low_resolution(model, views, image.shape[:2], protocol)[0].logits


def extra_memory(case: Case, who: str, device: str) -> int:
    """Bytes that labelling one image takes at its peak, in a process of its own."""
    command = [sys.executable, __file__, "--memory", who, "--only", case.name, "--device", device]
    command += ["--threads", str(torch.get_num_threads())]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@torch.inference_mode()
def measure_memory(case: Case, who: str, device: str) -> int:
    """Peak of resident memory (of PyTorch's allocator on a GPU) above what was there before."""
    ours, theirs = networks(case, device)
    image = case.image
    label = {
        "ours": lambda pixels: predict_fast(ours, pixels, case.protocol),
        "peer": lambda pixels: peer_labels(theirs, pixels, case.protocol),
    }[who]
    small = case.protocol.replace(window=64, stride=64, scales=(1.0,), flip=False)
    predict_fast(ours, np.ascontiguousarray(image[:64, :64]), small)  # loads libraries
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        label(image)
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak (Linux)
    before = resident("VmRSS")
    label(image)
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """A size in bytes from Linux' account of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}.")


def show(rows: list[dict[str, Any]]) -> None:
    """A table for people."""
    head = ("peer s", "ours s", "network", "ratio", "folded", "target", "/floor")
    head += ("peer MiB", "MiB", "differ")
    print(f"{'case':38}" + "".join(f"{title:>9}" for title in head))
    for r in rows:
        cells = (
            f"{r['peer_seconds']:.2f}",
            f"{r['seconds']:.2f}",
            f"{r['network_seconds']:.2f}",
            f"{r['ratio']:.2f}x",
            f"{r['folded_ratio']:.2f}x" if r["folded_ratio"] else "-",
            f"{r['target']:.1f}x",
            f"{r['over_floor']:.2f}",
            f"{r['peer_extra_bytes'] / MEBIBYTE:.0f}",
            f"{r['extra_bytes'] / MEBIBYTE:.0f}",
            f"{r['differing']}/{r['differing_beyond_ties']}",
        )
        print(f"{r['case']:38}" + "".join(f"{cell:>9}" for cell in cells))


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory", choices=("ours", "peer"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases = [case for case in CASES if options.only in case.name]
    if options.memory:
        print(measure_memory(cases[0], options.memory, options.device))
        return
    rate = matmul_rate(options.device)
    rows = [row(case, options.device, options.rounds, rate) for case in cases]
    if options.json:
        write_record(options.json, options, {"rows": rows})
    show(rows)


if __name__ == "__main__":
    main()
