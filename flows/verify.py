"""Check published claims one by one: ``python -m flows.parts verify-claim --claims ID``.

Without DVC, as `segmodels verify` works: what a claim lacks is fetched, evaluated or counted first,
and evidence that is here or published is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.states import Cancelled, Completed, Failed

from flows import choices
from flows.devices import devices
from flows.engines import ENGINE, counting
from flows.in_process import AGAIN, Shown, StoppedError, project_at
from flows.reproduce import Ending, pipeline_flow, stopping
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import Row
from segmodels.leaderboard.words import digits, number, signed

#: A line of the table of verdicts.
Line = dict[str, str]


@task(
    name="verify",
    task_run_name="{claim}",
    **AGAIN,
)
def verify_one(
    claim: str, device: str, force: bool, engine: str | None, stop: threading.Event
) -> Row:
    """The verdict on one claim, after whatever it needs."""
    from segmodels.steps.verify import verify  # PyTorch, which the form does not need

    shown = Shown(claim, stop)
    with counting(device, shown, force, engine) as options:
        found = verify(claim, options)
    shown.end()
    return found


def line(row: Row) -> Line:
    """A row of the leaderboard as a line of the table."""
    subject, verdict = row.subject, row.verdict
    return {
        "claim": subject.id or "",
        "claimed": subject.claim.printed if subject.claim else "",
        "verified": number(verdict.verified, digits(row)),
        "gap": signed(verdict.gap, digits(row)),
        "verdict": verdict.status,
        "reason": verdict.reason,
    }


def verify_claim(
    claims: list[str],
    device: str | None = None,
    force: bool = False,
    engine: str | None = None,
    root: str = ".",
) -> Ending:
    """Check published claims: fetch, evaluate or count what each needs, and judge.

    Args:
        claims: Ids of params/claims, as on the leaderboard.
        device: Where networks run, such as cpu or cuda:0; none as SEGMODELS_DEVICE says.
        force: Count again what is here already.
        engine: Who counts the images, processes, dask or ray; none as SEGMODELS_ENGINE says.
        root: The checkout; a dot is the folder that the flow runs in.
    """
    if not claims:
        return Failed(message="Name at least one claim.")
    lines: list[Line] = []
    broken: list[str] = []
    with project_at(root), stopping() as stop:
        for claim in claims:
            try:
                row = verify_one(claim, device or devices()[0], force, engine, stop)
            except StoppedError as error:
                return Cancelled(message=str(error))
            except SegmodelsError as error:
                get_run_logger().error("%s: %s", claim, error)
                broken.append(claim)
                continue
            lines.append(line(row))
            if row.subject.url:
                create_link_artifact(row.subject.url, row.subject.source, key="source")
    return _ended(lines, broken)


def _ended(lines: Sequence[Line], broken: Sequence[str]) -> Ending:
    words = [f"{one['claim']}: {one['verdict']}" for one in lines]
    message = ", ".join([*words, *(f"{claim}: failed" for claim in broken)])
    if lines:
        create_table_artifact(key="verdicts", table=[dict(one) for one in lines])
    return Failed(message=message) if broken else Completed(message=message)


FLOW = pipeline_flow(
    choices.typed(
        verify_claim,
        claims=choices.several_of(choices.claims),
        device=choices.DEVICE | None,
        engine=ENGINE | None,
    ),
    name="verify-claim",
)
