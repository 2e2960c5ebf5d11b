"""Counting pixels and drawing intervals, against what people use today, in one run.

    python benchmarks/counting.py [--device cpu|cuda] [--threads 1] [--rounds 21] [--json FILE]

Peers: mmsegmentation's way (three `torch.histc` over the pixels that are not void), written
from its definition, and `cv2.calcHist` over classes x classes, which leaves void out and
checks nothing. Ours keeps void, checks every value and gives int64. Variants are interleaved;
milliseconds are medians of process time, which other work on the machine lengthens less than the
time on the wall. The record holds the load of the machine before and after, and a note.
Maps: `areas` change from pixel to pixel about as often as label maps of photographs do (2 to
3 %), `noise` at every pixel. On a GPU the maps lie there, milliseconds are wall time until the
counts are here, and `calcHist`, which cannot be used there, is left out.
The last part makes the intervals of evidence as large as ADE20K's validation split.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from models import medians as wall_medians
from models import write_record

from segmodels.evaluation.counting import confusion_matrix
from segmodels.evidence import Evidence, Identity, ImageCounts
from segmodels.metrics.intervals import IntervalRule, miou_interval, paired_interval
from segmodels.protocols.protocol import Protocol

SIZES = {"512x683, 150 classes": (512, 683, 150), "1024x2048, 19 classes": (1024, 2048, 19)}
VOID = 255


def maps(height: int, width: int, classes: int, kind: str) -> tuple[Any, Any]:
    """A label map with void and a prediction that is mostly right, both uint8."""
    draw = np.random.default_rng(0)
    if kind == "noise":
        label, guess = draw.integers(0, classes, (2, height, width), dtype=np.uint8)
    else:
        coarse = draw.integers(0, classes, (height // 64, width // 64)).astype(np.uint8)
        label = _warped(
            cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), draw, 12
        )
        guess = _warped(label, draw, 3)
    label[: height // 20] = VOID
    return label, guess


def _warped(labels: Any, draw: np.random.Generator, by: float) -> Any:
    height, width = labels.shape
    shifts = draw.normal(0, by, (2, height // 32, width // 32)).astype(np.float32)
    down, right = (
        cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in shifts
    )
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    moved = cv2.remap(
        labels, columns + right, rows + down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT
    )
    return cv2.medianBlur(moved, 9)


def histc(label: Any, guess: Any, classes: int) -> tuple[Any, Any]:
    """Pixels right and in the union of each class, as mmsegmentation counts them."""
    label, guess = torch.as_tensor(label), torch.as_tensor(guess)
    mask = label != VOID
    label, guess = label[mask], guess[mask]
    right = guess[guess == label]
    areas = [
        torch.histc(one.float(), bins=classes, min=0, max=classes - 1)
        for one in (right, guess, label)
    ]
    return areas[0], areas[1] + areas[2] - areas[0]


def calc_hist(label: Any, guess: Any, classes: int) -> Any:
    """OpenCV's joint histogram, float32; void lies outside its ranges."""
    ranges = [0, classes, 0, classes]
    return cv2.calcHist([label, guess], [0, 1], None, [classes, classes], ranges)


def medians(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of CPU time of each variant, one after another in every round."""
    seen: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            start = time.process_time()
            for _ in range(3):
                run()
            seen[name].append((time.process_time() - start) / 3 * 1e3)
    return {name: statistics.median(values) for name, values in seen.items()}


def counting(rounds: int) -> dict[str, dict[str, float]]:
    """Every size and kind of map; the three ways must agree before they are timed."""
    found = {}
    for title, (height, width, classes) in SIZES.items():
        for kind in ("areas", "noise"):
            label, guess = maps(height, width, classes, kind)
            wide = label.astype(np.int64), guess.astype(np.int64)
            counts = confusion_matrix(label, guess, classes)
            right, union = histc(label, guess, classes)
            assert np.array_equal(counts, calc_hist(label, guess, classes))
            assert np.array_equal(np.diagonal(counts), right)
            assert np.array_equal(counts.sum(0) + counts.sum(1) - np.diagonal(counts), union)
            found[f"{title}, {kind}"] = medians(
                {
                    "histc": lambda a=label, b=guess, c=classes: histc(a, b, c),
                    "calcHist": lambda a=label, b=guess, c=classes: calc_hist(a, b, c),
                    "ours": lambda a=label, b=guess, c=classes: confusion_matrix(a, b, c),
                    "histc int64": lambda p=wide, c=classes: histc(*p, c),
                    "ours int64": lambda p=wide, c=classes: confusion_matrix(*p, c),
                },
                rounds,
            )
    return found


def on_a_device(rounds: int, device: str) -> dict[str, dict[str, float]]:
    """The same of maps that lie on a GPU."""
    found = {}
    for title, (height, width, classes) in SIZES.items():
        for kind in ("areas", "noise"):
            here = maps(height, width, classes, kind)
            label, guess = (torch.from_numpy(one).to(device) for one in here)
            assert np.array_equal(
                confusion_matrix(label, guess, classes), confusion_matrix(*here, classes)
            )
            variants = {
                "histc": lambda a=label, b=guess, c=classes: histc(a, b, c),
                "ours": lambda a=label, b=guess, c=classes: confusion_matrix(a, b, c),
            }
            taken = wall_medians(variants, rounds, device)
            found[f"{title}, {kind}"] = {name: 1e3 * taken[name] for name in variants}
    return found


def evidence(images: int, weights: str, classes: int = 150) -> Evidence:
    """Evidence with some ten classes and their confusions in every image."""
    draw, counted = np.random.default_rng(0), []
    for number in range(images):
        matrix = np.zeros((classes + 1, classes), dtype=np.int64)
        for c in draw.choice(classes, 10, replace=False):
            matrix[c, c] = draw.integers(100, 40_000)
            matrix[c, draw.choice(classes, 5)] += draw.integers(1, 2000, 5)
            matrix[classes, c] = draw.integers(0, 500)
        counted.append(ImageCounts.from_matrix(str(number), matrix))
    protocol = Protocol(name="plain", version=1, title="plain")
    identity = Identity(
        weights, {}, {}, "toy", "val", "0" * 64, protocol.inference, None, None, "fp32", 1
    )
    names = tuple(map(str, range(classes)))
    return Evidence(identity, names, classes, images, {}, {}, tuple(counted))


def intervals(images: int) -> dict[str, float]:
    """CPU seconds of an interval, for one evidence and for the difference of two."""
    one, other = evidence(images, "a" * 64), evidence(images, "b" * 64)
    protocol, rule = Protocol(name="plain", version=1, title="plain"), IntervalRule(confidence=0.95)
    start = time.process_time()
    miou_interval(one, protocol, rule)
    middle = time.process_time()
    paired_interval(one, other, protocol, rule)
    return {"one": middle - start, "paired": time.process_time() - middle}


def main() -> None:
    """Print milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--note", default="", help="what a reader of the record should know")
    parser.add_argument("--json", type=Path, help="write the medians here too")
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    cv2.setNumThreads(chosen.threads)
    load = [os.getloadavg()[0]]
    here = chosen.device == "cpu"
    counted = counting(chosen.rounds) if here else on_a_device(chosen.rounds, chosen.device)
    for title, times in counted.items():
        print(title + ": " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in times.items()))
        print(f"  {times['histc'] / times['ours']:.1f}x histc")
        if here:
            wide = times["histc int64"] / times["ours int64"]
            print(f"  int64: {wide:.1f}x; {times['calcHist'] / times['ours']:.2f}x calcHist")
    drawn = intervals(chosen.images)
    told = ", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in drawn.items())
    print(f"intervals of {chosen.images} images: {told}")
    if chosen.json:
        load.append(os.getloadavg()[0])
        rows = [{"case": title, "milliseconds": times} for title, times in counted.items()]
        about = {"note": chosen.note, "load": load, "images": chosen.images}
        write_record(chosen.json, chosen, {**about, "rows": rows, "interval_seconds": drawn})


if __name__ == "__main__":
    main()
