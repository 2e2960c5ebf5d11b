"""Trainings that begin with ImageNet weights: fetched, filled in, recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import small_project
import torch
import yaml

from segmodels import steps
from segmodels.core.files import sha256_of_file
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.runs.run import load_run
from segmodels.runs.suite import activate, load_active
from segmodels.steps.weights import fetch_released, train_run, trained_otherwise
from segmodels.training.step import Step

RECIPE = "title: begun\ninherits: tiny\ninitial: mit-nano\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project, with a run `begun` whose recipe names an encoder of the mirror."""
    root = small_project.enter(tmp_path / "project", monkeypatch)
    (root / "params" / "recipes" / "begun.yaml").write_text(RECIPE)
    run = (root / "params" / "runs" / "tiny.yaml").read_text()
    (root / "params" / "runs" / "begun.yaml").write_text(run.replace(" tiny", " begun"))
    (root / "params" / "suites" / "begun.yaml").write_text("title: one\nruns: [begun, tiny]\n")
    write_encoder(root, seed=1)
    return root


def write_encoder(root: Path, seed: int, **changes: Any) -> Path:
    """Draw an encoder, put it into the mirror, and enter it as `mit-nano`."""
    path = root.parent / "mirror" / "mit.pth"
    torch.manual_seed(seed)
    model = create_model("segformer_nano", 8)
    tensors = {k.removeprefix("backbone."): v for k, v in model.state_dict().items()}
    torch.save({k: v for k, v in tensors.items() if not k.startswith("decode_head.")}, path)
    entry = {
        "model": "segformer_nano",
        "part": "encoder",
        "state": "ok",
        "source": "drawn",
        "files": [
            {"name": "mit.pth", "url": "http://127.0.0.1:9/m", "sha256": [sha256_of_file(path)]}
        ],
    }
    file = root / "params" / "weights.yaml"
    entries = yaml.safe_load(file.read_text()) | {"mit-nano": {**entry, **changes}}
    file.write_text(yaml.safe_dump(entries))
    return path


def test_dvc_fetches_them_before_it_trains(project: Path) -> None:
    activate(["begun"])
    active = load_active()
    assert active.released == ("mit-nano",)
    assert active.trained == {
        "begun": {"dataset": "shapes", "begins_with": "weights/released/mit-nano"},
        "tiny": {"dataset": "shapes", "begins_with": "reports/local/datasets/shapes.json"},
    }


def test_a_training_begins_with_them_and_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.prepare("shapes")
    begun: list[torch.Tensor] = []
    real = Step.__call__

    def spy(step: Step, *batch: Any) -> Any:
        weight: Any = step.model.backbone.patch_embed1.proj.weight  # type: ignore[union-attr]
        begun.append(weight.detach().clone())
        return real(step, *batch)

    monkeypatch.setattr(Step, "__call__", spy)
    folder = train_run("begun")
    file = project.parent / "mirror" / "mit.pth"
    assert torch.equal(begun[0], torch.load(file)["patch_embed1.proj.weight"])
    metadata = json.loads((folder / "model.json").read_text())["metadata"]
    assert metadata["initial"] == sha256_of_file(file)
    assert trained_otherwise(load_run("begun")) == ""
    before = metadata["initial"]
    after = sha256_of_file(write_encoder(project, seed=2))
    fetch_released("mit-nano")
    assert trained_otherwise(load_run("begun")) == (
        f"initial was {before[:12]}…, now it is {after[:12]}…"
    )


def test_trainings_that_begin_otherwise_are_others(project: Path) -> None:
    steps.prepare("shapes")
    plain, begun = train_run("tiny"), train_run("begun")
    assert "initial" not in json.loads((plain / "model.json").read_text())["metadata"]
    one, other = (folder / "model.safetensors" for folder in (plain, begun))
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("state", ["lost", "unpublished", "gated"])
def test_weights_that_nobody_can_have_end_the_training_with_the_reason(
    project: Path, state: str
) -> None:
    steps.prepare("shapes")
    write_encoder(project, seed=1, state=state, reason="nobody kept them")
    with pytest.raises(SegmodelsError, match=f"'mit-nano' are {state}: nobody kept them"):
        train_run("begun")


def test_a_file_of_another_network_is_refused_when_it_is_fetched(project: Path) -> None:
    write_encoder(project, seed=1, model="segformer_b0")
    with pytest.raises(SegmodelsError, match=r"mit.pth does not fit .*segformer_b0"):
        fetch_released("mit-nano")


def test_names_that_do_not_exist(project: Path) -> None:
    recipe = project / "params" / "recipes" / "begun.yaml"
    recipe.write_text(RECIPE.replace("mit-nano", "mit-nanno"))
    with pytest.raises(SegmodelsError, match=r"recipe 'begun': 'mit-nanno'. Did you mean"):
        load_run("begun")
    recipe.write_text(RECIPE.replace("tiny", "tinny"))
    with pytest.raises(SegmodelsError, match=r"begun.yaml: field 'inherits': Unknown recipe"):
        load_run("begun")


def test_an_encoder_alone_is_no_network_of_a_run(project: Path) -> None:
    run = project / "params" / "runs" / "published.yaml"
    run.write_text(run.read_text().replace("weights: published", "weights: mit-nano"))
    with pytest.raises(SegmodelsError, match=r"'mit-nano', ImageNet weights of an encoder alone"):
        load_run("published")
    write_encoder(project, seed=1, part="whole", overrides={"decoder_width": 8})
    with pytest.raises(SegmodelsError, match="'overrides' is for weights of an encoder alone"):
        load_run("published")
