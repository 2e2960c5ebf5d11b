"""How long judging and rendering takes as claims and evidence grow: it must grow with them.

    python benchmarks/leaderboard.py --sizes 100 1000 10000 --json reports/bench/leaderboard.json

A project is made up in a temporary folder: N claims in papers of 50, each with weights of its
own, and 10 N pieces of evidence of small splits, one in ten of which answers a claim. Reading and
checking the evidence, judging, and rendering are timed apart; seconds are of the whole process.
The floor is reading and hashing the same files.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from segmodels.evidence import (
    Counted,
    Evidence,
    Identity,
    ImageCounts,
    evidence_files,
    write_evidence,
)
from segmodels.protocols.protocol import Protocol
from segmodels.versions import EVALUATOR

CLASSES = ("road", "sky", "car")
IMAGES = 4
PER_PAPER = 50
FINGERPRINT = "fe" * 32


def make(root: Path, claims: int) -> None:
    """A project with that many claims and ten times as many pieces of evidence."""
    params = root / "params"
    for folder in ("claims", "runs", "recipes"):
        (params / folder).mkdir(parents=True)
    rules = Path(__file__).parents[1] / "params" / "verdict.yaml"
    (params / "verdict.yaml").write_text(rules.read_text())
    (params / "efficiency.yaml").write_text("{}\n")
    (params / "protocols.yaml").write_text("plain: {version: 1, title: whole image}\n")
    split = {"images": IMAGES, "fingerprint": FINGERPRINT}
    toy = {"title": "Toy", "state": "ok", "source": "made up", "splits": {"test": split}}
    (params / "datasets.yaml").write_text(json.dumps({"toy": toy}))
    (params / "weights.yaml").write_text(
        "\n".join(json.dumps({f"w{i}": _weights(i)})[1:-1] for i in range(claims))
    )
    for start in range(0, claims, PER_PAPER):
        body = {"paper": f"paper-{start}", "title": f"Paper {start}"}
        numbers = range(start, min(claims, start + PER_PAPER))
        text = json.dumps({**body, "claims": [_claim(i) for i in numbers]})
        (params / "claims" / f"paper-{start}.yaml").write_text(text)
    for number in range(10 * claims):
        write_evidence(root / "reports" / "evidence" / f"{number % 100:02d}", _evidence(number))


def _sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _weights(number: int) -> dict[str, object]:
    file = {"name": "a.pth", "url": "https://example.org/a.pth", "sha256": [_sha(number)]}
    return {"model": "espnet_p2_q8", "state": "ok", "source": "made up", "files": [file]}


def _claim(number: int) -> dict[str, object]:
    return {
        "id": f"claim-{number:06d}",
        "model": "espnet_p2_q8",
        "dataset": "toy",
        "split": "test",
        "metric": "mIoU",
        "value": 50.0,
        "decimals": 1,
        "protocol": "plain",
        "weights": f"w{number}",
        "source": "Table 1",
    }


def _evidence(number: int) -> Evidence:
    random = np.random.default_rng(number)
    counts = random.integers(1, 99, (IMAGES, len(CLASSES) + 1, len(CLASSES)))
    identity = Identity(
        weights=_sha(number),
        model={"name": "espnet_p2_q8"},
        preprocessing={},
        dataset="toy",
        split="test",
        fingerprint=FINGERPRINT,
        inference=Protocol(name="plain", version=1, title="plain").inference,
        condition=None,
        images=None,
        precision="fp32",
        evaluator=EVALUATOR,
    )
    images = tuple(ImageCounts.from_matrix(f"{i}.png", m) for i, m in enumerate(counts))
    counted = Counted("evaluated")
    return Evidence(identity, CLASSES, len(CLASSES), IMAGES, {}, {}, images, counted=counted)


def measure(claims: int) -> dict[str, float]:
    """Seconds of each step for a made-up project."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, claims)
        os.environ["SEGMODELS_ROOT"] = folder
        seconds: dict[str, float] = {}
        with _timed(seconds, "floor: read and hash the files"):
            for path in evidence_files(root / "reports" / "evidence"):
                hashlib.sha256(path.read_bytes() + path.with_suffix(".counts.jsonl").read_bytes())
        return seconds | _judge_and_render(root, seconds)


def _judge_and_render(root: Path, seconds: dict[str, float]) -> dict[str, float]:
    from segmodels.leaderboard import build_rows, write_leaderboard

    with _timed(seconds, "judge"):
        rows = build_rows(root / "reports" / "evidence")
    assert sum(row.verdict.status in ("verified", "better", "below") for row in rows) == len(rows)
    with _timed(seconds, "judge and write"):
        write_leaderboard(root / "reports" / "evidence", root / "reports")
    seconds["page, megabytes"] = (root / "reports" / "leaderboard.html").stat().st_size / 1e6
    return seconds


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    gc.collect()
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def main() -> None:
    """Measure every size and print seconds per thousand claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--json", type=Path)
    parser.set_defaults(
        device="cpu", threads=1, rounds=1
    )  # what a record says about every benchmark
    chosen = parser.parse_args()
    found = {size: measure(size) for size in chosen.sizes}
    for size, seconds in found.items():
        print(f"{size} claims, {10 * size} pieces of evidence")
        for name, value in seconds.items():
            print(f"  {name}: {value:.2f} ({1000 * value / size:.2f} per 1000 claims)")
    if chosen.json:
        from benchmarks.models import write_record

        write_record(chosen.json, chosen, {str(size): values for size, values in found.items()})


if __name__ == "__main__":
    main()
