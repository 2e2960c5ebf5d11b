"""MLflow's server as `flows.servers` starts it: on the file of this project, or for a team.

A team's server is described by MLflow's own environment variables, so that no secret stands in a
file or on a command line (docs/team.md): `MLFLOW_BACKEND_STORE_URI` is its database,
`MLFLOW_ARTIFACTS_DESTINATION` where it keeps files, `MLFLOW_AUTH_ADMIN_PASSWORD` asks for a login.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from flows.tracking import store
from flows.tracking.place import ARTIFACTS, DATABASE, check_answers, without_password
from segmodels.core.files import write_text
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError

LISTENS_ON = "MLFLOW_HOST"
ADMIN = "MLFLOW_AUTH_ADMIN_USERNAME"
ADMIN_PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"
AUTH_CONFIG = "MLFLOW_AUTH_CONFIG_PATH"
COOKIE_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"
TRACKING = "MLFLOW_TRACKING_URI"
USER = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"
LOOPBACK = "127.0.0.1"

#: Of servers alone: a worker, and with it every stage, must not see them.
PRIVATE = (
    *(DATABASE, ADMIN, ADMIN_PASSWORD, COOKIE_KEY),
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
)

#: Of the first user where nobody names one.
_FIRST = "admin"

#: MLflow asks for as many characters.
_SHORTEST_PASSWORD = 12

#: Whoever is let in writes to the experiments that all share. A password is looked at once a
#: minute, or each request would cost its slow hash; a change counts at once. The password of the
#: first user MLflow reads from the environment.
_AUTH = """[mlflow]
default_permission = EDIT
database_uri = {place}
admin_username = {admin}
auth_cache_ttl_seconds = 60
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def is_elsewhere(env: Mapping[str, str]) -> bool:
    """Whether a server of somebody else is named, so that none is to be started."""
    return not env.get(DATABASE) and env.get(TRACKING, "").startswith(("http://", "https://"))


def check_database(env: Mapping[str, str]) -> None:
    """Ask the server's database for a connection before the server does, which tries for minutes.

    Raises:
        SegmodelsError: it refuses, or cannot be reached.
    """
    name = DATABASE if env.get(DATABASE) else TRACKING
    check_answers(env.get(name, ""), name)


def has_login(env: Mapping[str, str]) -> bool:
    """Whether the server is to ask for user and password."""
    return bool(env.get(ADMIN_PASSWORD))


def command(env: Mapping[str, str], port: int) -> list[str]:
    """What starts the server; addresses, which may hold passwords, are left to its environment.

    Raises:
        SegmodelsError: it would listen to other machines without a login.
    """
    host = env.get(LISTENS_ON) or LOOPBACK
    if not _is_local(host) and not has_login(env):
        raise SegmodelsError(
            f"{LISTENS_ON}={host} opens MLflow to other machines, and everybody there could change "
            f"it: set {ADMIN_PASSWORD} and {COOKIE_KEY} (docs/team.md), or unset {LISTENS_ON}."
        )
    login = ["--app-name", "basic-auth"] if has_login(env) else []
    named = ["--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *named, *login]


def environment(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of the server.

    Args:
        env: that of all services.
        folder: where the file of the login goes, which holds no secret.

    Raises:
        SegmodelsError: a variable is missing or does not fit.
    """
    named = env.get(DATABASE)
    place, password = without_password(named or env.get(TRACKING) or store.default_uri())
    files = str(project_root() / "mlartifacts")
    if named:
        kept = {ARTIFACTS: env.get(ARTIFACTS) or files}
    else:  # clients are on this machine, and write beside the server
        kept = {"MLFLOW_DEFAULT_ARTIFACT_ROOT": env.get("MLFLOW_DEFAULT_ARTIFACT_ROOT") or files}
    secret = {"PGPASSWORD": password} if password else {}
    login = _login(env, folder, place) if has_login(env) else {}
    return {**env, **kept, **secret, **login, DATABASE: place}


def client_environment(env: Mapping[str, str], port: int) -> dict[str, str]:
    """The environment of a worker: it writes to the server and knows no secret but its login."""
    found = {key: value for key, value in env.items() if key not in PRIVATE}
    if not env.get(DATABASE):
        return found
    found.setdefault(TRACKING, f"http://{_reached(env)}:{port}")
    if has_login(env):
        found.setdefault(USER, env.get(ADMIN) or _FIRST)
        found.setdefault(PASSWORD, env[ADMIN_PASSWORD])
    return found


def health(env: Mapping[str, str], port: int) -> str:
    """The address that answers once the server does."""
    return f"http://{_reached(env)}:{port}/health"


def _reached(env: Mapping[str, str]) -> str:
    """Where this machine reaches the server; one that listens everywhere, here."""
    host = env.get(LISTENS_ON) or LOOPBACK
    return LOOPBACK if host in ("0.0.0.0", "::") else host


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _login(env: Mapping[str, str], folder: Path, place: str) -> dict[str, str]:
    """What the login needs; users are kept in the database of the runs."""
    if len(env[ADMIN_PASSWORD]) < _SHORTEST_PASSWORD:
        raise SegmodelsError(
            f"{ADMIN_PASSWORD} has {len(env[ADMIN_PASSWORD])} characters; MLflow asks for "
            f"{_SHORTEST_PASSWORD} or more."
        )
    if not env.get(COOKIE_KEY):
        make = "python -c 'import secrets; print(secrets.token_hex())'"
        raise SegmodelsError(f"{COOKIE_KEY} is not set; MLflow signs with it. `{make}` makes one.")
    if env.get(AUTH_CONFIG):
        return {}
    path = folder / "mlflow-login.ini"
    known = {"place": place, "admin": env.get(ADMIN) or _FIRST}
    write_text(
        path, _AUTH.format(**{name: text.replace("%", "%%") for name, text in known.items()})
    )
    return {AUTH_CONFIG: str(path)}
