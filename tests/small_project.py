"""A project in small: a handful of drawn images, a recipe of three steps, and two claims."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from synthetic import VERDICT

from segmodels.checkpoints import save_checkpoint
from segmodels.core.files import sha256_of_file
from segmodels.models import create_model
from segmodels.runs.suite import activate

FILES = {
    "protocols.yaml": """\
plain: {version: 1, title: whole image}
strict: {version: 1, title: whole image with void as error, void: error}
views: {version: 1, title: two scales and their mirror images, scales: [0.5, 1.0], flip: true}
""",
    "datasets.yaml": """\
shapes:
  title: a few scenes
  state: ok
  source: drawn
  settings: {seed: 0, train: 4, val: 2, test: 3}
  splits: {}
closed: {title: Closed, state: gated, source: nowhere, reason: the images want a login}
""",
    "efficiency.yaml": "{}\n",
    "weights.lock.yaml": "{}\n",
    "verdict.yaml": VERDICT.format(),
    "robustness.yaml": """\
quick: {title: two, corruptions: [gaussian_noise], severities: [3], parameter_noise: [0.01]}
""",
    "recipes/tiny.yaml": """\
title: three steps
steps: 3
batch: 2
crop: [32, 32]
lr: 1.0e-3
warmup: 1
threads: 1
validate_every: 2
validate_images: 1
""",
    "runs/tiny.yaml": """\
model: segformer_nano
overrides: {}
recipe: tiny
seed: 0
dataset: shapes
split: test
protocols: [plain, strict, views]
robustness: [quick]
""",
    "runs/published.yaml": """\
model: segformer_nano
weights: published
dataset: shapes
split: test
protocols: [plain, strict]
""",
    "suites/quick.yaml": "title: one trained run\nruns: [tiny]\n",
    "claims/toy.yaml": """\
paper: toy
title: A toy
claims:
  - {id: toy_open, model: segformer_nano, dataset: shapes, split: test, metric: mIoU, value: 50,
     decimals: 1, protocol: strict, weights: published, source: Table 1}
  - {id: toy_lost, model: segformer_nano, dataset: shapes, split: test, metric: mIoU, value: 50,
     decimals: 1, protocol: plain, weights: lost, source: Table 1}
  - {id: toy_closed, model: segformer_nano, dataset: closed, split: test, metric: mIoU, value: 50,
     decimals: 1, protocol: plain, weights: published, source: Table 1}
  - {id: toy_nobody, model: segformer_nano, dataset: shapes, split: test, metric: mIoU, value: 50,
     decimals: 1, protocol: plain, source: Table 2}
  - {id: toy_no_run, model: segformer_nano, dataset: shapes, split: val, metric: mIoU, value: 50,
     decimals: 1, protocol: plain, weights: published, source: Table 3}
""",
}

_WEIGHTS = """\
published:
  model: segformer_nano
  state: ok
  source: made up
  files:
    - {{name: model.safetensors, url: "http://127.0.0.1:9/a", sha256: [{weights}]}}
    - {{name: model.json, url: "http://127.0.0.1:9/b", sha256: [{description}]}}
lost: {{model: segformer_nano, state: lost, source: gone, reason: the address died}}
"""


def make(root: Path) -> Path:
    """Write the project, and beside it `mirror/` with the weights it calls published."""
    for name, text in FILES.items():
        path = root / "params" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    torch.manual_seed(3)
    mirror = root.parent / "mirror"
    save_checkpoint(create_model("segformer_nano", 8), mirror)
    digests = {
        "weights": sha256_of_file(mirror / "model.safetensors"),
        "description": sha256_of_file(mirror / "model.json"),
    }
    (root / "params" / "weights.yaml").write_text(_WEIGHTS.format(**digests))
    return root


def enter(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the project and stand in it."""
    make(root)
    torch.set_num_threads(1)  # threads that wait for each other are slow where cores are shared
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    monkeypatch.setenv("SEGMODELS_CACHE", str(root / ".cache"))
    monkeypatch.setenv("SEGMODELS_MIRROR", str(root.parent / "mirror"))
    monkeypatch.delenv("SEGMODELS_DEVICE", raising=False)
    monkeypatch.chdir(root)
    activate(["quick"])
    return root
