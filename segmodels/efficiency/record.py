"""Recorded counts: what is wanted, what was counted, and the file both meet in. No torch.

``segmodels efficiency`` writes ``reports/efficiency.json``; a laptop judges from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from segmodels.core.entry import Entry, Overrides, Several, read_entry
from segmodels.core.files import canonical_json, read_json, write_json
from segmodels.core.settings import project_root
from segmodels.efficiency.convention import Convention
from segmodels.errors import SegmodelsError
from segmodels.versions import COUNTER

_SCALE = {"parameters": 1e6, "operations": 1e9}


class Wanted(Entry):
    """One count that somebody asks for.

    Attributes:
        model: name for ``create_model``.
        overrides: its arguments beside the image size, e.g. ``{"num_classes": 19}``.
        convention: name in ``params/efficiency.yaml``.
        height, width: of the image in pixels; position tables are made for it too.
    """

    model: str
    overrides: Overrides
    convention: str
    height: int
    width: int

    @property
    def key(self) -> str:
        """One spelling per count; equal for equal overrides in any order."""
        return canonical_json([self.model, self.overrides, self.convention, self.size])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width


class Measured(Entry):
    """One count.

    Attributes:
        wanted: what was asked for.
        quantity: ``parameters`` or ``operations``.
        value: the count, in the unit of the convention.
        terms: what it is the sum of, by kind of operation or part of the network.
        digest: of the convention it was counted under.
        counter: version of the counting code.
    """

    wanted: Wanted
    quantity: Literal["parameters", "operations"]
    value: int
    terms: dict[str, int]
    digest: str
    counter: int

    def problems(self) -> Iterator[str]:
        """A sum that is none."""
        if self.value != sum(self.terms.values()):
            yield "'value' is not the sum of 'terms'; count again"

    @property
    def figure(self) -> float:
        """The count as papers print it: millions of parameters, or 10^9 operations."""
        return self.value / _SCALE[self.quantity]

    def is_current(self, convention: Convention) -> bool:
        """Whether today's code and today's convention would give this count again."""
        return self.counter == COUNTER and self.digest == convention.digest

    def rounds_to(self, printed: float, decimals: int) -> bool:
        """Whether the figure, rounded to the printed decimals, is the printed one."""
        half: float = 0.5 * 10**-decimals
        return abs(self.figure - printed) <= half + 1e-9


def measured_file() -> Path:
    """Where recorded counts stand."""
    return project_root() / "reports" / "efficiency.json"


class _Counts(Entry):
    """The file of them."""

    counter: int
    entries: Several[dict[str, Any]]


def load_measured(path: Path | None = None) -> dict[str, Measured]:
    """All recorded counts by ``Wanted.key``.

    Raises:
        SegmodelsError: the file is missing or no record, or an entry is broken or there twice.
    """
    path = path or measured_file()
    head = read_entry(_Counts, str(path), read_json(path))
    found: dict[str, Measured] = {}
    for number, entry in enumerate(head.entries, start=1):
        source = f"{path}, entry {number}"
        measured = _read_entry(source, entry, head.counter)
        if measured.wanted.key in found:
            raise SegmodelsError(f"{source}: {measured.wanted.model} is counted twice alike.")
        found[measured.wanted.key] = measured
    return found


def _read_entry(source: str, entry: Mapping[str, Any], counter: int) -> Measured:
    asked = {name: value for name, value in entry.items() if name in Wanted.model_fields}
    counted = {name: value for name, value in entry.items() if name not in asked}
    wanted = read_entry(Wanted, source, asked)
    return read_entry(Measured, source, counted, wanted=wanted, counter=counter)


def write_measured(counts: Iterable[Measured], path: Path | None = None) -> Path:
    """Write counts, sorted and each once: the same counts give the same bytes."""
    path = path or measured_file()
    by_key = {one.wanted.key: one for one in counts}
    entries = [_entry(by_key[key]) for key in sorted(by_key)]
    write_json(path, {"counter": COUNTER, "entries": entries})
    return path


def _entry(one: Measured) -> dict[str, Any]:
    wanted = one.wanted
    return {
        "model": wanted.model,
        "overrides": dict(sorted(wanted.overrides.items())),
        "convention": wanted.convention,
        "digest": one.digest,
        "height": wanted.height,
        "width": wanted.width,
        "quantity": one.quantity,
        "value": one.value,
        "terms": dict(sorted(one.terms.items())),
    }


def read_wanted(path: Path) -> list[Wanted]:
    """What a JSON list asks for: model, overrides, convention, height and width of each count.

    Raises:
        SegmodelsError: the file is no such list.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise SegmodelsError(f"{path}: expected a list of counts, found {type(entries).__name__}.")
    return [
        read_entry(Wanted, f"{path}, entry {number}", entry)
        for number, entry in enumerate(entries, start=1)
    ]
