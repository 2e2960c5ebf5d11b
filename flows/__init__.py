"""Orchestration: DVC, Prefect and MLflow around the library, which knows none of them."""

from __future__ import annotations

import os

#: Of the server of a single command: seconds until it must answer.
PATIENCE = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"

#: What Prefect is told unless the environment says otherwise, here because it reads this when it
#: is imported: nothing is reported to anybody, and on a busy machine the server of a single command
#: has three minutes to answer.
USUAL = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    PATIENCE: "180",
}

for _name, _value in USUAL.items():
    os.environ.setdefault(_name, _value)
