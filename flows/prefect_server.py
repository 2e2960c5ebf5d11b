"""The environment of Prefect's server as `flows.servers` starts it, and of all who use it."""

from __future__ import annotations

import os
from pathlib import Path

from flows.automations import BEAT_SECONDS
from flows.tracking.place import parsed
from segmodels.errors import SegmodelsError

#: Prefect's names for its database and for the login that it asks for, and gives.
_PREFECT_DATABASES = (
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
)
_ASKED_LOGIN, _OWN_LOGIN = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"


def environment(api: str, folder: Path) -> dict[str, str]:
    """The environment of every service that `up` starts.

    Args:
        api: address of Prefect's interface.
        folder: where Prefect keeps its own files.

    Raises:
        SegmodelsError: Prefect could not work with the driver that its database's address names,
            or the address is none.
    """
    for name in _PREFECT_DATABASES:
        if os.environ.get(name, "").startswith(("postgresql://", "postgres://")):
            raise SegmodelsError(f"{name} begins with postgresql+asyncpg://, which Prefect wants.")
        if os.environ.get(name):
            parsed(os.environ[name], name)
    login = os.environ.get(_ASKED_LOGIN)
    return {
        **({_OWN_LOGIN: login} if login else {}),  # of the worker, and of what makes deployments
        **os.environ,
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_UI_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(BEAT_SECONDS),
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten processes for what nobody asks here
    }
