"""Measure the active runs under stress: ``python -m flows.robustness``."""

from __future__ import annotations

from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow


@pipeline_flow
def robustness(root: str = ".", targets: list[str] | None = None, jobs: int = JOBS) -> Ending:
    """Measure the active runs under stress, after what that needs."""
    return bring_up_to_date(root, targets, jobs, groups=("robustness",))


if __name__ == "__main__":
    raise SystemExit(main(robustness))
