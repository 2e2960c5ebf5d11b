"""Numbers behind pictures, as CSV for people and JSON with all that they are of."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmodels.core.files import write_json, write_text

#: A line of a table: numbers and words by their names.
Line = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Report:
    """Where the files of an analysis go, and what they are of.

    Attributes:
        folder: of all of them.
        name: their names begin with it.
        about: network, weights, protocol and images, for the JSON file.
    """

    folder: Path
    name: str
    about: Mapping[str, Any]

    def file(self, ending: str) -> Path:
        """Path of a file, which `ending` ends."""
        return self.folder / f"{self.name}{ending}"

    def write(self, lines: Sequence[Line], **more: Any) -> list[Path]:
        """Write a table as CSV, and as JSON with what it is of."""
        text = io.StringIO()
        table = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
        paths = [self.file(".csv"), self.file(".json")]
        write_text(paths[0], text.getvalue())
        write_json(paths[1], {**self.about, **more, "table": [dict(line) for line in lines]})
        return paths
