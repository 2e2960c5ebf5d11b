"""Flows for one part of the pipeline each: ``python -m flows.parts PART``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from prefect import Flow

from flows import robustness
from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow
from segmodels.errors import UnknownNameError

#: What each part does, and the groups of stages that it brings up to date.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "download": ("Fetch the datasets and the released weights", ("download", "weights")),
    "prepare": (
        "Generate and prepare the datasets, and read copies",
        ("generate", "prepare", "registered", "own"),
    ),
    "train": ("Train the active runs", ("train", "own_train")),
    "evaluate": ("Measure the active runs under their protocols", ("evaluate",)),
    "leaderboard": (
        "Judge the evidence and render both leaderboards",
        ("leaderboard", "local_leaderboard"),
    ),
}


def _flow(name: str, does: str, groups: Sequence[str]) -> Flow[..., Ending]:
    """A flow of a part, with the stages that the part needs."""

    def part(root: str = ".", targets: list[str] | None = None, jobs: int = JOBS) -> Ending:
        return bring_up_to_date(root, targets, jobs, groups=groups)

    part.__name__ = part.__qualname__ = name
    part.__doc__ = f"{does}, after what that needs."
    return pipeline_flow(part)


#: Prefect finds a deployment's flow as an attribute of this file.
FLOWS: dict[str, Flow[..., Any]] = {
    **{name: _flow(name, *part) for name, part in PARTS.items()},
    "robustness": robustness.FLOW,
}
globals().update(FLOWS)


def program(arguments: Sequence[str]) -> int:
    """Run the part that is named first; returns the exit code."""
    named = arguments[0] if arguments else "--help"
    if named in ("-h", "--help"):
        print("usage: python -m flows.parts PART [--help] [options]\n")
        for name, flow in FLOWS.items():
            print(f"  {name:12} {(flow.fn.__doc__ or '').partition('.')[0]}")
        return 0 if arguments else 2
    if named not in FLOWS:
        print(f"error: {UnknownNameError('part', named, FLOWS)}", file=sys.stderr)
        return 2
    return main(FLOWS[arguments[0]], arguments[1:], f"flows.parts {arguments[0]}")


if __name__ == "__main__":
    raise SystemExit(program(sys.argv[1:]))
