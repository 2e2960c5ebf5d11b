"""What a network costs: parameters, operations, seconds, and under which convention.

Only ``tally``, ``counter`` and ``stopwatch`` need torch; whoever judges recorded numbers does not.
Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily

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

__getattr__ = lazily(__name__, _HOMES)
