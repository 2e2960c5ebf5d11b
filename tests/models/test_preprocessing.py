"""Preprocessing values, order of operations and strict reading."""

from __future__ import annotations

import json

import numpy as np
import pytest

from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import (
    ESPNET_CAMVID,
    ESPNET_CITYSCAPES,
    HALF,
    IMAGENET,
    IMAGENET_ROUNDED,
    Preprocessing,
)

ALL = [HALF, IMAGENET, IMAGENET_ROUNDED, ESPNET_CAMVID, ESPNET_CITYSCAPES]


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("preprocessing", ALL)
def test_values_and_order(image, preprocessing) -> None:
    before = image.copy()
    values = preprocessing.apply(image)
    assert (values.dtype, values.shape) == (np.float32, image.shape)
    assert np.array_equal(image, before)
    for index, channel in enumerate(preprocessing.channels):
        plane = image[:, :, "RGB".index(channel)].astype(np.float32)
        plane = (plane - np.float32(preprocessing.mean[index])) / np.float32(
            preprocessing.std[index]
        )
        assert np.array_equal(values[:, :, index], plane / np.float32(preprocessing.divisor))


def test_half_maps_to_plus_and_minus_one() -> None:
    white = np.full((1, 1, 3), 255, np.uint8)
    assert HALF.apply(white).tolist() == [[[1.0, 1.0, 1.0]]]
    assert HALF.apply(0 * white).tolist() == [[[-1.0, -1.0, -1.0]]]


@pytest.mark.parametrize("preprocessing", ALL)
def test_round_trip_through_json(preprocessing) -> None:
    values = json.loads(json.dumps(preprocessing.to_dict()))
    assert Preprocessing.from_dict(values) == preprocessing
    assert hash(Preprocessing.from_dict(values)) == hash(preprocessing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": "GBR"}, "'channels' must be 'RGB' or 'BGR'"),
        ({"mean": [1, 2]}, "'mean' must hold 3 numbers"),
        ({"mean": [1, 2, "3"]}, "'mean' must hold numbers"),
        ({"mean": [1, 2, float("nan")]}, "'mean' must hold numbers"),
        ({"std": [1, 0, 1]}, "'std' must be positive"),
        ({"divisor": 0}, "'divisor' must be positive"),
        ({"divisor": True}, "'divisor' must hold numbers"),
        ({"scale": 2}, "unknown field 'scale'. Known: channels, divisor, mean, std"),
    ],
)
def test_wrong_fields_are_named(change, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        Preprocessing.from_dict({**HALF.to_dict(), **change})


def test_missing_fields_are_named() -> None:
    with pytest.raises(SegmodelsError, match="lacks the field 'std'"):
        Preprocessing.from_dict({"channels": "RGB", "mean": [0, 0, 0]})
    with pytest.raises(SegmodelsError, match="must be a mapping"):
        Preprocessing.from_dict([1])  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_other_images_are_refused(wrong) -> None:
    with pytest.raises(SegmodelsError, match=r"uint8 image \(H, W, 3\)"):
        HALF.apply(wrong)


def test_models_carry_the_preprocessing_of_their_paper() -> None:
    expected = {
        "segmenter_vit_tiny_patch16_linear": HALF,
        "segmenter_deit_tiny_distilled_patch16_linear": IMAGENET_ROUNDED,
        "segformer_nano": IMAGENET,
        "espnet_p2_q3": None,  # a matter of the data it is trained on
    }
    for name, preprocessing in expected.items():
        assert create_model(name).preprocessing == preprocessing
