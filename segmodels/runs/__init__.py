"""Runs: one model with weights on one split, and the suites of them that are active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily

if TYPE_CHECKING:
    from segmodels.runs.run import Run, load_run, run_names
    from segmodels.runs.suite import activate, load_suite, suite_names

_HOMES = {
    "Run": "run",
    "activate": "suite",
    "load_run": "run",
    "load_suite": "suite",
    "run_names": "run",
    "suite_names": "suite",
}

__all__ = [
    "Run",
    "activate",
    "load_run",
    "load_suite",
    "run_names",
    "suite_names",
]

__getattr__ = lazily(__name__, _HOMES)
