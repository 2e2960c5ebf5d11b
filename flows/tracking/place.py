"""Addresses of MLflow's database, and the variables that hold them."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from segmodels.errors import SegmodelsError, without_credentials

#: Names that MLflow itself reads.
DATABASE = "MLFLOW_BACKEND_STORE_URI"
ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"

#: Seconds behind each try but the last: a database may lack connections for a moment.
_PAUSES = (0.5, 1.5)
_CONNECT_SECONDS = 20


def parsed(address: str, name: str) -> URL:
    """The parts of a database's address.

    Args:
        address: as SQLAlchemy takes it.
        name: of the variable or argument that holds it, for the message.

    Raises:
        SegmodelsError: it is none of SQLite or PostgreSQL, or a password with @ has been cut there,
            so that messages would show a piece of it as the name of a machine.
    """
    try:
        url = make_url(address)
        known = url.get_backend_name() == "sqlite" or (
            url.get_backend_name() == "postgresql" and address.count("@") <= 1
        )
    except (ArgumentError, ValueError):  # a port that is no number
        known = False
    if not known:
        raise SegmodelsError(
            f"{name}: expected the address of a database, postgresql://HOST/DATABASE or "
            f"sqlite:////PATH. In a password @ is written %40 and / %2F; or put it into PGPASSWORD."
        )
    return url


def check_answers(address: str, name: str) -> None:
    """Ask a database for a connection before MLflow does, which tries for two silent minutes.

    Addresses of anything else are left alone.

    Raises:
        SegmodelsError: it refuses (a wrong name or password, no such database), or cannot be
            reached.
    """
    if not address.startswith(("postgresql", "sqlite")):
        return
    url = parsed(address, name)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").parent.is_dir():
        return  # which MLflow makes
    limit = {} if url.get_backend_name() == "sqlite" else {"connect_timeout": _CONNECT_SECONDS}
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=limit)
    except ModuleNotFoundError as error:
        raise SegmodelsError(f"{name}: {error}; the extra 'team' brings the driver.") from None
    for pause in (*_PAUSES, None):
        try:
            with engine.connect():
                return
        except DBAPIError as error:
            if pause is None:
                said = without_credentials(" ".join(str(error.orig).split()))
                raise SegmodelsError(
                    f"{name}: {url.render_as_string()} cannot be opened ({said})."
                ) from None
            time.sleep(pause)


def without_password(address: str) -> tuple[str, str | None]:
    """The address of a PostgreSQL database, and the password in it, which it also takes elsewhere.

    Other addresses are left as they are.

    Raises:
        SegmodelsError: it cannot be taken apart.
    """
    if not address.startswith("postgresql"):
        return address, None
    url = parsed(address, DATABASE)
    if url.password is None:
        return address, None
    bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    return bare.set(query=url.query).render_as_string(), str(url.password)
