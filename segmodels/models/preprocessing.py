"""How pixel values become network input; a fact of the weights, not of the dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from segmodels.errors import SegmodelsError, nearest, shown
from segmodels.protocols.protocol import Arithmetic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Channels = Literal["RGB", "BGR"]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Preprocessing:
    """``(pixel - mean) / std / divisor``, channel by channel, on values from 0 to 255.

    ``mean`` and ``std`` are given in the order named by ``channels``; images always come
    as RGB and are reordered here. ``divisor`` is 1 for everybody except ESPNet, which
    divides by 255 once more after it has divided by the standard deviation.
    """

    channels: Channels
    mean: Triple
    std: Triple
    divisor: float = 1.0

    def __post_init__(self) -> None:
        if self.channels not in ("RGB", "BGR"):
            raise SegmodelsError(
                f"Preprocessing field 'channels' must be 'RGB' or 'BGR', "
                f"got {shown(self.channels)}."
            )
        object.__setattr__(self, "mean", _triple("mean", self.mean))
        object.__setattr__(self, "std", _triple("std", self.std))
        object.__setattr__(self, "divisor", _number("divisor", self.divisor))
        for name, values in (("std", self.std), ("divisor", (self.divisor,))):
            if min(values) <= 0:
                raise SegmodelsError(f"Preprocessing field {name!r} must be positive.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON and YAML can hold; ``from_dict`` reads them back."""
        return {
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
            "divisor": self.divisor,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Read what ``to_dict`` wrote.

        Raises:
            SegmodelsError: a field is missing, unknown or of the wrong kind; it is named.
        """
        if not isinstance(values, Mapping):
            raise SegmodelsError(f"Preprocessing must be a mapping, got {shown(values)}.")
        required, optional = {"channels", "mean", "std"}, {"divisor"}
        for name in sorted(required - values.keys()):
            raise SegmodelsError(f"Preprocessing lacks the field {name!r}.")
        for name in sorted(values.keys() - required - optional):
            known = ", ".join(sorted(required | optional))
            raise SegmodelsError(
                f"Preprocessing has an unknown field {shown(name)}. Known: {known}."
            )
        return cls(**values)

    @classmethod
    def stated(cls, given: object) -> Preprocessing:
        """Read what people write about a network of their own: `mean` and `std` of pixels in a
        `range` from 0 to 1 or from 0 to 255, and the order of `channels`, by default RGB.

        Raises:
            SegmodelsError: a field is missing, unknown or of the wrong kind; it is named.
        """
        if isinstance(given, Preprocessing):
            return given
        if not isinstance(given, Mapping):
            raise SegmodelsError(f"preprocessing must be a mapping, got {shown(given)}.")
        known = ("mean", "std", "range", "channels")
        for name in known[:3]:
            if name not in given:
                raise SegmodelsError(f"Preprocessing lacks the field {name!r}.")
        for name in given:
            if name not in known:
                near = nearest(str(name), known)
                raise SegmodelsError(f"Preprocessing has an unknown field {name!r}.{near}")
        if given["range"] not in (1, 255):
            raise SegmodelsError(
                f"Preprocessing field 'range' is 1 or 255, the largest value of a pixel, not "
                f"{given['range']!r}."
            )
        mean, std = (_triple(name, given[name]) for name in ("mean", "std"))
        factor = 255 // int(given["range"])
        # 0.485 * 255 is 123.67499999999998 to a computer and 123.675 to everybody else.
        return cls(
            channels=given.get("channels", "RGB"),
            mean=_triple("mean", [round(value * factor, 9) for value in mean]),
            std=_triple("std", [round(value * factor, 9) for value in std]),
        )

    def with_reversed_statistics(self) -> Preprocessing:
        """The same with the mean and the deviation of its first and last channel exchanged."""
        mean, std = self.mean, self.std
        return replace(self, mean=(mean[2], mean[1], mean[0]), std=(std[2], std[1], std[0]))

    def apply(
        self, image: NDArray[np.uint8], arithmetic: Arithmetic = "plain"
    ) -> NDArray[np.float32]:
        """Turn a uint8 RGB image (H, W, 3) into float32 network input (H, W, 3).

        In the order: reorder channels, subtract the mean, divide by the standard deviation,
        divide by the divisor, every result rounded to float32. The output's channels are in
        the order of ``channels``; the input is not changed.

        ``plain`` is what mmsegmentation and ESPNet compute. mmcv multiplies by 1/std in float64,
        which rounds to the same float32: no quotient of two float32 lies nearer than 2**-49 (as
        a share of it) to the middle between two of them, and the product is off by 2**-52.
        ``fused`` and ``rescaled`` are the processors of `transformers`, which know the
        statistics as shares of 255: torchvision's brings those to 0..255 in float32, Pillow's
        divides the pixels by 255 first. Both differ from ``plain`` in the last bits.

        Raises:
            SegmodelsError: the image is not uint8 (H, W, 3).
        """
        import numpy as np

        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise SegmodelsError(
                f"Preprocessing needs a uint8 image (H, W, 3), got {image.dtype} {image.shape}."
            )
        ordered = image if self.channels == "RGB" else image[:, :, ::-1]
        mean, std = (_statistics(numbers, arithmetic) for numbers in (self.mean, self.std))
        if arithmetic == "rescaled":
            values = (ordered * (1 / 255)).astype(np.float32)
        else:
            values = ordered.astype(np.float32)
        values -= mean
        values /= std
        if self.divisor != 1.0:
            values /= np.float32(self.divisor)
        return values


def _statistics(numbers: Triple, arithmetic: Arithmetic) -> NDArray[np.float32]:
    """The mean or the deviation, float32 (3,), in the unit and with the rounding of a way."""
    import numpy as np

    if arithmetic == "plain":
        return np.array(numbers, dtype=np.float32)
    shares = (np.array(numbers) / 255).astype(np.float32)
    return shares * np.float32(255) if arithmetic == "fused" else shares


def _triple(name: str, values: object) -> Triple:
    if not isinstance(values, (list, tuple)) or len(values) != 3:
        raise SegmodelsError(
            f"Preprocessing field {name!r} must hold 3 numbers, got {shown(values)}."
        )
    first, second, third = (_number(name, value) for value in values)
    return (first, second, third)


def _number(name: str, value: object) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):  # type: ignore[arg-type]
        raise SegmodelsError(f"Preprocessing field {name!r} must hold numbers, got {shown(value)}.")
    return float(value)  # type: ignore[arg-type]


#: AugReg ViT weights, hence Segmenter and DEPICT on ViT: every value to [-1, 1].
HALF = Preprocessing("RGB", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5))

#: ImageNet statistics as mmseg and SegFormer write them.
IMAGENET = Preprocessing("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

#: The same, rounded to two decimals as Segmenter does for its DeiT encoders.
IMAGENET_ROUNDED = Preprocessing("RGB", (123.68, 116.28, 103.53), (58.4, 57.12, 57.38))

#: CGNet's on CamVid. The mean was taken over images in BGR and is subtracted from RGB, in training
#: as in the authors' test (dataset/camvid.py of their repository, and camvid_inform.pkl).
CGNET_CAMVID = Preprocessing("RGB", (105.65775, 103.329834, 99.625404), (1.0, 1.0, 1.0))

#: Grey levels as they are: utils.py of github.com/ntkhoa95/ENet_PyTorch.
ENET_NTKHOA95 = Preprocessing("RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

#: Values from 0 to 1: main.py of github.com/davidtvs/PyTorch-ENet, `ToTensor` alone.
ENET_DAVIDTVS = Preprocessing("RGB", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))

#: CamVid training statistics, as the released ESPNet weights expect them.
ESPNET_CAMVID = Preprocessing(
    "BGR", (110.331, 108.409, 105.033), (72.126, 72.691, 69.904), divisor=255.0
)

#: Of ESPNet's Cityscapes files: `test/VisualizeResults.py` of the authors' repository (12ddc7b).
ESPNET_CITYSCAPES = Preprocessing(
    "BGR",
    (72.3923111, 82.90893555, 73.15840149),
    (45.3192215, 46.15289307, 44.91483307),
    divisor=255.0,
)
