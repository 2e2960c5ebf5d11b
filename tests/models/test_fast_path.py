"""Every family on the fast path: the labels of the reference path, at awkward sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from shrunk import FAMILIES, build
from torch import Tensor

from segmodels.evaluation.fast import covers
from segmodels.evaluation.predict import predict_fast
from segmodels.evaluation.reference import predict_views
from segmodels.evaluation.views import image_views
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import HALF
from segmodels.models.registry import MODELS
from segmodels.protocols.protocol import Protocol

#: Where the reference's best two probabilities are nearer than this, either label is right.
TIE = 1e-6
SIZE = (75, 109)
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)

PROTOCOLS = (
    Protocol(name="whole", version=1, title="whole", resize_short=67),
    Protocol(name="slide", version=1, title="slide", window=64, stride=40, enlarge=True),
    Protocol(
        name="once", version=1, title="once", resize_fixed=(64, 96), upsample_once=True, flip=True
    ),
    Protocol(
        name="views",
        version=1,
        title="views",
        window=(70, 66),
        stride=(50, 47),
        scales=(0.75, 1.25),
        flip=True,
    ),
)
#: Bare backbones are classifiers; a small ResNet does not exist, and most heads on it are there on
#: MobileNetV2, too.
NAMES = [
    smaller if (smaller := name.replace("resnet50", "mobilenetv2")) in MODELS else name
    for name in FAMILIES
    if not name.startswith(("mit_", "vit_"))
]
ALIGNED = "pspnet_mobilenetv2 with aligned corners"


@pytest.fixture(scope="module", params=[*NAMES, ALIGNED])
def model(request: pytest.FixtureRequest) -> SegModel:
    """One family, small, with seeded weights and logits far enough apart to have a winner."""
    network = build(request.param.partition(" ")[0]).eval()
    network.align_corners |= request.param == ALIGNED
    network.preprocessing = HALF
    lowres = network.forward_lowres
    with torch.inference_mode():
        ((view, _),) = image_views(network, IMAGE, PROTOCOLS[0])
        seen = lowres(view)
        mean = seen.mean((0, 2, 3), keepdim=True)  # so that no class wins everywhere
        gain = 2 / (seen - mean).std(dim=1).mean().item()

    def louder(batch: Tensor) -> Tensor:
        return gain * (lowres(batch) - mean)

    network.forward_lowres = louder  # type: ignore[method-assign]
    return network


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_labels(model: SegModel, protocol: Protocol) -> None:
    assert covers(model)
    image = IMAGE
    expected = predict_views(model, image_views(model, image, protocol), SIZE, protocol)
    assert len(expected.argmax(dim=0).unique()) > 1
    differs = torch.from_numpy(predict_fast(model, image, protocol)) != expected.argmax(dim=0)
    best, second = expected.topk(2, dim=0).values
    assert not (differs & (best - second > TIE)).any()
    assert differs.sum() <= 2
