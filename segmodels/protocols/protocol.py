"""A protocol: how a number is measured. A mIoU without its protocol is no claim.

It has two halves. The *inference* half decides which label every pixel gets (resize,
window, stride, scales, flip, merge) and so belongs to the identity of evidence. The
*scoring* half decides how counted labels become a number (what a void pixel is worth,
which classes are averaged) and can be changed afterwards without running a network.

What no protocol needs is no field. Everybody whose code we read shifts the last window
inward so that it ends with the image, averages the logits of overlapping windows, resizes
logits to the image before softmax, mirrors back, and only then averages views. Reducing the
label 0 (ADE20K) is how label files are read, so the datasets do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import Entry, Several
from segmodels.core.files import digest

#: How the subtraction and the division are rounded; see `Preprocessing.apply`.
Arithmetic = Literal["plain", "fused", "rescaled"]


def _shortest(sides: Any) -> Any:
    """A square as one number and a list as a tuple, so that one meaning has one hash."""
    both = sides if isinstance(sides, list | tuple) and len(sides) == 2 else (sides,)
    if any(type(side) is not int or side < 1 for side in both):
        raise ValueError("expected a whole number or [height, width], 1 or more")
    return both[0] if both[0] == both[-1] else tuple(both)


#: One number for both sides, or (height, width).
Sides = Annotated[int | tuple[int, int], BeforeValidator(_shortest)]

#: In which order of channels the weights' mean and deviation are taken.
StatisticsOrder = Literal["given", "reversed"]

Void = Literal["ignore", "error", "class"]
Library = Literal["opencv", "opencv-float", "pillow", "torch"]
Interpolated = Literal["linear", "nearest"]
Averaged = Literal["probabilities", "logits"]
ArgmaxAt = Literal["image", "input"]
Precision = Literal["fp32", "bf16", "fp32-compiled", "bf16-compiled"]
Factor = Annotated[float, Field(gt=0)]

_SCORING = ("void", "ignore_classes")
_LABELS = ("name", "version", "title", "source", "datasets", "images_drawn")


class Protocol(Entry):
    """One way to turn a model, an image and its ground truth into a score.

    Attributes:
        name: key in `params/protocols.yaml`.
        version: raised when the meaning of the entry changes.
        title: one line for people.
        source: where the protocol was read (paper section, official code).
        resize_short: target of the short side in pixels; None keeps the image's own size.
        resize_long: cap of the long side in pixels (keep-ratio resize).
        resize_multiple: after that, both sides are resized up to a multiple of this, in a
            second resize as SegFormer's `AlignedResize` and mmseg's `ResizeToMultiple` do.
        window: sliding window in pixels, one side or (height, width); None feeds the whole
            image. The last window of a row or column is shifted inward to end with the image.
        stride: step of the window in pixels, one number or (down, right).
        enlarge: an image whose short side is below `window` is enlarged to it
            (Segmenter, official code); otherwise the window is clipped to the image (mmseg).
        scales: factors of the test-time views, each multiplied with the resize target; without
            one with the image's own size, as mmcv's `Resize(scale_factor=...)` rounds it.
        flip: whether each view is also seen mirrored, left to right.
        resize_fixed: both sides are resized to this, one number or (height, width),
            whatever the aspect ratio.
        resize_library: what resizes images: `opencv` (linear on uint8, not antialiased, as
            mmcv), `opencv-float` (the same on normalised pixels, which are not rounded to
            whole grey levels), `pillow` or `torch` (bilinear on uint8, antialiased).
        normalize: how the subtraction of the mean and the division by the deviation are
            rounded: `plain` (mmcv, mmsegmentation, ESPNet), or as the processors of
            `transformers` do, `fused` (with torchvision) or `rescaled` (with Pillow).
        statistics_order: mean and deviation as the weights have them (`given`), or with their first
            and last channel exchanged (`reversed`): what a mistaken order does to a number. The
            channels of the image stay in the weights' order.
        pad_multiple: the normalised view is padded right and below with 0, the mean colour,
            to a multiple of this; the padding is cut off the logits.
        upsample_once: logits go from the network's own resolution to the image in one
            bilinear step, instead of first to the network's input. Whole images only.
        average: what is averaged over views, `probabilities` or `logits`.
        argmax_at: where labels are decided: at the size of the `image`, or of the network's
            `input`; the labels are then resized to the image by nearest neighbour.
        whole_image: one answer for each image and none for its pixels, as classifiers are measured:
            the short side is brought to `resize_short` by Pillow's bicubic filter, the network sees
            the middle of so many pixels a side (torchvision's `Resize` and `CenterCrop`), and its
            answer is compared with the image's one label.
        labels_resized: whether ground truth is resized, too, and labels are compared at the size of
            the network's input.
        labels_resized_by: how: `linear` takes the number of a class for a grey level, void being
            the number behind the last class, a mistake of scripts that print numbers; `nearest`
            takes the label of the nearest pixel, as the library that resizes images finds it.
        precision: arithmetic of the network; `fp32` defines a number. `bf16`, and either with
            `-compiled` (`torch.compile`, CUDA graphs; inputs of one shape only) are faster ways
            whose effect is measured. What follows the network is always fp32.
        void: ground truth outside the class list is left out (`ignore`) or counts as a
            false positive of the class predicted there (`error`, ESPNet's scripts), or is a class
            like all others (`class`), which is the network's output behind the data set's classes.
        ignore_classes: names of classes whose ground truth is treated as void and that are
            left out of the mean (Pascal Context with 59 of its 60 classes).
        images_drawn: how many images a script draws with replacement for its number, where it does
            not go through the split once. Here every image counts once, which is what such draws
            scatter around; how far they scatter stands beside it (`segmodels.metrics.draws`).
        datasets: names of those whose published numbers were measured so; empty for any. A
            description: it decides neither labels nor score.
    """

    name: SkipJsonSchema[str]
    version: int
    title: str
    source: str = ""
    resize_short: PositiveInt | None = None
    resize_long: PositiveInt | None = None
    resize_multiple: PositiveInt | None = None
    window: Sides | None = None
    stride: Sides | None = None
    enlarge: bool = False
    scales: Annotated[Several[Factor], Field(min_length=1)] = (1.0,)
    flip: bool = False
    resize_fixed: Sides | None = None
    resize_library: Library = "opencv"
    normalize: Arithmetic = "plain"
    statistics_order: StatisticsOrder = "given"
    pad_multiple: PositiveInt | None = None
    upsample_once: bool = False
    average: Averaged = "probabilities"
    argmax_at: ArgmaxAt = "image"
    whole_image: PositiveInt | None = None
    labels_resized: bool = False
    labels_resized_by: Interpolated = "linear"
    precision: Precision = "fp32"
    void: Void = "ignore"
    ignore_classes: Several[str] = ()
    images_drawn: PositiveInt | None = None
    datasets: Several[str] = ()

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        yield from _wrong_resize(self)
        yield from _wrong_windows(self)
        yield from _wrong_labels(self)
        yield from _wrong_whole_image(self)
        if self.argmax_at == "input" and len(self.scales) > 1:
            yield (
                "`argmax_at: input` needs one scale, because inputs of several sizes share no "
                "pixels."
            )
        for field in ("argmax_at", "upsample_once"):
            differs = getattr(self, field) != _DEFAULTS[field]
            if differs and (self.window or self.pad_multiple):
                yield f"`{field}` is for whole images: leave out `window` and `pad_multiple`."

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }

    @property
    def inference(self) -> dict[str, Any]:
        """The fields that decide labels: part of every evidence key."""
        return {k: v for k, v in self._decisive().items() if k not in _SCORING}

    @property
    def inference_fp32(self) -> dict[str, Any]:
        """The inference half without the precision, which evidence names in a field of its own."""
        return {k: v for k, v in self.inference.items() if k != "precision"}

    @property
    def scoring(self) -> dict[str, Any]:
        """The fields that decide how counts become a number."""
        return {k: v for k, v in self._decisive().items() if k in _SCORING}

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything but the descriptions."""
        return digest({**self._decisive(), "version": self.version})

    @property
    def windows(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Window and stride, each (vertical, horizontal); None for whole images."""
        if self.window is None or self.stride is None:
            return None
        return pair(self.window), pair(self.stride)

    def _decisive(self) -> dict[str, Any]:
        """All fields but descriptions; a field added later only where it is not at its default.

        Evidence keys are digests of this, and evidence is older than some fields: at its
        default such a field must be as if it did not exist.
        """
        return {
            name: value
            for name, value in self.to_dict().items()
            if name not in _LABELS and (name in _ALWAYS or getattr(self, name) != _DEFAULTS[name])
        }


#: Fields that are part of every evidence key; there were no others when the first was made.
_ALWAYS = frozenset(
    (
        *("resize_short", "resize_long", "resize_multiple", "window", "stride", "enlarge"),
        *("scales", "flip", "void"),
    )
)
_DEFAULTS = {name: field.default for name, field in Protocol.model_fields.items()}


def pair(sides: int | tuple[int, int]) -> tuple[int, int]:
    """One number for both sides, or (height, width), as (height, width)."""
    return (sides, sides) if isinstance(sides, int) else sides


def _wrong_resize(protocol: Protocol) -> Iterator[str]:
    if protocol.resize_long is not None and protocol.resize_short is None:
        yield "`resize_long` caps `resize_short`, which is missing."
    if protocol.resize_fixed and (protocol.resize_short or protocol.resize_multiple):
        yield "`resize_fixed` decides both sides; leave out `resize_short` and `resize_multiple`."


#: What may be said beside `whole_image`, of what decides labels.
_OF_WHOLE_IMAGE = frozenset(
    ("resize_short", "resize_library", "normalize", "statistics_order", "whole_image")
)


def _wrong_whole_image(protocol: Protocol) -> Iterator[str]:
    if protocol.whole_image is None:
        return
    short = protocol.resize_short
    if short is None or short < protocol.whole_image or protocol.resize_library != "pillow":
        yield (
            "`whole_image` is cut from an image whose short side Pillow resizes: give "
            "`resize_short`, at least as much, and `resize_library: pillow`."
        )
    said = protocol._decisive().keys() - _OF_WHOLE_IMAGE
    for name in sorted(one for one in said if getattr(protocol, one) != _DEFAULTS[one]):
        yield f"`whole_image` gives one answer for an image: leave out `{name}`."


def _wrong_labels(protocol: Protocol) -> Iterator[str]:
    resized = protocol.resize_fixed or protocol.resize_short
    plain = protocol.scales == (1.0,) and protocol.resize_library != "opencv-float"
    if protocol.labels_resized and not (resized and plain and protocol.argmax_at == "image"):
        yield (
            "`labels_resized` needs `resize_fixed` or `resize_short`, the scale 1, and neither "
            "`argmax_at: input` nor `resize_library: opencv-float`."
        )
    if protocol.labels_resized_by == "nearest" and (
        not protocol.labels_resized or protocol.resize_library == "torch"
    ):
        yield "`labels_resized_by: nearest` needs `labels_resized` and OpenCV or Pillow."
    if protocol.void == "class" and protocol.ignore_classes:
        yield "`void: class` scores what `ignore_classes` makes void: leave out one of them."


def _wrong_windows(protocol: Protocol) -> Iterator[str]:
    if (protocol.window is None) != (protocol.stride is None):
        yield "give `window` and `stride` together, or neither for whole images."
    if protocol.windows is not None:
        for window, stride in zip(*protocol.windows, strict=True):
            if stride > window:
                yield "`stride` must not exceed `window`, or pixels would be skipped."
    if protocol.enlarge and protocol.window is None:
        yield "`enlarge` needs a `window` to enlarge to."
    if protocol.enlarge and isinstance(protocol.window, tuple):
        yield "`enlarge` is defined for a square `window` only."
