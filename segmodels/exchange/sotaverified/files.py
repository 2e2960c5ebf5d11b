"""The records as static files, at the paths that SOTAVerified's interface has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from segmodels.core.files import naming, write_json
from segmodels.errors import SegmodelsError
from segmodels.exchange.sotaverified.papers import Record, paper_records, sota_records
from segmodels.verdicts.row import Row

_ARXIV = re.compile(r"\d{4}\.\d{4,5}")


@dataclass(frozen=True)
class Exported:
    """What was written: paths, papers and numbers, and claims of papers without arXiv number."""

    paths: list[Path]
    papers: int
    numbers: int
    without_arxiv: int


def write_api(folder: Path, rows: Iterable[Row]) -> Exported:
    """Write `api/v1/papers/<arxiv_id>` and `api/v1/sota` below a folder.

    Papers that an earlier export wrote and that have no claim any more are removed.

    Raises:
        SegmodelsError: the folder cannot be written, or a file there is not of an export.
    """
    records, without = paper_records(rows)
    papers, sota = folder / "api" / "v1" / "papers", folder / "api" / "v1" / "sota"
    old = [path for path in (*_papers_in(papers), sota) if path.exists()]
    for path in old:
        _check_ours(path)
    for path in old:
        if path.parent == papers and path.name not in records:
            with naming(path):
                path.unlink()
    for arxiv, record in records.items():
        write_json(papers / arxiv, record)
    lines = sota_records(records.values())
    write_json(sota, lines)
    return Exported(
        [*(papers / arxiv for arxiv in records), sota], len(records), len(lines), without
    )


def _papers_in(folder: Path) -> list[Path]:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if _ARXIV.fullmatch(path.name)]


def _check_ours(path: Path) -> None:
    try:
        content: Record | list[Record] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        content = {}
    first = content[0] if isinstance(content, list) and content else content
    if not (isinstance(first, dict) and "segmodels" in first) and content != []:
        raise SegmodelsError(
            f"{path}: not written by `segmodels export sotaverified`; name another folder, or "
            f"remove the file."
        )
