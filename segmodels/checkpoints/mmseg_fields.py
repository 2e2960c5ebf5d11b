"""Every field that mmsegmentation's configs give a network: used, or refused where it differs.

A field is one of three: it says what the networks here do (``mmseg_tables``), its size shows in
the tensors and is compared where a wrong one would not be noticed, or it matters while training
only. What is none of them is refused by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segmodels.checkpoints.mmseg_tables import (
    BACKBONES,
    HEADS,
    LEFT,
    NECKS,
    OUTSIDE,
    PARTS,
    PIXELS,
    PIXELS_LEFT,
    Allowed,
)
from segmodels.errors import SegmodelsError, nearest, shown

#: Fields whose value is a mapping with a type, and the eps of a norm that states none.
TYPED = ("norm_cfg", "act_cfg", "norm_layer")
EPS = 1e-5


def check_model(path: Path, model: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Compare all that a training config says of a network with the network here.

    Args:
        path: of the checkpoint.
        model: as ``stated_model`` gives it.
        config: arguments of our network, its name among them.

    Raises:
        SegmodelsError: a field says what is not computed here, or is not known; it is named.
    """
    stated = _Stated(path)
    family = _family(str(config["name"]))
    stated.check_names("model", model, (*PARTS, *OUTSIDE))
    stated.check("model", {"type": model.get("type")}, {"type": (_kind(family), None)})
    shown = _shown(family, config)
    for part, tables in (("backbone", BACKBONES[family]), ("decode_head", HEADS[family])):
        for place, values in _parts(f"model.{part}", model.get(part)):
            stated.check(place, values, {**_table(values, tables), **shown[part]}, LEFT)
    neck = NECKS.get("_".join((family, str(config.get("decoder", "")))).rstrip("_"))
    if neck is None and model.get("neck") is not None:
        stated.refuse("model", "neck", model["neck"], (None,))
    for place, values in _parts("model.neck", model.get("neck")):
        stated.check(place, values, neck or {}, LEFT)
    pixels = model.get("data_preprocessor")
    if isinstance(pixels, Mapping):
        stated.check("model.data_preprocessor", pixels, PIXELS, PIXELS_LEFT)


def _kind(family: str) -> str:
    """What mmsegmentation calls the frame of a network."""
    return "CascadeEncoderDecoder" if family == "ocrnet" else "EncoderDecoder"


def _parts(place: str, values: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part that a config describes: one, or some in a row, or a backbone in a backbone."""
    if isinstance(values, Mapping):
        yield place, values
        yield from _parts(f"{place}.backbone_cfg", values.get("backbone_cfg"))
    elif isinstance(values, list):
        for number, one in enumerate(values):
            yield from _parts(f"{place}[{number}]", one)


def _family(name: str) -> str:
    """The key of our tables for a registered name: the name without its size."""
    return next(one for one in BACKBONES if name == one or name.startswith(f"{one}_"))


def _table(values: Mapping[str, Any], tables: tuple[Allowed, ...]) -> Allowed:
    """The table of the type that is named; the first if none is."""
    fitting = (one for one in tables if values.get("type") in one["type"])
    known = tuple(name for one in tables for name in one["type"])
    return next(fitting, {**tables[0], "type": known})


def _shown(family: str, config: Mapping[str, Any]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What the tensors show, or ``config`` says of them, under the names of configs."""
    heads = config.get("heads")
    head: dict[str, tuple[Any, ...]] = {
        "num_classes": (config["num_classes"],),
        "align_corners": (config.get("align_corners", False),),
    }
    if family in ("segmenter", "setr"):
        layers, outputs = config["layers"], config.get("outputs")
        last = (-1, layers - 1, [layers - 1], [-1], None)
        backbone = {
            "patch_size": (config["patch_size"],),
            "num_layers": (layers,),
            "depth": (layers,),
            "num_heads": (heads,),
            "out_indices": last if outputs is None else ([number - 1 for number in outputs],),
            "interpolate_mode": (config.get("position_resize", "bilinear"),),
            "eps of norm_cfg": (config["norm_eps"],),
        }
        if family == "setr":
            return {"backbone": backbone, "decode_head": {**head, **_of_setr(config, backbone)}}
        head |= {
            "num_layers": (config.get("decoder_layers"),),
            "num_heads": (config.get("decoder_heads") or heads,),
        }
        return {"backbone": backbone, "decode_head": head}
    stages = {
        "depths": (_listed(config.get("depths")),),
        "num_layers": (_listed(config.get("depths")),),
        "num_heads": (_listed(heads),),
        "window_size": (config.get("window"),),
        "sr_ratios": (_listed(config.get("reductions")),),
        "depth": ({"resnet50": 50, "resnet101": 101}.get(str(config["name"]).split("_")[-1]),),
    }
    backbone = {name: allowed for name, allowed in stages.items() if allowed != (None,)}
    eps = 1e-6 if family.endswith("segformer") else 1e-5
    if family == "ccnet":
        head["recurrence"] = (config["recurrence"],)
    return {"backbone": {**backbone, "eps of norm_cfg": (eps,)}, "decode_head": head}


def _of_setr(config: Mapping[str, Any], backbone: dict[str, tuple[Any, ...]]) -> Allowed:
    """How SETR's decoders upsample; MLA's encoder drops the class token."""
    kind = config["decoder"]
    backbone["with_cls_token"] = (kind != "mla",)
    steps = {"naive": 1, "pup": 4}.get(kind)
    return {
        "up_scale": (2 if kind == "pup" else 4,),
        "num_up_layer": (steps,),
        "eps of norm_layer": (1e-6,),
    }


def _listed(values: Any) -> Any:
    return list(values) if isinstance(values, (list, tuple)) else values


class _Stated:
    """Checks of one file's config."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_names(self, part: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Refuse a field that is not known."""
        for name in values:
            if name not in known:
                raise SegmodelsError(
                    f"{self.path}: its config has {part}.{shown(name)[1:-1]}, which is not known "
                    f"here and might change what the network computes.{nearest(name, known)}"
                )

    def check(
        self,
        part: str,
        values: Mapping[str, Any],
        table: Allowed,
        left: frozenset[str] = frozenset(),
    ) -> None:
        """Compare each field with what is computed here."""
        names = tuple(name for name in table if " " not in name)
        self.check_names(part, values, (*names, *sorted(left)))
        for name, value in values.items():
            if name in table:
                self._compare(part, name, value, table)

    def _compare(self, part: str, name: str, value: Any, table: Allowed) -> None:
        typed = name in TYPED and isinstance(value, Mapping)
        if not any(_equal(value.get("type") if typed else value, one) for one in table[name]):
            self.refuse(part, name, value.get("type") if typed else value, table[name])
        eps = table.get(f"eps of {name}", (EPS,))
        if typed and name != "act_cfg":
            self._compare_eps(f"{part}.{name}", value, eps)

    def _compare_eps(self, part: str, value: Mapping[str, Any], eps: tuple[Any, ...]) -> None:
        self.check_names(part, value, ("type", "eps", "requires_grad", "momentum"))
        if (found := value.get("eps", EPS)) not in eps:
            self.refuse(part, "eps", found, eps)

    def refuse(self, part: str, name: str, found: Any, allowed: tuple[Any, ...]) -> None:
        """Name a field whose value the network here does not have."""
        expected = " or ".join(map(repr, allowed))
        raise SegmodelsError(
            f"{self.path}: its config has {part}.{name}={shown(found)}; the network of these "
            f"tensors here has {expected[:200]}."
        )


def _equal(value: Any, known: Any) -> bool:
    """Equal as Python writes it, where lists and tuples are one: 1 is not true, 4.0 is 4."""
    return isinstance(value, bool) == isinstance(known, bool) and bool(value == known)
