"""`params/verdict.yaml`: the rules of judging, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt

from segmodels.assets.entries import load_dataset_entries
from segmodels.core.entry import Entry, NotNegative, Words, read_entry
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.metrics.intervals import IntervalRule
from segmodels.metrics.severities import ALL, Severities

#: Whose weights and whose run a number comes from.
Level = Literal["released", "retrained", "trained", "third_party", "own"]


class Tolerance(Entry):
    """What a measured number may differ by, beside the rounding of the printed one.

    Attributes:
        points: percentage points.
        seeds: trainings that are needed before it is said whether a number lies within. The same
            weights need one evaluation; a training is one draw of many.
    """

    points: NotNegative
    seeds: PositiveInt = 1


class Tolerances(Entry):
    """The tolerance for evidence of each level.

    Attributes:
        released: the weights that the authors released, run here.
        retrained: trained again here.
        third_party: the released weights, run by somebody else.
    """

    released: Tolerance
    retrained: Tolerance
    third_party: Tolerance

    def of(self, level: Level) -> Tolerance:
        """That of one level; `own` and `trained` are compared with no printed number."""
        return {
            "released": self.released,
            "retrained": self.retrained,
            "third_party": self.third_party,
        }[level]


class StatementRule(Entry):
    """When a statement that compares models can be borne out.

    Attributes:
        seeds: trainings a side that are needed before a measured part holds or fails as such;
            with fewer it does so on these images alone.
    """

    seeds: PositiveInt


class ObstacleRule(Entry):
    """One reason why a number cannot be checked.

    Attributes:
        means: what it is, for people.
        fix: what would change it.
    """

    means: Words
    fix: Words


class Rules(Entry):
    """`params/verdict.yaml`.

    Attributes:
        version: raised when a rule changes.
        tolerance: what a number may differ by, for evidence of each level.
        interval: what intervals are to hold, and which images are left out together.
        statements: what parts of statements need.
        obstacles: by kind, the most telling first.
        corruptions: the severities that a mean over a corruption is taken over.
    """

    version: int
    tolerance: Tolerances
    interval: IntervalRule
    statements: StatementRule
    obstacles: dict[str, ObstacleRule] = Field(default_factory=dict)
    corruptions: Severities = Severities(severities=ALL)


def load_rules(path: Path | None = None) -> Rules:
    """Read `params/verdict.yaml`; which images hang together comes from `params/datasets.yaml`.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "verdict.yaml"
    rules = read_entry(Rules, str(path), read_yaml(path))
    groups = {entry.name: entry.groups for entry in load_dataset_entries().values() if entry.groups}
    return rules.replace(interval=rules.interval.replace(groups=groups))
