"""Judge the evidence and render both leaderboards: ``python -m flows.leaderboard``."""

from __future__ import annotations

from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow


@pipeline_flow
def leaderboard(root: str = ".", targets: list[str] | None = None, jobs: int = JOBS) -> Ending:
    """Judge the evidence and render both leaderboards, after what that needs."""
    return bring_up_to_date(root, targets, jobs, groups=("leaderboard", "local_leaderboard"))


if __name__ == "__main__":
    raise SystemExit(main(leaderboard))
