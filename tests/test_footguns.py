"""docs/footguns.md shows no number that does not follow from a record in git."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from segmodels.core.arrays import Floats
from segmodels.evidence import evidence_files, read_evidence
from segmodels.metrics.iou import iou_from, mean_of
from segmodels.metrics.scores import counts_per_image
from segmodels.protocols.reading import load_protocol

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "footguns.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| [^|]+ \| (\d+\.\d+) \| (\d+\.\d+) \| ([+-]\d+\.\d+) \|", re.M
)


@cache
def board() -> dict[str, float]:
    """Measured mIoU by claim, or by run and protocol."""
    rows = json.loads((REPOSITORY / "reports" / "leaderboard.json").read_text())["rows"]
    found = [row for row in rows if row.get("metric") == "mIoU" and "verified" in row]
    return {row.get("claim") or row["page"]: row["verified"] for row in found}


@cache
def over_images() -> Floats:
    """IoU of every image and class, (images, classes); NaN where an image lacks a class."""
    (file,) = evidence_files(REPOSITORY / "reports/evidence/camvid-espnet/espnet-camvid")
    intersection, union, _ = counts_per_image(read_evidence(file), load_protocol("camvid-whole"))
    return iou_from(intersection, union)


def resized() -> tuple[float, float]:
    record = json.loads((REPOSITORY / "reports/bench/pixels.json").read_text())
    (network,) = (one for one in record["models"] if one["run"] == "camvid-unet-half")
    (row,) = (one for one in network["rows"] if one["value"] == "pillow")
    return network["miou"], network["miou"] + row["change"]


def reduced() -> tuple[float, float]:
    (file,) = evidence_files(REPOSITORY / "reports/evidence/camvid-espnet/espnet-camvid-bf16")
    effect = json.loads(file.read_text())["effect"]
    (usual,) = (one for one in effect["scores"] if one["scoring"]["void"] == "ignore")
    return usual["fp32"], usual["reduced"]


def seeds() -> tuple[float, float]:
    found = [board()[f"camvid-equal-segformer-{seed}-camvid-half"] for seed in range(3)]
    return fmean(found), max(found)


ESPNET = "camvid-espnet-camvid-whole"
NANO = "shapes-segformer-nano-shapes"

#: From and to of each row, by what the page calls it.
MEASURED: dict[str, Callable[[], tuple[float, float]]] = {
    "averaged over images": lambda: (
        board()[ESPNET],
        100 * float(np.mean(mean_of(over_images()))),
    ),
    "the same, absent classes as 0": lambda: (
        board()[ESPNET],
        100 * float(np.nan_to_num(over_images()).mean()),
    ),
    "the same, absent classes as 1": lambda: (
        board()[ESPNET],
        100 * float(np.nan_to_num(over_images(), nan=1.0).mean()),
    ),
    "void pixels counted as errors": lambda: (board()[ESPNET], board()["espnet_p2_q8_camvid"]),
    "labels resized with the images": lambda: (
        board()["camvid-enet-first-val-camvid-whole"],
        board()["camvid-enet-first-val-enet-ntkhoa95-camvid"],
    ),
    "channels of the mean exchanged": lambda: (
        board()["cgnet_m3n21_camvid"],
        board()["camvid-cgnet-camvid-statistics-reversed"],
    ),
    "a resize that antialiases": resized,
    "tested at two thirds of the size": lambda: (
        board()[f"{NANO}-ss"],
        board()[f"{NANO}-small-ss"],
    ),
    "several scales and mirror images": lambda: (board()[f"{NANO}-ss"], board()[f"{NANO}-ms"]),
    "the best of three seeds, not their mean": seeds,
    "bf16 for fp32": reduced,
}


def test_every_row_is_measured() -> None:
    assert [row["what"] for row in ROW.finditer(PAGE)] == list(MEASURED)


@pytest.mark.parametrize("row", ROW.finditer(PAGE), ids=lambda row: row["what"])
def test_a_row_follows_from_its_record(row: re.Match[str]) -> None:
    before, after = MEASURED[row["what"]]()
    assert tuple(row.groups()[1:]) == (f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}")
