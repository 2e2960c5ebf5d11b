"""Train the active runs: ``python -m flows.train``."""

from __future__ import annotations

from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow


@pipeline_flow
def train(root: str = ".", targets: list[str] | None = None, jobs: int = JOBS) -> Ending:
    """Train the active runs, after what that needs."""
    return bring_up_to_date(root, targets, jobs, groups=("train",))


if __name__ == "__main__":
    raise SystemExit(main(train))
