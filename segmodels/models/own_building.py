"""Running the function that builds a user's own network.

That is done only for a function that the user names, on the command line, in a run or in Python;
never for what a checkpoint, evidence or a claim says.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from torch import nn

from segmodels.errors import SegmodelsError, nearest
from segmodels.models.own_source import OwnSource


def built_by(
    source: OwnSource, offered: Mapping[str, Any], arguments: Mapping[str, Any]
) -> tuple[nn.Module, dict[str, Any]]:
    """The network that a function builds.

    Args:
        source: the function.
        offered: what it is given if it takes it: `num_classes`, `image_size`.
        arguments: what it is given besides.

    Returns:
        the network, and what was offered and taken.

    Raises:
        SegmodelsError: the function is not there, does not take an argument, fails, or returns no
            network.
    """
    with _importable(source):
        try:
            module = _imported(source)
        except Exception as error:  # of foreign code
            raise _failed(source, error) from error
        function = getattr(module, source.function, None)
        if not callable(function):
            raise SegmodelsError(f"{source.file}: {source.function!r} is no function.")
        taken = _taken(source, function, offered, arguments)
        try:
            network = function(**taken, **arguments)
        except Exception as error:  # of foreign code
            raise _failed(source, error) from error
    if not isinstance(network, nn.Module):
        raise SegmodelsError(
            f"{source.file}: {source.function} returns {type(network).__name__}; expected a "
            f"torch.nn.Module."
        )
    return network, taken


def _taken(
    source: OwnSource,
    function: Callable[..., Any],
    offered: Mapping[str, Any],
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """What a function takes of what it is offered."""
    parameters = inspect.signature(function).parameters
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for name in arguments:
        if name not in parameters and not any_name:
            raise SegmodelsError(
                f"{source.file}: {source.function} has no argument {name!r}."
                f"{nearest(name, list(parameters))} It has {', '.join(parameters) or 'none'}."
            )
    return {name: value for name, value in offered.items() if name in parameters}


@contextmanager
def _importable(source: OwnSource) -> Iterator[None]:
    """What lies beside the file can be imported, and is read anew."""
    if source.file.name != source.name.rpartition(":")[0]:
        yield  # a module, which is imported as all are
        return
    _forget(source)
    sys.path.insert(0, str(source.file.parent))
    try:
        yield
    finally:
        sys.path.remove(str(source.file.parent))


def _forget(source: OwnSource) -> None:
    """Have the files imported again: what stands in them now is what their digest says."""
    files = set(map(str, source.files))
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in files:
            del sys.modules[name]
    importlib.invalidate_caches()


def _imported(source: OwnSource) -> ModuleType:
    module_name, _, _ = source.name.rpartition(":")
    if source.file.name != module_name:
        return importlib.import_module(module_name)
    name = source.file.stem
    if name in sys.modules:  # of somebody else
        name = f"_own_{name}"
    spec = importlib.util.spec_from_file_location(name, source.file)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pickle and dataclasses look for it
    exec(compile(source.file.read_bytes(), str(source.file), "exec"), module.__dict__)
    return module


def _failed(source: OwnSource, error: Exception) -> SegmodelsError:
    """A line that names the line of the user's file in which it went wrong."""
    files = set(map(str, source.files))
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename in files]
    place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else str(source.file)
    text = " ".join(str(error).split())[:300].rstrip(".")
    return SegmodelsError(f"{place}: {type(error).__name__}: {text}.")
