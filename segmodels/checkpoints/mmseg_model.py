"""The ``model`` of a training config of mmsegmentation, as plain values; the config is never run.

A config is Python text: ``model = dict(backbone=dict(…), …)``. Its calls of ``dict``, its lists,
numbers and words are read from the syntax tree; a name stands for what was assigned to it above.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

Values = dict[str, Any]

#: Texts longer than this are no config.
LONGEST = 1_000_000


class Unread:
    """A value that only running the config would tell; shown as it is written."""

    def __init__(self, node: ast.AST) -> None:
        self.text = " ".join(ast.unparse(node).split())[:80]

    def __repr__(self) -> str:
        return self.text


#: A line that describes the network.
MODEL = re.compile(r"^model\s*=", re.MULTILINE)


def stated_model(text: str) -> Values | None:
    """What a config says of its network; None if it says nothing.

    Raises:
        ValueError: it says something that cannot be told without running it.
    """
    if not MODEL.search(text):
        return None
    try:
        if len(text) > LONGEST:
            raise ValueError("a text of that length is no config")
        found = assigned(ast.parse(text)).get("model")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{type(error).__name__}: {' '.join(str(error).split())[:80]}") from error
    if not isinstance(found, dict):
        raise ValueError(f"it is {found!r}")
    return found


def assigned(tree: ast.Module) -> Values:
    """Plain values by the names that they are assigned to at the top; of several, the last."""
    found: Values = {}
    for line in tree.body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1:
            target = line.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = _value(line.value, found)
    return found


def _value(node: ast.AST, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return _called(node, names)
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(getattr(key, "value", "")): _value(value, names) for key, value in pairs}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(one, names) for one in node.elts]
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    return _constant(node)


def _called(node: ast.Call, names: Mapping[str, Any]) -> Any:
    if node.args or any(word.arg is None for word in node.keywords):
        return Unread(node)
    return {str(word.arg): _value(word.value, names) for word in node.keywords}


def _constant(node: ast.AST) -> Any:
    """A number, a word, true, false or None, with or without a sign."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return Unread(node)
