"""Reading `params/claims/*.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segmodels.claims.claim import Claim, Name, Words
from segmodels.claims.statement import Statement
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, pick


class _Paper(BaseModel):
    """The head of a file; `defaults` stand for fields its claims leave out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    paper: Name
    title: Words
    arxiv: str = ""
    url: str = ""
    defaults: dict[str, Any] = Field(default_factory=dict)
    claims: list[dict[str, Any]] = Field(default_factory=list)
    statements: list[dict[str, Any]] = Field(default_factory=list)


Entries = dict[str, Claim | Statement]

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def load_claims(folder: Path | None = None) -> dict[str, Claim]:
    """All claims of `params/claims/*.yaml`, by id, in file order.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible, or an id occurs twice.
    """
    return {name: entry for name, entry in _load(folder).items() if isinstance(entry, Claim)}


def load_statements(folder: Path | None = None) -> dict[str, Statement]:
    """All statements of `params/claims/*.yaml`, by id, in file order.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible, or an id occurs twice.
    """
    return {name: entry for name, entry in _load(folder).items() if isinstance(entry, Statement)}


def load_claim(claim_id: str, folder: Path | None = None) -> Claim:
    """One claim by id.

    Raises:
        UnknownNameError: no such claim; the message suggests the nearest.
    """
    return pick("claim", claim_id, load_claims(folder))


def claim_files(folder: Path | None = None) -> list[Path]:
    """The files claims are read from, sorted.

    Raises:
        SegmodelsError: there is no such folder, or a file in it would not be read.
    """
    folder = folder or project_root() / "params" / "claims"
    if not folder.is_dir():
        raise SegmodelsError(f"{folder}: no such folder; it holds the claims, one file a paper.")
    for path in sorted(folder.glob("*.yml")):
        raise SegmodelsError(f"{path}: files of claims end in .yaml; rename it.")
    return sorted(folder.glob("*.yaml"))


def read_file(path: Path) -> tuple[list[Claim | Statement], list[str]]:
    """The good entries of a file, and what is wrong with the others.

    Returns:
        entries, and messages that name file, entry, field and fix.
    """
    try:
        head = _Paper.model_validate(read_yaml(path))
    except SegmodelsError as error:
        return [], [str(error)]
    except ValidationError as error:
        return [], list(_told(str(path), error))
    entries: list[Claim | Statement] = []
    wrong: list[str] = []
    shared = {"paper": head.paper, "title": head.title, "arxiv": head.arxiv, "url": head.url}
    for kind, number, raw, given in _raw(head):
        where = f"{path}, {kind.__name__.lower()} {raw.get('id') or number!r}"
        if again := sorted(shared.keys() & (raw.keys() | given.keys())):
            wrong.append(f"{where}: field {again[0]!r} stands at the head of the file.")
            continue
        try:
            entries.append(kind.model_validate({**shared, **given, **raw}))
        except ValidationError as error:
            wrong += _told(where, error)
    return entries, wrong


def _raw(
    head: _Paper,
) -> Iterator[tuple[type[Claim] | type[Statement], int, dict[str, Any], dict[str, Any]]]:
    for number, raw in enumerate(head.claims, start=1):
        yield Claim, number, raw, head.defaults
    for number, raw in enumerate(head.statements, start=1):
        yield Statement, number, raw, {}


def repeated(files: Iterable[tuple[Path, list[Claim | Statement]]]) -> Iterator[str]:
    """Ids that occur twice, each with both files."""
    first: dict[str, Path] = {}
    for path, entries in files:
        for entry in entries:
            if entry.id in first:
                yield f"{path}: id {entry.id!r} occurs twice; it stands in {first[entry.id]} too."
            first.setdefault(entry.id, path)


def _load(folder: Path | None) -> Entries:
    paths = claim_files(folder)
    return _loaded(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths))


@lru_cache(maxsize=4)
def _loaded(files: tuple[tuple[Path, int, int], ...]) -> Entries:
    """Entries are frozen, so those of unchanged files are shared."""
    found = [(path, *read_file(path)) for path, _, _ in files]
    wrong = [text for *_, texts in found for text in texts]
    wrong += repeated((path, entries) for path, entries, _ in found)
    if wrong:
        raise SegmodelsError("\n".join(wrong))
    return {entry.id: entry for _, entries, _ in found for entry in entries}


def _told(where: str, error: ValidationError) -> Iterator[str]:
    """Pydantic's findings as one line each."""
    for finding in error.errors(include_url=False):
        place = ".".join(str(step) for step in finding["loc"])
        text = finding["msg"].removeprefix("Value error, ")
        given = "" if finding["type"] in ("missing", "value_error") else _shown(finding["input"])
        yield f"{where}: field {place!r}: {text}{given}." if place else f"{where}: {text}."


def _shown(value: object) -> str:
    """What was given, short: a YAML file of ten lines can hold a value of gigabytes."""
    return f" (is {_SHORT.repr(value)})"
