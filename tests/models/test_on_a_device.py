"""Every network on a GPU of paper: it makes no tensor on the processor, and no Python waits."""

from __future__ import annotations

import numpy as np
import pytest
from paper_gpu import DEVICE, paper_gpu
from shrunk import FAMILIES, build

from segmodels.evaluation.fast import covers
from segmodels.evaluation.predict import predict_many
from segmodels.evaluation.windows import Batching
from segmodels.models.preprocessing import HALF
from segmodels.protocols.protocol import Protocol

FLIPPED = Protocol(name="flipped", version=1, title="flipped", flip=True)
PROTOCOLS = [
    Protocol(
        name="slide",
        version=1,
        title="slide",
        window=64,
        stride=40,
        enlarge=True,
        scales=(1.0, 1.5),
        flip=True,
    ),
    Protocol(name="fixed", version=1, title="fixed", resize_fixed=(64, 96), argmax_at="input"),
    Protocol(
        name="padded", version=1, title="padded", pad_multiple=32, average="logits", flip=True
    ),
]
BATCHING = Batching(windows=32, whole=2, images=3)


def check_labels(name: str, protocol: Protocol) -> None:
    """The same labels, and from the first view to the last label Python waits for nothing."""
    model = build(name).eval()
    model.preprocessing = HALF
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (72, 96, 3), dtype=np.uint8) for _ in range(2)]
    expected = predict_many(model, images, protocol, BATCHING)
    with paper_gpu() as gpu:
        model.to("cuda")
        gpu.waits.clear()
        found = predict_many(model, images, protocol, BATCHING)
        # The reference path waits for every image, and Gated-SCNN for the edges of every batch.
        assert gpu.waits == {} or not covers(model) or (name, *gpu.waits) == ("gscnn", "canny")
        for here, there in zip(expected, found, strict=True):
            assert there.labels.device == DEVICE
            assert (
                here.labels != there.labels.cpu()
            ).float().mean() < 1e-2  # untrained: scores are close


@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_of_network(name: str) -> None:
    check_labels(name, FLIPPED)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["segformer_b0", "segmenter_vit_tiny_patch16_mask"])
def test_every_kind_of_protocol(name: str, protocol: Protocol) -> None:
    check_labels(name, protocol)
