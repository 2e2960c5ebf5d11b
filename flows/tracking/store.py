"""MLflow's store: where it is, the experiments in it, and how to survive without it."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from flows.tracking.dvc_experiment import home, locks
from flows.tracking.refusal import reason
from segmodels.core.locks import only_one
from segmodels.errors import SegmodelsError

if TYPE_CHECKING:
    from mlflow import MlflowClient

Result = TypeVar("Result")

EXPERIMENT = "segmodels"
TRAINING = "segmodels-training"

_GROUPS = {
    "aggregateFunction": "average",
    "groupByKeys": [
        {"mode": "tag", "groupByData": "dataset"},
        {"mode": "tag", "groupByData": "paper"},
    ],
}


def _view(which: str, metrics: list[str], **more: Any) -> dict[str, Any]:
    """A table of current runs: a filter and columns, as MLflow's page keeps them."""
    tags = ["verdict", "level", "dataset", "protocol"]
    return {
        # Numbers first: the column of datasets is so wide that it hides them.
        "selectedColumns": [
            *(f"metrics.`{name}`" for name in metrics),
            *(f"tags.`{name}`" for name in tags),
        ],
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": False,
        "searchFilter": f"tags.current = 'true' and {which}",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        **more,
    }


_MIOU = ["claimed_mIoU", "verified_mIoU", "gap"]
_COSTS = ["claimed_params_M", "verified_params_M", "claimed_GFLOPs", "verified_GFLOPs"]

#: Views of the table of runs, opened by `?viewStateShareKey=NAME` in its address. The tags are
#: how MLflow itself keeps a shared view; where they are not understood, nothing else changes.
_VIEWS = {
    "leaderboard": _view("tags.metric = 'mIoU'", _MIOU),
    "costs": _view("tags.unit != '%'", _COSTS),
    "papers": _view("tags.metric = 'mIoU'", _MIOU, groupBy=_GROUPS),
    "experiments": {
        **_view("", ["verified_mIoU", "pixel_accuracy"]),
        "selectedColumns": [
            "tags.`experiment`",
            "metrics.`verified_mIoU`",
            "metrics.`pixel_accuracy`",
            *(f"params.`{name}`" for name in ("recipe.lr", "recipe.steps", "seed")),
            *(f"tags.`{name}`" for name in ("run", "protocol")),
        ],
        "searchFilter": "tags.experiment LIKE '%'",
    },
}

_EXPERIMENTS: dict[str, dict[str, str]] = {
    EXPERIMENT: {f"mlflow.sharedViewState.{k}": json.dumps(view) for k, view in _VIEWS.items()},
    TRAINING: {},
}

# Read by MLflow when it is imported. Its own retries would hang four minutes on a dead server.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for each row of the board
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # of what fails it prints a page; here it is one line
}


#: What MLflow says when a row is there already: by its own check, or by that of the database.
_CLASHES = ("RESOURCE_ALREADY_EXISTS", "BAD_REQUEST")
_ATTEMPTS = 5


def default_uri() -> str:
    """Where MLflow writes when nobody says otherwise.

    Raises:
        SegmodelsError: the address would mean a file outside the project.
    """
    path = home() / "mlflow.db"
    if "?" not in str(path):
        return f"sqlite:///{path}"
    near = os.path.relpath(path)  # what stands behind a question mark is no path to SQLAlchemy
    if "?" in near:
        raise SegmodelsError(
            f"{path}: a database cannot lie below a folder with '?' in its name. Go into the "
            f"project, or set MLFLOW_TRACKING_URI."
        )
    return f"sqlite:///{near}"


@contextmanager
def sink(what: str) -> Iterator[None]:
    """Whatever MLflow raises ends here, in one line."""
    try:
        yield
    except Exception as error:  # a sink must not stop the work it records
        print(
            f"warning: MLflow took no {what} ({reason(error)}). The run goes on; "
            f"the next leaderboard stage catches up.",
            file=sys.stderr,
        )


def prepare() -> None:
    """Set what MLflow reads when it is imported, unless somebody has set it."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def connect() -> MlflowClient:
    """A client of the store; the first one makes the database."""
    prepare()
    import mlflow

    from flows.tracking.place import check_answers  # SQLAlchemy, which not every stage needs

    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri()
    mlflow.set_tracking_uri(uri)
    check_answers(uri, "MLFLOW_TRACKING_URI")
    with alone("mlflow"):  # two processes that make the database at once would break it
        return mlflow.MlflowClient(uri)


def alone(lock: str) -> Any:
    """Let one process of this project at a time do what must not be done twice."""
    return only_one(locks() / f"{lock}.lock", "writing to MLflow", wait=True)


def experiment(client: MlflowClient, name: str) -> str:
    """The experiment's id, made once even when several processes come first together.

    All experiments are made at the first need, so that the one people look at is number 1.
    """
    with alone("mlflow"):
        ids = {
            known: tried_again(partial(_made, client, known, tags))
            for known, tags in _EXPERIMENTS.items()
        }
    return ids[name]


def _made(client: MlflowClient, name: str, tags: dict[str, str]) -> str:
    known = client.get_experiment_by_name(name)
    if known is None:
        own = client.tracking_uri == default_uri()
        place = (home() / "mlartifacts" / name).as_uri() if own else None
        return str(client.create_experiment(name, artifact_location=place, tags=tags))
    for key, value in tags.items():  # an earlier version knew other columns
        if known.tags.get(key) != value:
            client.set_experiment_tag(known.experiment_id, key, value)
    return str(known.experiment_id)


def tried_again(work: Callable[[], Result]) -> Result:
    """Do what can be repeated, again if somebody did the same at the same moment.

    Our locks do not reach another machine, and MLflow looks and writes in two steps.
    """
    from mlflow.exceptions import MlflowException

    for attempt in range(_ATTEMPTS):
        try:
            return work()
        except MlflowException as error:
            if error.error_code not in _CLASHES or attempt + 1 == _ATTEMPTS:
                raise
            time.sleep(random.uniform(0.1, 1.0))
    raise AssertionError


def every(search: Any, *arguments: Any, **named: Any) -> Iterable[Any]:
    """All results of one of MLflow's searches, page by page."""
    token: str | None = None
    while True:
        page = search(*arguments, **named, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
