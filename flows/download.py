"""Fetch the datasets and the released weights: ``python -m flows.download``."""

from __future__ import annotations

from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow


@pipeline_flow
def download(root: str = ".", targets: list[str] | None = None, jobs: int = JOBS) -> Ending:
    """Fetch the datasets and the released weights, after what that needs."""
    return bring_up_to_date(root, targets, jobs, groups=("download", "weights"))


if __name__ == "__main__":
    raise SystemExit(main(download))
