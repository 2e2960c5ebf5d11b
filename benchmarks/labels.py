"""Whole splits through the fast path and the reference path: how many labels differ.

    python benchmarks/labels.py [--runs RUN ...] [--json FILE]

Every image of a run's split under its first protocol, with its trained or released weights:
`predict_fast`, which evaluations use, and the same after `optimize_for_inference` ("folded"),
against the reference path. "beyond ties" are those whose two best probabilities in the reference
are more than 1e-6 apart. Runs need their weights and data:
`segmodels suite quick camvid && dvc repro`.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inference import compare
from models import write_record

from segmodels.core.arrays import Pixels
from segmodels.core.environment import cores
from segmodels.datasets.opening import open_dataset
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict, predict_views
from segmodels.evaluation.views import image_views
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.steps import subject_of

RUNS = (
    "camvid-espnet",
    "camvid-segformer-half",
    "camvid-unet-half",
    "shapes-depict-nano",
    "shapes-segformer-nano",
    "shapes-segmenter-nano",
)


@torch.inference_mode()
def differences(models: dict[str, SegModel], image: Pixels, protocol: Protocol) -> Counter[str]:
    """Labels of one image that are not those of the reference path."""
    torch.set_num_threads(1)
    plain = models["fast"]
    expected, found = predict(plain, image, protocol), Counter(labels=image[..., 0].size)
    for way, model in models.items():
        labels = predict_fast(model, image, protocol)
        if not np.array_equal(labels, expected):
            size, views = image.shape[:2], image_views(plain, image, protocol)
            told = compare(labels, predict_views(plain, views, size, protocol))
            found[f"{way} differing"] += int((labels != expected).sum())
            found[f"{way} beyond ties"] += told["differing_beyond_ties"]
    return found


def row(name: str) -> dict[str, Any]:
    """A whole split, images on all cores."""
    run = load_run(name)
    subject, protocol = subject_of(run), load_protocol(run.protocols[0])
    folded = copy.deepcopy(subject.model).optimize_for_inference()
    models, dataset = (
        {"fast": subject.model, "folded": folded},
        open_dataset(run.dataset, run.split),
    )
    with ThreadPoolExecutor(cores()) as pool:
        work = (
            pool.submit(differences, models, sample.image, protocol)
            for sample in map(dataset.read, range(len(dataset)))
        )
        total = sum((one.result() for one in list(work)), Counter[str]())
    names = [f"{way} {what}" for way in models for what in ("differing", "beyond ties")]
    found = {"run": name, "protocol": protocol.name, "weights": subject.weights}
    found |= {"images": len(dataset), "labels": total["labels"]}
    return {**found, **{name: total[name] for name in names}}


def main() -> None:
    """Compare, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", nargs="+", default=list(RUNS))
    parser.add_argument("--json", type=Path)
    parser.set_defaults(device="cpu", threads=1, rounds=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in options.runs:
        rows.append(row(name))
        print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if options.json:
        write_record(options.json, options, {"rows": rows})


if __name__ == "__main__":
    main()
