"""What identifies a network that is handed over in Python: its class, its code and its layers.

Code of a file is known by the content of the file, and of what that imports from beside it; code of
a notebook by its bytecode. Code of an installed package is known by the package's version.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from torch import nn

from segmodels.core.files import digest
from segmodels.models.own_source import digest_of, with_imports

#: Folders of installed packages; the standard library has no networks.
_INSTALLED = ("site-packages", "dist-packages")

#: Packages whose version stands in every piece of evidence.
_KNOWN = ("torch",)


def identity_of(network: nn.Module) -> dict[str, Any]:
    """`name` of its class, `source` and `packages` of its code, `structure` of its layers.

    What is not there is left out: a network of installed packages has no source of its own.
    """
    kind = type(network)
    structure = re.sub(r" at 0x[0-9a-f]+", "", str(network))
    code = sorted(set(_own_code(network)))
    return {
        "name": f"{kind.__module__}:{kind.__qualname__}",
        "structure": digest(structure),
        **({"source": digest(code)} if code else {}),
        **packages_of(network),
    }


def packages_of(network: nn.Module) -> dict[str, dict[str, str]]:
    """Versions of the installed packages that classes of a network come from, under `packages`."""
    tops = {kind.__module__.partition(".")[0] for kind in _kinds(network) if _is_installed(kind)}
    versions = {top: _version(top) for top in sorted(tops - set(_KNOWN))}
    return {"packages": versions} if versions else {}


def _kinds(network: nn.Module) -> set[type]:
    """The classes of all its layers, and those that they are made of."""
    every = {base for layer in network.modules() for base in type(layer).__mro__}
    return {kind for kind in every if kind.__module__ != "builtins"}


def _is_installed(kind: type) -> bool:
    file = _file_of(kind)
    return file is not None and any(part in _INSTALLED for part in file.parts)


def _file_of(kind: type) -> Path | None:
    name = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(name) if name and Path(name).is_file() else None


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _own_code(network: nn.Module) -> Iterator[str]:
    """A digest of every piece of code that no package's version tells."""
    for kind in _kinds(network):
        file = _file_of(kind)
        if file is None:
            functions = (value for value in vars(kind).values() if isinstance(value, FunctionType))
            yield digest([kind.__qualname__, sorted(map(_of_function, functions))])
        elif not _is_installed(kind) and file.suffix == ".py" and not _is_ours(kind):
            yield digest_of(with_imports(file.resolve()), file.parent)
    for name, layer in network.named_modules():
        for what in _put_on(layer):
            yield digest([name, _of_callable(what)])


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "segmodels"


def _put_on(layer: nn.Module) -> Iterator[Callable[..., Any]]:
    """What was put on one layer alone: another `forward`, and hooks."""
    if "forward" in vars(layer):
        yield vars(layer)["forward"]
    yield from layer._forward_pre_hooks.values()
    yield from layer._forward_hooks.values()


def _of_callable(what: Callable[..., Any]) -> str:
    function = getattr(what, "__func__", what)
    if isinstance(function, FunctionType):
        return _of_function(function)
    return f"{type(what).__module__}:{type(what).__qualname__}"


def _of_function(function: FunctionType) -> str:
    return hashlib.sha256(repr(_plain(function.__code__)).encode()).hexdigest()


def _plain(code: CodeType) -> tuple[object, ...]:
    """Bytecode, names and constants; of functions inside too."""
    constants = [_plain(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return code.co_name, code.co_code, code.co_names, constants
