"""How far each arithmetic of a device is from the official implementations' stored outputs.

    python benchmarks/fidelity.py --reference FOLDER [--device cpu|cuda] [--json FILE]

FOLDER holds `reference.py`, which rebuilds the seeded weights and inputs, and `cases/`, what the
official code of Segmenter, DEPICT and SegFormer made of them in fp32 on a processor. `fp32` is what
defines a number (TF32 off); `tf32`, which exists on a GPU alone, is what PyTorch users often leave
on; the others are the precisions of a protocol. "tolerance" is ten times the gap between fp32 and
fp64 of the official code. "labels" are shares of the labels of fp32 on the processor. Weights are
random, so scores are closer than those of a trained network, and more labels move.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import torch
from models import write_record
from torch import Tensor

from segmodels.checkpoints import load_checkpoint
from segmodels.evaluation.precision import lowres_logits_fixed, tf32
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Precision

#: The cases, and what of `reference.py` writes their weights as the authors released them.
CASES = {
    "segmenter_t16_mask_ade150": "save_segmenter",
    "segmenter_deit_t16_mask_ade150": "save_segmenter",
    "depict_sa_t16_ade150": "save_segmenter",
    "segformer_b0_ade150": "save_mmseg",
}
TF32 = "tf32"


def module_at(path: Path) -> ModuleType:
    """The Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arithmetics(device: str) -> list[str]:
    """What is compared: the precisions of protocols, and TF32 where there is any."""
    known = list(get_args(Precision))
    return [known[0], TF32, *known[1:]] if device.startswith("cuda") else known


def logits(model: SegModel, images: Tensor, arithmetic: str) -> Tensor:
    """Logits at the size of the images, on the processor."""
    precision: Any = "fp32" if arithmetic == TF32 else arithmetic
    with torch.inference_mode(), tf32(arithmetic == TF32):
        low = lowres_logits_fixed(model, images, precision)
        return model.to_image(low, *images.shape[-2:]).cpu()


def rows(reference: ModuleType, folder: Path, device: str) -> Iterator[dict[str, Any]]:
    """Every case, size and arithmetic."""
    for name, writer in CASES.items():
        case = reference.load_case(folder / "cases" / f"{name}.json")
        with tempfile.TemporaryDirectory() as scratch:
            written = getattr(reference, writer)(case, Path(scratch) / "weights.pth")
            model = load_checkpoint(written or Path(scratch) / "weights.pth")
        for described in case["inputs"]:
            images = reference.build_input(described)
            labels = logits(model.to("cpu"), images, "fp32").argmax(1)
            for arithmetic in arithmetics(device):
                found = logits(model.to(device), images.to(device), arithmetic)
                report = reference.compare(case, described, "logits", found)
                row = {
                    "case": name,
                    "input": described["name"],
                    "arithmetic": arithmetic,
                    "max_difference": report["max_abs"],
                    "tolerance": report["tol"],
                    "labels": float((found.argmax(1) != labels).float().mean()),
                }
                show(row)
                yield row


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    print(
        f"{row['case']:32}{row['input']:>10}{row['arithmetic']:>15}"
        f"  differs by {row['max_difference']:.1e} (tolerance {row['tolerance']:.1e}), "
        f"{row['labels']:.3%} of the labels",
        flush=True,
    )


def main() -> None:
    """Compare, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--reference", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.set_defaults(rounds=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    reference = module_at(options.reference / "reference.py")
    found = list(rows(reference, options.reference, options.device))
    if options.json:
        write_record(options.json, options, {"rows": found})


if __name__ == "__main__":
    main()
