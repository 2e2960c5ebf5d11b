"""The fast path: the labels of the reference path, in tiles, whatever the sizes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from segmodels import steps
from segmodels.checkpoints import load_checkpoint
from segmodels.core.arrays import Pixels
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation import fast
from segmodels.evaluation.fast import covers, tiles
from segmodels.evaluation.geometry import decided_at, window_origins
from segmodels.evaluation.interpolation import Axis, bands, matrix, slots
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict, predict_views
from segmodels.evaluation.views import image_views
from segmodels.evaluation.windows import LowResolution, low_resolution
from segmodels.models import create_model
from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.preprocessing import HALF
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import load_run

REPOSITORY = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
WHOLE = Protocol(name="whole", version=1, title="whole")
SLIDE = Protocol(name="slide", version=1, title="slide", window=48, stride=32)
#: Both paths round their sums differently. Where the reference's best two probabilities are
#: nearer than this, either label is right.
TIE = 1e-6


class Coarse(SegModel):
    """Linear and quick: blocks of 4 pixels give one logit per class, wherever they lie."""

    stride = 4

    def __init__(self, outputs: int = 6) -> None:
        super().__init__(ModelConfig(num_classes=outputs))
        generator = torch.Generator().manual_seed(outputs)
        self.mix = torch.nn.Parameter(0.2 * torch.randn(outputs, 3, 4, 4, generator=generator))
        self.preprocessing = HALF

    def forward_lowres(self, images: Tensor) -> Tensor:
        return F.conv2d(self.pad(images), self.mix, stride=4)


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scores(maps: list[LowResolution], softmax: bool = True) -> Tensor:
    """What the tiles hold, as one tensor (classes, H, W), each pixel written once."""
    height, width = maps[0].output
    whole = torch.full((maps[0].logits.shape[-1], height, width), torch.nan)
    for rows, columns, tile in tiles(maps, softmax=softmax):
        assert whole[:, rows, columns].isnan().all()
        whole[:, rows, columns] = tile.permute(2, 0, 1)
    assert not whole.isnan().any()
    return whole


def assert_same_labels(model: SegModel, image: Pixels, protocol: Protocol) -> int:
    """Labels equal those of the reference path except at ties; how many ties were tipped."""
    size = (image.shape[0], image.shape[1])
    expected = predict_views(model, image_views(model, image, protocol), size, protocol)
    found = torch.from_numpy(predict_fast(model, image, protocol))
    best, second = expected.topk(2, dim=0).values
    differs = found != expected.argmax(dim=0)
    assert not (differs & (best - second > TIE)).any()
    return int(differs.sum())


# --- matrices --------------------------------------------------------------------------


def axes() -> st.SearchStrategy[Axis]:
    @st.composite
    def draw(draw: Any) -> Axis:
        view, stride = draw(st.integers(1, 90)), draw(st.sampled_from([1, 4, 8, 16]))
        padded = view + draw(st.integers(0, 9))
        window = min(draw(st.integers(1, 60)), padded)
        step = max(1, int(window * draw(st.floats(0.1, 1))))
        upsampled = -(-window // stride) * stride
        lowres = max(1, upsampled // stride + draw(st.integers(-1, 1)))
        origins = tuple(window_origins(padded, window, step))
        output, mirrored = draw(st.integers(1, 90)), draw(st.booleans())
        return Axis(lowres, upsampled, window, origins, padded, view, output, mirrored)

    return draw()


@given(axis=axes())
def test_weights_of_every_pixel_sum_to_one(axis: Axis) -> None:
    weights = matrix(axis)
    assert weights.shape == (axis.output, len(axis.origins) * axis.lowres)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(axis.output), rtol=0, atol=2e-6)


@given(axis=axes())
def test_a_matrix_does_what_pytorch_does_step_by_step(axis: Axis) -> None:
    generator = torch.Generator().manual_seed(1)
    lowres = torch.randn(len(axis.origins), 1, axis.lowres, 3, generator=generator)
    total, seen = torch.zeros(1, 1, axis.padded, 3), torch.zeros(axis.padded, 1)
    for origin, logits in zip(axis.origins, lowres, strict=True):
        size = (axis.upsampled, 3)
        big = F.interpolate(logits[None], size, mode="bilinear", align_corners=False)
        total[:, :, origin : origin + axis.window] += big[:, :, : axis.window]
        seen[origin : origin + axis.window] += 1
    view = (total / seen)[:, :, : axis.view]
    expected = F.interpolate(view, (axis.output, 3), mode="bilinear", align_corners=False)[0, 0]
    expected = expected.flip(0) if axis.mirrored else expected
    found = matrix(axis) @ lowres.flatten(0, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-6)


@given(axis=axes(), length=st.integers(1, 100))
def test_bands_are_the_matrix_in_another_order(axis: Axis, length: int) -> None:
    order = slots(axis).flatten()
    assert sorted(order.tolist()) == list(range(len(order)))
    rebuilt = torch.zeros(axis.output, len(order))
    pixels: list[int] = []
    for band in bands(axis, length, CPU):
        pixels += range(band.start, band.stop)
        weights = band.weights
        if weights is None:
            weights = torch.eye(band.stop - band.start)
        rebuilt[band.pixels, band.logits] = weights
    assert pixels == list(range(axis.output))
    assert torch.equal(rebuilt[:, order], matrix(axis))


def test_logits_that_overlapping_windows_share_are_neighbours() -> None:
    axis = Axis(16, 64, 64, (0, 32, 64), 128, 128, 128)
    widest = max(band.last - band.first for band in bands(axis, 8, CPU))
    assert widest <= 2 * 5  # 8 pixels reach 4 logits of each of two windows, not 48 of them all


def test_an_axis_without_change_costs_nothing() -> None:
    assert all(b.weights is None for b in bands(Axis(50, 50, 50, (0,), 50, 50, 50), 16, CPU))
    mirrored = Axis(50, 50, 50, (0,), 50, 50, 50, mirrored=True)
    assert all(b.weights is None for b in bands(mirrored, 16, CPU))
    assert all(b.weights is not None for b in bands(Axis(50, 50, 50, (0,), 50, 50, 51), 16, CPU))


# --- any sizes -------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    window=st.none() | st.tuples(st.integers(6, 40), st.integers(6, 40)),
    share=st.floats(0.4, 1),
    short=st.none() | st.integers(1, 45),
    pad=st.none() | st.integers(1, 20),
    scales=st.sampled_from([(1.0,), (0.5, 1.0), (0.75, 1.3)]),
    flip=st.booleans(),
    average=st.sampled_from(["probabilities", "logits"]),
)
def test_probabilities_are_those_of_the_reference_path(
    height: int,
    width: int,
    window: tuple[int, int] | None,
    share: float,
    short: int | None,
    pad: int | None,
    **rest: Any,
) -> None:
    stride = window and tuple(max(1, int(side * share)) for side in window)
    protocol = Protocol(
        name="any",
        version=1,
        title="any",
        resize_short=short,
        window=window,
        stride=stride,
        pad_multiple=pad,
        **rest,
    )
    model, image = Coarse(), noise(height, width, seed=height)
    views = list(image_views(model, image, protocol))
    expected = predict_views(model, views, (height, width), protocol)
    maps = low_resolution(model, views, (height, width), protocol)
    found = scores(maps, softmax=protocol.average == "probabilities")
    if protocol.average == "logits":
        found = found.softmax(dim=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=TIE)


@settings(max_examples=40)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    fixed=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    at=st.sampled_from(["image", "input"]),
    flip=st.booleans(),
    average=st.sampled_from(["probabilities", "logits"]),
)
def test_one_step_from_the_network_to_the_image(
    height: int, width: int, fixed: tuple[int, int], at: str, flip: bool, average: Any
) -> None:
    protocol = Protocol(
        name="once",
        version=1,
        title="once",
        resize_fixed=(4 * fixed[0], 4 * fixed[1]),  # `Coarse` pads other sizes inside
        upsample_once=True,
        argmax_at=at,  # type: ignore[arg-type]
        flip=flip,
        average=average,
    )
    model, image = Coarse(), noise(height, width, seed=width)
    size = decided_at(image, protocol)
    views = list(image_views(model, image, protocol))
    expected = predict_views(model, views, size, protocol)
    found = scores(low_resolution(model, views, size, protocol), softmax=average == "probabilities")
    if average == "logits":
        found = found.softmax(dim=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=TIE)


def test_one_step_is_another_number_and_refused_where_the_network_pads() -> None:
    image, once = noise(40, 52), WHOLE.replace(upsample_once=True)
    for protocol in (once, once.replace(flip=True, scales=(1.0, 2.0))):
        expected = predict(Coarse(), image, protocol)
        assert np.array_equal(predict_fast(Coarse(), image, protocol), expected)
    small = once.replace(resize_fixed=(20, 24))
    steps = predict_fast(Coarse(), image, small.replace(upsample_once=False))
    assert np.count_nonzero(predict_fast(Coarse(), image, small) != steps) > 0
    with pytest.raises(SegmodelsError, match=r"at 41x52, which it pads inside; .* multiple of 4"):
        predict_fast(Coarse(), noise(41, 52), once)


@settings(max_examples=20)
@given(height=st.integers(1, 70), width=st.integers(1, 70), window=st.integers(2, 60))
def test_small_views_are_enlarged_to_the_window(height: int, width: int, window: int) -> None:
    protocol = Protocol(
        name="big", version=1, title="big", window=window, stride=window, enlarge=True, flip=True
    )
    assert_same_labels(Coarse(), noise(height, width), protocol)


@pytest.mark.parametrize("how", ["horizontal", "vertical", None])
@pytest.mark.parametrize("protocol", [WHOLE, SLIDE])
def test_views_are_mirrored_back(how: str | None, protocol: Protocol) -> None:
    model, view = Coarse(), torch.randn(1, 3, 61, 83)
    found = scores(low_resolution(model, [(view, how)], (70, 90), protocol))
    expected = predict_views(model, [(view, how)], (70, 90), protocol)
    torch.testing.assert_close(found, expected, rtol=0, atol=TIE)


def test_labels_decided_at_the_input_are_resized_like_the_reference() -> None:
    protocol = Protocol(
        name="input", version=1, title="input", resize_fixed=(40, 64), argmax_at="input", flip=True
    )
    image = noise(61, 93)
    assert np.array_equal(
        predict_fast(Coarse(), image, protocol), predict(Coarse(), image, protocol)
    )


def test_tiles_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = Coarse(), noise(90, 121)
    protocol = SLIDE.replace(scales=(0.75, 1.0), flip=True)
    expected = predict_fast(model, image, protocol)
    for numbers in (1, 2_000, 20_000, 10**9):
        monkeypatch.setitem(fast._TILE, "cpu", numbers)
        assert np.array_equal(predict_fast(model, image, protocol), expected)


def test_windows_of_all_views_share_forward_passes() -> None:
    class Counting(Coarse):
        def forward_lowres(self, images: Tensor) -> Tensor:
            batches.append(tuple(images.shape))
            return super().forward_lowres(images)

    batches: list[tuple[int, ...]] = []
    image = noise(48 + 32, 48 + 32)
    protocol = SLIDE.replace(flip=True)
    for number, expected in ((1, [1] * 8), (3, [3, 3, 3]), (20, [20])):  # filled up
        batches.clear()
        predict_fast(Counting(), image, protocol, window_batch=number)
        assert [shape[0] for shape in batches] == expected
    batches.clear()
    predict_fast(Counting(), image, WHOLE.replace(scales=(0.5, 1.0), flip=True), window_batch=2)
    assert batches == [(2, 3, 40, 40), (2, 3, 80, 80)]


# --- the official implementations ------------------------------------------------------


@pytest.mark.parametrize("case_name", ["eval_segmenter_slide", "eval_mmseg_inference"])
def test_official_probabilities(reference: Any, case_name: str, tmp_path: Path) -> None:
    case = reference.load_case(reference.cases / f"{case_name}.json")
    if case["family"] == "segmenter":
        model = load_checkpoint(reference.save_segmenter(case, tmp_path))
    else:
        model = load_checkpoint(reference.save_mmseg(case, tmp_path / "b0.pth"))
    assert len(case["runs"]) == 3
    for run in case["runs"]:
        protocol = official_protocol(run)
        assert covers(model)
        views = reference.tta_images(run)
        found = scores(low_resolution(model, views, tuple(run["ori_shape"]), protocol))
        report = reference.compare_probs(case, run, found)
        assert report["ok"], (run["name"], report)


def official_protocol(run: dict[str, Any]) -> Protocol:
    if "window" in run:
        return Protocol(
            name="slide",
            version=1,
            title="slide",
            window=run["window"],
            stride=run["stride"],
            enlarge=True,
        )
    if run["mode"] == "slide":
        return Protocol(
            name="slide",
            version=1,
            title="slide",
            window=tuple(run["crop_size"]),
            stride=tuple(run["stride"]),
        )
    return WHOLE


# --- real images, released weights -----------------------------------------------------


@pytest.fixture(scope="module")
def camvid(
    mirror: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SegModel, list[Pixels]]]:
    """The released ESPNet and a few test images of CamVid."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("camvid")
        shutil.copytree(REPOSITORY / "params", root / "params")
        patch.setenv("SEGMODELS_ROOT", str(root))
        patch.setenv("SEGMODELS_MIRROR", str(mirror))
        run = load_run("camvid-espnet")
        steps.ensure_inputs(run)
        dataset = open_dataset(run.dataset, run.split)
        yield steps.subject_of(run).model, [dataset.read(i).image for i in (0, 90, 200)]


REAL = {
    "whole": WHOLE,
    "half": Protocol(name="half", version=1, title="half", resize_short=180),
    "slide": Protocol(name="slide", version=1, title="slide", window=224, stride=160),
    "rectangles": Protocol(
        name="rectangles", version=1, title="rectangles", window=(200, 232), stride=(150, 200)
    ),
    "views": Protocol(name="views", version=1, title="views", scales=(0.5, 0.75, 1.25), flip=True),
    "once": Protocol(name="once", version=1, title="once", resize_fixed=256, upsample_once=True),
    "all": Protocol(
        name="all",
        version=1,
        title="all",
        window=224,
        stride=160,
        enlarge=True,
        scales=(0.5, 1.0, 1.25),
        flip=True,
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_no_label_of_a_real_image_differs(camvid: tuple[SegModel, list[Pixels]], name: str) -> None:
    model, images = camvid
    assert covers(model)
    for image in images if name in ("whole", "half", "once") else images[:1]:
        expected = predict(model, image, REAL[name])
        assert len(np.unique(expected)) > 5
        assert np.count_nonzero(predict_fast(model, image, REAL[name]) != expected) == 0


def test_batches_and_threads_change_no_label_of_a_real_image(
    camvid: tuple[SegModel, list[Pixels]],
) -> None:
    model, (image, *_) = camvid
    protocol = Protocol(name="slide", version=1, title="slide", window=224, stride=160)
    expected = predict_fast(model, image, protocol)
    for number in (3, 16):
        found = predict_fast(model, image, protocol, window_batch=number)
        assert np.array_equal(found, expected)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert np.array_equal(predict_fast(model, image, protocol), expected)
    finally:
        torch.set_num_threads(before)


# --- memory, precision, refusals -------------------------------------------------------


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that any operation gave."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


def test_classes_times_height_times_width_is_never_built() -> None:
    model, image = Coarse(outputs=100), noise(150, 200)
    protocol = Protocol(name="views", version=1, title="views", window=96, stride=64, flip=True)
    full = 100 * 150 * 200
    with Largest() as quick:
        found = predict_fast(model, image, protocol)
    assert 0 < quick.numbers < full / 4
    with Largest() as plain:
        assert np.array_equal(predict(model, image, protocol), found)
    assert plain.numbers >= full


def test_bfloat16_is_for_the_network_only() -> None:
    model, image = create_model("segformer_nano", 5).eval(), noise(70, 90)
    protocol = WHOLE.replace(precision="bf16")
    views = image_views(model, image, protocol)
    (view,) = low_resolution(model, views, (70, 90), protocol)
    assert view.logits.dtype == torch.float32
    assert torch.equal(view.logits, view.logits.bfloat16().float())
    assert predict_fast(model, image, protocol).shape == (70, 90)


class Own(Coarse):
    """Brings its logits to the image in its own way."""

    def to_image(self, logits: Tensor, height: int, width: int) -> Tensor:
        return super().to_image(logits, height, width) * torch.linspace(-1, 1, width)


def test_what_is_not_covered_is_left_to_the_reference_path() -> None:
    image = noise(40, 52)
    assert not covers(Own())
    assert np.array_equal(predict_fast(Own(), image, WHOLE), predict(Own(), image, WHOLE))
    assert not np.array_equal(predict(Own(), image, WHOLE), predict(Coarse(), image, WHOLE))


def test_refusals() -> None:
    model, image, view = Coarse(), noise(20, 20), torch.zeros(1, 3, 20, 20)
    with pytest.raises(SegmodelsError, match="300 outputs"):
        predict_fast(Coarse(300), image, WHOLE)
    with pytest.raises(SegmodelsError, match="at least 1, not 0"):
        predict_fast(model, image, WHOLE, window_batch=0)
    with pytest.raises(SegmodelsError, match="'diagonal'"):
        low_resolution(model, [(view, "diagonal")], (20, 20), WHOLE)
    with pytest.raises(SegmodelsError, match="at least one view"):
        next(tiles([], softmax=True))
    model.preprocessing = None
    with pytest.raises(SegmodelsError, match="carries no preprocessing"):
        predict_fast(model, image, WHOLE)
