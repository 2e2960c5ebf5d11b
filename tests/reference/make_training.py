"""Write ``training_mmseg.json``: mmsegmentation's training transforms on given draws.

Not run by the tests. It needs mmsegmentation 1.2.2 and mmcv 2.1 beside this library:

    PYTHONPATH=.:tests python tests/reference/make_training.py
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import mmcv
import numpy as np
from mmseg_pipeline import Peer, distort, results_of
from reference_arrays import FOLDER, pack

from segmodels.training.augmentation import Distortion, Draws

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

#: Height, width; short, long of the resize; ratio.
SIZES = (
    ((512, 683), (512, 2048), 1.0),
    ((512, 683), (512, 2048), 0.5),
    ((512, 683), (512, 2048), 1.9999),
    ((683, 512), (512, 2048), 1.237),
    ((333, 500), (520, 4160), 0.7071),
    ((1024, 2048), (1024, 2048), 0.6180339),
    ((1024, 2048), (1024, 2048), 1.73205),
    ((100, 2000), (512, 2048), 1.3),
    ((1, 1), (512, 2048), 0.777),
    ((360, 480), (180, 999), 1.05),
)

#: Height, width of the image; short, long of the resize; crop. The seed is the position.
PIPELINES = (
    ((22, 34), (22, 88), (12, 14)),
    ((34, 22), (20, 80), (12, 14)),
    ((27, 41), (30, 40), (14, 12)),
    ((18, 36), (18, 36), (13, 13)),
    ((9, 13), (7, 28), (14, 14)),
    ((22, 34), (22, 88), (12, 14)),
    ((27, 41), (30, 40), (14, 12)),
    ((18, 36), (18, 36), (13, 13)),
)


def scene(height: int, width: int, seed: int) -> tuple[Any, Any]:
    """An image and its labels: patches of five classes and void, with noise."""
    random = np.random.default_rng(seed)
    coarse = random.choice([0, 0, 0, 1, 2, 3, 255], (height // 6 + 1, width // 6 + 1))
    label = np.kron(coarse, np.ones((6, 6)))[:height, :width].astype(np.uint8)
    noise = random.integers(0, 256, (height, width, 3))
    image = (label[..., None] % 5 * 40 + noise * 0.4).astype(np.uint8)
    return image, label


def distortions() -> list[Distortion]:
    """Every set of changes in both orders of contrast, with values drawn once."""
    random = np.random.default_rng(7)
    found = []
    for *happens, last in itertools.product((False, True), repeat=5):
        values = (
            random.uniform(-32, 32),
            random.uniform(0.5, 1.5),
            random.uniform(0.5, 1.5),
            int(random.integers(-18, 18)),
        )
        b, c, s, h = (v if yes else None for v, yes in zip(values, happens, strict=True))
        if c is not None or not last:  # without contrast its place says nothing
            found.append(Distortion(b, c, last, s, h))
    return found


def main() -> None:
    """Write the file."""
    random = np.random.default_rng(11)
    image = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image[0] = np.arange(16)[:, None] * 17  # greys have no hue
    arrays: dict[str, Any] = {"image": image}
    record: dict[str, Any] = {"sizes": [], "distortions": [], "pipelines": []}
    for (height, width), (short, long), ratio in SIZES:
        target = (int(long * ratio), int(short * ratio))
        found = mmcv.rescale_size((width, height), target)[::-1]
        record["sizes"].append([[height, width], [short, long], ratio, found])
    for number, distortion in enumerate(distortions()):
        record["distortions"].append(dataclasses.asdict(distortion))
        arrays[f"distorted_{number}"] = distort(image, record["distortions"][-1])
    for number, (size, (short, long), crop) in enumerate(PIPELINES):
        pixels, label = scene(*size, number)
        draws = Draws.of(np.random.default_rng(number), (0.5, 2.0), 0.5, 1.0)
        peer = Peer((long, short), crop, MEAN, STD)
        replayed, _ = peer.replay(results_of(pixels, label), dataclasses.asdict(draws))
        found, labels = peer.finish(replayed)
        record["pipelines"].append(
            {
                "resize_short": short,
                "resize_long": long,
                "crop": crop,
                "draws": dataclasses.asdict(draws),
            }
        )
        arrays |= {f"image_{number}": pixels, f"label_{number}": label}
        arrays |= {f"pixels_{number}": found, f"labels_{number}": labels}
    record["arrays"] = {name: pack(array) for name, array in arrays.items()}
    (FOLDER / "training_mmseg.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
