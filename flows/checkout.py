"""Where a worker of Prefect runs a flow: in the checkout that is on its own machine."""

from __future__ import annotations

import os
from pathlib import Path

from segmodels.core.settings import ROOT, project_root

#: The folder of this code, which is the checkout where it was installed with `pip install -e`.
_HERE = Path(__file__).resolve().parents[1]


def own_checkout() -> dict[str, str]:
    """The pull step of prefect.yaml: enter this machine's checkout, and name it to Prefect.

    It is `SEGMODELS_ROOT`, else the folder of this code, else the project that the worker was
    started in: another one on every machine, while a deployment is one for all of them.
    """
    if os.environ.get(ROOT) or not (_HERE / "params" / "protocols.yaml").is_file():
        os.chdir(os.environ.get("PWD", "."))
        folder = project_root()
    else:
        folder = _HERE
    os.chdir(folder)
    return {"directory": str(folder)}
