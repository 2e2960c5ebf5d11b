"""Small evidence and a small project, made up for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from segmodels.evidence import Counted, Evidence, Identity, ImageCounts
from segmodels.protocols.protocol import Protocol
from segmodels.versions import EVALUATOR

WEIGHTS = "a1" * 32
FINGERPRINT = "fe" * 32
CLASSES = ("sky", "road", "car <b>")


OURS = Counted("evaluated")
THEIRS = Counted("checked", "some-lab")


def identity(**changes: Any) -> Identity:
    """An identity of a whole clean split."""
    fields: dict[str, Any] = {
        "weights": WEIGHTS,
        "model": {"name": "espnet_p2_q8"},
        "preprocessing": {"channels": "BGR"},
        "dataset": "toy",
        "split": "test",
        "fingerprint": FINGERPRINT,
        "inference": Protocol(name="plain", version=1, title="plain").inference,
        "condition": None,
        "images": None,
        "precision": "fp32",
        "evaluator": EVALUATOR,
    }
    return Identity(**{**fields, **changes})


def matrices(number: int, right: int = 60, outputs: int = 4, seed: int = 0) -> np.ndarray:
    """int64 (number, 4, outputs): `right` pixels of each class right, random errors, some void."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 12, (number, len(CLASSES) + 1, outputs))
    for c in range(len(CLASSES)):
        counts[:, c, c] += right
    return counts


def evidence(
    counts: np.ndarray | None = None,
    expected: int | None = None,
    origin: dict[str, Any] | None = None,
    counted: Counted = OURS,
    **changes: Any,
) -> Evidence:
    """Evidence of a toy split with 3 classes and 4 network outputs."""
    counts = matrices(6) if counts is None else counts
    return Evidence(
        identity=identity(**changes),
        classes=CLASSES[: counts.shape[1] - 1],
        outputs=counts.shape[2],
        expected_images=len(counts) if expected is None else expected,
        weights_origin=origin or {"released": "toy-weights"},
        software={"torch": "2.7.1", "numpy": "2.2.0"},
        images=tuple(ImageCounts.from_matrix(f"{i:03d}.png", m) for i, m in enumerate(counts)),
        counted=counted,
    )


def project(root: Path) -> Path:
    """A project folder with one dataset, two protocols of equal inference and one claim."""
    params = root / "params"
    for folder in ("claims", "runs", "recipes"):
        (params / folder).mkdir(parents=True)
    for name, text in _FILES.items():
        (params / name).write_text(text)
    return root


#: Rules with every kind of obstacle.
VERDICT = """\
version: 1
tolerance:
  released: {{points: 0.1}}
  retrained: {{points: 1.0, seeds: 3}}
  third_party: {{points: 0.1}}
corruptions: {{severities: [1, 2, 3, 4, 5], fewer: {{gaussian_noise: [1, 2, 3]}}}}
interval: {{confidence: 0.95}}
statements: {{seeds: 2}}
obstacles:
  weights of another network: {{means: a slip, fix: correct the claim}}
  not implemented: {{means: no code, fix: write it}}
  network not described: {{means: no definition, fix: ask for it}}
  protocol not stated: {{means: nobody knows, fix: find out}}
  weights unpublished: {{means: nobody has them, fix: ask the authors}}
  weights gated: {{means: a login, fix: fetch them by hand}}
  weights not registered: {{means: no entry, fix: add one}}
  link lost: {{means: it died, fix: ask the authors}}
  needs retraining: {{means: no weights, fix: train again}}
  gated data: {{means: a login, fix: register}}
  no reader: {{means: no code, fix: write it}}
  another device: {{means: not comparable, fix: measure there}}
"""

_FILES = {
    "protocols.yaml": """\
plain: {version: 1, title: whole image}
strict: {version: 1, title: whole image with void as error, void: error}
flipped: {version: 1, title: whole image and its mirror, flip: true}
""",
    "datasets.yaml": f"""\
toy:
  title: Toy
  state: ok
  source: made up
  splits: {{test: {{images: 6, fingerprint: {FINGERPRINT}}}}}
closed: {{title: Closed, state: gated, source: nowhere, reason: it wants a login}}
""",
    "weights.yaml": f"""\
toy-weights:
  model: espnet_p2_q8
  state: ok
  source: made up
  files: [{{name: toy.pth, url: "https://example.org/toy.pth", sha256: [{WEIGHTS}]}}]
by-hand: {{model: espnet_p2_q8, state: gated, source: a drive, reason: it has no address}}
never: {{model: espnet_p2_q8, state: unpublished, source: nowhere, reason: nobody has it}}
""",
    "efficiency.yaml": "{}\n",
    "verdict.yaml": VERDICT.format(),
    "claims/toy.yaml": """\
paper: toy
title: "ToyNet: a <script>alert(1)</script> network"
url: https://example.org/toy
claims:
  - id: toy_strict
    model: espnet_p2_q8
    dataset: toy
    split: test
    metric: mIoU
    value: 50
    decimals: 2
    protocol: strict
    weights: toy-weights
    source: Table 1 | left
""",
    "runs/toy-run.yaml": """\
model: espnet_p2_q8
weights: toy-weights
dataset: toy
split: test
protocols: [strict, plain]
""",
}
