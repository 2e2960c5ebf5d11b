"""One MLflow run that sums up the leaderboard, claims that nobody can check included."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flows.tracking.tracked_run import SUMMARY, table, table_tag
from flows.tracking.whole_page import whole_page
from segmodels.core import paths
from segmodels.core.files import digest
from segmodels.leaderboard import counts, headline
from segmodels.leaderboard.exports.json import fields
from segmodels.leaderboard.headline import Group
from segmodels.verdicts.verdict import STATUSES

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from segmodels.leaderboard import Row

_COLUMNS = (
    "claim",
    "paper",
    "model",
    "dataset",
    "metric",
    "claimed",
    "verified",
    "gap",
    "verdict",
    "obstacle",
    "reason",
)

#: The board's files that are logged.
_PAGES = ("leaderboard.html", "leaderboard.md", "leaderboard.json")

#: What is counted for claims; runs of our own have no verdict.
_GROUPS: tuple[Group, ...] = ("scores", "costs", "statements")


def _numbers(rows: list[Row]) -> dict[str, int]:
    """`scores_verified`, `costs_below`, …: scores and costs are never added up."""
    found = counts(rows)
    return {
        f"{name}_{status}": found.get(name, {}).get(status, 0)
        for name in _GROUPS
        for status in STATUSES
        if status != "measured"
    }


def _line(row: Row) -> list[Any]:
    """A claim as a line of `_COLUMNS`."""
    values = fields(row)
    return [values[name] for name in _COLUMNS]


def _pages() -> dict[str, str]:
    """The board of all that is here by file name; a file that is missing is left out.

    No page holds a date, so the same rows give the same text.
    """
    found = (paths.local() / name for name in _PAGES)
    texts = {path.name: path.read_text(encoding="utf-8") for path in found if path.is_file()}
    return {
        name: whole_page(text, paths.local()) if name.endswith(".html") else text
        for name, text in texts.items()
    }


def log_summary(
    client: MlflowClient, experiment: str, known: dict[str, Any], rows: list[Row]
) -> None:
    """How many claims have which verdict, over time, with the table and the pages."""
    from mlflow.entities import Metric, RunTag

    lines = [_line(row) for row in rows if row.subject.id]
    pages = _pages()
    logged = digest([lines, [row.verdict.verified for row in rows], pages])
    run = known.get(SUMMARY)
    if run is not None and run.data.tags.get("digest") == logged:
        return
    if run is None:
        run = client.create_run(experiment, run_name="leaderboard", tags={"kind": SUMMARY})
    run_id, now = run.info.run_id, int(1000 * time.time())
    client.log_dict(run_id, table(list(_COLUMNS), lines), "claims.json")
    for name, text in pages.items():
        client.log_text(run_id, text, name)
    step = int(run.data.metrics.get("tellings", 0)) + 1
    numbers = {**_numbers(rows), "claims": len(lines), "tellings": step}
    client.log_batch(run_id, [Metric(key, value, now, step) for key, value in numbers.items()])
    if run.info.status != "FINISHED":
        client.set_terminated(run_id)
    tags = {  # last, among them the digest: an interrupted run is logged again next time
        "digest": logged,
        "current": "true",
        "mlflow.loggedArtifacts": table_tag("claims.json"),
        "mlflow.note.content": f"{headline(rows)}\n\n`claims.json` holds all claims with reasons.",
    }
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
