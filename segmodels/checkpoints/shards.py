"""Weights beside a ``config.json``, in one file or in several that an index lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from segmodels.checkpoints.readers import read_any
from segmodels.checkpoints.source import Source, read_json
from segmodels.checkpoints.states import chosen, tensors_of
from segmodels.checkpoints.strict import some
from segmodels.errors import SegmodelsError, shown

CONFIG = "config.json"

#: In the order in which `transformers` looks for them.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
INDEX = ".index.json"
NAMES = tuple(name + ending for name in WEIGHTS for ending in ("", INDEX))

PART = re.compile(r"(.+)-\d+-of-\d+(\.safetensors|\.bin)")

#: Small changes of the weights that `transformers` would add to them.
ADAPTER = "adapter_config.json"


def is_named(source: Source) -> bool:
    """Whether a folder with a config.json was given, or one of its files."""
    name = source.path.name
    named = source.path.is_dir() or name in (CONFIG, *NAMES) or PART.fullmatch(name) is not None
    return named and (source.folder / CONFIG).is_file()


def weights_of(source: Source) -> tuple[Path, dict[str, Tensor]]:
    """The weights of a folder with a config.json: the file, or the index, and all tensors.

    Raises:
        SegmodelsError: there is none, one is missing, or it is broken.
    """
    folder, name = source.folder, source.path.name
    part = PART.fullmatch(name) if source.path.is_file() else None
    if part:
        whole = folder / f"{part[1]}{part[2]}{INDEX}"
        raise SegmodelsError(
            f"{source.path} is one of several files (shards); give its folder or {whole.name}."
        )
    if (folder / ADAPTER).is_file():
        raise SegmodelsError(
            f"{folder / ADAPTER} says that an adapter (LoRA) belongs to these weights, which is "
            f"not applied here. Merge it into the weights and save them without it."
        )
    for path in (folder / known for known in ((name,) if name in NAMES else NAMES)):
        if path.is_file():
            return path, _sharded(path) if path.name.endswith(INDEX) else _read(path)
    raise SegmodelsError(
        f"{folder} has a {CONFIG} but none of {' and '.join(WEIGHTS)}, and no {INDEX[1:]} of "
        f"either that lists several files."
    )


def _read(path: Path) -> dict[str, Tensor]:
    return tensors_of(path, chosen(path, read_any(path)))


def _sharded(index: Path) -> dict[str, Tensor]:
    """All tensors that an index lists, each from the file that it names."""
    listed = _listed(index)
    names = sorted(set(listed.values()))
    for name in names:
        if not (index.parent / name).is_file():
            raise SegmodelsError(
                f"{index.parent / name} is missing; {index.name} says that {len(names)} files "
                f"(shards) hold the weights, this one too. Fetch it from the same place."
            )
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensors |= _shard(index, name, {key for key, file in listed.items() if file == name})
    return tensors_of(index, tensors)


def _shard(index: Path, name: str, wanted: set[str]) -> dict[str, Tensor]:
    path = index.parent / name
    found = read_any(path)
    if not isinstance(found, Mapping):
        raise SegmodelsError(f"{path} is not a mapping of names to tensors.")
    for problem, keys in (
        ("lacks", wanted - found.keys()),
        ("also holds", found.keys() - wanted),
    ):
        if keys:
            raise SegmodelsError(
                f"{path} {problem} {some(sorted(map(str, keys)))}, other than {index.name} says: "
                f"the files are of different saves. Fetch all of them again."
            )
    return {**found}


def _listed(index: Path) -> dict[str, str]:
    """Which file holds each tensor.

    Raises:
        SegmodelsError: the index says something else, or names a file outside its folder.
    """
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise SegmodelsError(
            f"{index}: the field 'weight_map' must say which file holds each tensor, "
            f"got {shown(listed)}."
        )
    for key, name in listed.items():
        if not isinstance(name, str) or not re.fullmatch(
            r"(?!\.)[^/\\:\0]+\.(safetensors|bin|pt|pth)", name
        ):
            raise SegmodelsError(
                f"{index}: 'weight_map' gives for {shown(key)} the file {shown(name)}; it must "
                f"be the name of a file in the same folder, such as "
                f"'model-00001-of-00002.safetensors'."
            )
    return listed
