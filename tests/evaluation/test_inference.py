"""Views, windows and merging: against the official code, brute force and each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.evaluation import reference as inference
from segmodels.evaluation.geometry import window_origins
from segmodels.evaluation.reference import predict, predict_views, slide_logits, view_logits
from segmodels.evaluation.views import image_views
from segmodels.models import create_model
from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.preprocessing import HALF, IMAGENET
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol, load_protocols

WHOLE = Protocol(name="whole", version=1, title="whole")
SLIDE = Protocol(name="slide", version=1, title="slide", window=96, stride=64)


class Positional(SegModel):
    """Logits depend on the pixel and on where in the window it lies, so every merge shows."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__(ModelConfig(num_classes=outputs))
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, outputs))
        self.preprocessing = HALF
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        height, width = images.shape[-2:]
        place = torch.arange(height)[:, None] * 0.01 + torch.arange(width) * 0.003
        return (images.mean(1, keepdim=True) + place) * self.gain[:, None, None]


class Pointwise(Positional):
    """Logits depend on the pixel alone."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(1, keepdim=True) * self.gain[:, None, None]


class Bordered(Positional):
    """Logits tell how large the network's input was."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__(outputs)
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(tuple(images.shape[-2:]))
        return super().forward(images) + images.shape[-1]


def nano(classes: int = 5) -> SegModel:
    torch.manual_seed(0)
    return create_model("segformer_nano", classes).eval()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# --- the official implementations ------------------------------------------------------


def loaded(reference: Any, name: str, folder: Path) -> tuple[dict[str, Any], SegModel]:
    case = reference.load_case(reference.cases / f"{name}.json")
    if case["family"] == "segmenter":
        return case, load_checkpoint(reference.save_segmenter(case, folder))
    return case, load_checkpoint(reference.save_mmseg(case, folder / "b0.pth"))


def test_segmenter_sliding_window(reference: Any, tmp_path: Path) -> None:
    case, model = loaded(reference, "eval_segmenter_slide", tmp_path)
    assert len(case["runs"]) == 3
    for run in case["runs"]:
        protocol = Protocol(
            name="slide",
            version=1,
            title="slide",
            window=run["window"],
            stride=run["stride"],
            enlarge=True,
        )
        views = reference.tta_images(run)
        probs = predict_views(model, views, size=tuple(run["ori_shape"]), protocol=protocol)
        report = reference.compare_probs(case, run, probs)
        assert report["ok"], (run["name"], report)


def test_segformer_whole_slide_and_augmented(reference: Any, tmp_path: Path) -> None:
    case, model = loaded(reference, "eval_mmseg_inference", tmp_path)
    assert {run["name"] for run in case["runs"]} == {"whole", "slide", "aug_whole"}
    for run in case["runs"]:
        views, size = reference.tta_images(run), tuple(run["ori_shape"])
        protocol = WHOLE
        if run["mode"] == "slide":
            window, stride = run["crop_size"], run["stride"]
            assert window[0] != window[1]  # (height, width)
            protocol = Protocol(
                name="rectangle",
                version=1,
                title="rectangle",
                window=tuple(window),
                stride=tuple(stride),
            )
        probs = predict_views(model, views, size=size, protocol=protocol)
        report = reference.compare_probs(case, run, probs)
        assert report["ok"], (run["name"], report)


# --- windows ---------------------------------------------------------------------------


@given(length=st.integers(1, 400), window=st.integers(1, 200), share=st.floats(0.01, 1))
def test_windows_cover_every_pixel(length: int, window: int, share: float) -> None:
    stride = max(1, int(window * share))
    origins = window_origins(length, window, stride)
    covered = {i for o in origins for i in range(o, min(o + window, length))}
    assert covered == set(range(length))
    assert origins == sorted(set(origins))  # none twice: it would count double
    assert origins[0] == 0
    if length >= window:
        assert origins[-1] == length - window  # shifted inward, never past the end
        assert all(o % stride == 0 for o in origins[:-1])
    else:
        assert origins == [0]


@given(length=st.integers(1, 300), window=st.integers(1, 200), stride=st.integers(1, 200))
def test_windows_are_mmsegs(length: int, window: int, stride: int) -> None:
    stride = min(stride, window)
    number = max(length - window + stride - 1, 0) // stride + 1
    official = [max(min(i * stride + window, length) - window, 0) for i in range(number)]
    assert window_origins(length, window, stride) == official


@given(
    length=st.integers(1, 300),
    window=st.integers(1, 120),
    share=st.floats(0.05, 1),
)
def test_merge_weights_add_to_one(length: int, window: int, share: float) -> None:
    """Every pixel is the mean of the windows that see it: equal weights whose sum is 1."""
    starts = window_origins(length, window, max(1, int(window * share)))
    seen = np.zeros(length)
    for start in starts:
        seen[start : start + window] += 1
    total = np.zeros(length)
    for start in starts:
        total[start : start + window] += 1 / seen[start : start + window]
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    window=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    share=st.floats(0.2, 1),
)
def test_a_constant_image_has_constant_logits(
    size: tuple[int, int], window: tuple[int, int], share: float
) -> None:
    stride = (max(1, int(window[0] * share)), max(1, int(window[1] * share)))
    protocol = Protocol(name="any", version=1, title="any", window=window, stride=stride)
    found = view_logits(Pointwise(), (torch.full((1, 3, *size), 0.25), None), size, protocol)
    torch.testing.assert_close(found, Pointwise().gain.detach()[:, None, None].expand(3, *size) / 4)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    window=st.tuples(st.integers(2, 24), st.integers(2, 24)),
    share=st.floats(0.2, 1),
)
def test_merging_equals_brute_force(
    height: int, width: int, window: tuple[int, int], share: float
) -> None:
    model = Positional()
    stride = tuple(max(1, int(side * share)) for side in window)
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = slide_logits(model, pixels, window, (stride[0], stride[1]))
        total = torch.zeros(3, height, width, dtype=torch.float64)
        seen = torch.zeros(height, width)
        for y in window_origins(height, window[0], stride[0]):
            for x in window_origins(width, window[1], stride[1]):
                crop = pixels[:, :, y : y + window[0], x : x + window[1]]
                total[:, y : y + window[0], x : x + window[1]] += model(crop)[0]
                seen[y : y + window[0], x : x + window[1]] += 1
    torch.testing.assert_close(found[0].double(), total / seen, rtol=0, atol=1e-5)


def test_one_number_means_a_square() -> None:
    model, pixels = Positional(), torch.randn(1, 3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(
            slide_logits(model, pixels, 32, 20), slide_logits(model, pixels, (32, 32), (20, 20))
        )


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_the_window_batch_decides_nothing(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    model, pixels = nano(), torch.randn(1, 3, 130, 170)
    with torch.inference_mode():
        expected = slide_logits(model, pixels, 96, 64)
        monkeypatch.setattr(inference, "_WINDOW_BATCH", size)
        found = slide_logits(model, pixels, 96, 64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_windows_are_fed_in_batches() -> None:
    model = Positional()
    slide_logits(model, torch.zeros(1, 3, 96 + 64, 96 + 64 * 2), 96, 64)
    assert model.batches == [4, 2]


# --- small views are enlarged ----------------------------------------------------------


def official_enlarge(pixels: Tensor, window: int) -> Tensor:
    """`resize` of Segmenter's segm/model/utils.py, word for word in its arithmetic."""
    h, w = pixels.shape[2:]
    if h < w:
        h_res, w_res = float(window), (w / h) * window
    else:
        h_res, w_res = (h / w) * window, float(window)
    if min(h, w) >= window:
        return pixels
    return F.interpolate(pixels, (int(h_res), int(w_res)), mode="bilinear")


@pytest.mark.parametrize(
    ("height", "width", "window"),
    # 460x943 to 480: 480 * 943 / 460 is 984, but 943 / 460 * 480 is a little less
    [(20, 30, 32), (30, 20, 32), (20, 20, 32), (40, 35, 32), (31, 90, 32), (460, 943, 480)],
)
def test_small_views_are_enlarged_like_the_official_ones(
    height: int, width: int, window: int
) -> None:
    pixels = torch.randn(1, 3, height, width)
    protocol = Protocol(
        name="enlarged", version=1, title="enlarged", window=window, stride=window, enlarge=True
    )
    model = Positional()
    found = view_logits(model, (pixels, None), (height, width), protocol)
    with torch.inference_mode():
        big = slide_logits(model, official_enlarge(pixels, window), window, window)
        expected = F.interpolate(big, (height, width), mode="bilinear")[0]
    assert torch.equal(found, expected)


def test_without_enlarge_a_small_view_is_fed_as_it_is() -> None:
    model, pixels = Positional(), torch.randn(1, 3, 20, 30)
    protocol = Protocol(name="small", version=1, title="small", window=32, stride=32)
    found = view_logits(model, (pixels, None), (20, 30), protocol)
    with torch.inference_mode():
        assert torch.equal(found, model(pixels)[0])


# --- views -----------------------------------------------------------------------------


def test_one_view_is_the_argmax_of_its_probabilities() -> None:
    model, image = nano(), noise(50, 70)
    probs = predict_views(model, image_views(model, image, WHOLE), (50, 70), WHOLE)
    labels = predict(model, image, WHOLE)
    assert labels.shape == (50, 70)
    assert labels.dtype == np.uint8
    best, second = probs.topk(2, dim=0).values
    sure = (best - second > 1e-6).numpy()
    assert sure.mean() > 0.99
    assert np.array_equal(labels[sure], probs.argmax(0).numpy()[sure])


def test_probabilities_are_averaged_over_views() -> None:
    model, image = nano(), noise(60, 90)
    protocol = Protocol(name="views", version=1, title="views", scales=(0.5, 1.0, 1.5), flip=True)
    views = list(image_views(model, image, protocol))
    assert [tuple(v.shape) for v, _ in views[::2]] == [
        (1, 3, 30, 45),
        (1, 3, 60, 90),
        (1, 3, 90, 135),
    ]
    assert [how for _, how in views] == [None, "horizontal"] * 3
    with torch.inference_mode():
        each = []
        for pixels, how in views:
            logits = F.interpolate(model(pixels), (60, 90), mode="bilinear")
            each.append((logits.flip(-1) if how else logits).softmax(1)[0])
    probs = predict_views(model, views, size=(60, 90), protocol=protocol)
    torch.testing.assert_close(probs, torch.stack(each).mean(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(probs.sum(0), torch.ones(60, 90))
    assert probs.dtype == torch.float32
    assert np.array_equal(predict(model, image, protocol), probs.argmax(0).numpy())


@pytest.mark.parametrize(("how", "axis"), [("horizontal", -1), ("vertical", -2)])
@pytest.mark.parametrize("protocol", [WHOLE, SLIDE])
def test_a_mirrored_view_is_mirrored_back(how: str, axis: int, protocol: Protocol) -> None:
    model, pixels = Pointwise(), torch.randn(1, 3, 110, 130)
    plain = view_logits(model, (pixels, None), (110, 130), protocol)
    mirrored = view_logits(model, (pixels.flip(axis), how), (110, 130), protocol)
    torch.testing.assert_close(mirrored, plain, rtol=0, atol=1e-6)


def test_logits_may_be_averaged_instead() -> None:
    model, image = nano(), noise(60, 90)
    protocol = Protocol(
        name="logits", version=1, title="logits", scales=(0.5, 1.0), flip=True, average="logits"
    )
    views = list(image_views(model, image, protocol))
    with torch.inference_mode():
        each = []
        for pixels, how in views:
            logits = F.interpolate(model(pixels), (60, 90), mode="bilinear")
            each.append((logits.flip(-1) if how else logits)[0])
    probs = predict_views(model, views, (60, 90), protocol)
    expected = torch.stack(each).mean(0).softmax(0)
    torch.testing.assert_close(probs, expected, rtol=0, atol=1e-6)
    usual = predict_views(model, views, (60, 90), protocol.replace(average="probabilities"))
    assert not torch.allclose(probs, usual, rtol=0, atol=1e-6)
    assert np.array_equal(predict(model, image, protocol), probs.argmax(0).numpy())


# --- what ports do otherwise -----------------------------------------------------------


@pytest.mark.parametrize("window", [None, 32, (32, 48)])
def test_padding_is_seen_by_the_network_and_cut_off(window: Any) -> None:
    model, pixels = Bordered(), torch.randn(1, 3, 45, 70)
    protocol = Protocol(
        name="padded", version=1, title="padded", window=window, stride=window, pad_multiple=32
    )
    found = view_logits(model, (pixels, None), (45, 70), protocol)
    padded = F.pad(pixels, (0, 26, 0, 19))
    bare = protocol.replace(pad_multiple=None)
    expected = view_logits(model, (padded, None), (64, 96), bare)[:, :45, :70]
    assert torch.equal(found, expected)
    if window is None:
        assert model.sizes[0] == (64, 96)


@pytest.mark.parametrize(("how", "axis"), [("horizontal", -1), ("vertical", -2)])
def test_a_mirrored_view_is_padded_right_and_below_too(how: str, axis: int) -> None:
    model, pixels = Positional(), torch.randn(1, 3, 45, 70)
    protocol = Protocol(name="padded", version=1, title="padded", pad_multiple=32)
    found = view_logits(model, (pixels.flip(axis), how), (45, 70), protocol)
    plain = view_logits(model, (pixels.flip(axis), None), (45, 70), protocol)
    assert torch.equal(found, plain.flip(axis))


def test_a_view_that_needs_no_padding_gets_none() -> None:
    model, view = nano(), (torch.randn(1, 3, 64, 96), None)
    padded = Protocol(name="padded", version=1, title="padded", pad_multiple=32)
    assert torch.equal(
        view_logits(model, view, (50, 50), padded), view_logits(model, view, (50, 50), WHOLE)
    )


def test_upsample_once_skips_the_size_of_the_input() -> None:
    model, pixels = nano(), torch.randn(1, 3, 64, 96)
    once = Protocol(name="once", version=1, title="once", resize_fixed=(64, 96), upsample_once=True)
    found = view_logits(model, (pixels, None), (50, 70), once)
    with torch.inference_mode():
        low = model.forward_lowres(pixels)
        expected = F.interpolate(low, (50, 70), mode="bilinear")[0]
        twice = F.interpolate(model(pixels), (50, 70), mode="bilinear")[0]
    assert torch.equal(found, expected)
    assert not torch.allclose(found, twice, rtol=0, atol=1e-6)


def test_upsample_once_is_refused_where_the_network_pads() -> None:
    model = create_model("segmenter_vit_tiny_patch16_mask", 3).eval()
    once = Protocol(name="once", version=1, title="once", upsample_once=True)
    with pytest.raises(SegmodelsError, match=r"`upsample_once` .* multiple of 16"):
        view_logits(model, (torch.zeros(1, 3, 40, 48), None), (40, 48), once)


def test_labels_of_the_input_are_enlarged_by_nearest_neighbour() -> None:
    model, image = nano(), noise(64, 128)
    half = Protocol(
        name="espnet", version=1, title="espnet", resize_fixed=(32, 64), argmax_at="input"
    )
    labels = predict(model, image, half)
    assert labels.shape == (64, 128)
    blocks = labels.reshape(32, 2, 64, 2)
    assert (blocks == blocks[:, :1, :, :1]).all()
    views = image_views(model, image, half)
    expected = predict_views(model, views, (32, 64), half).argmax(0).numpy()
    assert np.array_equal(labels[::2, ::2], expected)
    smooth = predict(model, image, half.replace(argmax_at="image"))
    assert not np.array_equal(labels, smooth)


def test_normalised_pixels_may_be_resized_without_rounding() -> None:
    model, image = nano(), noise(48, 64)
    for library, exact in (("opencv-float", True), ("opencv", False)):
        protocol = Protocol(
            name="float", version=1, title="float", resize_fixed=(24, 40), resize_library=library
        )
        ((pixels, _),) = image_views(model, image, protocol)
        resized = cv2.resize(IMAGENET.apply(image), (40, 24), interpolation=cv2.INTER_LINEAR)
        assert np.array_equal(pixels[0].numpy(), resized.transpose(2, 0, 1)) == exact
        np.testing.assert_allclose(pixels[0].numpy(), resized.transpose(2, 0, 1), atol=0.02)


def test_bfloat16_is_the_networks_alone() -> None:
    model, view = nano(), (torch.randn(1, 3, 64, 96), None)
    for window in (None, 48):
        exact = Protocol(name="exact", version=1, title="exact", window=window, stride=window)
        found = view_logits(model, view, (64, 96), exact.replace(precision="bf16"))
        wanted = view_logits(model, view, (64, 96), exact)
        assert found.dtype == torch.float32
        assert not torch.equal(found, wanted)
        torch.testing.assert_close(found, wanted, rtol=0.1, atol=0.1)
    assert next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    "name", sorted(name for name, one in load_protocols().items() if not one.whole_image)
)
def test_every_shipped_protocol_labels_an_image(name: str) -> None:
    """An eighth of the size of the real thing, so that it takes no time."""
    protocol, model = load_protocol(name), nano(3)
    small: dict[str, Any] = {
        field: shrunk(getattr(protocol, field))
        for field in ("resize_short", "resize_long", "resize_fixed", "window", "stride")
    }
    labels = predict(model, noise(64, 86), protocol.replace(**small, scales=protocol.scales[:2]))
    assert labels.shape == (64, 86)
    assert labels.max() < 3


def shrunk(sides: Any) -> Any:
    if isinstance(sides, tuple):
        return tuple(max(16, side // 8) for side in sides)
    return max(16, sides // 8) if sides else sides


def test_logits_are_resized_to_the_image() -> None:
    protocol = Protocol(name="half", version=1, title="half", resize_short=30)
    assert predict(nano(), noise(61, 93), protocol).shape == (61, 93)


def test_memory_order_of_the_image_decides_nothing() -> None:
    model, image = nano(), noise(64, 80)
    for protocol in (WHOLE, Protocol(name="half", version=1, title="half", resize_short=32)):
        expected = predict(model, image, protocol)
        padded = np.zeros((64, 160, 3), dtype=np.uint8)
        padded[:, ::2] = image
        for same in (np.asfortranarray(image), image[::-1].copy()[::-1], padded[:, ::2]):
            assert np.array_equal(predict(model, same, protocol), expected)


def test_a_read_only_image_is_fine_and_none_is_changed() -> None:
    image = noise(40, 40)
    before = image.copy()
    image.flags.writeable = False
    predict(nano(), image, WHOLE)
    assert np.array_equal(image, before)


def test_no_gradients_are_kept() -> None:
    model = nano()
    probs = predict_views(model, [(torch.randn(1, 3, 40, 40), None)], (40, 40), WHOLE)
    assert not probs.requires_grad
    probs.add_(1)  # an ordinary tensor: callers may go on with it


# --- refusals --------------------------------------------------------------------------


def test_a_model_without_preprocessing_is_refused() -> None:
    model = nano()
    assert model.preprocessing == IMAGENET
    model.preprocessing = None
    with pytest.raises(SegmodelsError, match="carries no preprocessing"):
        predict(model, noise(32, 32), WHOLE)


def test_no_view_is_refused() -> None:
    with pytest.raises(SegmodelsError, match="no view"):
        predict_views(nano(), [], (32, 32), WHOLE)


def test_an_unknown_mirror_is_refused() -> None:
    with pytest.raises(SegmodelsError, match="'horizontal', 'vertical', not 'diagonal'"):
        predict_views(nano(), [(torch.randn(1, 3, 32, 32), "diagonal")], (32, 32), WHOLE)


def test_more_outputs_than_a_byte_can_number_are_refused() -> None:
    model = nano(300)
    with pytest.raises(SegmodelsError, match="300 outputs"):
        predict(model, noise(32, 32), WHOLE)
    assert predict_views(
        model, image_views(model, noise(32, 32), WHOLE), (32, 32), WHOLE
    ).shape == (300, 32, 32)


def test_a_grey_image_is_refused() -> None:
    with pytest.raises(SegmodelsError, match="uint8"):
        predict(nano(), noise(32, 32).astype(np.float32), WHOLE)  # type: ignore[arg-type]
