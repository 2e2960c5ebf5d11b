"""Which stages have to run, and in which order they are handed to the runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows import dvc_stages
from flows.dvc_stages import Outcome, Stage
from flows.tasks import StageRow, StageRunner, Work

#: The stage that says for every other one what `params/` asks it to do.
RESOLVE = "resolve"


@dataclass(frozen=True)
class Asked:
    """What is to be brought up to date: everything, or some with what it depends on.

    Attributes:
        targets, groups: as `dvc_stages.stages` takes them.
        force: also what is up to date.
    """

    targets: Sequence[str]
    groups: Sequence[str]
    force: bool

    def plan(self, root: Path) -> tuple[list[Stage], list[Stage]]:
        """The stages that are asked for, and those of them that may have to run."""
        known = dvc_stages.stages(root, self.targets, self.groups)
        return known, known if self.force else dvc_stages.stale(known)


def run_stages(
    asked: Asked, plan: Sequence[Stage], work: Work, jobs: int, retries: int
) -> list[StageRow]:
    """Run a plan; what says what all others are asked to do goes first, and alone.

    Mostly it says the same of most of them, and then DVC need not be asked about each.
    """
    first = [stage for stage in plan if stage.name == RESOLVE and not asked.force]
    if not first:
        return StageRunner(plan, work, jobs, retries).run()
    rows = StageRunner(first, work, 1, retries).run()
    if rows[0]["outcome"] not in list(Outcome):
        skipped: StageRow = {"outcome": "skipped", "seconds": 0.0}
        return [*rows, *({"stage": s.name, **skipped} for s in plan if s not in first)]
    _, rest = asked.plan(work.root)
    return [*rows, *(StageRunner(rest, work, jobs, retries).run() if rest else ())]
