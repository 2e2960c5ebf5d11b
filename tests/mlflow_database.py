"""What MLflow's database holds, read past MLflow, and processes that write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from warm import warm

#: One or more stages, separated by commas, in one process.
STAGE = """
import sys
from flows.stages import main
lines = ' '.join(sys.argv[1:]).split(',')
sys.exit(max(main(line.split()) for line in lines))
"""


def python(root: Path, code: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
    return warm().start(code, arguments, root, {**os.environ, **environment}).finish()


def migrated(root: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """What `python -m flows.tracking.migrate` ends with and says."""
    code = "import sys; from flows.tracking import migrate; sys.exit(migrate.main(sys.argv[1:]))"
    return python(root, code, *words, **environment)


def stage(root: Path, *arguments: str, **environment: str) -> str:
    code, _, error = python(root, STAGE, *arguments, **environment)
    assert code == 0, error
    return error


def held(root: Path) -> list[dict[str, Any]]:
    """All runs in the project's database, read past MLflow."""
    with closing(sqlite3.connect(root / "mlflow.db")) as base:
        runs = base.execute(
            "select run_uuid, r.name, status, artifact_uri, e.name from runs r "
            "join experiments e using (experiment_id) order by start_time"
        ).fetchall()
        return [
            {
                "id": run,
                "name": name,
                "status": status,
                "experiment": experiment,
                "metrics": pairs(base, "latest_metrics", run),
                "params": pairs(base, "params", run),
                "tags": pairs(base, "tags", run),
                "curve": base.execute(
                    "select key, step, value from metrics where run_uuid = ? order by 1, 2", (run,)
                ).fetchall(),
                "artifacts": artifacts(Path(uri.removeprefix("file://"))),
            }
            for run, name, status, uri, experiment in runs
        ]


def pairs(base: sqlite3.Connection, table: str, run: str) -> dict[str, Any]:
    return dict(base.execute(f"select key, value from {table} where run_uuid = ?", (run,)))


def artifacts(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def models(root: Path) -> list[dict[str, Any]]:
    """All logged models."""
    names = {1: "PENDING", 2: "READY", 3: "FAILED"}
    with closing(sqlite3.connect(root / "mlflow.db")) as base:
        found = base.execute(
            "select model_id, name, source_run_id, status, artifact_location from logged_models "
            "order by name"
        ).fetchall()
        tags = "select tag_key, tag_value from logged_model_tags where model_id = ?"
        return [
            {
                "id": model,
                "name": name,
                "source_run": run,
                "status": names[status],
                "tags": dict(base.execute(tags, (model,))),
                "artifacts": artifacts(Path(place.removeprefix("file://"))),
            }
            for model, name, run, status, place in found
        ]


def links(root: Path) -> set[tuple[str, str, str]]:
    """Which run has which logged model as input or output: kind, run, model."""
    query = (
        "select source_type, source_id, destination_id from inputs where source_type like 'RUN%'"
    )
    with closing(sqlite3.connect(root / "mlflow.db")) as base:
        found = base.execute(query).fetchall()
    assert len(found) == len(set(found))
    return set(found)


def rows_of(root: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with closing(sqlite3.connect(root / "mlflow.db")) as base:
        return base.execute(query).fetchall()


def everything(root: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    tables = rows_of(root, "select name from sqlite_master where type = 'table' order by 1")
    return {name: sorted(rows_of(root, f"select * from {name}"), key=repr) for (name,) in tables}
