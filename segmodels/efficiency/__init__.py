"""What a network costs: parameters, operations, seconds, and under which convention.

Only ``tally``, ``counter`` and ``stopwatch`` need torch; whoever judges recorded numbers does not.
Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmodels.efficiency.convention import Convention, load_conventions
    from segmodels.efficiency.counter import Cost, cost, count
    from segmodels.efficiency.latency import LatencyProtocol, LatencyRecord, load_latency_protocols
    from segmodels.efficiency.record import Measured, Wanted, load_measured
    from segmodels.efficiency.stopwatch import measure_latency

_HOMES = {
    "Convention": "convention",
    "Cost": "counter",
    "LatencyProtocol": "latency",
    "LatencyRecord": "latency",
    "Measured": "record",
    "Wanted": "record",
    "cost": "counter",
    "count": "counter",
    "load_conventions": "convention",
    "load_latency_protocols": "latency",
    "load_measured": "record",
    "measure_latency": "stopwatch",
}

__all__ = [
    "Convention",
    "Cost",
    "LatencyProtocol",
    "LatencyRecord",
    "Measured",
    "Wanted",
    "cost",
    "count",
    "load_conventions",
    "load_latency_protocols",
    "load_measured",
    "measure_latency",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'segmodels.efficiency' has no attribute {name!r}")
    return getattr(importlib.import_module(f"segmodels.efficiency.{_HOMES[name]}"), name)
