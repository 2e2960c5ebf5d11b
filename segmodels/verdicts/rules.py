"""`params/verdict.yaml`: the rules of judging, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segmodels.assets.entries import load_dataset_entries
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields
from segmodels.errors import SegmodelsError
from segmodels.metrics.intervals import IntervalRule
from segmodels.metrics.severities import Severities, read_severities

#: Whose weights and whose run a number comes from.
Level = Literal["released", "retrained", "third_party"]


@dataclass(frozen=True)
class Tolerance:
    """What a measured number may differ by, beside the rounding of the printed one.

    Attributes:
        points: percentage points.
        seeds: trainings that are needed before it is said whether a number lies within. The same
            weights need one evaluation; a training is one draw of many.
    """

    points: float
    seeds: int = 1


@dataclass(frozen=True)
class StatementRule:
    """When a statement that compares models can be borne out.

    Attributes:
        seeds: trainings a side that are needed before a measured part holds or fails as such;
            with fewer it does so on these images alone.
    """

    seeds: int


@dataclass(frozen=True)
class ObstacleRule:
    """One reason why a number cannot be checked: what it `means` and what would `fix` it."""

    means: str
    fix: str


@dataclass(frozen=True)
class Rules:
    """`params/verdict.yaml`.

    Attributes:
        version: raised when a rule changes.
        released, retrained, third_party: tolerance for evidence of that level.
        interval: what intervals are to hold, and which images are left out together.
        statements: what parts of statements need.
        obstacles: by kind, the most telling first.
        corruptions: the severities that a mean over a corruption is taken over.
    """

    version: int
    released: Tolerance
    retrained: Tolerance
    third_party: Tolerance
    interval: IntervalRule
    statements: StatementRule
    obstacles: dict[str, ObstacleRule] = field(default_factory=dict)
    corruptions: Severities = field(default_factory=Severities)

    def tolerance(self, level: Level) -> Tolerance:
        """The tolerance for evidence of a level."""
        return {
            "released": self.released,
            "retrained": self.retrained,
            "third_party": self.third_party,
        }[level]


def load_rules(path: Path | None = None) -> Rules:
    """Read `params/verdict.yaml`.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "verdict.yaml"
    groups: dict[str, type] = {"version": int, **dict.fromkeys(_TABLES, dict)}
    more: dict[str, type] = {"obstacles": dict, "corruptions": dict}
    top = take_fields(str(path), read_yaml(path), groups, more)
    levels: dict[str, type] = {"released": dict, "retrained": dict, "third_party": dict}
    tolerances = take_fields(f"{path}, tolerance", top["tolerance"], levels, {})
    return Rules(
        version=top["version"],
        interval=_interval(path, top["interval"]),
        statements=_statements(path, top["statements"]),
        obstacles={k: _obstacle(path, k, v) for k, v in top.get("obstacles", {}).items()},
        corruptions=_corruptions(path, top.get("corruptions")),
        **{level: _tolerance(path, level, raw) for level, raw in tolerances.items()},
    )


_TABLES = ("tolerance", "interval", "statements")


def _interval(path: Path, raw: Any) -> IntervalRule:
    where = f"{path}, interval"
    confidence = take_fields(where, raw, {"confidence": float}, {})["confidence"]
    if not 0 < confidence < 1:
        raise SegmodelsError(f"{where}: 'confidence' lies between 0 and 1.")
    entries = load_dataset_entries().values()
    return IntervalRule(confidence, {e.name: e.groups for e in entries if e.groups})


def _statements(path: Path, raw: Any) -> StatementRule:
    where = f"{path}, statements"
    return StatementRule(_seeds(where, take_fields(where, raw, {"seeds": int}, {})["seeds"]))


def _corruptions(path: Path, raw: Any) -> Severities:
    return Severities() if raw is None else read_severities(f"{path}, corruptions", raw)


def _tolerance(path: Path, level: str, raw: Any) -> Tolerance:
    where = f"{path}, tolerance, {level}"
    fields = take_fields(where, raw, {"points": float}, {"seeds": int})
    if fields["points"] < 0:
        raise SegmodelsError(f"{where}: a tolerance cannot be negative.")
    return Tolerance(fields["points"], _seeds(where, fields.get("seeds", 1)))


def _seeds(where: str, number: int) -> int:
    if number < 1:
        raise SegmodelsError(f"{where}: 'seeds' is at least 1.")
    return number


def _obstacle(path: Path, kind: str, raw: Any) -> ObstacleRule:
    return ObstacleRule(
        **take_fields(f"{path}, obstacle {kind!r}", raw, {"means": str, "fix": str}, {})
    )
