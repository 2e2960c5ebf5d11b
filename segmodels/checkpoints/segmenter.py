"""Training folders of Segmenter and DEPICT: ``checkpoint.pth`` and ``variant.yml``.

DEPICT's repository replaces Segmenter's model folder and nothing else, so the YAML of the
two looks the same; whether it is Segmenter, DEPICT-SA or DEPICT-CA shows in the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from segmodels.checkpoints.diagnosis import diagnosis, kind_of
from segmodels.checkpoints.imagenet import nearest
from segmodels.checkpoints.source import Source, read_yaml
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, count, shape
from segmodels.errors import SegmodelsError, shown
from segmodels.errors import nearest as nearest_name
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import HALF, IMAGENET_ROUNDED

WEIGHTS, VARIANT = "checkpoint.pth", "variant.yml"
NORMALIZATIONS = {"vit": HALF, "deit": IMAGENET_ROUNDED}
MARKS = {
    "linear": "decoder.head.weight",
    "mask": "decoder.proj_dec.weight",
    "sa": "decoder.net.layers.0.fn.proj",
    "ca": "decoder.cnet.layers.0.fn.proj",
}

#: Fields of ``net_kwargs`` and of its decoder.
NET = (
    *("image_size", "patch_size", "d_model", "n_heads", "n_layers", "n_cls", "d_ff", "channels"),
    *("mlp_expansion_ratio", "normalization", "distilled", "backbone", "decoder"),
    *("dropout", "drop_path_rate"),
)
DECODER = ("name", "n_layers", "n_heads", "n_cls", "dropout", "drop_path_rate")
OF_DEPICT = (*DECODER, "mode")

#: Segmenter's own decoders; the others are DEPICT's, whose ``mode`` is one of them.
PLAIN = ("linear", "mask")

#: What the YAML calls a decoder; DEPICT's have the name of Segmenter's.
DECODERS = {
    "linear": "linear",
    "mask": "mask_transformer",
    "sa": "mask_transformer",
    "ca": "mask_transformer",
}


def recognises(source: Source) -> bool:
    """A folder with a variant.yml, or a training snapshot of an encoder and a decoder."""
    if source.path.is_dir():
        return source.has(WEIGHTS) and (source.folder / VARIANT).is_file()
    return "model" in source.keys and "encoder.pos_embed" in source.names


def load(source: Source) -> SegModel:
    """Read the snapshot's ``model`` and ignore its optimiser; heads come from the YAML."""
    path = source.folder / WEIGHTS if source.path.is_dir() else source.path
    file = Source(path)
    if kind_of(path) is None:
        raise SegmodelsError(f"{path} {diagnosis(path)}")
    if "model" not in file.keys:
        raise SegmodelsError(f"{path} holds no 'model'; Segmenter's training writes one.")
    tensors = tensors_of(path, file.state, "'model'")
    variant = _Variant(path.parent / VARIANT)
    kind = _kind(path, tensors)
    variant.check_names(kind)
    config = {**_encoder(path, tensors, variant), **_decoder(path, tensors, variant, kind)}
    variant.check_sizes(kind, config)
    model = build(path, {"name": name_of(config, kind), **config}, tensors)
    model.preprocessing = variant.choice("normalization", NORMALIZATIONS)
    return model


class _Variant:
    """The YAML beside the weights; every value that is missing is named."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SegmodelsError(
                f"{path} is missing: Segmenter's and DEPICT's weights cannot be read without "
                f"it. Put the {VARIANT} of the same training beside {WEIGHTS}."
            )
        self.path = path
        self.net = self._part(read_yaml(path), "net_kwargs")
        self.decoder = self._part(self.net, "decoder")

    def _part(self, values: Mapping[str, Any], name: str) -> dict[str, Any]:
        part = values.get(name)
        if not isinstance(part, dict):
            raise SegmodelsError(f"{self.path} lacks the section {name!r}.")
        return part

    def check_names(self, kind: str) -> None:
        """Refuse fields that are not known."""
        parts: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
            "net_kwargs": (self.net, NET),
            "net_kwargs.decoder": (self.decoder, DECODER if kind in PLAIN else OF_DEPICT),
        }
        for part, (values, known) in parts.items():
            for name in values:
                if name not in known:
                    near = nearest_name(str(name), known)
                    raise SegmodelsError(
                        f"{self.path}: {part}.{shown(str(name))[1:-1]} is not known here, "
                        f"and might change what the network computes.{near}"
                    )

    def check_sizes(self, kind: str, config: Mapping[str, Any]) -> None:
        """Compare what it says about sizes with what the tensors show."""
        width = config["width"]
        sizes = {
            "patch_size": config["patch_size"],
            "d_model": width,
            "n_layers": config["layers"],
            "n_cls": config["num_classes"],
            "distilled": config["distilled"],
            "d_ff": 4 * width,
            "mlp_expansion_ratio": 4,
            "channels": 3,
        }
        decoder = {"n_cls": config["num_classes"], "name": DECODERS[kind], "mode": kind}
        if kind in ("mask", "sa"):
            decoder["n_layers"] = config["decoder_layers"]
        for part, values, wanted in (
            ("net_kwargs", self.net, sizes),
            ("net_kwargs.decoder", self.decoder, decoder),
        ):
            for name, value in wanted.items():
                if name in values and not _equal(values[name], value):
                    raise SegmodelsError(
                        f"{self.path}: {part}.{name} is {shown(values[name])}, but the tensors "
                        f"beside it are those of {shown(value)}: it belongs to another training."
                    )

    def number(self, name: str) -> int:
        """A whole number of ``net_kwargs``."""
        value = self.net.get(name)
        if type(value) is not int or value < 1:
            raise SegmodelsError(
                f"{self.path}: net_kwargs.{name} must be a positive number, got {shown(value)}."
            )
        return value

    def rate(self, part: str, name: str) -> float:
        """A share of values left out in training; 0 if none is given."""
        value = (self.net if part == "net_kwargs" else self.decoder).get(name, 0.0)
        if type(value) not in (int, float) or not 0 <= value < 1:
            raise SegmodelsError(
                f"{self.path}: {part}.{name} must be a number from 0 to below 1, "
                f"got {shown(value)}."
            )
        return float(value)

    def choice(self, name: str, known: Mapping[str, Any]) -> Any:
        """What one of a few known words of ``net_kwargs`` stands for."""
        value = self.net.get(name)
        if not isinstance(value, str) or value not in known:
            raise SegmodelsError(
                f"{self.path}: net_kwargs.{name} must be one of {', '.join(known)}, "
                f"got {shown(value)}."
            )
        return known[value]

    def image_size(self) -> list[int]:
        """(height, width) in pixels for which the position table was made."""
        value = self.net.get("image_size")
        sides: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value, value]
        if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
            raise SegmodelsError(
                f"{self.path}: net_kwargs.image_size is no size, but {shown(value)}."
            )
        return sides


def _equal(value: Any, known: Any) -> bool:
    """Equal as YAML writes it: 1 is not true, 4.0 is 4."""
    return isinstance(value, bool) == isinstance(known, bool) and bool(value == known)


def _kind(path: Path, tensors: Mapping[str, Tensor]) -> str:
    for kind, mark in MARKS.items():
        if mark in tensors:
            return kind
    names = ", ".join(sorted(key for key in tensors if key.startswith("decoder."))[:4])
    raise SegmodelsError(
        f"{path} has no decoder of Segmenter or DEPICT; under 'decoder.' it has {names or 'none'}."
    )


def _encoder(path: Path, tensors: Mapping[str, Tensor], variant: _Variant) -> dict[str, Any]:
    width, _, patch_size, _ = shape(path, tensors, "encoder.patch_embed.proj.weight", 4)
    head = tensors.get("encoder.head.weight")
    return {
        "image_size": variant.image_size(),
        "patch_size": patch_size,
        "width": width,
        "layers": count(tensors, "encoder.blocks."),
        "heads": variant.number("n_heads"),
        "distilled": "encoder.dist_token" in tensors,
        "imagenet_classes": 0 if head is None else len(head),
        "dropout": variant.rate("net_kwargs", "dropout"),
        "drop_path": variant.rate("net_kwargs", "drop_path_rate"),
    }


def _decoder(
    path: Path, tensors: Mapping[str, Tensor], variant: _Variant, kind: str
) -> dict[str, Any]:
    if kind == "linear":
        return {"num_classes": shape(path, tensors, MARKS[kind], 2)[0], "decoder": kind}
    config: dict[str, Any] = {
        "num_classes": shape(path, tensors, "decoder.cls_emb", 3)[1],
        "decoder_dropout": variant.rate("net_kwargs.decoder", "dropout"),
    }
    if kind == "mask":
        rate = variant.rate("net_kwargs.decoder", "drop_path_rate")
        layers = count(tensors, "decoder.blocks.")
        heads = variant.decoder.get("n_heads")
        if heads is not None and (type(heads) is not int or heads < 1):
            raise SegmodelsError(
                f"{variant.path}: net_kwargs.decoder.n_heads must be a positive number, "
                f"got {shown(heads)}."
            )
        return {
            **config,
            **({} if heads is None else {"decoder_heads": heads}),
            "decoder": kind,
            "decoder_layers": layers,
            "decoder_drop_path": rate,
        }
    return {**config, "attention": kind, **_subspaces(path, tensors, variant, kind)}


def _subspaces(
    path: Path, tensors: Mapping[str, Tensor], variant: _Variant, kind: str
) -> dict[str, Any]:
    """Depth and subspaces of DEPICT; 300 rows may be 3 x 100 or 6 x 50, the YAML knows."""
    net = "decoder.net.layers." if kind == "sa" else "decoder.snet.layers."
    heads = variant.decoder.get("n_heads")
    if type(heads) is not int or heads < 1:
        raise SegmodelsError(
            f"{variant.path}: net_kwargs.decoder.n_heads must be a positive number, "
            f"got {shown(heads)}; DEPICT's heads cannot be told from the tensors."
        )
    config = {
        "decoder_layers": count(tensors, net),
        "decoder_heads": heads,
        "decoder_dim_head": shape(path, tensors, f"{net}0.fn.proj", 2)[0] // heads,
    }
    if kind == "sa":
        return config
    cross = shape(path, tensors, MARKS["ca"], 2)[0]
    layers = count(tensors, "decoder.cnet.layers.")
    return {**config, "cross_layers": layers, "cross_dim_head": cross // heads}


def name_of(config: Mapping[str, Any], kind: str) -> str:
    """The registered name with this encoder and decoder, or the nearest of the family."""
    if kind in PLAIN:
        return nearest(("segmenter_",), config)
    return nearest(("depict_",), {**config, "attention": kind})
