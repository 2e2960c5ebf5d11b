"""Images a second of whole evaluations, every precision against the official order of operations.

    python benchmarks/throughput.py [--device cpu|cuda] [--models NAME ...] [--images 64]
                                    [--peer-images 4] [--precisions fp32 ...] [--json FILE]

An evaluation is what `segmodels evaluate` does behind the decoder: resize, normalise, windows of
all views of several images in passes of one shape, the network, labels at the size of the image,
and counting, all on the device. The peer (`inference.py`) takes one image and one window after
another, builds every attention map and scores of classes x height x width, and counts with
three histograms, as the official scripts do. Images are smooth noise of 512 x 683; protocols are
one scale and six scales with mirror images, window 512 (640 for a model of 640), stride 32 less.
"of the product" is the share of a large matrix product's rate, in the same precision, that the
network's counted multiplications reach: what is left to gain. "differ" is the share of
labels that are not those of fp32.
Peak memory is PyTorch's on a GPU and the process's on a processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from counting import histc
from inference import SIX_SCALES, SLIDE, network, peer_labels
from models import macs, seconds, write_record
from torch import Tensor

import segmodels as sm
from segmodels.core.arrays import Counts, Pixels
from segmodels.core.environment import peak_memory_bytes
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import begin_to_count
from segmodels.evaluation.pending import Pending
from segmodels.evaluation.predict import predict_many
from segmodels.evaluation.windows import Batching
from segmodels.models.base import SegModel, upsample
from segmodels.protocols.protocol import Protocol

CLASSES = 150
SIZE = (512, 683)
MODELS = (
    "segmenter_vit_tiny_patch16_mask",
    "segmenter_vit_small_patch16_mask",
    "segmenter_vit_base_patch16_mask",
    "segmenter_vit_large_patch16_mask@640",
    "depict_sa_vit_large_patch16@640",
    "segformer_b0",
    "segformer_b2",
    "segformer_b5@640",
)
PRECISIONS = ("fp32", "bf16", "fp32-compiled", "bf16-compiled")


def protocols(window: int) -> dict[str, Protocol]:
    """One scale, and six scales with mirror images."""
    single = SLIDE.replace(resize_short=window, resize_long=4 * window, window=window)
    single = single.replace(stride=window - 32)
    return {"one scale": single, "6 scales + flip": single.replace(scales=SIX_SCALES, flip=True)}


def images(number: int) -> list[Pixels]:
    """Smooth coloured noise, each image another."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(number, 3, SIZE[0] // 16, SIZE[1] // 16, generator=generator)
    pixels = upsample(coarse, SIZE).permute(0, 2, 3, 1) * 255
    return list(pixels.to(torch.uint8).numpy())


def evaluated(model: SegModel, taken: Sequence[Pixels], protocol: Protocol) -> list[Tensor]:
    """Label and count images as the evaluator does: in batches of the usual size here, and counts
    asked for when the next batch has been begun.
    """
    found: list[Tensor] = []
    waiting: list[Pending[Counts]] = []
    usual = Batching.usual(next(model.parameters()).device, protocol)
    for start in range(0, len(taken), usual.images):
        batch = predict_many(model, taken[start : start + usual.images], protocol, usual)
        labels = [one.labels for one in batch]
        begun = [begin_to_count(_truth(), one, *_SHAPE) for one in labels]
        for counted in waiting:
            counted.result()
        found, waiting = found + labels, begun
    for counted in waiting:
        counted.result()
    return found


_SHAPE = (CLASSES, CLASSES, 255)


def _truth() -> Pixels:
    return np.zeros(SIZE, dtype=np.uint8)


def official(model: SegModel, taken: Sequence[Pixels], protocol: Protocol) -> None:
    """Label and count one image after another in the official order of operations."""
    for image in taken:
        histc(_truth(), peer_labels(model, image, protocol), CLASSES)


def product_rate(device: str, precision: str) -> float:
    """Multiply-adds a second of a large matrix product in a precision."""
    side = 8192 if device == "cuda" else 2048
    kind = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    for _ in range(2):
        a @ b
    return side**3 / min(seconds(lambda: a @ b, device) for _ in range(5))


def wall(work: Any, device: str) -> float:
    """Seconds on the wall, the device's work included."""
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


@torch.inference_mode()
def rows(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All precisions and protocols of one model."""
    model_name, _, side = name.partition("@")
    window, device = int(side or 512), options.device
    torch.manual_seed(0)
    model = sm.create_model(model_name, CLASSES, image_size=window).to(device).eval()
    taken = images(options.images)
    return [
        row
        for title, protocol in protocols(window).items()
        for row in _compared(model, taken, protocol, {"model": name, "protocol": title}, options)
    ]


def _compared(
    model: SegModel,
    taken: Sequence[Pixels],
    protocol: Protocol,
    about: dict[str, Any],
    options: argparse.Namespace,
) -> Iterator[dict[str, Any]]:
    """Every precision under one protocol."""
    device, few = options.device, taken[: options.peer_images]
    official(model, taken[:1], protocol)
    peer = len(few) / wall(lambda: official(model, few, protocol), device)
    multiplied = macs(lambda: network(model, taken[0], protocol))
    exact: list[Tensor] = []
    for precision in options.precisions:
        row = {**about, "precision": precision}
        try:
            row |= _measured(model, taken, protocol.replace(precision=precision), device)
        except SegmodelsError as error:
            yield {**row, "failed": str(error)}
            continue
        labels = row.pop("labels")
        exact = exact or labels
        row["ratio"] = row["images_per_second"] / peer
        row["of_product"] = row["images_per_second"] * multiplied / product_rate(device, precision)
        row["differing"] = _share(exact, labels)
        show(row)
        yield row


def _measured(
    model: SegModel, taken: Sequence[Pixels], protocol: Protocol, device: str
) -> dict[str, Any]:
    if device == "cuda":
        evaluated(model, taken, protocol)  # compiles, chooses kernels
        torch.cuda.reset_peak_memory_stats()
    else:
        evaluated(model, taken[:1], protocol)
    labels: list[Tensor] = []
    taken_seconds = wall(lambda: labels.extend(evaluated(model, taken, protocol)), device)
    return {
        "images_per_second": len(taken) / taken_seconds,
        "peak_bytes": peak_memory_bytes(device),
        "labels": labels,
    }


def _share(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    return float(np.mean([float((a != b).float().mean()) for a, b in zip(one, other, strict=True)]))


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    print(
        f"{row['model']}, {row['protocol']}, {row['precision']}: "
        f"{row['images_per_second']:.2f} images/s, {row['ratio']:.1f}x the official order, "
        f"{row['of_product']:.0%} of the product, {row['peak_bytes'] / 2**30:.1f} GiB, "
        f"{row['differing']:.3%} of the labels differ",
        flush=True,
    )


def main() -> None:
    """Print a line for every model, protocol and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--peer-images", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.set_defaults(rounds=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    found = []
    for name in options.models:
        found += rows(name, options)
        if options.json:  # a killed run keeps what it has
            write_record(options.json, options, {"images": options.images, "rows": found})


if __name__ == "__main__":
    main()
