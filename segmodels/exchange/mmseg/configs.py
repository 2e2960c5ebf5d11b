"""Training configs of mmsegmentation with what they inherit; they are read, never run."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping
from typing import Any

from segmodels.checkpoints.mmseg_model import assigned
from segmodels.errors import SegmodelsError
from segmodels.exchange.mmseg.package import Package

Values = dict[str, Any]

#: Files above one another; the package has three.
_DEEPEST = 10


def read_config(package: Package, name: str, depth: int = 0) -> Values:
    """All that a config assigns, on top of what its `_base_` files assign.

    Args:
        package: of mmsegmentation.
        name: path below its folder of configs.
        depth: how many configs inherit from this one.

    Raises:
        SegmodelsError: it, or one that it inherits from, is missing or cannot be read.
    """
    where = f"{package.path}, {name}"
    if name not in package.texts:
        raise SegmodelsError(f"{where}: no such config in the package.")
    try:
        own = assigned(ast.parse(package.texts[name]))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SegmodelsError(f"{where}: no config ({error}).") from None
    bases = own.pop("_base_", [])
    found: Values = {}
    for base in [bases] if isinstance(bases, str) else bases:
        if not isinstance(base, str) or depth == _DEEPEST:
            raise SegmodelsError(f"{where}: field '_base_' leads nowhere ({base!r}).")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), base))
        found.update(read_config(package, path, depth + 1))
    return merge(found, own)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Mappings merged field by field, as mmengine does; `_delete_` leaves out what was below."""
    if above.get("_delete_") is True:
        return {name: value for name, value in above.items() if name != "_delete_"}
    merged = dict(below)
    for name, value in above.items():
        old = below.get(name)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        merged[name] = merge(old, value) if both and old is not None else _clean(value)
    return merged


def _clean(value: Any) -> Any:
    """A value without the marks that say what it replaces."""
    if isinstance(value, Mapping):
        return {name: _clean(one) for name, one in value.items() if name != "_delete_"}
    return value
