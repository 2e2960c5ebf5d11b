"""Attacks on a network beside each other, on a few images: how many pixels each leaves right.

    python benchmarks/attacks.py [--run RUN] [--images N] [--epsilon E ...] [--json FILE]

Images are spread evenly over the run's split and seen under its first protocol. mIoU and the share
of right pixels, both without void, are over these images alone: they compare attacks, and are not
the network's numbers.
"worst" takes, of the three losses that are not cross-entropy, the strongest image of each image.
The run needs its weights and data: `segmodels suite camvid && dvc repro`.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models import write_record

from segmodels.core.arrays import Counts
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.base import Sample
from segmodels.evaluation.counting import count_pairs
from segmodels.evaluation.drawn import spread
from segmodels.evaluation.precision import evaluating, full_precision
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.subject import Subject
from segmodels.metrics.iou import intersection_and_union, iou_from, mean_of
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.robustness.attacks import attacked, condition_of
from segmodels.robustness.attacks.victim import Victim, frozen
from segmodels.runs.run import load_run
from segmodels.steps import ensure_inputs, subject_of

LOSSES = ("masked_cross_entropy", "balanced_cross_entropy", "jensen_shannon")
WORST = "pgd, worst of the three"


def attacks(epsilon: int, steps: int) -> dict[str, dict[str, Any]]:
    """Conditions by name, at one bound; an attack takes steps of one level."""
    found = {
        "noise": condition_of("noise", epsilon, {"steps": 3}),
        "fgsm": condition_of("fgsm", epsilon, {}),
    }
    for loss in ("cross_entropy", *LOSSES):
        found[f"pgd, {loss}"] = condition_of("pgd", epsilon, {"steps": steps, "losses": [loss]})
    return found


def counted(
    subject: Subject, sample: Sample, protocol: Protocol, condition: dict[str, Any] | None
) -> Counts:
    """Counts (outputs + 1, outputs) of one image under a condition, or as it is."""
    model, image = subject.model, sample.image
    if condition is not None:
        victim = Victim(model, protocol, sample.label)
        image = attacked(victim, image, sample.name, condition)
    labels = predict_fast(model, image, protocol)
    return count_pairs(sample.label, labels, model.num_classes, model.num_classes)


def right(counts: Counts) -> int:
    """Pixels that are given their class."""
    return int(np.trace(counts[:-1]))


def of_image(
    subject: Subject, sample: Sample, protocol: Protocol, epsilons: list[int], steps: int
) -> dict[tuple[int, str], Counts]:
    """Counts of one image by bound and attack; as it is under bound 0."""
    found = {(0, "clean"): counted(subject, sample, protocol, None)}
    for epsilon in epsilons:
        for name, condition in attacks(epsilon, steps).items():
            found[epsilon, name] = counted(subject, sample, protocol, condition)
        several = [found[epsilon, f"pgd, {loss}"] for loss in LOSSES]
        found[epsilon, WORST] = min(several, key=right)
    return found


def main() -> None:
    """Attack, print, and write the record if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="camvid-espnet")
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--epsilon", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path)
    parser.set_defaults(device="cpu", threads=1, rounds=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    run = load_run(chosen.run)
    ensure_inputs(run)
    subject, protocol = subject_of(run), load_protocol(run.protocols[0])
    dataset, start = open_dataset(run.dataset, run.split), time.perf_counter()
    total: dict[tuple[int, str], Any] = defaultdict(int)
    names = []
    with full_precision(), evaluating(subject.model), frozen(subject.model):
        for place in spread(len(dataset), chosen.images):
            sample = dataset.read(place)
            names.append(sample.name)
            found = of_image(subject, sample, protocol, chosen.epsilon, chosen.steps)
            for key, counts in found.items():
                total[key] += counts
            print(f"{len(names)} of {chosen.images} images, {time.perf_counter() - start:.0f} s")
    rows = []
    for (epsilon, name), counts in total.items():
        miou = round(100 * float(mean_of(iou_from(*intersection_and_union(counts)))), 2)
        share = round(100 * right(counts) / int(counts[:-1].sum()), 2)
        rows.append({"epsilon": epsilon, "attack": name, "mIoU": miou, "pixels_right": share})
        print(f"{epsilon:3} {name:30} mIoU {miou:6.2f}  right {share:6.2f}")
    if chosen.json:
        what = {"run": run.name, "weights": subject.weights, "protocol": protocol.name}
        result = {**what, "images": names, "steps": chosen.steps, "attacks": rows}
        write_record(chosen.json, chosen, {"attacks": result})


if __name__ == "__main__":
    main()
