"""A PostgreSQL of the tests' own, from the programs that a distribution installs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Debian keeps them out of PATH.
PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),)
PASSWORD = "database-secret"
SETTINGS = "-c fsync=off -c listen_addresses=127.0.0.1 -c max_connections=200"


@dataclass(frozen=True)
class Postgres:
    """A server that runs and asks for a password, and the names of the databases in it."""

    address: str
    made: list[str] = field(default_factory=list)

    def database(self, name: str = "", template: str = "template1") -> str:
        """The address of a new database, a copy of another one."""
        import psycopg2

        name = name or f"test{len(self.made)}"
        connection = psycopg2.connect(f"{self.address}/postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name} template {template}")
        connection.close()
        self.made.append(name)
        return f"{self.address}/{name}"


def program(name: str) -> str | None:
    """Where a program of PostgreSQL lies."""
    near = [place / name for place in PLACES if (place / name).is_file()]
    return str(near[0]) if near else shutil.which(name)


def missing() -> str | None:
    """Why there can be no server here; None where there can."""
    if not all(map(program, ("initdb", "pg_ctl"))):
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if find_spec("psycopg2") is None:
        return "psycopg2 is not installed (extra: team)"
    return None


@contextmanager
def running() -> Iterator[Postgres]:
    """A server while the block lasts; of root, as the user `postgres`, since it refuses root."""
    who: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        if who:
            shutil.chown(folder, **who)
        data = str(Path(folder) / "data")

        def call(name: str, *words: str) -> None:
            made = [str(program(name)), "-D", data, *words]
            subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)

        secret = Path(folder) / "password"
        secret.write_text(PASSWORD)
        login = ("-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(secret))
        call("initdb", *login, "--no-sync", "--no-locale", "-E", "UTF8")
        port = free_port()
        options = f"-p {port} -k {folder} {SETTINGS}"
        call("pg_ctl", "start", "-w", "-o", options, "-l", str(Path(folder) / "log"))
        try:
            yield Postgres(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}")
        finally:
            call("pg_ctl", "stop", "-w", "-m", "immediate")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
