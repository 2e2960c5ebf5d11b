"""The network compiled: the same labels, a refusal where shapes vary, an error where it fails."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation import precision as arithmetic
from segmodels.evaluation.precision import is_compiled, lowres_logits, lowres_logits_fixed
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import IMAGENET
from segmodels.protocols.protocol import Precision, Protocol

SLIDE = Protocol(
    name="slide", version=1, title="slide", window=64, stride=48, scales=(1.0, 1.5), flip=True
)


@pytest.fixture
def model() -> SegModel:
    torch.manual_seed(0)
    model = create_model("segformer_nano", 5).eval()
    model.preprocessing = IMAGENET
    return model


@pytest.fixture
def image() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (80, 112, 3), dtype=np.uint8)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    """A backend that needs no compiler; it tells the shapes of the programs it was given."""
    shapes: list[tuple[int, ...]] = []

    def backend(graph: torch.fx.GraphModule, examples: list[torch.Tensor]) -> object:
        given = [one for one in examples if not isinstance(one, torch.nn.Parameter)]
        shapes.extend(tuple(one.shape) for one in given if one.ndim == 4)  # no statistics
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(arithmetic, "BACKEND", backend)
    arithmetic._PROGRAMS.clear()
    yield shapes
    arithmetic._PROGRAMS.clear()
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler about itself
def test_windows_of_one_shape_are_compiled_once(model, image, traced) -> None:
    compiled = predict_fast(model, image, SLIDE.replace(precision="fp32-compiled"))
    assert traced == [(1, 3, 64, 64)]
    assert np.array_equal(compiled, predict_fast(model, image, SLIDE))
    predict_fast(model, image[:, ::-1], SLIDE.replace(precision="fp32-compiled"))
    assert len(traced) == 1


@pytest.mark.filterwarnings("ignore")
def test_views_smaller_than_the_window_are_not(model, image, traced) -> None:
    small = image[:40, :50]
    found = predict_fast(model, small, SLIDE.replace(precision="fp32-compiled", scales=(1.0,)))
    assert not traced
    assert np.array_equal(found, predict_fast(model, small, SLIDE.replace(scales=(1.0,))))


@pytest.mark.filterwarnings("ignore")
def test_bf16_stays_bf16(model, traced) -> None:
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        plain, compiled = (
            lowres(model, images, precision)
            for lowres, precision in (
                (lowres_logits, "bf16"),
                (lowres_logits_fixed, "bf16-compiled"),
            )
        )
        exact = lowres_logits(model, images, "fp32")
    assert compiled.dtype == torch.float32
    assert torch.equal(plain, compiled)
    assert not torch.equal(exact, compiled)


@pytest.mark.filterwarnings("ignore")
def test_products_of_other_weights_are_noticed(model, image, traced) -> None:
    """A copy with noise on its weights carries the products of the clean ones."""
    protocol = SLIDE.replace(precision="fp32-compiled")
    model.optimize_for_inference()
    clean = predict_fast(model, image, protocol)
    noisy = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in noisy.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.1)
    found = predict_fast(noisy, image, protocol)
    assert not np.array_equal(found, clean)
    assert np.array_equal(found, predict_fast(noisy, image, SLIDE))
    assert np.array_equal(predict_fast(model, image, protocol), clean)


def test_products_made_in_a_bf16_pass_are_fp32(model) -> None:
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        exact = lowres_logits(model.optimize_for_inference(), images, "fp32")
        moved = copy.deepcopy(model)  # its products are those of tensors elsewhere
        lowres_logits(moved, images, "bf16")
        assert torch.equal(lowres_logits(moved, images, "fp32"), exact)


@pytest.mark.filterwarnings("ignore")
def test_a_program_keeps_no_model_alive(traced) -> None:
    model = create_model("segformer_nano", 5).eval()
    with torch.inference_mode():
        lowres_logits_fixed(model, torch.randn(1, 3, 64, 64), "fp32-compiled")
    known = weakref.ref(model)
    del model
    gc.collect()
    assert traced
    assert known() is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_more_models_of_a_class_than_a_compiler_likes(traced) -> None:
    images = torch.randn(1, 3, 64, 64)
    models = [create_model("segformer_nano", classes).eval() for classes in range(2, 12)]
    with torch.inference_mode():
        for one in models:
            found = lowres_logits_fixed(one, images, "fp32-compiled")
            assert torch.equal(found, lowres_logits(one, images, "fp32"))


def test_the_reference_path_takes_the_network_as_written(model, image, traced) -> None:
    found = predict(model, image, SLIDE.replace(precision="fp32-compiled"))
    assert np.array_equal(found, predict(model, image, SLIDE))
    assert not traced


@pytest.mark.parametrize("precision", ["fp32-compiled", "bf16-compiled"])
def test_whole_images_of_any_size_are_refused(model, image, precision: Precision) -> None:
    protocol = Protocol(name="whole", version=1, title="whole", precision=precision)
    plain = precision.removesuffix("-compiled")
    with pytest.raises(SegmodelsError, match=rf"'whole'.*one shape.*Use precision '{plain}'"):
        predict_fast(model, image, protocol)
    fixed = Protocol(name="fixed", version=1, title="fixed", resize_fixed=64, precision=precision)
    arithmetic.check_compiled(fixed)


@pytest.mark.filterwarnings("ignore")
def test_a_compiler_that_fails_is_told(model, image, traced, monkeypatch) -> None:
    def broken(graph: object, examples: object) -> object:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(arithmetic, "BACKEND", broken)
    with pytest.raises(SegmodelsError, match=r"no C\+\+ compiler.*use precision 'fp32'"):
        predict_fast(model, image, SLIDE.replace(precision="fp32-compiled"))


def test_which_precisions_compile() -> None:
    named: tuple[Precision, ...] = ("fp32", "bf16", "fp32-compiled", "bf16-compiled")
    assert [is_compiled(one) for one in named] == [False, False, True, True]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_real_compiler(model, image) -> None:
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        compiled = lowres_logits_fixed(model, images, "fp32-compiled")
        torch.testing.assert_close(compiled, lowres_logits(model, images, "fp32"))
    found = predict_fast(model, image, SLIDE.replace(precision="fp32-compiled"))
    assert (found != predict_fast(model, image, SLIDE)).mean() < 1e-3
