"""Evaluation as on a GPU, on one of paper: devices are never mixed and Python hardly ever waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import small_project
import torch
from paper_gpu import DEVICE, OnPaper, PaperGPU, paper_gpu

from segmodels import steps
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation import precision
from segmodels.evaluation.counting import confusion_matrix, count_pairs
from segmodels.evaluation.drawn import Drawn
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.image_counter import predict_images
from segmodels.evaluation.precision import lowres_logits
from segmodels.models import create_model
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run


@pytest.fixture
def gpu() -> Any:
    with paper_gpu() as gpu:
        yield gpu


def test_the_paper_gpu_refuses_what_cuda_refuses(gpu: PaperGPU) -> None:
    there = torch.zeros(3, device="cuda")
    assert isinstance(there, OnPaper)
    assert there.device == DEVICE
    assert (there + 1).is_cuda
    with pytest.raises(RuntimeError, match="expected all tensors on cuda:0"):
        there + torch.zeros(3)
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    assert not gpu.waits
    assert not bool((there > 0).any())
    assert gpu.waits == {"__bool__": 1}
    assert there.cpu().numpy().tolist() == [0, 0, 0]
    torch.zeros(3).to("cuda")
    assert gpu.waits == {"__bool__": 1, "to the processor": 1, "from the processor": 1}
    early = there.to("cpu", non_blocking=True)
    assert early.tolist() == [99, 99, 99]


# --- counting --------------------------------------------------------------------------


@pytest.mark.parametrize("ignore", [255, -1, 3])
def test_counts_of_the_device_are_those_of_the_processor(gpu: PaperGPU, ignore: int) -> None:
    random = np.random.default_rng(0)
    label = random.integers(0, 7, (40, 50))
    label[random.random(label.shape) < 0.1] = ignore
    prediction = random.integers(0, 9, label.shape).astype(np.uint8)
    expected = count_pairs(label, prediction, 7, 9, ignore)
    there = torch.from_numpy(prediction).to("cuda")
    gpu.waits.clear()
    assert np.array_equal(count_pairs(label, there, 7, 9, ignore), expected)
    assert np.array_equal(
        count_pairs(torch.from_numpy(label).to("cuda"), there, 7, 9, ignore), expected
    )
    assert gpu.waits.total() <= 1  # the second label's way there, which is the test's own


@pytest.mark.parametrize(
    ("label", "prediction", "said"),
    [
        ([0, 9], [0, 1], "label holds 9, outside the classes 0..2"),
        ([0, -7], [0, 1], "label holds -7"),
        ([0, 1], [3, 1], "prediction holds 3"),
        ([0, 1], [-1, 1], "prediction holds -1"),
        ([0, 255], [255, 1], "prediction holds 255"),
    ],
)
def test_values_out_of_range_on_the_device(
    gpu: PaperGPU, label: list[int], prediction: list[int], said: str
) -> None:
    with pytest.raises(SegmodelsError, match=said):
        confusion_matrix(
            torch.tensor(label).to("cuda"), torch.tensor(prediction).to("cuda"), num_classes=3
        )


# --- arithmetic ------------------------------------------------------------------------


def test_bf16_is_asked_of_the_gpu_and_leaves_as_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, images = create_model("segformer_nano", 5).eval(), torch.randn(2, 3, 64, 64)
    asked, real = [], torch.autocast

    def autocast(kind: str, dtype: torch.dtype, *, enabled: bool) -> torch.autocast:
        asked.append((kind, enabled))
        return real("cpu", dtype, enabled=enabled)  # there is no CUDA to do it

    with torch.inference_mode():
        rough = lowres_logits(model, images, "bf16")
        with paper_gpu():
            monkeypatch.setattr(torch, "autocast", autocast)
            found = lowres_logits(model.to("cuda"), images.to("cuda"), "bf16")
            assert asked == [("cuda", True)]
            assert (found.device, found.dtype) == (DEVICE, torch.float32)
            assert torch.equal(found.cpu(), rough)


@pytest.mark.parametrize(("device", "mode"), [("cuda", "reduce-overhead"), ("cpu", None)])
def test_cuda_graphs_are_recorded_on_a_gpu_alone(
    monkeypatch: pytest.MonkeyPatch, device: str, mode: str | None
) -> None:
    monkeypatch.setattr(precision, "_PROGRAMS", {})
    compiler = mock.Mock(return_value="program")
    monkeypatch.setattr(torch, "compile", compiler)
    kind = type(create_model("segformer_nano", 5))
    assert precision._compiled(kind, device) == "program"
    assert precision._compiled(kind, device) == "program"
    compiler.assert_called_once_with(
        kind.forward_lowres, fullgraph=True, dynamic=False, backend="inductor", mode=mode
    )


# --- evaluation ------------------------------------------------------------------------


def test_a_whole_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_project.enter(tmp_path / "project", monkeypatch)
    run, protocol = load_run("published"), load_protocol("views")
    steps.ensure_inputs(run)
    dataset = open_dataset("shapes", "test")
    here, _ = evaluate(steps.subject_of(run), dataset, protocol)
    with paper_gpu() as gpu:
        monkeypatch.setenv("SEGMODELS_IMAGES", "2")  # two hands, one in flight
        subject = steps.subject_of(run, "cuda")
        gpu.waits.clear()
        there, record = evaluate(subject, dataset, protocol, maps=tmp_path / "maps")
    assert gpu.waits == {}
    assert gpu.launches["scatter_add_"] == len(dataset)
    assert record["machine"]["device"] == "paper"
    assert there.key == here.key
    assert there.images == here.images


def test_labels_of_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those kept while they are counted and those computed later; both leave when it suits."""
    small_project.enter(tmp_path / "project", monkeypatch)
    run, protocol = load_run("published"), load_protocol("views")
    steps.ensure_inputs(run)
    dataset = open_dataset("shapes", "test")
    with paper_gpu() as gpu:
        subject = steps.subject_of(run, "cuda")
        gpu.waits.clear()
        found, _ = evaluate(subject, dataset, protocol, finish=lambda evidence, _: evidence)
        later = list(predict_images(subject, dataset, protocol, range(len(dataset))))
    assert gpu.waits == {}
    kept = [Drawn.of(found.key, dataset).labels(sample, found) for sample in dataset]
    for labels, again in zip(kept, later, strict=True):
        assert labels is not None
        np.testing.assert_array_equal(labels, again)


def test_a_full_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_project.enter(tmp_path / "project", monkeypatch)
    run, protocol = load_run("published"), load_protocol("views")
    steps.ensure_inputs(run)
    with paper_gpu():
        subject = steps.subject_of(run, "cuda")
        text = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total of 8 GiB"
        full = mock.Mock(side_effect=torch.OutOfMemoryError(text))
        monkeypatch.setattr(subject.model, "forward_lowres", full)
        said = r"cuda:0 is full with batches of 16.*SEGMODELS_IMAGES"
        with pytest.raises(SegmodelsError, match=said):
            evaluate(subject, open_dataset("shapes", "test"), protocol)
