"""Several workers at one pipeline, each in a checkout of its own: no stage is run twice.

Results travel through the DVC remote. Whose turn it is at a stage, and what it was run with and
gave, is kept by Prefect's server: a concurrency limit of one for each stage, whose lease ends with
the worker that holds it, and an artifact with the stage's entry of dvc.lock, from which another
worker can tell whether it would run the same.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import ObjectAlreadyExists
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL

from flows import dvc_lock
from flows.dvc_lock import LockEntry
from flows.dvc_stages import Stage, StageFailedError
from flows.turns import turn
from segmodels.core.files import digest
from segmodels.errors import SegmodelsError

#: Stages whose results are exchanged. What is downloaded or prepared every machine has by itself:
#: a licence may forbid to hand it on, and a copy lies elsewhere on another machine. What depends on
#: files in git alone, and boards, every checkout makes for itself from the same evidence.
GROUPS = frozenset({"generate", "train", "own_train", "evaluate", "labels", "robustness"})


class Exchange:
    """The side of one worker.

    Args:
        root: its checkout.
        stop: set when its flow run ends.

    Raises:
        SegmodelsError: there is no server, or the checkout has no DVC remote.
    """

    def __init__(self, root: Path, stop: threading.Event) -> None:
        if not PREFECT_API_URL.value():
            raise SegmodelsError(
                "workers exchange through a Prefect server: start one (python -m flows.servers up) "
                "and set PREFECT_API_URL to its address on all of them."
            )
        dvc_lock.check_remote(root)
        self.root, self.stop = root, stop
        self.worker = f"{socket.gethostname()}:{root}"

    def prepare(self, stages: Sequence[Stage]) -> None:
        """Make the limits of stages that have none yet."""
        with get_client(sync_client=True) as client:
            for stage in stages:
                with suppress(ObjectAlreadyExists):
                    client.create_global_concurrency_limit(
                        GlobalConcurrencyLimitCreate(name=_limit(stage), limit=1)
                    )

    @contextmanager
    def turn(self, stage: Stage) -> Iterator[bool]:
        """Whether it is this worker's turn at a stage, for as long as the block takes."""
        with turn(_limit(stage), get_run_logger()) as ours:
            yield ours

    def take(self, stage: Stage) -> bool:
        """Take over what a worker gave, or what dvc.lock names, if this one would run the same.

        What the DVC remote does not give is told with DVC's reason, and is run here.
        """
        own = dvc_lock.entries(self.root, [stage.name]).get(stage.name)
        for entry in (self._given(stage), own):
            if entry and dvc_lock.adopt(self.root, stage.name, entry):
                return self._pulled(stage)
        return False

    def _pulled(self, stage: Stage) -> bool:
        try:
            dvc_lock.pull(self.root, stage.name, self.stop)
        except StageFailedError as error:
            get_run_logger().warning("%s is not taken over, but run here. %s", stage.name, error)
            return False
        return True

    def give(self, stages: Sequence[Stage], ran: bool = False) -> None:
        """Hand on what stages of this checkout gave, unless the server has it already.

        What was run just now is pushed even then: it was run because the remote had lost it.
        """
        here = dvc_lock.entries(self.root, [stage.name for stage in stages])
        known = [one for one in stages if one.name in here]
        new = [one for one in known if self._given(one) != here[one.name]]
        if pushed := known if ran else new:
            dvc_lock.push(self.root, [stage.name for stage in pushed], self.stop)
        for stage in new:
            self._tell(stage, here[stage.name])

    def _tell(self, stage: Stage, entry: LockEntry) -> None:
        """Give the server an entry of a stage, for everybody."""
        row = {"stage": stage.name, "worker": self.worker, "entry": json.dumps(entry)}
        create_table_artifact(key=_key(stage), table=[row], description=stage.name)

    def _given(self, stage: Stage) -> LockEntry | None:
        """The newest entry of a stage that the server has."""
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[_key(stage)]))
        with get_client(sync_client=True) as client:
            found = client.read_artifacts(
                limit=1, sort=ArtifactSort.UPDATED_DESC, artifact_filter=wanted
            )
        if not found:
            return None
        (row,) = json.loads(str(found[0].data))
        entry: LockEntry = json.loads(row["entry"])
        return entry


def exchanging(
    root: Path,
    stop: threading.Event,
    known: Sequence[Stage],
    plan: Sequence[Stage],
    force: bool,
) -> Exchange:
    """This worker's side, after it handed on what it had when it began.

    Args:
        root: its checkout.
        stop: set when its flow run ends.
        known: all stages that are asked for.
        plan: those of them that are stale here.
        force: whether they are to be run in any case.

    Raises:
        SegmodelsError: there is nothing to exchange through.
    """
    if force:
        raise SegmodelsError("force runs every stage on every worker: leave it out, or exchange.")
    found, stale = Exchange(root, stop), {stage.name for stage in plan}
    exchanged = [stage for stage in known if stage.group in GROUPS]
    found.prepare([stage for stage in exchanged if stage.name in stale])
    found.give([stage for stage in exchanged if stage.name not in stale])
    return found


def _limit(stage: Stage) -> str:
    return f"segmodels {stage.name}"


def _key(stage: Stage) -> str:
    """Keys of artifacts have small letters, digits and dashes."""
    return f"segmodels-stage-{digest(stage.name)[:16]}"
