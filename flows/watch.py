"""Ask for every released file whether it is still there: ``python -m flows.parts watch``.

Nothing is downloaded. Rows that need a lost file become blocked on the board of this machine, and
what changed is told as an event.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import create_table_artifact
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Completed, Failed

from flows import choices, verdict_events
from flows.in_process import Shown, StoppedError, project_at
from flows.reproduce import Ending, pipeline_flow, stopping
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import write_local
from segmodels.steps.watching import Found
from segmodels.steps.watching import watch as look_at_all

#: Name of the event; its resource is `segmodels.address.<first entry that needs it>`.
EVENT = "segmodels.address.lost-or-changed"


def watch(root: str = ".") -> Ending:
    """Ask for every released checkpoint and dataset whether its address still has it.

    Args:
        root: The checkout; a dot is the folder that the flow runs in.
    """
    with project_at(root), stopping() as stop:
        try:
            found = look_at_all(Shown("addresses", stop, unit="addresses"))
            folder = project_root()
            before = verdict_events.rows_of(folder)
            write_local()
        except StoppedError as error:
            return Cancelled(message=str(error))
        except SegmodelsError as error:
            return Failed(message=str(error))
        verdict_events.tell(verdict_events.changed(before, verdict_events.rows_of(folder)))
    _tell(found)
    wrong = sum(bool(one.problem) for one in found)
    silent = sum(not one.reached for one in found)
    return Completed(
        message=f"{len(found)} addresses: {wrong} lost or changed, {silent} did not answer"
    )


def _tell(found: Sequence[Found]) -> None:
    wrong = [one for one in found if one.problem]
    table = [
        {"needed by": ", ".join(one.names), "problem": one.problem, "address": one.address}
        for one in wrong
    ]
    create_table_artifact(key="addresses", table=table, description="Lost or changed")
    for one in (one for one in wrong if one.new and PREFECT_API_URL.value()):
        emit_event(
            EVENT,
            resource={
                "prefect.resource.id": f"segmodels.address.{one.names[0]}",
                "prefect.resource.name": one.names[0],
            },
            payload={"words": one.problem, "address": one.address, "names": list(one.names)},
        )


FLOW = pipeline_flow(choices.typed(watch))
