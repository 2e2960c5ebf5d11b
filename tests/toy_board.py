"""A made-up project in a folder, and rows judged from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from synthetic import project

from segmodels.evidence import Evidence, write_evidence
from segmodels.leaderboard import Row, build_rows
from segmodels.runs.run import load_run
from segmodels.training.provenance import training_of

#: The recipe of every run that a test adds.
SHORT: dict[str, Any] = {"title": "short", "steps": 3, "batch": 2, "crop": [8, 8], "lr": 0.01}


class Board:
    """A project with claims, runs and evidence that a test adds to."""

    def __init__(self, root: Path) -> None:
        self.root = project(root)
        self.evidence = root / "reports" / "evidence"
        self.local = root / "reports" / "local" / "evidence"

    def claim(self, name: str, **fields: Any) -> None:
        """Add a claim to the paper `toy`."""
        base = {"model": "espnet_p2_q8", "dataset": "toy", "split": "test", "metric": "mIoU"}
        base |= {"value": 50, "decimals": 1, "protocol": "strict", "source": "Table 2"}
        self._add("claims", {"id": name, **base, **fields})

    def statement(self, name: str, *parts: dict[str, Any], **fields: Any) -> None:
        """Add a statement to the paper `toy`."""
        base = {"id": name, "text": "A beats B", "source": "abstract", "parts": list(parts)}
        self._add("statements", {**base, **fields})

    def _add(self, kind: str, entry: dict[str, Any]) -> None:
        path = self.root / "params" / "claims" / "toy.yaml"
        content = yaml.safe_load(path.read_text())
        content.setdefault(kind, []).append(entry)
        path.write_text(json.dumps(content))

    def run(self, name: str, **fields: Any) -> None:
        """Add a run that trains on the toy set."""
        base = {"model": "espnet_p2_q8", "dataset": "toy", "split": "test"}
        base |= {"protocols": ["plain"], "recipe": "short", "seed": 0, "overrides": {}}
        (self.root / "params" / "recipes" / "short.yaml").write_text(json.dumps(SHORT))
        path = self.root / "params" / "runs" / f"{name}.yaml"
        path.write_text(json.dumps({**base, **fields}))

    def keep(self, *found: Evidence, folder: str = "toy-run/strict", local: bool = False) -> None:
        """Add evidence; of weights that a run trained, as the run is now unless it says how."""
        for one in found:
            place = self.local if local else self.evidence
            write_evidence(place / folder, self._with_training(one))

    def _with_training(self, found: Evidence) -> Evidence:
        origin = found.weights_origin
        if "trained" not in origin or "training" in origin:
            return found
        made = training_of(load_run(origin["trained"]), None)
        return replace(found, weights_origin={**origin, "training": made})

    def rows(self, local: bool = False) -> list[Row]:
        """All rows by published evidence; or by that of this machine too."""
        return build_rows(self.evidence, local=self.local if local else None)

    def row(self, name: str, local: bool = False) -> Row:
        """The row of a claim or statement."""
        return next(row for row in self.rows(local) if row.subject.id == name)
