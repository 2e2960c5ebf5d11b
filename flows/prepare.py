"""Generate and prepare the datasets: ``python -m flows.prepare``."""

from __future__ import annotations

from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow


@pipeline_flow
def prepare(root: str = ".", targets: list[str] | None = None, jobs: int = JOBS) -> Ending:
    """Generate and prepare the datasets, and read copies, after what that needs."""
    return bring_up_to_date(root, targets, jobs, groups=("generate", "prepare", "registered"))


if __name__ == "__main__":
    raise SystemExit(main(prepare))
