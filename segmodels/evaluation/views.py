"""Views of an image: the inputs of the network that a protocol asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.device import ready_for, to_device
from segmodels.evaluation.geometry import MIRRORED_DIM, View
from segmodels.evaluation.resize import Values, middle, resized_view
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import Preprocessing
from segmodels.protocols.protocol import Protocol


def image_views(model: SegModel, image: Pixels, protocol: Protocol) -> Iterator[View]:
    """The resized, normalised and mirrored inputs a protocol asks for, each (1, 3, h, w)."""
    return mirrored_views(model, network_inputs(model, image, protocol), protocol)


def network_inputs(model: SegModel, image: Pixels, protocol: Protocol) -> Iterator[Tensor]:
    """The image at every scale, resized and normalised: float32 (3, h, w) on the processor, in
    memory from which the model's device can copy by itself.
    """
    if model.preprocessing is None:
        raise SegmodelsError(
            f"{type(model).__name__} carries no preprocessing: set model.preprocessing to the "
            f"channel order and statistics its weights were trained with."
        )
    device = next(model.parameters()).device
    for scale in protocol.scales:
        values = network_input(model.preprocessing, image, protocol, scale)
        yield ready_for(values.transpose(2, 0, 1), device)


def mirrored_views(model: SegModel, inputs: Iterable[Tensor], protocol: Protocol) -> Iterator[View]:
    """Inputs as views on the model's device, each with its mirror image if the protocol says so."""
    device = next(model.parameters()).device
    for pixels in inputs:
        view = to_device(pixels, device)[None]
        yield view, None
        if protocol.flip:
            yield view.flip(MIRRORED_DIM["horizontal"]), "horizontal"


def network_input(
    preprocessing: Preprocessing, image: Pixels, protocol: Protocol, scale: float
) -> Values:
    """One view, float32 (h, w, 3), of an image, uint8 (H, W, 3): resized and normalised in the
    order and the arithmetic of the protocol.
    """
    if protocol.statistics_order == "reversed":
        preprocessing = preprocessing.with_reversed_statistics()
    if protocol.whole_image:
        return preprocessing.apply(middle(image, protocol), protocol.normalize)
    if protocol.resize_library == "opencv-float":
        return resized_view(preprocessing.apply(image, protocol.normalize), protocol, scale)
    return preprocessing.apply(resized_view(image, protocol, scale), protocol.normalize)
