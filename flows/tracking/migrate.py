"""MLflow's history from one database to another: ``python -m flows.tracking.migrate``.

From the file `mlflow.db` of this project to the PostgreSQL of a team, say. Every row of every table
goes over as it is, ids and times included, in one transaction, and is compared afterwards; files go
to the place where the team's server keeps them. What was there before is only read.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from flows.tracking import store
from flows.tracking.place import ARTIFACTS, DATABASE, parsed
from segmodels.core.exits import DONE, ended
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError

#: Rows that are in memory at a time.
_AT_A_TIME = 1000
_REVISION = "alembic_version"
#: What MLflow puts into a new database: rows by table. The place of its first experiment's files is
#: another on each machine, so the copy takes that of the source.
_BORN_WITH = {_REVISION: 1, "experiments": 1, "workspaces": 1}
#: Columns that hold addresses of files.
_PLACES = ("artifact_location", "artifact_uri", "storage_location")
_PROXIED = "mlflow-artifacts:/"

Row = dict[str, Any]


def migrate(source: str, target: str, artifacts: str | None = None) -> dict[str, int]:
    """Copy all that one database of MLflow holds to an empty one.

    Args:
        source: address of a database, as MLflow takes it. Writers of this project wait meanwhile.
        target: address of an empty database. MLflow makes the tables in it.
        artifacts: where the server of the target keeps files (its `MLFLOW_ARTIFACTS_DESTINATION`).
            Files below `mlartifacts` of this project are copied there, and runs then name the
            server as their place. None leaves files and their addresses alone.

    Returns:
        how many rows went over, by table.

    Raises:
        SegmodelsError: the source is missing or of another version, the target holds something
            already, a database does not answer, or what arrived is not what was sent. The target
            then has no rows but those that MLflow puts into a new one.
    """
    with store.alone("mlflow-rows"), store.alone("mlflow"), _telling():
        old, new = _opened(source), _made(target)
        with old.connect() as reading, new.begin() as writing:
            _see_one_state(reading)
            tables = _tables(reading, writing)
            move = _moved(artifacts)
            for _, table in reversed(tables):
                writing.execute(table.delete())
            counted = {
                there.name: _copy(reading, here, writing, there, move) for here, there in tables
            }
            _count_on(writing, [there for _, there in tables])
        return counted


@contextmanager
def _telling() -> Iterator[None]:
    """What a database refuses is one line."""
    try:
        yield
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        raise SegmodelsError(f"{said.rstrip('.')}. The target has no new rows.") from None
    except ModuleNotFoundError as error:
        fix = "pip install -c requirements.lock -e '.[team]'"
        raise SegmodelsError(f"The package {error.name} is not installed: `{fix}`.") from None


def _opened(source: str) -> Engine:
    url = parsed(source, "SOURCE")
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise SegmodelsError(f"{url.database}: there is no such database.")
    found = create_engine(url)
    if not inspect(found).has_table(_REVISION):
        raise SegmodelsError(f"{url.database} holds nothing of MLflow.")
    return found


def _made(target: str) -> Engine:
    """The target with MLflow's tables in it, and nothing else.

    Raises:
        SegmodelsError: it holds something.
    """
    url = parsed(target, "TARGET")
    found = create_engine(url)
    if inspect(found).get_table_names():
        _check_empty(found)
    store.prepare()
    from mlflow import MlflowClient

    MlflowClient(url.render_as_string(hide_password=False))
    return found


def _check_empty(engine: Engine) -> None:
    with engine.connect() as reading:
        for table in _reflected(reading).values():
            rows = reading.execute(select(func.count()).select_from(table)).scalar_one()
            if rows > _BORN_WITH.get(table.name, 0):
                raise SegmodelsError(
                    f"{engine.url.database}: table {table.name} holds {rows} rows already; history "
                    f"is only copied to an empty database. Make one (`createdb NAME`)."
                )


def _see_one_state(connection: Connection) -> None:
    """Let all that is read be of one moment, whoever writes meanwhile."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")


def _reflected(connection: Connection) -> dict[str, Table]:
    known = MetaData()
    known.reflect(connection)
    return {table.name: table for table in known.sorted_tables}


def _tables(old: Connection, new: Connection) -> list[tuple[Table, Table]]:
    """Tables of both sides, those first that others refer to.

    Raises:
        SegmodelsError: the databases are of different versions of MLflow.
    """
    here, there = _reflected(old), _reflected(new)
    found, expected = (
        connection.execute(select(tables[_REVISION].c.version_num)).scalar()
        for connection, tables in ((old, here), (new, there))
    )
    if found != expected:
        raise SegmodelsError(
            f"{old.engine.url.database} is of another version of MLflow than the one installed "
            f"({found}, expected {expected}). Keep a copy and bring it up to date with "
            f"`mlflow db upgrade`."
        )
    return [(here[name], table) for name, table in there.items() if name != _REVISION]


def _copy(
    old: Connection, here: Table, new: Connection, there: Table, move: Callable[[Row], Row]
) -> int:
    """Copy a table, look what arrived, and return how many rows that is."""
    sent, count = 0, 0
    names = [column.name for column in there.columns]
    for row in _rows(old, here, names):
        sent += _checksum(move(row))
        count += 1
    for batch in _batches(map(move, _rows(old, here, names))):
        _send(new, there, batch)
    arrived = sum(_checksum(row) for row in _rows(new, there, names))
    if arrived != sent:
        raise SegmodelsError(
            f"table {there.name}: what arrived is not what was sent ({count} rows); the "
            f"target has no new rows."
        )
    return count


def _send(new: Connection, there: Table, batch: list[Row]) -> None:
    try:
        new.execute(there.insert(), batch)
    except ValueError as error:  # what a driver refuses before the database sees it
        raise SegmodelsError(
            f"table {there.name}: {error} The target has no new rows; change that row."
        ) from None


def _rows(connection: Connection, table: Table, names: Sequence[str]) -> Iterator[Row]:
    asked = select(*(table.c[name] for name in names)).execution_options(yield_per=_AT_A_TIME)
    found = connection.execute(asked)
    return (dict(row) for row in found.mappings())


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_A_TIME:
            yield batch
            batch = []
    if batch:
        yield batch


def _checksum(row: Row) -> int:
    """A number of a row; those of all rows are added up, since each database has its order."""
    text = repr(list(row.values()))
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def _count_on(new: Connection, tables: Sequence[Table]) -> None:
    """Let PostgreSQL number the next rows behind those that came with numbers of their own."""
    if new.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key.columns:
            asked = func.pg_get_serial_sequence(
                new.dialect.identifier_preparer.format_table(table), column.name
            )
            sequence = new.execute(select(asked)).scalar()
            if sequence:
                last = new.execute(select(func.max(column))).scalar()
                new.execute(select(func.setval(sequence, last or 1, last is not None)))


def _moved(artifacts: str | None) -> Callable[[Row], Row]:
    """Copy the files of this project, and give what makes a row name their new place."""
    folder = project_root() / "mlartifacts"
    if artifacts is None or not folder.is_dir():
        return lambda row: row
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(artifacts)
    repository.log_artifacts(str(folder))
    roots = (f"{folder.as_uri()}/", f"{folder}/")

    def move(row: Row) -> Row:
        places = {name: _place(row[name], roots) for name in _PLACES if row.get(name)}
        return {**row, **places}

    return move


def _place(address: str, roots: Sequence[str]) -> str:
    known = next((root for root in roots if address.startswith(root)), None)
    return address if known is None else _PROXIED + address.removeprefix(known)


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.tracking.migrate", description=__doc__)
    parser.add_argument("source", nargs="?", help="default: mlflow.db of this project")
    parser.add_argument("target", nargs="?", help=f"default: {DATABASE}")
    parser.add_argument(
        "--artifacts", metavar="PLACE", help=f"where the server keeps files (default: {ARTIFACTS})"
    )
    chosen = parser.parse_args(arguments)
    target = chosen.target or os.environ.get(DATABASE)
    if not target:
        parser.error(f"name the target, or set {DATABASE}")
    files = chosen.artifacts or os.environ.get(ARTIFACTS)
    counted = migrate(chosen.source or store.default_uri(), target, files)
    held = {name: rows for name, rows in counted.items() if rows}
    print(f"{sum(held.values())} rows of {len(held)} tables are there as they were here.")
    for name in ("experiments", "runs", "metrics", "registered_models", "model_versions"):
        print(f"  {name}: {counted.get(name, 0)}")
    return DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy the history; returns the exit code."""
    return ended(lambda: _run(arguments))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
