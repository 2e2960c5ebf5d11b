"""Pixels as mmcv, mmsegmentation, Pillow and `transformers` make them, from stored values."""

from __future__ import annotations

import base64
import importlib
import json
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference_weights import photograph

from segmodels.evaluation.geometry import padded
from segmodels.evaluation.resize import resize, resized_view
from segmodels.evaluation.views import network_input
from segmodels.models import preprocessing
from segmodels.models.preprocessing import HALF, IMAGENET, IMAGENET_ROUNDED, Preprocessing
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol, load_protocols

STORED = json.loads((Path(__file__).parents[1] / "reference" / "pixels.json").read_text())
NAMES = ("IMAGENET", "IMAGENET_ROUNDED", "HALF")


def unpacked(entry):
    data = zlib.decompress(base64.b64decode(entry["bytes"]))
    return np.frombuffer(data, dtype=entry["dtype"]).reshape(entry["shape"])


IMAGE = photograph(19, 27)
EVERY = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


def test_the_stored_image_is_rich_enough_to_tell_libraries_apart():
    assert len(np.unique(IMAGE)) > 150
    stored = [unpacked(entry) for kind in ("mmcv.imresize", "pillow") for entry in STORED[kind][:1]]
    assert (stored[0] != stored[1]).mean() > 0.5


@pytest.mark.parametrize(
    ("kind", "library"), [("mmcv.imresize", "opencv"), ("pillow", "pillow")], ids=["mmcv", "pillow"]
)
def test_resized_pixels_are_theirs_bit_for_bit(kind, library):
    for entry in STORED[kind]:
        expected = unpacked(entry)
        found = resize(IMAGE, *expected.shape[:2], library)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


def test_resized_floats_are_mmcvs_but_for_the_order_of_additions():
    """Its last bits differ from one version of OpenCV to the next; uint8 does not."""
    for entry in STORED["mmcv.imresize, float32"]:
        expected = unpacked(entry)
        found = resize(IMAGE.astype(np.float32), *expected.shape[:2], "opencv-float")
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("entry", STORED["mmcv.imrescale"])
def test_the_kept_ratio_is_rounded_and_filled_as_by_mmcv(entry):
    image = photograph(*entry["size"])
    long, short = entry["scale"]
    view = Protocol(
        name="rescale", version=1, title="rescale", resize_short=short, resize_long=long
    )
    np.testing.assert_array_equal(resized_view(image, view, 1.0), unpacked(entry))


def test_multiples_are_reached_as_by_mmcv():
    expected = unpacked(STORED["mmcv.imresize_to_multiple"])
    view = Protocol(
        name="multiple",
        version=1,
        title="multiple",
        resize_short=25,
        resize_long=68,
        resize_multiple=16,
    )
    np.testing.assert_array_equal(resized_view(IMAGE, view, 1.0), expected)


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("mmcv.imnormalize", name) for name in NAMES), ("mmseg.SegDataPreProcessor", "IMAGENET")],
)
def test_normalized_pixels_are_mmcvs_and_mmsegmentations_bit_for_bit(kind, name):
    expected = unpacked(STORED[kind][name])
    found = getattr(preprocessing, name).apply(EVERY)
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_padding_is_mmcvs():
    expected = unpacked(STORED["mmcv.impad_to_multiple"])
    values = torch.from_numpy(IMAGENET.apply(IMAGE).transpose(2, 0, 1).copy())[None]
    found = padded(values, 16)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_array_equal(found, expected)


@given(st.integers(0, 255), st.floats(0, 255, width=32), st.floats(0.5, 255, width=32))
def test_dividing_rounds_as_mmcvs_product_with_the_inverse(pixel, mean, std):
    """mmcv multiplies by 1/std in float64; the docstring of `apply` says why that is the same."""
    kind = Preprocessing("RGB", (mean,) * 3, (std,) * 3)
    found = kind.apply(np.full((1, 1, 3), pixel, dtype=np.uint8))[0, 0, 0]
    centred = np.float32(pixel) - np.float32(mean)
    product = np.float32(np.float64(centred) * (1 / np.float64(np.float32(std))))
    exact = Fraction(float(centred)) / Fraction(float(np.float32(std)))
    assert found == product
    for neighbour in (np.nextafter(found, np.float32(side)) for side in (-np.inf, np.inf)):
        assert abs(Fraction(float(found)) - exact) <= abs(Fraction(float(neighbour)) - exact)


@pytest.mark.parametrize("arithmetic", ["fused", "rescaled"])
def test_normalized_pixels_are_those_of_transformers(arithmetic):
    expected = unpacked(STORED["transformers"][arithmetic])
    found = IMAGENET.apply(EVERY, arithmetic)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    plain = IMAGENET.apply(EVERY)
    assert (found != plain).any()
    np.testing.assert_allclose(found, plain, atol=1e-6)


def test_the_protocols_of_transformers_feed_what_its_processors_feed():
    pillow = load_protocol("huggingface-segformer-pillow").replace(resize_fixed=(14, 20))
    found = network_input(IMAGENET, IMAGE, pillow, 1.0)
    np.testing.assert_array_equal(found, unpacked(STORED["transformers"]["pillow, resized"]))
    tensors = load_protocol("huggingface-segformer").replace(resize_fixed=(14, 20))
    found = network_input(IMAGENET, IMAGE, tensors, 1.0)
    # torch resizes uint8 in another way where a processor lacks AVX2: one grey level
    expected = unpacked(STORED["transformers"]["torchvision, resized"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.01 / 57)


def test_the_papers_protocols_feed_mmcvs_pixels():
    papers = ("segmenter-", "depict-", "segformer-", "mmseg-")
    named = [protocol for name, protocol in load_protocols().items() if name.startswith(papers)]
    assert len(named) > 60
    assert {(p.resize_library, p.normalize) for p in named} == {("opencv", "plain")}


@pytest.mark.parametrize("kind", [HALF, IMAGENET_ROUNDED])
def test_the_divisor_and_the_order_hold_in_every_arithmetic(kind):
    bgr = Preprocessing("BGR", kind.mean[::-1], kind.std[::-1], divisor=255.0)
    for arithmetic in ("plain", "fused", "rescaled"):
        expected = kind.apply(IMAGE, arithmetic)[..., ::-1] / np.float32(255)
        np.testing.assert_array_equal(bgr.apply(IMAGE, arithmetic), expected)


def test_the_page_is_what_its_record_says(monkeypatch):
    root = Path(__file__).parents[1].parent
    monkeypatch.syspath_prepend(root / "benchmarks")
    script = importlib.import_module("pixels")
    record = json.loads((root / "reports" / "bench" / "pixels.json").read_text())
    assert (root / "docs" / "pixels.md").read_text() == script.render(record)
    for one in record["models"]:
        assert len(one["fingerprint"]) == len(one["weights"]) == 64
        keys = [one["evidence"], *(row["evidence"] for row in one["rows"])]
        assert {len(key) for key in keys} == {16}
        assert len(set(keys)) == len(keys)
