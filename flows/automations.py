"""Automations of a Prefect server, made once: ``python -m flows.automations [--notify BLOCK]``.

A run whose process was killed sends no more heartbeats: it is marked as crashed, which frees its
slots. A verdict that changed is told to a notification block of the server: webhook, e-mail, Slack.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.settings import PREFECT_API_URL

from flows.schedule import asking_prefect
from flows.verdict_events import EVENT
from flows.watch import EVENT as LOST
from segmodels.core.exits import DONE, ended
from segmodels.errors import SegmodelsError

#: Seconds between heartbeats of a run (the least that Prefect takes), and without one until it
#: counts as dead.
BEAT_SECONDS, DEAD_SECONDS = 30, 45

_BEAT = "prefect.flow-run.heartbeat"
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed")


def dead_runs() -> AutomationCore:
    """Marks runs as crashed that neither end nor send a heartbeat any more."""
    return AutomationCore(
        name="segmodels: runs whose process is gone",
        description="A run that sends no heartbeat is marked as crashed, which frees its slots.",
        trigger=EventTrigger(
            after={_BEAT},
            expect={_BEAT, *(f"prefect.flow-run.{end}" for end in _ENDS)},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=DEAD_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                force=False,
                message="Its process sends no heartbeat any more.",
            )
        ],
    )


def changed_verdicts(block: Block) -> AutomationCore:
    """Sends every verdict that changed to a notification block, with the old and the new row."""
    document = block._block_document_id
    if document is None:
        raise SegmodelsError("the notification block is not saved on the server.")
    return AutomationCore(
        name="segmodels: verdicts and addresses that changed",
        description="Tells of verdicts that changed, with both rows, and of files that are gone.",
        trigger=EventTrigger(
            expect={EVENT, LOST},
            match={"prefect.resource.id": ["segmodels.row.*", "segmodels.address.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            SendNotification(
                block_document_id=document,
                subject="{{ event.resource.name }}: {{ event.payload.words }}",
                body="{{ event.payload | tojson }}",
            )
        ],
    )


def make(automations: Iterable[AutomationCore]) -> None:
    """Make automations on the server, in place of those of the same names."""
    with get_client(sync_client=True) as client:
        for automation in automations:
            for old in client.read_automations_by_name(automation.name):
                client.delete_automation(old.id)
            client.create_automation(automation)


def _block(name: str) -> Block:
    try:
        found = Block.load(name)
    except (ValueError, RuntimeError) as error:
        raise SegmodelsError(
            f"--notify {name!r}: the server has no such block ({error}); make one in its UI under "
            f"Blocks and name it as in slack-webhook/NAME."
        ) from None
    assert isinstance(found, Block)
    return found


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.automations", description=__doc__)
    told = "a notification block of the server, as in custom-webhook/NAME"
    parser.add_argument("--notify", metavar="TYPE/NAME", help=told)
    chosen = parser.parse_args(arguments)
    if not PREFECT_API_URL.value():
        parser.error("automations need a server: set PREFECT_API_URL to its address")
    with asking_prefect():
        wanted = [dead_runs()]
        wanted += [changed_verdicts(_block(chosen.notify))] if chosen.notify else []
        make(wanted)
    sys.stdout.writelines(f"{automation.name}\n" for automation in wanted)
    return DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Make them; returns the exit code."""
    return ended(lambda: _run(arguments))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
