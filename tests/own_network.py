"""A user's own network in ten lines, and runs that train and evaluate it."""

from __future__ import annotations

from pathlib import Path

from small_project import FILES

SOURCE = """\
from torch import nn

from blocks import block


def build(num_classes, width=8):
    head = nn.Conv2d(16, num_classes, 1)
    net = nn.Sequential(block(3, width), nn.MaxPool2d(2), block(width, 16), head)
    net.preprocessing = dict(mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.25), range=1, channels="BGR")
    return net
"""

BLOCKS = """\
from torch import nn


def block(inputs, outputs):
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
"""

TRAINED = FILES["runs/tiny.yaml"].replace("segformer_nano", "nets/mynet.py:build")

WITH_WEIGHTS = """\
model: nets/mynet.py:build
overrides: {width: 4}
dataset: shapes
split: test
protocols: [plain, strict]
"""


def write(root: Path) -> Path:
    """Put the network and two runs, `own` and `ready`, into a project; returns the file."""
    folder = root / "nets"
    folder.mkdir()
    (folder / "blocks.py").write_text(BLOCKS)
    (root / "params/runs/own.yaml").write_text(TRAINED)
    (root / "params/runs/ready.yaml").write_text(WITH_WEIGHTS)
    (folder / "mynet.py").write_text(SOURCE)
    return folder / "mynet.py"
