"""Where a user's own network is written: `mynet.py:build`, or `package.module:function`. No torch.

Nothing here runs any of it. What its files hold is a part of what decides a number, so their digest
stands in weights that were trained and in evidence, and is compared by content.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from os.path import relpath
from pathlib import Path

from segmodels.core.files import digest
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError

#: What every name of an own network has and no other.
_SIGN = ":"


@dataclass(frozen=True)
class OwnSource:
    """A function in a file that builds a network.

    Attributes:
        name: of the network: the file without its folder, or the module, and the function.
        file: that holds the function.
        function: its name.
        files: all that decide what it does: `file`, and what it imports from beside itself.
    """

    name: str
    file: Path
    function: str
    files: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """Hex SHA-256 over the content of all files."""
        return digest_of(self.files, self.file.parent)


def digest_of(files: Iterable[Path], folder: Path) -> str:
    """Hex SHA-256 over the content of files, each by its path from a folder."""
    contents = {
        Path(relpath(file, folder)).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }
    return digest(contents)


def is_own(model: str) -> bool:
    """Whether the name of a model is that of a user's own."""
    return _SIGN in model


def own_name(model: str) -> str:
    """The name that an own network has in weights and evidence, on every machine."""
    module, _, function = model.rpartition(_SIGN)
    return f"{Path(module).name if module.endswith('.py') else module}:{function}"


def find_source(model: str, folder: Path | None = None) -> OwnSource:
    """The files of a user's own network.

    Args:
        model: `FILE.py:FUNCTION` or `MODULE:FUNCTION`.
        folder: that the file is relative to; default the project.

    Raises:
        SegmodelsError: there is no such file or module, it is no Python, or it has no such
            function.
    """
    module, _, function = model.rpartition(_SIGN)
    if not module or not function.isidentifier():
        raise SegmodelsError(
            f"model {model!r}: a network of your own is named by its file and function, as "
            f"mynet.py:build, or by module and function, as mypackage.nets:build."
        )
    file = _file_of(model, module, folder)
    tree = _parsed(file)
    if function not in _defined(tree):
        raise SegmodelsError(f"model {model!r}: {file} defines no {function!r}.")
    return OwnSource(own_name(model), file, function, tuple(with_imports(file)))


def source_digest(model: str) -> str | None:
    """The digest of the files of a project's own network; None if they are not here."""
    try:
        return find_source(model).digest
    except SegmodelsError:
        return None


def _file_of(model: str, module: str, folder: Path | None) -> Path:
    if module.endswith(".py"):
        file = (folder or project_root()) / Path(module).expanduser()
        if not file.is_file():
            raise SegmodelsError(f"model {model!r}: there is no file {file}.")
        return file.resolve()
    found = _find_module(module)
    if found is None:
        raise SegmodelsError(
            f"model {model!r}: no module {module!r} is installed here; a file ends in .py."
        )
    return found.resolve()


def _find_module(module: str) -> Path | None:
    """The file of a module; importing a package to look inside would run it."""
    places: list[str] | None = None
    spec = None
    for depth in range(len(parts := module.split("."))):
        spec = PathFinder.find_spec(".".join(parts[: depth + 1]), places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    is_python = spec is not None and spec.origin is not None and spec.origin.endswith(".py")
    return Path(spec.origin) if spec and spec.origin and is_python else None


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise SegmodelsError(f"{file}, line {error.lineno}: {error.msg}.") from None
    except ValueError as error:
        raise SegmodelsError(f"{file}: no Python ({error}).") from None


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that the top of a file gives to something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((one.asname or one.name).partition(".")[0] for one in node.names)


def with_imports(file: Path) -> list[Path]:
    """A file, and what it and those import from beside it, sorted."""
    found, waiting = set[Path](), [file]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _imported(one, file.parent)
    return sorted(found)


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    """Files that a file imports from its user's folder, or relative to itself."""
    for node in ast.walk(_parsed(file)):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield from _modules(folder, one.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else folder
            path = node.module.split(".") if node.module else []
            for one in node.names:
                yield from _modules(base, [*path, one.name])


def _modules(base: Path, parts: list[str]) -> Iterator[Path]:
    """The files below a folder that importing a module runs."""
    for depth in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:depth])
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                yield file.resolve()
