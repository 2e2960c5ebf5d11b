"""DataTables, the table library inside the page, taken from the Python package `itables`."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from segmodels.errors import SegmodelsError

_EXPORTS = re.compile(r"export\s*\{([^{}]*)\};?")
_DEFAULT = re.compile(r"([\w$]+)\s+as\s+default\b")


def table_library() -> str:
    """A module that leaves `window.DataTable`, with its licence notices. `itables` is not imported.

    Raises:
        SegmodelsError: `itables` is missing, or its bundle is not what we know.
    """
    found = find_spec("itables")
    folders = list(found.submodule_search_locations or []) if found else []
    path = Path(folders[0], "html", "dt_bundle.js") if folders else None
    if path is None or not path.is_file():
        raise SegmodelsError(
            "The page needs the table library of the package itables: pip install 'itables>=2.6'."
        )
    return inline(_with_global(path.read_text(encoding="utf-8"), path))


def _with_global(text: str, path: Path) -> str:
    """The bundle with its exports replaced: an inline module cannot be imported from."""
    exports = _EXPORTS.findall(text)
    named = _DEFAULT.findall(exports[-1]) if exports else []
    if not named:
        raise SegmodelsError(f"{path}: no default export; install another version of itables.")
    start, _, end = text.rpartition(f"export{{{exports[-1]}}}")
    if not start:
        raise SegmodelsError(f"{path}: unknown form of exports; install another itables.")
    return f"{start}window.DataTable={named[0]}{end}"


def inline(script: str) -> str:
    """A script that an HTML parser cannot leave early; strings and comments mean the same."""
    return script.replace("</script", "<\\/script").replace("<!--", "\\x3C!--")
