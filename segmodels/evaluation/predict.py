"""Labels of images: by the fast path where it knows the network, else by the reference path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.evaluation.fast import covers, fast_labels
from segmodels.evaluation.precision import evaluating, inference
from segmodels.evaluation.prediction import Prediction
from segmodels.evaluation.reference import prediction
from segmodels.evaluation.views import network_inputs
from segmodels.evaluation.whole_image import answers
from segmodels.evaluation.windows import Batching
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol


def predict_fast(
    model: SegModel, image: Pixels, protocol: Protocol, *, window_batch: int | None = None
) -> Pixels:
    """Label every pixel of one image; the meaning is that of the reference path's `predict`.

    Args:
        model: a network that carries its preprocessing, asked in eval mode. Whether
            `optimize_for_inference` was called is left to the caller.
        image: uint8 (H, W, 3), RGB.
        protocol: how to look at it.
        window_batch: windows of equal shape per forward pass, from all views; None for what
            `Batching.usual` says of the device. Another number can change labels only where
            the two best scores are equal but for rounding (see `segmodels.evaluation.windows`).

    Returns:
        uint8 (H, W), the index of the winning output.

    Raises:
        SegmodelsError: the model does not say how pixels become input, or has more outputs
            than a byte can number, or gives scores that are not finite.
    """
    batching = None if window_batch is None else Batching(window_batch, window_batch)
    (prediction,) = predict_many(model, [image], protocol, batching)
    return prediction.checked()


@inference()
def predict_many(
    model: SegModel,
    images: Sequence[Pixels],
    protocol: Protocol,
    batching: Batching | None = None,
    inputs: Sequence[Iterable[Tensor]] | None = None,
) -> list[Prediction]:
    """`predict_fast` of several images whose windows share forward passes.

    Args:
        model: as there.
        images: uint8 (H, W, 3), RGB, of any sizes.
        protocol: how to look at them.
        batching: None for what is usual on the model's device.
        inputs: what `network_inputs` gives for each image, where that was done ahead.

    Returns:
        the labels of each image, where the model is, so that they can be counted there.
    """
    device = next(model.parameters()).device
    if protocol.whole_image:
        inputs = inputs or [network_inputs(model, one, protocol) for one in images]
        with evaluating(model):
            return answers(model, inputs, protocol)
    if not covers(model):
        return [by_reference(model, one, protocol) for one in images]
    inputs = inputs or [network_inputs(model, one, protocol) for one in images]
    batching = batching or Batching.usual(device, protocol)
    with evaluating(model):
        return fast_labels(model, images, inputs, protocol, batching)


def by_reference(model: SegModel, image: Pixels, protocol: Protocol) -> Prediction:
    """The prediction of the reference path, where the model is."""
    found, device = prediction(model, image, protocol), next(model.parameters()).device
    return Prediction(found.labels.to(device), found.finite.to(device))
