"""Why MLflow took nothing, in words that a setting follows from."""

from __future__ import annotations

import os
from typing import Any

from segmodels.errors import without_credentials

_LONGEST = 300

#: What to do about an answer of a server, by its HTTP status.
_REMEDIES = {
    401: "refuses the login (HTTP 401): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD "
    "to a user that it knows",
    403: "forbids it (HTTP 403): MLFLOW_TRACKING_USERNAME may not write there, or the server's "
    "MLFLOW_SERVER_ALLOWED_HOSTS lacks the name it is reached by",
}


def reason(error: Exception) -> str:
    """One line: the server's address and the setting where it refused somebody, else the error."""
    if remedy := _REMEDIES.get(_status(error)):
        address = without_credentials(os.environ.get("MLFLOW_TRACKING_URI", ""))
        return f"{address} {remedy}"
    text = without_credentials(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:_LONGEST]}"


def _status(error: Any) -> int:
    """The HTTP status that an error of MLflow's client or of requests is about; 0 for none."""
    if (answer := getattr(error, "response", None)) is not None:
        return int(answer.status_code)
    asked = getattr(error, "get_http_status_code", None)
    return int(asked()) if asked else 0
