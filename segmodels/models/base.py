"""What every segmentation network here is: low-resolution logits, then one upsampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import wraps
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.core.arguments import wrong
from segmodels.errors import SegmodelsError
from segmodels.models.folding import Foldable, refold
from segmodels.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class ModelConfig:
    """Arguments of a network; each architecture adds its own fields.

    The fields are what ``create_model`` takes as overrides and what a checkpoint stores.

    Attributes:
        RATES: fields of this config by the name of the rate that a recipe may set: ``drop_path``
            and ``dropout`` of the encoder, ``decoder_drop_path`` and ``decoder_dropout``.
        LATER: fields that came after evidence of the architecture was published. A network's
            arguments name them only where they are not the default, so that what was computed
            from it keeps its identity.
    """

    RATES: ClassVar[Mapping[str, str]] = {}
    LATER: ClassVar[tuple[str, ...]] = ()

    num_classes: int = 150

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise SegmodelsError(f"num_classes must be at least 1, got {self.num_classes}.")
        rates = set(self.RATES.values())
        for name, value in vars(self).items():
            if name in rates and not 0 <= value < 1:
                raise wrong(name, "a share, at least 0 and below 1", value)
            if name.endswith("norm_eps") and value is not None and not 0 < value < 1:
                raise wrong(name, "a number above 0 and below 1", value)

    def described(self) -> dict[str, Any]:
        """JSON-able arguments that build the same network again."""
        usual = {field.name: field.default for field in fields(self)}
        named = asdict(self).items()
        return plain({k: v for k, v in named if k not in self.LATER or v != usual[k]})


class SegModel(nn.Module):
    """Base of all models; a subclass names its ``Config`` and writes ``forward_lowres``.

    ``forward`` is always: low-resolution logits, bilinear upsampling to
    ``upsampled_size``, crop to the image. Inference code may do the last two steps
    itself (fused, window by window) and gets the same numbers.

    Attributes:
        num_classes: number of logit channels.
        stride: sides are padded to a multiple of this inside the network; 1 if any size fits.
        smallest_side: shortest image side in pixels the network can digest.
        align_corners: whether logits are brought to the image so that the centres of the outermost
            ones stay where they are; otherwise their borders do.
        only_in_pytorch: why the network cannot become a file for other runtimes; empty if it can.
        decoder_parts: names of the modules that make scores of features, where the others are the
            encoder; empty where that is one module called `encoder` or `backbone`.
        config: JSON-able arguments, and the name if ``create_model`` built it; then
            ``create_model(**config)`` builds the same network again.
        preprocessing: how pixels become input, when the weights (or the recipe) say so.
        class_names: names of the logit channels, when the weights say so.
        extra_outputs: logit channels behind those of the classes, as one for void; a network that
            has some says so to be evaluated.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    stride: int = 1
    smallest_side: int = 1
    align_corners: bool = False
    only_in_pytorch: ClassVar[str] = ""
    decoder_parts: ClassVar[tuple[str, ...]] = ()
    extra_outputs: int = 0

    def __init_subclass__(cls, **options: Any) -> None:
        """Let ``forward_lowres`` of every network check its images first, as ``forward`` does."""
        super().__init_subclass__(**options)
        if "forward_lowres" in vars(cls):
            cls.forward_lowres = _checked(cls.forward_lowres)  # type: ignore[method-assign, assignment]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_classes = config.num_classes
        self.config: dict[str, Any] = config.described()
        self.preprocessing: Preprocessing | None = None
        self.class_names: tuple[str, ...] | None = None

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, h, w) at the decoder's resolution, of images (B, 3, H, W)."""
        raise NotImplementedError

    def forward_supervised(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """Low-resolution logits that the training compares with labels, and their weights.

        The first are those of ``forward_lowres``, with weight 1; auxiliary heads follow.
        ``to_image`` brings each to the size of the labels.
        """
        return [(self.forward_lowres(images), 1.0)]

    def upsampled_size(self, height: int, width: int) -> tuple[int, int]:
        """Size to which the logits of an H×W image are upsampled before cropping to H×W."""
        return round_up(height, self.stride), round_up(width, self.stride)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H, W) of normalised float images (B, 3, H, W).

        Raises:
            SegmodelsError: the images have another shape, are too small or hold no numbers.
        """
        self.check(images)
        height, width = images.shape[-2:]
        return self.to_image(self.forward_lowres(images), height, width)

    def to_image(self, logits: Tensor, height: int, width: int) -> Tensor:
        """Low-resolution logits of an H×W image (B, C, h, w), upsampled and cropped to it."""
        size = self.upsampled_size(height, width)
        return upsample(logits, size, self.align_corners)[..., :height, :width]

    def optimize_for_inference(self, enable: bool = True) -> Self:
        """Use premultiplied weights wherever the architecture knows a cheaper equal form.

        Logits change by rounding only (1e-5 at most; see ``benchmarks/models.py``).
        Parameters and state dict stay as they are, training is not affected, changed
        parameters are noticed, and ``enable=False`` brings the paper's form back exactly.

        Returns:
            the model, in eval mode.
        """
        self.eval()
        for module in self.modules():
            if isinstance(module, Foldable):
                module.folding = enable
        refold(self)
        return self

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the borders of blocks for the backward pass and compute the rest again.

        Gradients stay the same (dropout and drop path repeat their draws), memory shrinks to
        about one block, and a step takes about a third longer. Networks without
        blocks that can be repeated refuse.

        Raises:
            SegmodelsError: this architecture has no such blocks.
        """
        found = [m for m in self.modules() if hasattr(m, "grad_checkpointing")]
        if not found:
            raise SegmodelsError(f"{type(self).__name__} has no blocks to checkpoint.")
        for module in found:
            module.grad_checkpointing = enable  # type: ignore[assignment]

    def check(self, images: Tensor) -> None:
        """Refuse images the network cannot digest, in one sentence."""
        if not isinstance(images, Tensor):
            raise wrong("images", "a float tensor (B, 3, H, W)", images)
        if images.layout is not torch.strided:
            raise wrong("images", "a dense tensor (B, 3, H, W)", images.layout)
        if not images.is_floating_point():
            fix = "Normalise the pixels as `model.preprocessing` says."
            raise wrong("images", "normalised floats (B, 3, H, W)", images, fix)
        if images.ndim != 4 or images.shape[1] != 3:
            raise SegmodelsError(f"Images must be (B, 3, H, W), got {tuple(images.shape)}.")
        if min(images.shape[-2:]) < self.smallest_side:
            raise SegmodelsError(
                f"{type(self).__name__} needs images of at least {self.smallest_side} pixels "
                f"a side, got {tuple(images.shape[-2:])}."
            )
        if not len(images):
            raise wrong("images", "at least one image", images)
        self.check_kind(images)
        self.check_finite(images)

    def check_kind(self, images: Tensor) -> None:
        """Refuse images of another type or on another device than the weights."""
        weight = next(self.parameters(), images)
        if images.device != weight.device:
            fix = f"Move them: images.to({str(weight.device)!r})."
            raise wrong("images", f"a tensor on {weight.device}", images.device, fix)
        if images.dtype != weight.dtype and not torch.is_autocast_enabled(images.device.type):
            fix = f"Convert them: images.to({weight.dtype})."
            raise wrong("images", f"{weight.dtype}, as the weights", images, fix)

    def check_finite(self, images: Tensor) -> None:
        """Refuse pixels that are NaN or infinite. No GPU is waited for: its logits tell."""
        if images.device.type != "cpu" or torch.compiler.is_compiling():
            return
        if type(images) is not Tensor:  # as those without content, by which memory is counted
            return
        bad = [number for number, image in enumerate(images) if not torch.isfinite(image).all()]
        if bad:
            found = f"values that are NaN or infinite in image {bad[0]} of {len(images)}"
            raise SegmodelsError(f"argument 'images': expected finite pixels, found {found}.")

    def pad(self, images: Tensor) -> Tensor:
        """Pad right and bottom with 0 (the mean colour) to a multiple of the stride."""
        height, width = images.shape[-2:]
        padded_height, padded_width = self.upsampled_size(height, width)
        # Not F.pad: ONNX Runtime merges that into ESPNet's pooling and then refuses the result.
        for dim, missing in ((2, padded_height - height), (3, padded_width - width)):
            if missing:
                shape = list(images.shape)
                shape[dim] = missing
                images = torch.cat([images, images.new_zeros(shape)], dim)
        return images


def network(value: Any) -> SegModel:
    """The argument `model` of a public function: a network of this library."""
    if not isinstance(value, SegModel):
        own = isinstance(value, nn.Module)
        fix = "A module of your own becomes one: model = segmodels.own_model(net)." if own else ""
        found = type(value).__name__ if own else value
        expected = "a SegModel (of create_model, load_checkpoint or own_model)"
        raise wrong("model", expected, found, fix)
    return value


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same mapping with tuples as lists, as JSON gives them back."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Check an argument that is a choice.

    Raises:
        SegmodelsError: it is none of the known values.
    """
    if value not in known:
        choices = " or ".join(map(repr, known))
        raise SegmodelsError(f"The argument {name!r} must be {choices}, got {value!r}.")


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is not below the value."""
    return -(-value // multiple) * multiple


def upsample(logits: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Bilinear resize of (B, C, h, w); nothing if the size fits.

    Centres of pixels stay where they are, or with ``align_corners`` those of the outermost ones.
    """
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners)


def to_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens (B, N, C), row by row, to a map (B, C, rows, columns), without a copy.

    In memory the map is channels-last. PyTorch upsamples such maps several times faster,
    but only if the strides come about exactly like this.
    """
    return tokens.reshape(len(tokens), *grid, -1).permute(0, 3, 1, 2)


def to_tokens(features: Tensor) -> Tensor:
    """A map (B, C, rows, columns) to tokens (B, N, C), row by row."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _checked(compute: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """A method that refuses images its network cannot digest; what is compiled is left alone."""

    @wraps(compute)
    def checking(self: SegModel, images: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            self.check(images)
        return compute(self, images)

    return checking
