"""Files of claims and entries of weights as text, in the form of those written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from segmodels.core.files import naming, write_text
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError

_COMMENT = """\
# Fields: segmodels/claims/claim.py. Check with `segmodels claims validate`.
# Written by `segmodels claims import {source}`, which replaces the file; edit other files by hand.
"""
_BEGIN = "# --- Written by `segmodels claims import {source}`, which replaces what follows. ---\n"
_END = "# --- End of what `segmodels claims import {source}` writes. ---\n"


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their name."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """As PyYAML does, but never without indentation."""
        del indentless
        super().increase_indent(flow, False)


def claims_text(
    head: Mapping[str, str],
    defaults: Mapping[str, Any],
    claims: Sequence[Mapping[str, Any]],
    source: str = "mmseg",
) -> str:
    """A file of claims: sorted by id, a blank line between its parts."""
    ordered = sorted(claims, key=lambda claim: str(claim["id"]))
    parts = [
        {name: value for name, value in head.items() if value},
        {"defaults": dict(defaults)},
        {"claims": [dict(claim) for claim in ordered]},
    ]
    return "\n".join([_COMMENT.format(source=source), *map(dumped, parts)])


def dumped(value: Any) -> str:
    """Plain values as YAML, in their own order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def write_claims(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files of claims into a folder that an import owns; others of an earlier one go.

    Returns:
        the paths, sorted.
    """
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in texts:
            with naming(path):
                path.unlink()
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in sorted(texts)]


def write_weights(source: str, entries: Mapping[str, Mapping[str, Any]]) -> Path:
    """Put entries into their own part of `params/weights.yaml`; the rest of it stays as it is.

    Raises:
        SegmodelsError: the part begins and does not end.
    """
    path = project_root() / "params" / "weights.yaml"
    begin, end = _BEGIN.format(source=source), _END.format(source=source)
    with naming(path):
        text = path.read_text(encoding="utf-8")
    before, begins, rest = text.partition(begin)
    _, ends, after = rest.partition(end)
    if bool(begins) != bool(ends):
        raise SegmodelsError(f"{path}: expected the line {end.strip()!r} after {begin.strip()!r}.")
    listed = "\n".join(dumped({name: dict(entries[name])}) for name in sorted(entries))
    part = f"\n{begin}\n{listed}\n{end}" if entries else ""
    write_text(path, f"{before.rstrip()}\n{part}{after}")
    return path
