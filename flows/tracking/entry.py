"""What one MLflow run is to say: the metrics, parameters, tags and files of some rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segmodels.core import paths
from segmodels.core.files import digest, sha256_of_file
from segmodels.leaderboard import Row

#: Tag of the run that sums up.
SUMMARY = "summary"

#: What earlier versions called these metrics. MLflow cannot forget a metric, so runs that have
#: it keep it true.
_FORMER = {"claimed": "claimed_mIoU", "verified": "verified_mIoU"}

_SCORING = ("void", "ignore_classes")


@dataclass(frozen=True)
class Entry:
    """One MLflow run: a piece of evidence with all rows it answers, or a counted claim.

    Attributes:
        key: what makes it the same run next time.
        rows: the one the run is named after first.
    """

    key: str
    rows: tuple[Row, ...]

    @property
    def row(self) -> Row:
        """What the run is about."""
        return self.rows[0]

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.row.claim or f"{self.row.run} {self.row.protocol}"

    @property
    def identity(self) -> dict[str, str]:
        """The tags from which `key_of` makes the key again."""
        if self.row.evidence:
            return {"evidence": self.row.evidence}
        return {"claim": self.row.claim or ""}

    @cached_property
    def metrics(self) -> dict[str, float]:
        """What is not known is left out, so that MLflow shows a dash and not a zero."""
        row = self.row
        low, high = row.interval or (None, None)
        named: dict[str, float | None] = {
            **_compared(row),
            "interval_low": low,
            "interval_high": high,
            "tolerance": row.tolerance,
            "pixel_accuracy": row.pixel_accuracy,
            "mean_accuracy": row.mean_accuracy,
            "images": row.images,
        }
        if row.robustness:
            named |= {
                "corrupted_mean": row.robustness.mean,
                "corrupted_ratio": row.robustness.ratio,
            }
        for other in self.rows[1:]:
            if f"verified_{other.metric}" not in named:
                named |= _compared(other)
            else:
                named[f"verified_{other.metric}.{other.protocol}"] = other.verified
        return {key: float(value) for key, value in named.items() if value is not None}

    def metrics_for(self, known: Iterable[str]) -> dict[str, float]:
        """The metrics, under former names as well where a run knows those."""
        former = {
            old: self.metrics[new]
            for old in known
            if (new := _present(old)) != old and new in self.metrics
        }
        return {**self.metrics, **former}

    @property
    def params(self) -> dict[str, str]:
        """What can never change for this key, as MLflow's parameters cannot."""
        row = self.row
        fixed = {"model": row.model, "dataset": row.dataset, "split": row.split}
        inference = {
            f"inference.{key}": value
            for key, value in row.protocol_fields.items()
            if row.evidence and key not in _SCORING
        }
        return {key: str(value) for key, value in {**fixed, **inference}.items()}

    @cached_property
    def tags(self) -> dict[str, str]:
        """Everything else; `digest` changes when anything that is told changes."""
        row = self.row
        tags = {
            "kind": row.kind,
            "verdict": row.verdict,
            "level": row.level or "",
            "reason": row.reason,
            "dataset": row.dataset,
            "paper": row.paper or "none",
            "model": row.model,
            "metric": row.metric,
            "unit": row.unit,
            "claim": ", ".join(dict.fromkeys(r.claim for r in self.rows if r.claim)),
            "claimant": row.claimant,
            "run": row.run or "",
            "protocol": ", ".join(dict.fromkeys(r.protocol for r in self.rows)),
            "evidence": row.evidence or "",
            "weights_sha256": row.weights or "",
            "dataset_fingerprint": row.fingerprint or "",
            "evaluator": "" if row.evaluator is None else str(row.evaluator),
            "figure_sha256": sha256_of_file(self.figure) if self.figure else "",
            "current": "true",
            "mlflow.note.content": _note(row),
            **{f"software.{name}": version for name, version in row.software.items()},
        }
        if row.per_class:
            tags["mlflow.loggedArtifacts"] = table_tag("per_class.json")
        told = {key: value for key, value in tags.items() if value}
        return {**told, "digest": digest([told, self.metrics, row.per_class])}

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Artifacts that MLflow's page shows as tables, by file name."""
        classes = [list(line) for line in self.row.per_class.items()]
        return {"per_class.json": table(["class", "IoU"], classes)} if classes else {}

    @property
    def files(self) -> list[Path]:
        """Artifacts that lie on disk: evidence and picture."""
        row = self.row
        evidence = (
            paths.reports() / row.evidence_file if row.evidence and row.evidence_file else None
        )
        return [path for path in (self.figure, evidence) if path]

    @cached_property
    def figure(self) -> Path | None:
        """The picture of one of the rows."""
        found = (paths.reports() / row.figure for row in self.rows if row.figure)
        return next((path for path in found if path.is_file()), None)


def entries(rows: Iterable[Row]) -> list[Entry]:
    """Rows that hold a number, those of one piece of evidence together."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        if row.evidence or (row.claim and row.verified is not None):
            by_key.setdefault(row.evidence or f"claim {row.claim}", []).append(row)
    return [Entry(key, tuple(sorted(group, key=_rank))) for key, group in by_key.items()]


def key_of(tags: Mapping[str, str]) -> str:
    """The key of a run that MLflow holds; "" for one that is not ours."""
    if tags.get("kind") == SUMMARY:
        return SUMMARY
    claim = tags.get("claim")
    return tags.get("evidence") or (f"claim {claim}" if claim else "")


def table(columns: list[str], lines: list[list[Any]]) -> dict[str, Any]:
    """A table as MLflow's `log_table` writes it, which itself would append the second time."""
    return {"columns": columns, "data": lines}


def table_tag(name: str) -> str:
    """What `mlflow.loggedArtifacts` says about a table."""
    return json.dumps([{"path": name, "type": "table"}])


def _rank(row: Row) -> tuple[bool, bool, bool]:
    """Claims first, among them mIoU, and what the authors print."""
    return row.claim is None, row.metric != "mIoU", row.claimant != "authors"


def _compared(row: Row) -> dict[str, float | None]:
    """`gap` is of mIoU alone: an average over millions of parameters would mean nothing."""
    gap = "gap" if row.metric == "mIoU" else f"gap_{row.metric}"
    return {
        f"claimed_{row.metric}": row.claimed,
        f"verified_{row.metric}": row.verified,
        gap: row.gap,
    }


def _present(former: str) -> str:
    name, dot, protocol = former.partition(".")
    return _FORMER.get(name, name) + dot + protocol


def _note(row: Row) -> str:
    """What MLflow shows as the run's description."""
    title = f"[{row.title}]({row.url})" if row.url else row.title
    printed = f"{title}, {row.source}." if row.title else ""
    again = f"Again: `{row.rerun}`" if row.rerun else ""
    return "\n\n".join(filter(None, (row.reason, printed, row.notes, again)))
