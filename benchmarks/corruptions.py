"""The 19 corruptions against the package imagecorruptions, in one run, one thread each.

    PYTHONPATH=. python benchmarks/corruptions.py --peer PYTHON
        [--peer-path FOLDER ...] [--rounds 5] [--severities 1 3 5] [--json FILE]

where PYTHON is an interpreter for which, with the folders on its path, `import imagecorruptions`
works. It is another one, because the package (git c959e65) needs numpy 1 and scikit-image 0.19.
It runs this file too, as a process that corrupts when it is told to: calls of both alternate, on
the same image. Times are medians of CPU seconds of the process that corrupts; what a first call
does once (tables, textures, numba's compilation) is not counted. Every call of ours has a seed of
its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZES = ((512, 683), (1024, 2048))
TARGETS = {(512, 683): 7.0, (1024, 2048): 8.0}
PEER = "imagecorruptions, git c959e65"
Corrupt = Callable[[Any, str, int, int], Any]


def picture(size: tuple[int, int]) -> Any:
    """Smooth surfaces with edges and some noise, uint8 (H, W, 3)."""
    random = np.random.default_rng(0)
    down, across = (np.arange(side) for side in size)
    levels = np.zeros((*size, 3))
    for scale in (8, 31, 123):
        patches = random.normal(size=(size[0] // scale + 1, size[1] // scale + 1, 3))
        levels += 25 * patches[down // scale][:, across // scale]
    levels += 60 * np.sin(down[:, None] / 211 + across / 307)[..., None]
    return np.clip(levels + random.normal(scale=4, size=levels.shape) + 120, 0, 255).astype("u1")


def seconds(corrupt: Corrupt, image: Any, name: str, severity: int, seed: int) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    corrupt(image, name, severity, seed)
    return time.process_time() - begin


def serve(folder: Path) -> None:
    """The peer's process: a line `size name severity` on its input, CPU seconds on its output."""
    import cv2
    from imagecorruptions import corrupt

    cv2.setNumThreads(1)
    images = [np.load(folder / f"{index}.npy") for index in range(len(SIZES))]

    def peer(image: Any, name: str, severity: int, seed: int) -> Any:
        return corrupt(image, corruption_name=name, severity=severity)

    for line in sys.stdin:
        index, name, severity = line.split()
        print(seconds(peer, images[int(index)], name, int(severity), 0), flush=True)


class Peer:
    """The process of the peer."""

    def __init__(self, python: str, path: list[str], folder: Path) -> None:
        alone = {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [python, __file__, "--serve", str(folder)],
            env={**os.environ, **alone},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, index: int, name: str, severity: int) -> float:
        """CPU seconds of one call there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{index} {name} {severity}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def measure(peer: Peer, images: list[Any], severity: int, rounds: int) -> list[dict[str, Any]]:
    """Medians of both by size and corruption, at one severity."""
    from segmodels.robustness.corruptions import CORRUPTIONS, corrupt

    rows = []
    print(f"severity {severity}")
    for index, image in enumerate(images):
        for name in CORRUPTIONS:
            peer.seconds(index, name, severity), corrupt(image, name, severity)
            pairs = [
                (
                    peer.seconds(index, name, severity),
                    seconds(corrupt, image, name, severity, seed),
                )
                for seed in range(rounds)
            ]
            theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
            size = "x".join(map(str, SIZES[index]))
            rows.append(
                {"size": size, "corruption": name, "severity": severity}
                | {"peer_seconds": theirs, "seconds": ours, "ratio": theirs / ours}
            )
            print(f"{size:10} {name:20} {theirs:8.4f} {ours:8.4f} {theirs / ours:6.1f}x")
    return rows


def totals(rows: list[dict[str, Any]], severity: int) -> list[dict[str, Any]]:
    """Of the whole set at one severity, by size."""
    found = []
    for size, target in TARGETS.items():
        name = "x".join(map(str, size))
        mine = [row for row in rows if row["size"] == name]
        theirs, ours = (sum(row[key] for row in mine) for key in ("peer_seconds", "seconds"))
        slowest = min(row["ratio"] for row in mine)
        found.append(
            {"size": name, "severity": severity, "peer_seconds": theirs, "seconds": ours}
            | {"ratio": theirs / ours, "smallest_ratio": slowest, "target": target}
        )
        print(f"{name:10} severity {severity}: {theirs:8.3f} {ours:8.3f} {theirs / ours:.2f}x,")
        print(f"{'':10} target {target}x, smallest ratio {slowest:.2f}x")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--peer-path", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--severities", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--json", type=Path)
    parser.set_defaults(threads=1, device="cpu")
    wanted = parser.parse_args()
    if wanted.serve:
        return serve(wanted.serve)
    import cv2
    import torch
    from models import write_record

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    images = [picture(size) for size in SIZES]
    with tempfile.TemporaryDirectory() as folder:
        for index, image in enumerate(images):
            np.save(Path(folder) / f"{index}.npy", image)
        peer = Peer(wanted.peer, wanted.peer_path, Path(folder))
        each = {
            severity: measure(peer, images, severity, wanted.rounds)
            for severity in wanted.severities
        }
        peer.process.communicate()
    found = {
        "peer": PEER,
        "totals": [one for severity, rows in each.items() for one in totals(rows, severity)],
        "rows": [row for rows in each.values() for row in rows],
    }
    if wanted.json:
        write_record(wanted.json, wanted, found)
    return None


if __name__ == "__main__":
    main()
