"""Several processes at one training, as torchrun starts them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import small_project
import torch
import torch.distributed as dist
import yaml
from counted_networks import NETWORKS
from safetensors.torch import load_file
from torch import nn

from segmodels import cli, steps
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.training.order import Order
from segmodels.training.processes import Processes
from segmodels.training.reading import load_recipe
from segmodels.training.sharding import content_shared_out, filled, shard, skeleton, whole
from segmodels.training.step import Step

RUN = {
    "model": "segmenter_vit_nano_patch8_mask",
    "overrides": {"layers": 2, "drop_path": 0.0, "decoder_dropout": 0.0},
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


def in_two_processes(root: Path, *arguments: str) -> str:
    """Train the run; returns what both say on standard error."""
    script = Path(__file__).with_name("two_processes.py")
    command = [sys.executable, str(script), "tiny", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def trained(root: Path) -> tuple[list[dict[str, str]], dict[str, torch.Tensor]]:
    (curve,) = root.rglob("tiny.csv")
    (weights,) = (root / "weights/trained/tiny").glob("*.safetensors")
    return list(csv.DictReader(curve.read_text().splitlines())), load_file(weights)


def check_against_one_process(
    curve: list[dict[str, str]], weights: dict[str, torch.Tensor], root: Path
) -> None:
    assert cli.main(["train", "tiny"]) == 0
    alone, expected = trained(root)
    assert [row["step"] for row in curve] == ["2", "4"]
    for row, other in zip(curve, alone, strict=True):
        for name in ("loss", "gradient_norm"):
            assert float(row[name]) == pytest.approx(float(other[name]), rel=2e-5)
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(weights[name], values, rtol=1e-4, atol=1e-5)


def test_two_processes_train_what_one_trains(root: Path) -> None:
    """Four images in batches of three: each epoch ends with one image, and none for the second."""
    told = in_two_processes(root)
    assert told.count("mIoU") == 2  # the first alone says how far it is, at two steps
    check_against_one_process(*trained(root), root)


@pytest.mark.slow
def test_processes_that_share_out_the_weights(root: Path, edit_yaml: Any) -> None:
    """The same, each with its part of them; killed with a part of all in a snapshot, they go on.

    The limit on gradients is reached, and the moving average comes out.
    """
    change = {"clip": 10.0, "ema": 0.5, "keep": "best", "grad_checkpointing": True}
    edit_yaml(root / "params/recipes/tiny.yaml", lambda recipe: recipe.update(change))
    told = in_two_processes(root, "--sharding", "fsdp", "--kill-at", "3")
    assert told.count("mIoU") == 2 + 1 + 1
    record = json.loads((root / "reports/local/records/tiny-train.json").read_text())
    assert (record["processes"], record["sharding"], record["resumed_at"]) == (2, "fsdp", 3)
    curve, weights = trained(root)
    undisturbed = load_file(root / "undisturbed/tiny/model.safetensors")
    assert all(torch.equal(weights[name], one) for name, one in undisturbed.items())
    check_against_one_process(curve, weights, root)


@pytest.mark.parametrize("more", [(), ("--sharding", "fsdp")], ids=["whole", "shared out"])
def test_batch_norms_over_fewer_images(root: Path, edit_yaml: Any, more: tuple[str, ...]) -> None:
    """Two groups of two images in each process, and four of them in one."""
    network = {"model": "unet", "overrides": {"width": 4}}
    edit_yaml(root / "params/runs/tiny.yaml", lambda run: run.update(network))
    change = {"batch": 8, "batch_norm_images": 2, "steps": 4, "lr": 0.01, "ema": 0.5}
    edit_yaml(
        root / "params/recipes/tiny.yaml", lambda one: (one.pop("epochs"), one.update(change))
    )
    in_two_processes(root, *more)
    check_against_one_process(*trained(root), root)


def test_groups_that_processes_cannot_share_are_refused(root: Path) -> None:
    recipe = load_recipe("tiny").model_copy(update={"batch": 6, "batch_norm_images": 2})
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters())
    with pytest.raises(SegmodelsError, match="in 2 processes needs a 'batch' of 4, or a multiple"):
        Step(model, optimizer, None, recipe, Processes(0, 2))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def group() -> Iterator[None]:
    """A group of this process alone, in which all is done that is done in larger ones."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("family", NETWORKS)
def test_every_network_can_be_shared_out(family: str, group: None) -> None:
    """Its blocks are put together when they are needed, whatever calls them."""
    name, small = NETWORKS[family]
    torch.manual_seed(0)
    plain = create_model(name, num_classes=5, **small).eval()  # no draws, no statistics
    shared = deepcopy(plain)
    empty = skeleton(shared)
    shard(shared)
    images = torch.randn(1, 3, 64, 64)
    gradients = []
    for model in (plain, shared):
        sum(logits.square().mean() for logits, _ in model.forward_supervised(images)).backward()
        parts = {name: one.grad for name, one in model.named_parameters()}
        gradients.append(whole(parts))
    for name, one in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], one, msg=name)
    again = filled(empty, shared, "cpu").state_dict()
    assert list(again) == list(plain.state_dict())
    assert all(torch.equal(again[name], one) for name, one in plain.state_dict().items())


def test_what_is_shared_out_goes_on_whole_and_back(group: None) -> None:
    """A snapshot does not tell how its training was shared out."""
    torch.manual_seed(0)
    plain = create_model("segmenter_vit_nano_patch8_mask", num_classes=3, image_size=32, layers=1)
    shared, again = deepcopy(plain), deepcopy(plain)
    shard(shared)
    shard(again)

    def stepped(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        torch.manual_seed(1)
        model.forward_supervised(torch.ones(2, 3, 32, 32))[0][0].square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        return deepcopy(whole(state))  # of one process the whole is its part

    first, second, third = (torch.optim.AdamW(one.parameters()) for one in (shared, plain, again))
    content = stepped(shared, first)
    kept = deepcopy(content)
    plain.load_state_dict(content["model"])
    second.load_state_dict(content["optimizer"])
    back = content_shared_out(kept, {"model": again, "average": None}, third)
    again.load_state_dict(back["model"])
    third.load_state_dict(back["optimizer"])
    expected = stepped(shared, first)
    for model, optimizer in ((plain, second), (again, third)):
        found = stepped(model, optimizer)
        for name, one in expected["model"].items():
            torch.testing.assert_close(found["model"][name], one, msg=name)
        for number, moments in expected["optimizer"]["state"].items():
            torch.testing.assert_close(found["optimizer"]["state"][number], moments)


def test_one_process_has_nobody_to_share_with(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "tiny", "--sharding", "fsdp"]) == 1
    assert "start it with torchrun, or leave out --sharding" in capsys.readouterr().err
    assert cli.main(["train", "tiny", "--sharding", "fsdp", "--plan"]) == 1
    assert "say how many with --gpus or --nodes" in capsys.readouterr().err


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
