"""A network of somebody's own as one of the library: on a GPU of paper, in training, in pieces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from paper_gpu import DEVICE, paper_gpu
from torch import nn

from segmodels.errors import SegmodelsError
from segmodels.evaluation.predict import predict_fast, predict_many
from segmodels.evaluation.reference import predict
from segmodels.evaluation.windows import Batching
from segmodels.models.base import SegModel
from segmodels.models.own import wrap_network
from segmodels.models.preprocessing import IMAGENET, Preprocessing
from segmodels.protocols.protocol import Protocol

LOGITS = torch.zeros(1, 5, 8, 8)
STATED = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "range": 1}
SLIDE = Protocol(
    name="slide", version=1, title="slide", window=48, stride=32, scales=(1.0, 1.5), flip=True
)


def network(stride: int = 2) -> nn.Module:
    torch.manual_seed(0)
    first = nn.Conv2d(3, 8, 3, stride=stride, padding=1)
    return nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 5, 1))


def wrapped(stride: int = 2) -> SegModel:
    return wrap_network(network(stride), preprocessing=STATED)


def images(number: int = 2) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (70, 90, 3), dtype=np.uint8) for _ in range(number)]


def test_what_people_write_is_what_papers_write() -> None:
    assert Preprocessing.stated(STATED) == IMAGENET
    of_bytes = {"mean": [1, 2, 3], "std": [4, 5, 6], "range": 255, "channels": "BGR"}
    assert Preprocessing.stated(of_bytes) == Preprocessing("BGR", (1, 2, 3), (4, 5, 6))
    assert Preprocessing.stated(IMAGENET) is IMAGENET


def test_logits_are_the_networks_own_resized_to_the_image() -> None:
    model, given = wrapped().eval(), torch.randn(2, 3, 33, 47)
    with torch.no_grad():
        bare = model.network(given)
        wanted = nn.functional.interpolate(bare, size=(33, 47), mode="bilinear")
        assert torch.equal(model(given), wanted)
    assert (model.num_classes, model.config["num_classes"]) == (5, 5)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_fast_path_gives_the_labels_of_the_reference(stride: int) -> None:
    model, (image, _) = wrapped(stride).eval(), images()
    fast, reference = predict_fast(model, image, SLIDE), predict(model, image, SLIDE)
    assert (fast != reference).mean() < 1e-4  # where the two best scores are equal


def test_on_a_gpu_of_paper_nothing_waits() -> None:
    model, batching = wrapped().eval(), Batching(windows=32, whole=2, images=3)
    expected = predict_many(model, images(), SLIDE, batching)
    with paper_gpu() as gpu:
        model.to("cuda")
        gpu.waits.clear()
        found = predict_many(model, images(), SLIDE, batching)
        assert gpu.waits == {}
        for here, there in zip(expected, found, strict=True):
            assert there.labels.device == DEVICE
            assert (here.labels != there.labels.cpu()).float().mean() < 1e-2


def test_modes_are_its_own() -> None:
    module = network().eval()
    module[1].train()
    model = wrap_network(module, preprocessing=STATED)
    assert [layer.training for layer in module.modules()][:3] == [False, False, True]
    assert model.train().network[1].training
    assert not model.eval().network[1].training


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"range": "1"}, "'range' is 1 or 255"),
        ({"range": [1]}, "'range' is 1 or 255"),
        ({"mean": 0.5}, "'mean' must hold 3 numbers"),
        ({"std": (0, 1, 1)}, "'std' must be positive"),
        ({"channels": "GBR"}, "'channels' must be 'RGB' or 'BGR'"),
        ({"Mean": (0, 0, 0)}, "unknown field 'Mean'. Did you mean 'mean'"),
    ],
)
def test_faults_of_a_preprocessing(changes: dict[str, object], told: str) -> None:
    with pytest.raises(SegmodelsError, match=told):
        wrap_network(network(), preprocessing={**STATED, **changes})


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (torch.zeros(1, 4, 8, 8), "float32 (1, 4, 8, 8)"),
        (torch.zeros(1, 5), "float32 (1, 5)"),
        (torch.zeros(5, 8, 8), "float32 (5, 8, 8)"),
        ((LOGITS, LOGITS), "a tuple of float32 (1, 5, 8, 8), float32 (1, 5, 8, 8)"),
        ({"logit": LOGITS}, "a dict of 'logit' (float32 (1, 5, 8, 8))"),
        (LOGITS.numpy(), "ndarray float32 (1, 5, 8, 8)"),
        (None, "None"),
    ],
)
def test_what_is_no_logits_is_told(output: object, found: str) -> None:
    class Odd(nn.Sequential):
        def forward(self, images: torch.Tensor) -> object:
            return output

    model = wrap_network(Odd(nn.Conv2d(3, 5, 1)), num_classes=5, preprocessing=STATED)
    with pytest.raises(SegmodelsError) as caught:
        model(torch.zeros(1, 3, 8, 8))
    wanted = "expected logits (1, 5, height, width), in floats"
    assert f"its output is {found}; {wanted}" in str(caught.value)


@pytest.mark.parametrize("number", [5, None])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda logits: logits.argmax(dim=1), "return the scores, before their argmax"),
        (lambda logits: logits.argmax(dim=1).float(), "return the scores, before their argmax"),
        (lambda logits: logits.argmax(dim=1, keepdim=True), "before their argmax"),
        (lambda logits: logits.permute(0, 2, 3, 1), "return output.permute(0, 3, 1, 2)"),
        (lambda logits: (logits, logits), "as in return output[0]"),
        (lambda logits: {"pred": logits}, "as in return output['pred']"),
    ],
)
def test_how_to_mend_an_output_is_told(
    change: Callable[[torch.Tensor], object], told: str, number: int | None
) -> None:
    class Changed(nn.Sequential):
        def forward(self, images: torch.Tensor) -> object:
            return change(super().forward(images))

    square = torch.zeros(1, 3, 64, 64)
    with pytest.raises(SegmodelsError) as caught:
        wrap_network(Changed(*network()), num_classes=number, preprocessing=STATED)(square)
    assert told in str(caught.value)


def test_a_module_itself_is_no_network_of_the_library() -> None:
    (image, _) = images()
    with pytest.raises(SegmodelsError, match=r"found 'Sequential'.*segmodels.own_model\(net\)"):
        predict(network(), image, SLIDE)  # type: ignore[arg-type]
