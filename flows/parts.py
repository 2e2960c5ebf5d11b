"""Flows for one part of the pipeline each: ``python -m flows.parts PART``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from prefect import Flow

from flows import choices, robustness, train, verify, watch
from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow
from segmodels.errors import UnknownNameError

#: What each part does, and the groups of stages that it brings up to date.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "download": ("Fetch the datasets and the released weights", ("download", "weights")),
    "prepare": (
        "Generate and prepare the datasets, and read copies",
        ("generate", "prepare", "registered", "own"),
    ),
    "evaluate": ("Measure the active runs under their protocols", ("evaluate",)),
    "leaderboard": (
        "Judge the evidence and render both leaderboards",
        ("leaderboard", "local_leaderboard"),
    ),
}


_ARGUMENTS = """
    Args:
        targets: Stages or patterns of dvc.yaml to bring up to date instead of all of this part.
        jobs: Stages at a time.
        root: The checkout; a dot is the folder that the flow runs in.
"""


def _flow(name: str, does: str, groups: Sequence[str]) -> Flow[..., Ending]:
    """A flow of a part, with the stages that the part needs."""

    def part(targets: list[str] | None = None, jobs: int = JOBS, root: str = ".") -> Ending:
        return bring_up_to_date(root, targets, jobs, groups=groups)

    part.__name__ = part.__qualname__ = name
    part.__doc__ = f"{does}, after what that needs.\n{_ARGUMENTS}"
    return pipeline_flow(choices.typed(part, jobs=choices.AT_LEAST_ONE))


#: Prefect finds a deployment's flow as an attribute of this file.
FLOWS: dict[str, Flow[..., Any]] = {
    **{name: _flow(name, *part) for name, part in PARTS.items()},
    "train": train.FLOW,
    "robustness": robustness.FLOW,
    "verify-claim": verify.FLOW,
    "watch": watch.FLOW,
}
globals().update({name.replace("-", "_"): flow for name, flow in FLOWS.items()})


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
