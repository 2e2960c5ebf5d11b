"""Addresses of MLflow's database, and the variables that hold them."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from segmodels.errors import SegmodelsError

#: Names that MLflow itself reads.
DATABASE = "MLFLOW_BACKEND_STORE_URI"
ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"


def parsed(address: str, name: str) -> URL:
    """The parts of a database's address.

    Args:
        address: as SQLAlchemy takes it.
        name: of the variable or argument that holds it, for the message.

    Raises:
        SegmodelsError: it is none of SQLite or PostgreSQL, or a password with @ has been taken for
            the name of a machine, which messages would show.
    """
    try:
        url = make_url(address)
        known = url.get_backend_name() in ("sqlite", "postgresql") and "@" not in (url.host or "")
    except (ArgumentError, ValueError):  # a port that is no number
        known = False
    if not known:
        raise SegmodelsError(
            f"{name}: expected the address of a database, postgresql://HOST/DATABASE or "
            f"sqlite:////PATH. In a password @ is written %40 and / %2F; or put it into PGPASSWORD."
        )
    return url


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
