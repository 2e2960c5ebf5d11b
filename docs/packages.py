"""Write docs/packages.md and packages.svg: the packages of the library and who imports whom.

python docs/packages.py
"""

from __future__ import annotations

import ast
from pathlib import Path

import grimp
from layers import draw

TITLE = "Packages of segmodels; each imports those below that its lines lead to"

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent / "segmodels"

HEAD = """# Packages

Written by `python docs/packages.py`; a test keeps it true. A package imports what stands below it
in the table, never what stands above; `pyproject.toml` holds that as contracts.

| package | what it is | it imports |
|---|---|---|
"""


def packages() -> list[str]:
    """Packages and lone modules of the library, those that import most others first."""
    found = [path.parent.name for path in LIBRARY.glob("*/__init__.py")]
    found += [path.stem for path in LIBRARY.glob("*.py") if not path.stem.startswith("__")]
    below = {name: len(imports(name, found, indirect=True)) for name in found}
    return sorted(found, key=lambda name: (-below[name], name))


def imports(name: str, among: list[str], indirect: bool = False) -> set[str]:
    """What a package imports of the others, directly or by whatever way."""
    seen: set[str] = set()
    left = [name]
    while left:
        new = _arrows(left.pop(), among) - seen
        seen |= new
        left += new if indirect else ()
    return seen - {name}


_GRAPH = grimp.build_graph("segmodels", exclude_type_checking_imports=True)


def _arrows(name: str, among: list[str]) -> set[str]:
    whole = f"segmodels.{name}"
    modules = {whole, *_GRAPH.find_descendants(whole)}
    targets = {t for module in modules for t in _GRAPH.find_modules_directly_imported_by(module)}
    return {target.split(".")[1] for target in targets if "." in target} & set(among)


def sentence(name: str) -> str:
    """The first sentence of a package's docstring."""
    path = LIBRARY / name / "__init__.py"
    module = path if path.is_file() else LIBRARY / f"{name}.py"
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    return " ".join((text or "").split("\n\n")[0].split())


def render() -> str:
    """The page as text."""
    names = packages()
    lines = [f"| `{name}` | {sentence(name)} | {_listed(name, names)} |" for name in names]
    arrows = sum(len(imports(name, names)) for name in names)
    foot = f"\n{len(names)} packages and modules, {arrows} arrows between them, no circle.\n"
    drawn = f"\nArrows that others imply are left out of the picture.\n\n![{TITLE}](packages.svg)\n"
    return HEAD + "\n".join(lines) + "\n" + foot + drawn


def picture() -> str:
    """The arrows as SVG, without those that others already imply."""
    names, arrows = packages(), {}
    for name in names:
        direct = imports(name, names)
        implied = {far for near in direct for far in imports(near, names, indirect=True)}
        arrows[name] = [other for other in names if other in direct - implied]
    return draw(arrows, TITLE)


def _listed(name: str, names: list[str]) -> str:
    found = imports(name, names)
    return ", ".join(f"`{other}`" for other in names if other in found)


if __name__ == "__main__":
    (HERE / "packages.md").write_text(render(), encoding="utf-8")
    (HERE / "packages.svg").write_text(picture(), encoding="utf-8")
