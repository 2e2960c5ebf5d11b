"""Training: the same seed gives the same bytes, however often it was interrupted."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from segmodels import steps
from segmodels.checkpoints import load_checkpoint
from segmodels.datasets.described import description
from segmodels.datasets.opening import open_dataset
from segmodels.errors import PassingError, SegmodelsError
from segmodels.models import create_model
from segmodels.protocols.protocol import Protocol
from segmodels.training import loop as module
from segmodels.training import snapshot, state
from segmodels.training.batches import feed
from segmodels.training.curve import Pace
from segmodels.training.job import Job
from segmodels.training.loop import train
from segmodels.training.loss import Loss, class_weights, mean_loss
from segmodels.training.network import first_network
from segmodels.training.optimizer import build_optimizer, set_learning_rates
from segmodels.training.parameter_rule import ParameterRule
from segmodels.training.recipe import Recipe

RECIPE = Recipe(
    name="tiny",
    title="",
    steps=4,
    batch=2,
    crop=(32, 32),
    lr=1e-3,
    warmup=1,
    threads=1,
    validate_every=2,
    validate_images=1,
)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    small_project.enter(tmp_path / "project", monkeypatch)
    steps.prepare("shapes")
    about = description("shapes")["splits"]["train"]
    return Job(
        run="tiny",
        model="segformer_nano",
        recipe=RECIPE,
        seed=0,
        train=open_dataset("shapes", "train"),
        val=open_dataset("shapes", "val"),
        fingerprint=about["fingerprint"],
        pixels=about["pixels"],
    )


def changed(job: Job, **recipe: Any) -> Job:
    return dataclasses.replace(job, recipe=job.recipe.replace(**recipe))


def trained(job: Job, folder: Path, progress: Any = None) -> str:
    record = train(job, folder / "weights", folder / "curve.csv", progress)
    data = (folder / "weights" / "model.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() == record["weights_sha256"]
    return str(record["weights_sha256"])


def killed_before(killed_at: int) -> Callable[..., None]:
    """What stands for `set_learning_rates`, the first thing of a step."""

    def learning_rates(optimizer: torch.optim.Optimizer, schedule: Any, step: int) -> None:
        if step == killed_at:
            raise KeyboardInterrupt
        set_learning_rates(optimizer, schedule, step)

    return learning_rates


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


# --- the same again --------------------------------------------------------------------


def test_two_trainings_give_the_same_bytes(job: Job, tmp_path: Path) -> None:
    assert trained(job, tmp_path / "a") == trained(job, tmp_path / "b")
    for name in ("curve.csv", "weights/model.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_threads_in_the_process_decide_nothing(job: Job, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first = trained(job, tmp_path / "a")
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert trained(job, tmp_path / "b") == first
    finally:
        torch.set_num_threads(before)


def test_what_ran_before_decides_nothing(job: Job, tmp_path: Path) -> None:
    first = trained(job, tmp_path / "a")
    torch.manual_seed(123)
    torch.randn(7)
    np.random.seed(5)
    assert trained(job, tmp_path / "b") == first


def test_processes_that_load_decide_nothing(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(job, tmp_path / "a")
    monkeypatch.setenv("SEGMODELS_WORKERS", "2")
    assert trained(job, tmp_path / "b") == first


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"recipe": {"lr": 2e-3}}, {"recipe": {"flip": 1.0}}]
)
def test_seed_and_recipe_decide(job: Job, tmp_path: Path, change: dict[str, Any]) -> None:
    other = changed(job, **change["recipe"]) if "recipe" in change else job
    other = dataclasses.replace(other, seed=change.get("seed", 0))
    assert trained(job, tmp_path / "a") != trained(other, tmp_path / "b")


@pytest.mark.parametrize("killed_at", [1, 2, 3])
@pytest.mark.parametrize(
    "recipe", [{}, {"optimizer": "sgd"}, {"ema": 0.5}, {"keep": "best", "validate_every": 1}]
)
def test_killed_and_resumed(
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: int,
    recipe: dict[str, Any],
) -> None:
    # unet has batch statistics, which a snapshot must hold as well
    job = changed(dataclasses.replace(job, model="unet", overrides={"width": 4}), **recipe)
    whole = trained(job, tmp_path / "a")
    monkeypatch.setattr(module, "_SNAPSHOT_SECONDS", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr(module, "set_learning_rates", killed_before(killed_at))
        with pytest.raises(KeyboardInterrupt):
            trained(job, tmp_path / "b")
    assert not (tmp_path / "b/weights").exists()
    assert not (tmp_path / "b/curve.csv").exists()
    seen: list[float] = []
    record = train(
        job,
        tmp_path / "b" / "weights",
        tmp_path / "b" / "curve.csv",
        lambda point, _: seen.append(point["step"]),
    )
    assert record["resumed_at"] == killed_at
    assert record["weights_sha256"] == whole
    assert (tmp_path / "b/curve.csv").read_bytes() == (tmp_path / "a/curve.csv").read_bytes()
    every = job.recipe.validate_every
    assert seen == [step for step in range(every, 5, every) if step > killed_at]


def test_another_job_does_not_take_up_a_snapshot(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SNAPSHOT_SECONDS", -1.0)

    def stop(point: dict[str, float], total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(job, tmp_path / "a", stop)
    longer = changed(job, steps=6)
    record = train(longer, tmp_path / "b", tmp_path / "b.csv")
    assert record["resumed_at"] == 0


def test_the_scratch_folder_is_gone_afterwards(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SNAPSHOT_SECONDS", -1.0)
    trained(job, tmp_path / "a")
    scratch = tmp_path / "project" / ".cache" / "training"
    assert {path.suffix for path in scratch.iterdir()} == {".lock", ".pid"}


def test_waiting_for_oneself_is_refused(job: Job, tmp_path: Path) -> None:
    def again(point: dict[str, float], total: int) -> None:
        trained(job, tmp_path / "b")

    with pytest.raises(PassingError, match=r"training tiny .* already being done"):
        trained(job, tmp_path / "a", again)


# --- snapshots that cannot be used -----------------------------------------------------


@pytest.fixture
def stopped(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The last snapshot of a training that was stopped when three were written."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "_SNAPSHOT_SECONDS", -1.0)
        patch.setattr(module, "set_learning_rates", killed_before(3))
        with pytest.raises(KeyboardInterrupt):
            trained(job, tmp_path / "stopped")
    (path,) = (tmp_path / "project" / ".cache" / "training").glob("*/state.pt")
    return path


def flipped(data: bytes, where: float) -> bytes:
    at = int(where * (len(data) - 1))
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "its last byte lost": lambda data: data[:-1],
    "a bit flipped": lambda data: flipped(data, 0.5),
    "a bit flipped at the end": lambda data: flipped(data, 1.0),
    "zeros": lambda data: bytes(len(data)),
    "a size that no file has": lambda data: data.replace(b'"bytes": ', b'"bytes": 10000000000000'),
    "of an earlier version": lambda data: data[: data.rindex(b"\n")],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("both", [False, True])
def test_a_damaged_snapshot_is_set_aside(
    job: Job,
    tmp_path: Path,
    stopped: Path,
    damage: Any,
    both: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = stopped.with_name("state.before.pt")
    for path in [stopped, before] if both else [stopped]:
        path.write_bytes(damage(path.read_bytes()))
    record = train(job, tmp_path / "a" / "weights", tmp_path / "a" / "curve.csv")
    assert record["resumed_at"] == (0 if both else 2)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == (
        f"note: {stopped}: damaged; set aside as state.pt.aside, the one before it is tried."
    )
    assert [line.endswith("trained from the start.") for line in told[1:]] == [True] * both
    assert record["weights_sha256"] == trained(job, tmp_path / "whole")
    assert not stopped.parent.exists()


MISFITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nothing": lambda content: {},
    "a list": lambda content: [1],
    "a network of no tensors": lambda content: {**content, "model": {}},
    "an optimizer of nothing": lambda content: {**content, "optimizer": {"param_groups": []}},
    "no optimizer": lambda content: {**content, "optimizer": {"state": {}, "param_groups": [{}]}},
    "a step before the first": lambda content: {**content, "step": -1},
    "a step behind the last": lambda content: {**content, "step": 10**6},
    "no step": lambda content: {**content, "step": "2"},
    "losses of nothing": lambda content: {**content, "seen": None},
}


@pytest.mark.parametrize("change", MISFITS.values(), ids=MISFITS.keys())
def test_a_snapshot_whose_content_is_another_is_set_aside(
    job: Job, tmp_path: Path, stopped: Path, change: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its checksum is right: whoever wrote it wrote something else."""
    here = state.arithmetic("cpu")
    content = snapshot.load_snapshot(stopped, here, "cpu", dict)
    snapshot.save_snapshot(stopped, change(content), here)
    capsys.readouterr()
    record = train(job, tmp_path / "a" / "weights", tmp_path / "a" / "curve.csv")
    assert record["resumed_at"] == 3  # that of the one before it
    assert "damaged; set aside as state.pt.aside" in capsys.readouterr().err
    assert record["weights_sha256"] == trained(job, tmp_path / "whole")


@pytest.mark.parametrize("size", [10**18, 0, -1, True])
def test_a_snapshot_of_an_impossible_size_is_set_aside(
    job: Job, tmp_path: Path, stopped: Path, size: int
) -> None:
    body, _, foot = stopped.read_bytes().rpartition(b"\n")
    stopped.write_bytes(body + b"\n" + json.dumps({**json.loads(foot), "bytes": size}).encode())
    record = train(job, tmp_path / "a" / "weights", tmp_path / "a" / "curve.csv")
    assert record["resumed_at"] == 2


@pytest.mark.parametrize("other", [{"torch": "1.0"}, {"device": "cuda"}])
def test_a_snapshot_of_another_arithmetic_is_set_aside(
    job: Job,
    tmp_path: Path,
    stopped: Path,
    other: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = {**state.arithmetic("cpu"), **other}
    with monkeypatch.context() as patch:
        patch.setattr(state, "arithmetic", lambda _: here)
        record = train(job, tmp_path / "a" / "weights", tmp_path / "a" / "curve.csv")
    assert record["resumed_at"] == 0
    (name,) = other
    assert f"begun with {name} " in capsys.readouterr().err


@pytest.mark.parametrize("full_after", [0, 100_000])
def test_a_full_disk_ends_no_training(
    job: Job,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    full_after: int,
) -> None:
    whole = trained(job, tmp_path / "whole")
    monkeypatch.setattr(module, "_SNAPSHOT_SECONDS", -1.0)
    real, written = snapshot._Hashed.write, []

    class Full:
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    def write(self: Any, data: Any) -> int:
        written.append(len(data))
        if sum(written) > full_after:
            self.file = Full()
        return real(self, data)

    monkeypatch.setattr(snapshot._Hashed, "write", write)
    assert trained(job, tmp_path / "a") == whole
    told = capsys.readouterr().err.splitlines()
    assert told
    assert all("state.pt: No space left on device; the training goes on" in line for line in told)


def test_what_is_no_matter_of_the_disk_ends_it(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("an error of ours")

    monkeypatch.setattr(module, "_SNAPSHOT_SECONDS", -1.0)
    monkeypatch.setattr(snapshot.torch, "save", broken)
    with pytest.raises(RuntimeError, match="an error of ours"):
        trained(job, tmp_path / "a")


def test_weights_that_cannot_be_written_are_one_sentence(
    job: Job, tmp_path: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(SegmodelsError, match="weights: No space left on device"):
            trained(job, tmp_path / "a")
    assert stopped.is_file()  # until the weights are on disk
    trained(job, tmp_path / "a")
    assert not stopped.exists()


# --- what comes out --------------------------------------------------------------------


def test_weights_say_how_they_were_made(job: Job, tmp_path: Path) -> None:
    trained(job, tmp_path)
    model = load_checkpoint(tmp_path / "weights")
    assert not model.training
    assert model.class_names == job.train.class_names
    assert model.num_classes == 8
    about = json.loads((tmp_path / "weights" / "model.json").read_text())["metadata"]
    assert about == json.loads(json.dumps({"run": "tiny", **job.provenance}))
    assert about["fingerprint"] == job.fingerprint
    assert about["seed"] == 0


def test_the_curve(job: Job, tmp_path: Path) -> None:
    job = changed(job, steps=5)
    told: list[tuple[dict[str, float], int]] = []
    trained(job, tmp_path, lambda *point: told.append(point))
    rows = rows_of(tmp_path / "curve.csv")
    assert [row["step"] for row in rows] == ["2", "4", "5"]  # the last step is always there
    assert list(rows[0]) == ["step", "lr", "loss", "gradient_norm", "val_miou"]
    for row, (point, total) in zip(rows, told, strict=True):
        assert total == 5
        assert float(row["loss"]) == pytest.approx(point["loss"], rel=1e-5)
        assert float(row["lr"]) == pytest.approx(job.schedule.lr(int(row["step"]) - 1), rel=1e-5)
        assert 0 <= float(row["val_miou"]) <= 100


def test_the_curve_of_several_heads_and_groups(job: Job, tmp_path: Path) -> None:
    job = changed(job, groups=(ParameterRule(contains="decode_head", lr=10),))
    job = dataclasses.replace(job, model="fcn_mobilenetv2")
    trained(job, tmp_path)
    for row in rows_of(tmp_path / "curve.csv"):
        heads = [float(row[f"loss_head{number}"]) for number in range(2)]
        assert float(row["loss"]) == pytest.approx(sum(heads), rel=1e-5)
        assert float(row["lr_x10"]) == pytest.approx(10 * float(row["lr"]), rel=1e-5)
        assert float(row["gradient_norm"]) > 0


def test_the_pace_is_told_and_is_no_part_of_the_curve(job: Job, tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    trained(job, tmp_path, lambda point, _: told.append(point))
    for point in told:
        assert point["images_per_second"] > 0
        assert point["memory_bytes"] > 2**20
        assert (point["seconds_left"] > 0) == (point["step"] < 4)
    assert set(rows_of(tmp_path / "curve.csv")[0]) == set(told[0]) - set(Pace("cpu", 0, 4, 2).at(1))


def test_a_pace_counts_what_this_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace("cpu", first=10, steps=30, batch=4, began=100.0)
    monkeypatch.setattr("segmodels.training.curve.time.monotonic", lambda: 105.0)
    assert pace.at(20) == {
        "images_per_second": pytest.approx(8.0),
        "seconds_left": pytest.approx(5.0),
        "memory_bytes": pytest.approx(pace.at(20)["memory_bytes"], rel=0.1),
    }


def test_validation_images_are_seen_as_the_run_is_judged(job: Job) -> None:
    protocol = Protocol(name="p", version=1, title="", resize_short=40, scales=(0.5, 1), flip=True)
    seen = dataclasses.replace(job, looked_at=protocol).protocol
    assert (seen.resize_short, seen.scales, seen.flip) == (40, (1.0,), False)
    assert changed(job, resize_short=48).protocol.resize_short == 48


# --- which weights come out ------------------------------------------------------------


def numbers_of(path: Path) -> dict[str, Tensor]:
    return load_file(path / "weights" / "model.safetensors")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes up what validation images give, one number a look, and notes the weights."""

    def made_up(*values: float, into: list[dict[str, Tensor]]) -> None:
        left = list(values)

        def miou(_: Job, model: torch.nn.Module, *__: Any) -> float:
            into.append({name: one.clone() for name, one in model.state_dict().items()})
            return left.pop(0)

        monkeypatch.setattr(module, "validation_miou", miou)

    return made_up


def test_the_best_weights_are_kept(job: Job, tmp_path: Path, looks: Any) -> None:
    seen: list[dict[str, Tensor]] = []
    looks(10, 40, 30, 40, into=seen)  # the first of two that are alike
    record = train(
        changed(job, keep="best", validate_every=1), tmp_path / "weights", tmp_path / "curve.csv"
    )
    assert record["kept"] == {"step": 2, "val_miou": 40}
    assert record["steps"] == 4
    kept = numbers_of(tmp_path)
    assert all(torch.equal(kept[name], one) for name, one in seen[1].items())
    assert not all(torch.equal(kept[name], one) for name, one in seen[3].items())


def test_patience_ends_a_training(job: Job, tmp_path: Path, looks: Any) -> None:
    seen: list[dict[str, Tensor]] = []
    looks(10, 40, 30, 20, 50, into=seen)
    patient = changed(job, keep="best", patience=2, validate_every=1, steps=5)
    record = train(patient, tmp_path / "weights", tmp_path / "curve.csv")
    assert (record["steps"], record["kept"]["step"]) == (4, 2)
    assert record["ended"] == "patience"
    assert [row["step"] for row in rows_of(tmp_path / "curve.csv")] == ["1", "2", "3", "4"]


def test_a_moving_average_is_what_comes_out(job: Job, tmp_path: Path, looks: Any) -> None:
    steps_: list[dict[str, Tensor]] = []
    looks(*range(4), into=steps_)
    trained(changed(job, validate_every=1), tmp_path / "each")
    averages: list[dict[str, Tensor]] = []
    looks(*range(4), into=averages)
    trained(changed(job, validate_every=1, ema=0.75), tmp_path / "averaged")
    for name, first in steps_[0].items():
        expected = first  # the average begins with the first weights
        for weights, found in zip(steps_, averages, strict=True):
            if first.is_floating_point():
                expected = 0.75 * expected + 0.25 * weights[name]
                torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-6)
    kept = numbers_of(tmp_path / "averaged")
    assert all(torch.equal(kept[name], one) for name, one in averages[-1].items())


def test_learning_helps(job: Job, tmp_path: Path) -> None:
    job = changed(job, steps=30, batch=4, lr=3e-3, validate_every=10)
    losses: list[float] = []
    trained(job, tmp_path, lambda point, _: losses.append(point["loss"]))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer": "sgd", "lr": 1e-2},
        {"optimizer": "sgd", "lr": 1e-2, "nesterov": False, "momentum": 0.5},
        {"betas": (0.8, 0.9)},
        {"clip": None},
        {"min_lr": 5e-4},
        {"schedule": "mmengine"},
        {"groups": []},
        {"drop_path": 0.5},
        {"steps": None, "epochs": 2, "batch": 3},  # batches of 3, 1, 3, 1 images
        {"precision": "bf16"},
        {"balance": "median_frequency"},
        {"resize_short": 48},
        {"resize_short": 48, "resize_long": 50},
        {"cat_max_ratio": 0.3},
        {"photometric": 0},
        {"crop": (48, 80)},
        {"crop": (160, 160), "steps": 2},  # larger than any image: padded with void
    ],
)
def test_recipes_run_and_differ(job: Job, tmp_path: Path, recipe: dict[str, Any]) -> None:
    first = trained(changed(job, **recipe), tmp_path / "a")
    assert trained(changed(job, **recipe), tmp_path / "b") == first
    assert trained(job, tmp_path / "c") != first
    rows = rows_of(tmp_path / "a" / "curve.csv")
    assert all(np.isfinite(float(row["loss"])) for row in rows)


# --- learning rate and class weights ---------------------------------------------------


def test_the_learning_rate_of_every_step(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = changed(job, steps=6, warmup=2, power=0.5, lr=8e-3, weight_decay=0.1)
    used: list[float] = []
    real = torch.optim.AdamW.step

    def spy(self: Any, *rest: Any) -> Any:
        used.append(self.param_groups[0]["lr"])
        assert {g["lr"] for g in self.param_groups} == {used[-1]}
        assert [g["weight_decay"] for g in self.param_groups] == [0.1, 0.0]
        return real(self, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    trained(job, tmp_path)
    decay = [8e-3 * ((6 - step) / 4) ** 0.5 for step in range(2, 6)]
    assert used == pytest.approx([4e-3, 8e-3, *decay])


def test_biases_and_norms_do_not_decay(job: Job) -> None:
    model = create_model("segformer_nano", 8)
    matrices, vectors = build_optimizer(model, RECIPE).param_groups
    assert all(p.ndim > 1 for p in matrices["params"])
    assert all(p.ndim == 1 for p in vectors["params"])
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))


def test_class_weights_by_a_second_implementation(job: Job) -> None:
    pixels = dict.fromkeys([*job.train.class_names, "void"], 0)
    for sample in job.train:
        for value in sample.label.ravel().tolist():
            pixels["void" if value == 255 else job.train.class_names[value]] += 1
    assert pixels == job.pixels
    total = sum(count for name, count in pixels.items() if name != "void")
    shares = [pixels[name] / total for name in job.train.class_names]
    seen = sorted(share for share in shares if share)
    middle = (seen[(len(seen) - 1) // 2] + seen[len(seen) // 2]) / 2
    expected = [middle / share if share else 0.0 for share in shares]
    found = class_weights(changed(job, balance="median_frequency"))
    assert found.tolist() == pytest.approx(expected, rel=1e-6)
    assert class_weights(job).tolist() == [1.0] * 8
    gentler = [1 / math.log(1.02 + share) if share else 0.0 for share in shares]
    assert class_weights(changed(job, balance="log")).tolist() == pytest.approx(gentler, rel=1e-6)


def test_images_without_any_label_teach_nothing(job: Job, tmp_path: Path) -> None:
    empty = dict.fromkeys([*job.train.class_names, "void"], 0) | {"void": 99}
    with pytest.raises(SegmodelsError, match="no pixel of split 'train' of 'shapes' has a label"):
        trained(dataclasses.replace(job, pixels=empty), tmp_path)


def test_a_class_that_never_occurs_weighs_nothing(job: Job) -> None:
    job = changed(job, balance="median_frequency")
    pixels = dict.fromkeys(job.train.class_names, 10) | {"disc": 0, "sky": 40, "void": 9}
    found = class_weights(dataclasses.replace(job, pixels=pixels))
    assert found.tolist() == pytest.approx([1, 0.25, 0, 1, 1, 1, 1, 1])


def mean_of_pixels(logits: Tensor, labels: Tensor, loss: Loss) -> Tensor:
    height, width = labels.shape[-2:]
    return mean_loss(loss(logits, labels, (height, width)), loss.pixels(labels))


def test_the_loss_leaves_void_out() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=random, requires_grad=True)
    labels = torch.randint(0, 3, (2, 4, 5), generator=random)
    labels[0, :2] = 255
    weight = torch.tensor([1.0, 2.0, 0.5])
    logs = F.log_softmax(logits, 1)
    pairs = [
        (-logs[b, labels[b, y, x], y, x] * weight[labels[b, y, x]], weight[labels[b, y, x]])
        for b in range(2)
        for y in range(4)
        for x in range(5)
        if labels[b, y, x] != 255
    ]
    expected = sum(loss for loss, _ in pairs) / sum(w for _, w in pairs)
    torch.testing.assert_close(mean_of_pixels(logits, labels, Loss(weight)), expected)


@pytest.mark.parametrize(("mean", "more"), [("all", 0.0), ("mmseg", 2.0**-23)])
def test_the_loss_over_all_pixels(mean: Any, more: float) -> None:
    """Void pixels count 0, and they count; labels by a second implementation."""
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 4, 5, generator=random, dtype=torch.float64)
    labels = torch.randint(0, 3, (2, 4, 5), generator=random)
    labels[0, :2] = 255
    weight = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    logs = F.log_softmax(logits, 1)
    total = sum(
        float(-logs[b, labels[b, y, x], y, x] * weight[labels[b, y, x]])
        for b in range(2)
        for y in range(4)
        for x in range(5)
        if labels[b, y, x] != 255
    )
    loss = Loss(weight, mean)
    found = mean_of_pixels(logits, labels, loss).item()
    assert found == pytest.approx(total / (40 + more), rel=1e-14)
    assert mean_of_pixels(logits, torch.full_like(labels, 255), loss).item() == 0


@pytest.mark.parametrize("label", [255, 2])
def test_a_batch_without_labels_teaches_nothing(label: int) -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), label)
    loss = mean_of_pixels(logits, labels, Loss(torch.tensor([1.0, 1.0, 0.0])))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


# --- refusals --------------------------------------------------------------------------


def test_a_loss_that_explodes_leaves_the_old_weights(job: Job, tmp_path: Path) -> None:
    trained(job, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "a" in p.name}
    wild = changed(job, lr=1e30, clip=1e30, steps=6)
    with pytest.raises(SegmodelsError, match=r"the loss is .* at step \d.*recipes/tiny.yaml"):
        trained(wild, tmp_path)
    assert {p: p.read_bytes() for p in before} == before
    assert load_checkpoint(tmp_path / "weights").num_classes == 8


@pytest.mark.parametrize("overrides", [{"num_classes": 9}, {"image_size": 64}])
def test_overrides_of_what_the_dataset_decides(
    job: Job, tmp_path: Path, overrides: dict[str, Any]
) -> None:
    with pytest.raises(SegmodelsError, match="'overrides' sets"):
        trained(dataclasses.replace(job, overrides=overrides), tmp_path)


def test_an_unknown_override(job: Job, tmp_path: Path) -> None:
    with pytest.raises(SegmodelsError, match="no argument 'witdh'"):
        trained(dataclasses.replace(job, overrides={"witdh": 8}), tmp_path)


@pytest.mark.parametrize("device", ["meta-physics", "cuda:99"])
def test_a_device_that_is_not_there(job: Job, tmp_path: Path, device: str) -> None:
    with pytest.raises(SegmodelsError, match=f"cannot train on '{device}'"):
        trained(dataclasses.replace(job, device=device), tmp_path)


def test_an_epoch_ends_with_a_short_batch(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = changed(job, steps=None, epochs=2, batch=3)
    with closing(feed(job, first_network(job)).batches(0, job.steps)) as batches:
        sizes = [len(images) for images, _ in batches]
    assert sizes == [3, 1, 3, 1]
