"""`params/verdict.yaml`: the rules of judging, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segmodels.errors import SegmodelsError
from segmodels.files import read_yaml, take_fields
from segmodels.scores import Bootstrap
from segmodels.settings import project_root
from segmodels.severities import Severities, read_severities

#: Whose weights and whose run a number comes from.
Level = Literal["released", "retrained", "third_party"]


@dataclass(frozen=True)
class Tolerance:
    """What a measured number may differ by, beside the rounding of the printed one.

    Attributes:
        points: percentage points.
        interval: half widths of the bootstrap interval over images that are added.
    """

    points: float
    interval: float = 0.0


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
        bootstrap: how the interval is drawn.
        obstacles: by kind, the most telling first.
        corruptions: the severities that a mean over a corruption is taken over.
    """

    version: int
    released: Tolerance
    retrained: Tolerance
    third_party: Tolerance
    bootstrap: Bootstrap
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
    groups: dict[str, type] = {"version": int, "tolerance": dict, "bootstrap": dict}
    more: dict[str, type] = {"obstacles": dict, "corruptions": dict}
    top = take_fields(str(path), read_yaml(path), groups, more)
    levels: dict[str, type] = {"released": dict, "retrained": dict, "third_party": dict}
    tolerances = take_fields(f"{path}, tolerance", top["tolerance"], levels, {})
    numbers: dict[str, type] = {"resamples": int, "confidence": float}
    drawing = take_fields(f"{path}, bootstrap", top["bootstrap"], numbers, {})
    if drawing["resamples"] < 1 or not 0 < drawing["confidence"] < 1:
        raise SegmodelsError(f"{path}: 'resamples' is at least 1, 'confidence' between 0 and 1.")
    return Rules(
        version=top["version"],
        bootstrap=Bootstrap(**drawing),
        obstacles={k: _obstacle(path, k, v) for k, v in top.get("obstacles", {}).items()},
        corruptions=_corruptions(path, top.get("corruptions")),
        **{level: _tolerance(path, level, raw) for level, raw in tolerances.items()},
    )


def _corruptions(path: Path, raw: Any) -> Severities:
    return Severities() if raw is None else read_severities(f"{path}, corruptions", raw)


def _tolerance(path: Path, level: str, raw: Any) -> Tolerance:
    where = f"{path}, tolerance, {level}"
    fields = take_fields(where, raw, {"points": float}, {"interval": float})
    if min(fields.values()) < 0:
        raise SegmodelsError(f"{where}: a tolerance cannot be negative.")
    return Tolerance(**fields)


def _obstacle(path: Path, kind: str, raw: Any) -> ObstacleRule:
    return ObstacleRule(
        **take_fields(f"{path}, obstacle {kind!r}", raw, {"means": str, "fix": str}, {})
    )
