"""Float32 is float32 wherever a label can come from, whatever the process allows otherwise.

A probe inside a network writes down PyTorch's switches whenever it is asked for something.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
from torch import nn

import segmodels
from segmodels import steps
from segmodels.core import paths
from segmodels.datasets.described import described_split
from segmodels.datasets.opening import open_dataset
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.precision import full_precision
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict, predict_views, view_logits
from segmodels.evaluation.subject import Subject
from segmodels.evaluation.views import image_views
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import load_run
from segmodels.steps import evaluation, robustness
from segmodels.training import loop

WHOLE = Protocol(name="whole", version=1, title="whole")
VIEWS = Protocol(
    name="views", version=1, title="views", window=32, stride=24, scales=(0.5, 1.0), flip=True
)
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
STRICT = (False, False, "highest", "ieee", "ieee", "ieee")
LOOSE = (True, True, "high", "tf32", "tf32")


def switches() -> tuple[object, ...]:
    backends = torch.backends
    older = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32
    newer = (backends.cudnn.conv, backends.cuda.matmul, backends.mkldnn.matmul)
    named = [getattr(one, "fp32_precision", None) for one in newer]
    return *older, torch.get_float32_matmul_precision(), *named


@pytest.fixture
def loose() -> Iterator[None]:
    """A program that trades precision for speed, as many do in their first lines."""
    if not hasattr(torch.backends.cudnn, "conv"):
        pytest.skip("PyTorch before 2.9")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    before = switches()
    assert before[:5] == LOOSE
    yield
    assert switches() == before
    torch.set_float32_matmul_precision("highest")


class Probe:
    def __init__(self, model: SegModel) -> None:
        self.seen: list[tuple[object, ...]] = []
        layer = next(one for one in model.modules() if isinstance(one, nn.Conv2d))
        layer.register_forward_hook(lambda *_: self.seen.append(switches()))


def model_of(classes: int = 8) -> SegModel:
    torch.manual_seed(0)
    model = create_model("segformer_nano", classes).eval()
    model.preprocessing = IMAGENET
    return model


WAYS: dict[str, Callable[[SegModel, Protocol], object]] = {
    "predict": lambda model, protocol: predict(model, IMAGE, protocol),
    "public": lambda model, protocol: segmodels.predict(model, IMAGE, protocol),
    "fast": lambda model, protocol: predict_fast(model, IMAGE, protocol),
    "views": lambda model, protocol: predict_views(
        model, image_views(model, IMAGE, protocol), (48, 64), protocol
    ),
    "logits": lambda model, protocol: [
        view_logits(model, view, (48, 64), protocol) for view in image_views(model, IMAGE, protocol)
    ],
}


@pytest.mark.parametrize("protocol", [WHOLE, VIEWS], ids=lambda one: one.name)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_predict(way: str, protocol: Protocol, loose: None) -> None:
    model = model_of()
    probe = Probe(model)
    WAYS[way](model, protocol)
    assert probe.seen
    assert set(probe.seen) == {STRICT}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def test_evaluations_label_maps_figures_and_disturbances(
    root: Path, loose: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a run's steps, seen from inside the network they load."""
    steps.ensure_inputs(load_run("published"))
    probes: list[Probe] = []

    def probed(*asked: object, **options: object) -> Subject:
        subject = subject_of(*asked, **options)
        probes.append(Probe(subject.model))
        return subject

    subject_of = evaluation.subject_of
    for module in (evaluation, robustness):
        monkeypatch.setattr(module, "subject_of", probed)
    steps.evaluate_run("published", "plain")
    paths.figure("published", "plain").unlink()
    steps.evaluate_run("published", "plain")  # known evidence: for the figure alone
    steps.keep_maps("published", "plain")
    steps.stress_run("published", "quick")
    seen = [set(probe.seen) for probe in probes]
    assert all(seen[:3])
    assert set().union(*seen) == {STRICT}


def test_validation_in_training(root: Path, loose: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of a training may be rounded as the program likes; what is scored may not."""
    steps.prepare("shapes")
    seen: list[tuple[object, ...]] = []

    def look(job: loop.Job, model: SegModel, *rest: Any) -> float:
        probe = Probe(model)
        miou = whole(job, model, *rest)
        seen.extend(probe.seen)
        return miou

    whole = loop.validation_miou
    monkeypatch.setattr(loop, "validation_miou", look)
    steps.train_run("tiny")
    assert set(seen) == {STRICT}


def test_an_evaluation_as_a_library(root: Path, loose: None) -> None:
    steps.prepare("shapes")
    dataset = open_dataset("shapes", "test")
    model = model_of()
    probe = Probe(model)
    fingerprint = described_split("shapes", "test")["fingerprint"]
    evaluate(Subject(model, "0" * 64, {}, fingerprint), dataset, WHOLE, limit=2)
    assert len(probe.seen) == 2
    assert set(probe.seen) == {STRICT}


def test_threads_that_overlap_leave_the_switches_as_they_were(loose: None) -> None:
    """The first to come is the first to go: nobody is left with the other's state."""
    inside, leave, seen = threading.Event(), threading.Event(), []

    def first() -> None:
        with full_precision():
            inside.set()
            leave.wait(60)
            seen.append(switches())

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(60)
    with full_precision():
        leave.set()
        thread.join()
        seen.append(switches())
    assert seen == [STRICT, STRICT]


@pytest.mark.parametrize(
    "first_line",
    [
        "torch.set_float32_matmul_precision('medium')",  # bf16 on some processors
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
        "torch.backends.fp32_precision = 'tf32'",
    ],
)
def test_whichever_switches_a_program_used(first_line: str) -> None:
    """PyTorch refuses to read the older switches once the newer ones were used."""
    code = f"""
import torch
if not hasattr(torch.backends.cudnn, "conv"): raise SystemExit
{first_line}
from segmodels.evaluation.precision import full_precision
newer = [torch.backends.cudnn.conv, torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]
def state(): return [one.fp32_precision for one in newer]
before = state()
with full_precision():
    assert state() == ["ieee"] * 3, state()
assert state() == before, state()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_predicts_by_another_door() -> None:
    """`precision.inference` is inference mode and full precision at once."""
    allowed = {"precision.py", "stopwatch.py"}  # the door; and a clock, which gives no number
    package = Path(segmodels.__file__).parent
    other = [
        f"{path.name}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        if path.name not in allowed
        for line in path.read_text().splitlines()
        if re.search(r"inference_mode", line)
    ]
    assert other == ["fast.py: @torch.inference_mode()"]  # a generator, whose products are guarded
