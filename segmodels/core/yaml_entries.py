"""YAML files: read without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from segmodels.core.stand_ins import refuse_endless, stand_in
from segmodels.errors import SegmodelsError


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses a name given twice, where YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                if key.value in seen:
                    problem = f"{key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
        if number and isinstance(node, yaml.ScalarNode) and ":" in node.value:
            problem = f"{node.value} would be a number of base 60 to YAML; put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_scalar(node)


# Sets, pairs and bytes would pass as lists or be somebody's surprise; no file needs them.
for _tag in ("set", "omap", "pairs", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", yaml.SafeLoader.construct_undefined)


#: What people meant where the parser's words do not say it.
_FIXES = {
    "mapping values are not allowed": " A text with a colon in it needs quotes.",
    "cannot start any token": " A text that begins with such a sign needs quotes.",
    "did not find expected key": " A text that begins with a quote or bracket needs quotes.",
}


#: Levels of mappings and lists in each other; no file here has ten.
_DEEPEST = 100


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Plain values of a YAML text; cached, because judging asks for the same few files often."""
    _refuse_deep(text)
    return yaml.load(text, _Loader)  # a safe loader: plain values only


def _refuse_deep(text: str) -> None:
    """Refuse what is nested so deeply that the loader written in C would end the process."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} lists and mappings in each other")


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Parse a YAML file that holds a mapping; nothing in it is ever executed.

    What it returns is shared with the next reader of the file: it is not to be changed.

    Raises:
        SegmodelsError: the file is missing, is not YAML, gives a name twice or is not a
            mapping of names.
    """
    refuse_endless(path)
    try:
        value = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: no such file.{_respelled(path)}") from None
    except OSError as error:
        raise SegmodelsError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        _check_place(path)
        problem = " ".join(str(error).split())
        fix = next((words for sign, words in _FIXES.items() if sign in problem), "")
        raise SegmodelsError(f"{path}: not valid YAML ({problem}).{fix}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        _check_place(path)
        raise SegmodelsError(f"{path}: expected a mapping of names, found {type(value).__name__}.")
    for name in value:
        if not isinstance(name, str):
            raise SegmodelsError(f"{path}: {name!r} is no name; put it in quotes.")
    return value


class Content(Mapping[str, Any]):
    """What a file says, equal to itself alone: `read_yaml` gives the same for the same text.

    So it can be an argument of a cached function, whose result is shared while no file changes.
    """

    def __init__(self, path: Path) -> None:
        self._said = read_yaml(path)

    def __getitem__(self, name: str) -> Any:
        return self._said[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def __len__(self) -> int:
        return len(self._said)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self._said is other._said

    def __hash__(self) -> int:
        return id(self._said)


def _check_place(path: Path) -> None:
    """Say if something else lies in a file's place: a pointer of Git LFS, a page."""
    if path.stat().st_size and (found := stand_in(path, "the content")):
        raise SegmodelsError(f"{path} {found}") from None


def _respelled(path: Path) -> str:
    """A file of the same name and another spelling of `.yaml`, as advice."""
    others = path.parent.iterdir() if path.parent.is_dir() else ()
    for other in sorted(others):
        if other.stem == path.stem and other.suffix.lower() in (".yaml", ".yml"):
            return f" Rename {other.name} to {path.name}."
    return ""
