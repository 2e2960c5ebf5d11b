"""Several processes at one training, as torchrun starts them."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import small_project
import torch
import yaml
from safetensors.torch import load_file

from segmodels import cli, steps
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.training.order import Order
from segmodels.training.processes import Processes

RUN = {
    "model": "segmenter_vit_nano_patch8_mask",
    "overrides": {"drop_path": 0.0, "decoder_dropout": 0.0},
}
# AdamW would turn the rounding of gradients that are 0 into steps of the learning rate.
RECIPE = {
    "steps": None,
    "epochs": 2,
    "batch": 3,
    "optimizer": "sgd",
    "lr": 0.1,
    "validate_images": 2,
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit_yaml: Any) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    edit_yaml(root / "params/runs/tiny.yaml", lambda run: run.update(RUN))
    recipe = yaml.safe_load((root / "params/recipes/tiny.yaml").read_text()) | RECIPE
    recipe = {name: value for name, value in recipe.items() if value is not None}
    (root / "params/recipes/tiny.yaml").write_text(yaml.safe_dump(recipe))
    steps.ensure_dataset("shapes")
    return root


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(root: Path, rank: int, count: int, port: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "segmodels.cli", "train", "tiny"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(root: Path) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
    (curve,) = root.rglob("tiny.csv")
    (weights,) = (root / "weights/trained/tiny").glob("*.safetensors")
    return list(csv.DictReader(curve.read_text().splitlines())), load_file(weights)


def test_two_processes_train_what_one_trains(root: Path) -> None:
    """Four images in batches of three: each epoch ends with one image, and none for the second."""
    port = free_port()
    processes = [start(root, rank, 2, port) for rank in range(2)]
    told = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    assert sum("mIoU" in err for _, err in told) == 1  # the first alone says how far it is
    curve, weights = trained(root)
    assert cli.main(["train", "tiny"]) == 0
    alone, expected = trained(root)
    assert [row["step"] for row in curve] == ["2", "4"]
    for row, other in zip(curve, alone, strict=True):
        assert float(row["loss"]) == pytest.approx(float(other["loss"]), rel=2e-5)
    for name, values in expected.items():
        torch.testing.assert_close(weights[name], values, rtol=1e-4, atol=1e-5)


def test_shares_of_a_batch_are_all_of_it_once() -> None:
    whole = Order(images=7, batch=4, seed=3, whole_epochs=True)
    for step in range(6):
        own = [Order(7, 4, 3, True, rank, 3).own(step) for rank in range(3)]
        labelled = [turn for turns in own for turn in turns if turn.labelled]
        assert sorted(turn.index for turn in labelled) == sorted(t.index for t in whole.at(step))
        assert all(own)


def test_a_process_without_an_image_of_its_own_sees_one_without_labels() -> None:
    last = Order(images=4, batch=3, seed=0, whole_epochs=True, rank=1, count=2).own(1)
    assert [turn.labelled for turn in last] == [False]


def test_batch_norms_over_processes_want_gpus() -> None:
    with pytest.raises(SegmodelsError, match="Train it in one process, or with --device cuda"):
        Processes(0, 2).heads(create_model("unet", num_classes=3, width=4))
