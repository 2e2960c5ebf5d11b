"""Numbers that are none, and networks that are not in eval mode."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
from paper_gpu import paper_gpu

import segmodels as sm
from segmodels import steps
from segmodels.core.arrays import Pixels
from segmodels.datasets import Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation import predict as predict_module
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.image_counter import predict_images
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import image_views, predict_views
from segmodels.evaluation.subject import Subject
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.suite import stressing
from segmodels.runs.run import Run, load_run

pytestmark = pytest.mark.faults

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
ONE_VIEW = Protocol(name="one", version=1, title="one")
VIEWS = Protocol(name="views", version=1, title="views", scales=(0.5, 1.0), flip=True)
WINDOWS = Protocol(name="windows", version=1, title="windows", window=32, stride=16)
PROTOCOLS = [ONE_VIEW, VIEWS, WINDOWS]
WAYS = [sm.predict, predict_fast]


def network(name: str = "segformer_nano") -> SegModel:
    torch.manual_seed(0)
    model = sm.create_model(name, num_classes=5).eval()
    model.preprocessing = IMAGENET
    return model


def spoil(model: SegModel, value: float) -> str:
    """Make one number of the last layer another; returns the name of its tensor."""
    name, tensor = list(model.named_parameters())[-1]
    with torch.no_grad():
        tensor.view(-1)[-1] = value
    return name


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.name)
@pytest.mark.parametrize("predict", WAYS)
def test_scores_that_are_not_finite_give_no_labels(
    predict: Callable[..., Pixels], protocol: Protocol, value: float
) -> None:
    model = network()
    assert predict(model, IMAGE, protocol).shape == (64, 96)
    spoil(model, value)
    with pytest.raises(SegmodelsError, match="scores are not finite"):
        predict(model, IMAGE, protocol)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_do_not_load(value: float, tmp_path: Path) -> None:
    model = network()
    name = spoil(model, value)
    sm.save_checkpoint(model, tmp_path / "weights")
    with pytest.raises(SegmodelsError, match=rf"weights.*tensor '{name}' holds 1 of \d+ values"):
        sm.load_checkpoint(tmp_path / "weights")


@pytest.mark.parametrize(
    ("value", "told"), [(math.nan, "not finite"), (-1.0, "below 0, and a variance cannot be")]
)
def test_statistics_that_are_no_numbers_do_not_load(
    value: float, told: str, tmp_path: Path
) -> None:
    model = network("unet")
    name, buffer = next(item for item in model.named_buffers() if item[0].endswith("running_var"))
    buffer[0] = value
    sm.save_checkpoint(model, tmp_path / "weights")
    with pytest.raises(SegmodelsError, match=f"tensor '{name}' holds 1 of .*{told}"):
        sm.load_checkpoint(tmp_path / "weights")


def test_an_encoder_that_is_not_finite_fills_none(tmp_path: Path) -> None:
    encoder, model = sm.create_model("mit_b0", depths=(1, 1, 1, 1)), network("segformer_nano")
    name = "block1.0.norm1.weight"
    with torch.no_grad():
        dict(encoder.named_parameters())[f"backbone.{name}"][0] = math.nan
    sm.save_checkpoint(encoder, tmp_path / "weights")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(SegmodelsError, match=rf"{name}' holds 1 of \d+ values"):
        sm.load_backbone(model, tmp_path / "weights")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_pixels_that_are_not_finite_are_told_by_their_image(value: float) -> None:
    model, images = network(), torch.zeros(3, 3, 64, 64)
    images[1, 0, 5, 5] = value
    for compute in (model, model.forward_lowres):
        with pytest.raises(SegmodelsError, match=r"finite pixels, found .* in image 1 of 3"):
            compute(images)


def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Dataset]:
    """A run of a small project that has all it needs, and its images."""
    small_project.enter(tmp_path / "project", monkeypatch)
    run = load_run("published")
    steps.ensure_inputs(run)
    return run, open_dataset("shapes", "test")


def spoil_scores(model: SegModel, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the scores of a place NaN from now on."""
    real = model.forward_lowres

    def spoiled(images: torch.Tensor) -> torch.Tensor:
        logits = real(images)
        logits[place] = math.nan
        return logits

    monkeypatch.setattr(model, "forward_lowres", spoiled)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_evaluation_names_the_image(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dataset = published(tmp_path, monkeypatch)
    with paper_gpu():
        subject = steps.subject_of(run, device)
        spoil_scores(subject.model, (-1, 0, 0, 0), monkeypatch)
        subject = dataclasses.replace(subject, images=1)
        with pytest.raises(SegmodelsError, match=r"image '0000\d': the network's scores are not"):
            evaluate(subject, dataset, ONE_VIEW)


@pytest.mark.parametrize("fast", [True, False])
def test_noise_on_parameters_may_leave_scores_without_a_number(
    fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, dataset = published(tmp_path, monkeypatch)
    clean = steps.subject_of(run, "cpu")
    if not fast:
        monkeypatch.setattr(predict_module, "covers", lambda model: False)
    with stressing(clean, {"parameter_noise": 0.0, "seed": 0}) as noisy:
        usual = next(predict_images(noisy, dataset, ONE_VIEW, [0]))
        spoil_scores(noisy.model, (slice(None), 2, slice(4)), monkeypatch)
        found = next(predict_images(noisy, dataset, ONE_VIEW, [0]))
        assert (found[:14] == 2).all()  # NaN is the largest
        assert (usual[:14] != 2).any()
        np.testing.assert_array_equal(found[20:], usual[20:])
        total = evaluate(noisy, dataset, ONE_VIEW)[0].total()
    assert total.sum() == sum(dataset.read(place).label.size for place in range(len(dataset)))
    with pytest.raises(SegmodelsError, match="scores are not finite"):
        evaluate(clean, dataset, ONE_VIEW)


@pytest.mark.parametrize("name", ["segformer_b0", "unet"])
@pytest.mark.parametrize("predict", WAYS)
def test_training_mode_is_left_as_it_was_and_decides_nothing(
    predict: Callable[..., Pixels], name: str
) -> None:
    model = network(name)
    expected = predict(model, IMAGE, ONE_VIEW)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    first = next(iter(model.children()))
    first.eval()  # a frozen part stays frozen
    modes = [module.training for module in model.modules()]
    np.testing.assert_array_equal(predict(model, IMAGE, ONE_VIEW), expected)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_views_are_predicted_in_eval_mode_too() -> None:
    model = network("unet")
    views = list(image_views(model, IMAGE, ONE_VIEW))
    expected = predict_views(model, views, (64, 96), ONE_VIEW)
    model.train()
    assert torch.equal(predict_views(model, views, (64, 96), ONE_VIEW), expected)
    assert model.training


def test_labels_of_a_figure_are_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the labels that were counted are lost, they are computed again."""
    small_project.enter(tmp_path / "project", monkeypatch)
    steps.prepare("shapes")
    dataset = open_dataset("shapes", "test")
    model = network()
    subject = Subject(model, "0" * 64, {}, "")
    assert len(list(predict_images(subject, dataset, ONE_VIEW, [0, 2]))) == 2
    spoil(model, math.nan)
    with pytest.raises(SegmodelsError, match="scores are not finite"):
        list(predict_images(subject, dataset, ONE_VIEW, [0, 2]))
