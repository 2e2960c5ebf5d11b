"""Reading `params/claims/*.yaml`, and the folders of imported ones there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from segmodels.claims.claim import Address, Arxiv, Claim, Name
from segmodels.claims.statement import Statement
from segmodels.core.arguments import path_to, words
from segmodels.core.entry import Entry, Words, read_entry
from segmodels.core.listing import yaml_files
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, pick


class Paper(Entry):
    """A file of claims: what one paper prints, or others print about its model.

    Attributes:
        paper: key of the paper; the name of the file.
        title, arxiv, url: the paper's.
        defaults: values of fields that a claim leaves out.
        claims: published numbers.
        statements: published comparisons of two models.
    """

    paper: Name
    title: Words
    arxiv: Arxiv = ""
    url: Address = ""
    defaults: dict[str, Any] = Field(default_factory=dict)
    claims: list[dict[str, Any]] = Field(default_factory=list)
    statements: list[dict[str, Any]] = Field(default_factory=list)


Entries = dict[str, Claim | Statement]


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
    return pick("claim", words("claim_id", claim_id), load_claims(folder))


def claim_files(folder: Path | None = None) -> list[Path]:
    """The files claims are read from: those by hand, then those that an import wrote; sorted.

    Raises:
        SegmodelsError: there is no such folder, or a file in it would not be read.
    """
    home = project_root() / "params" / "claims"
    folder = home if folder is None else path_to("folder", folder)
    if not folder.is_dir():
        raise SegmodelsError(f"{folder}: no such folder; it holds the claims, one file a paper.")
    return yaml_files(folder, "claims", nested=True)


def read_file(path: Path) -> tuple[list[Claim | Statement], list[str]]:
    """The valid entries of a file, and the faults of the others.

    Returns:
        entries, and messages that name file, entry, field and fix.
    """
    entries: list[Claim | Statement] = []
    wrong: list[str] = []
    try:
        head = read_entry(Paper, str(path), read_yaml(path))
    except SegmodelsError as error:
        return [], str(error).splitlines()
    shared = {"paper": head.paper, "title": head.title, "arxiv": head.arxiv, "url": head.url}
    for kind, number, raw in _raw(head):
        where = f"{path}, {kind.__name__.lower()} {raw.get('id') or number!r}"
        try:
            if again := sorted(shared.keys() & raw.keys()):
                raise SegmodelsError(f"{where}: field {again[0]!r} stands at the head of the file.")
            entries.append(read_entry(kind, where, raw, **shared))
        except SegmodelsError as error:
            wrong += str(error).splitlines()
    return entries, wrong


def _raw(head: Paper) -> Iterator[tuple[type[Claim | Statement], int, dict[str, Any]]]:
    for number, raw in enumerate(head.claims, start=1):
        yield Claim, number, {**head.defaults, **raw}
    for number, raw in enumerate(head.statements, start=1):
        yield Statement, number, raw


def repeated(files: Iterable[tuple[Path, list[Claim | Statement]]]) -> Iterator[str]:
    """A message for each id that occurs twice, with both files."""
    homes: dict[str, Path] = {}
    for path, entries in files:
        for entry in entries:
            if entry.id in homes:
                yield f"{path}: id {entry.id!r} occurs twice; it stands in {homes[entry.id]} too."
            homes.setdefault(entry.id, path)


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
