"""What one MLflow run is to say: the metrics, parameters, tags and files of some rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.tracking.whole_page import whole_page
from segmodels.core import paths
from segmodels.core.files import digest, sha256_of_file
from segmodels.leaderboard import Docs, Row, robustness_page

#: Tag of the run that sums up.
SUMMARY = "summary"

#: What earlier versions called these metrics. MLflow cannot forget a metric, so runs that have
#: it keep it true.
_FORMER = {"claimed": "claimed_mIoU", "verified": "verified_mIoU"}

_SCORING = ("void", "ignore_classes")


@dataclass(frozen=True)
class TrackedRun:
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
        return self.row.subject.id or f"{self.row.run} {self.row.protocol_name}"

    @property
    def identity(self) -> dict[str, str]:
        """The tags from which `key_of` makes the key again."""
        if self.row.evidence_key:
            return {"evidence": self.row.evidence_key}
        return {"claim": self.row.subject.id or ""}

    @cached_property
    def metrics(self) -> dict[str, float]:
        """What is not known is left out, so that MLflow shows a dash and not a zero."""
        row = self.row
        low, high = row.verdict.interval or (None, None)
        seen = row.evidence
        named: dict[str, float | None] = {
            **_compared(row),
            "interval_low": low,
            "interval_high": high,
            "tolerance": row.verdict.tolerance,
            "pixel_accuracy": seen.pixel_accuracy if seen else None,
            "mean_accuracy": seen.mean_accuracy if seen else None,
            "images": seen.images if seen else None,
        }
        if row.robustness:
            named |= {
                "corrupted_mean": row.robustness.mean,
                "corrupted_ratio": row.robustness.ratio,
            }
        for other in self.rows[1:]:
            if f"verified_{other.subject.metric}" not in named:
                named |= _compared(other)
            else:
                named[f"verified_{other.subject.metric}.{other.protocol_name}"] = (
                    other.verdict.verified
                )
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
        fixed = {
            "model": row.subject.model,
            "dataset": row.subject.dataset,
            "split": row.subject.split,
        }
        inference = {
            f"inference.{key}": value
            for key, value in row.protocol_fields.items()
            if row.evidence_key and key not in _SCORING
        }
        return {key: str(value) for key, value in {**fixed, **inference}.items()}

    @cached_property
    def tags(self) -> dict[str, str]:
        """Everything else; `digest` changes when anything that is logged changes."""
        row, seen = self.row, self.row.evidence
        software = seen.software if seen else {}
        tags = {
            "kind": row.subject.kind,
            "verdict": row.verdict.status,
            "level": row.verdict.level or "",
            "reason": row.verdict.reason,
            "dataset": row.subject.dataset,
            "paper": row.subject.paper or "none",
            "model": row.subject.model,
            "metric": row.subject.metric,
            "unit": row.subject.unit,
            "claim": ", ".join(dict.fromkeys(r.subject.id for r in self.rows if r.subject.id)),
            "claimant": row.subject.claimant,
            "run": row.run or "",
            "protocol": ", ".join(dict.fromkeys(r.protocol_name for r in self.rows)),
            "evidence": row.evidence_key or "",
            "weights_sha256": row.weights.sha256 or "",
            "dataset_fingerprint": seen.fingerprint if seen else "",
            "evaluator": str(seen.evaluator) if seen else "",
            "figure_sha256": sha256_of_file(self.figure) if self.figure else "",
            "current": "true",
            "mlflow.note.content": _note(row),
            **{f"software.{name}": version for name, version in software.items()},
        }
        if self.tables:
            tags["mlflow.loggedArtifacts"] = table_tag(*self.tables)
        logged = {key: value for key, value in tags.items() if value}
        told = [logged, self.metrics, self._classes]
        more = [self._curves, self.pages] if self._curves else []
        return {**logged, "digest": digest([*told, *more])}

    @property
    def _curves(self) -> list[list[Any]]:
        """Kind and name of a disturbance, its strength, mIoU and share kept (0 to 1)."""
        found = self.row.robustness.curves if self.row.robustness else ()
        return [
            [curve.kind, curve.name, point.level, point.miou, point.ratio]
            for curve in found
            for point in curve.points
        ]

    @property
    def _classes(self) -> dict[str, float | None]:
        """IoU per class, percent."""
        return dict(self.row.evidence.per_class) if self.row.evidence else {}

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Artifacts that MLflow's page shows as tables, by file name."""
        classes = [list(line) for line in self._classes.items()]
        found = {"per_class.json": table(["class", "IoU"], classes)} if classes else {}
        if self._curves:
            columns = ["kind", "disturbance", "strength", "mIoU", "kept"]
            found["robustness.json"] = table(columns, self._curves)
        return found

    @cached_property
    def pages(self) -> dict[str, str]:
        """Artifacts that MLflow's page shows as they are, by file name."""
        if not self._curves:
            return {}
        page = robustness_page(self.row, Docs(paths.local()))
        return {"robustness.html": whole_page(page, paths.local())}

    @property
    def files(self) -> list[Path]:
        """Artifacts that lie on disk: evidence and picture."""
        row = self.row
        evidence = (
            paths.reports() / row.evidence_file if row.evidence_key and row.evidence_file else None
        )
        return [path for path in (self.figure, evidence) if path]

    @cached_property
    def figure(self) -> Path | None:
        """The picture of one of the rows."""
        found = (paths.reports() / row.figure for row in self.rows if row.figure)
        return next((path for path in found if path.is_file()), None)


def tracked_runs(rows: Iterable[Row]) -> list[TrackedRun]:
    """Rows that hold a number, those of one piece of evidence together."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        if row.evidence_key or (row.subject.id and row.verdict.verified is not None):
            by_key.setdefault(row.evidence_key or f"claim {row.subject.id}", []).append(row)
    return [TrackedRun(key, tuple(sorted(group, key=_rank))) for key, group in by_key.items()]


def key_of(tags: Mapping[str, str]) -> str:
    """The key of a run that MLflow holds; "" for one that is not ours."""
    if tags.get("kind") == SUMMARY:
        return SUMMARY
    claim = tags.get("claim")
    return tags.get("evidence") or (f"claim {claim}" if claim else "")


def table(columns: list[str], lines: list[list[Any]]) -> dict[str, Any]:
    """A table as MLflow's `log_table` writes it, which itself would append the second time."""
    return {"columns": columns, "data": lines}


def table_tag(*names: str) -> str:
    """What `mlflow.loggedArtifacts` says about tables."""
    return json.dumps([{"path": name, "type": "table"} for name in names])


def _rank(row: Row) -> tuple[bool, bool, bool]:
    """Claims first, among them mIoU, and what the authors print."""
    return row.subject.id is None, row.subject.metric != "mIoU", row.subject.claimant != "authors"


def _compared(row: Row) -> dict[str, float | None]:
    """`gap` is of mIoU alone: an average over millions of parameters would mean nothing."""
    gap = "gap" if row.subject.metric == "mIoU" else f"gap_{row.subject.metric}"
    return {
        f"claimed_{row.subject.metric}": row.subject.claimed,
        f"verified_{row.subject.metric}": row.verdict.verified,
        gap: row.verdict.gap,
    }


def _present(former: str) -> str:
    name, dot, protocol = former.partition(".")
    return _FORMER.get(name, name) + dot + protocol


def _note(row: Row) -> str:
    """What MLflow shows as the run's description."""
    title = f"[{row.subject.title}]({row.subject.url})" if row.subject.url else row.subject.title
    printed = f"{title}, {row.subject.source}." if row.subject.title else ""
    again = f"Again: `{row.command}`" if row.command else ""
    return "\n\n".join(filter(None, (row.verdict.reason, printed, row.subject.notes, again)))
