"""Networks that were disturbed on the same images: what the pictures of robustness compare."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from segmodels.core.files import digest
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness
from segmodels.verdicts.row import Row

#: What of a curve is compared: its own points, by their strength.
Points = dict[float, CurvePoint]


@dataclass(frozen=True)
class Network:
    """A network, or trainings of it that differ in their seed alone.

    Attributes:
        name: of its run, without the seed where there are several.
        runs: what disturbance cost each of them.
        keys: of the evidence of each of them.
        place: among the networks of the same images; colour and mark follow it.
    """

    name: str
    runs: tuple[Robustness, ...]
    keys: tuple[str, ...] = ()
    place: int = 0

    def points(self, kind: str, name: str) -> list[Points]:
        """The points of a curve by strength, of each run that has it."""
        found = (_curve(run, kind, name) for run in self.runs)
        return [{point.level: point for point in curve.points} for curve in found if curve]


@dataclass(frozen=True)
class SameImages:
    """Networks that were measured on the same images.

    Attributes:
        title: data set and split, and the protocol of all whose name says no other.
        networks: by name.
    """

    title: str
    networks: tuple[Network, ...]

    def names(self, kind: str) -> list[str]:
        """Disturbances of a kind that one of them has."""
        runs = (run for network in self.networks for run in network.runs)
        return sorted({c.name for run in runs for c in run.curves if c.kind == kind})

    def disturbed(self, kind: str) -> list[Network]:
        """Networks that have a disturbance of a kind."""
        names = self.names(kind)
        return [one for one in self.networks if any(one.points(kind, name) for name in names)]

    def alike(
        self, kind: str, among: Collection[str] | None = None
    ) -> tuple[list[Network], list[str]]:
        """The networks that have most disturbances of a kind, and those that all of these have.

        One that was disturbed in fewer ways has no mean that could stand beside theirs.

        Args:
            kind: of the disturbances.
            among: their names (default: all that one of the networks has).
        """
        names = [name for name in self.names(kind) if among is None or name in among]
        count = {one: sum(bool(one.points(kind, name)) for name in names) for one in self.networks}
        most = [one for one, number in count.items() if number == max(count.values()) > 0]
        return most, [name for name in names if all(one.points(kind, name) for one in most)]

    def place_of(self, key: str | None) -> int | None:
        """The place of the network that a piece of evidence is of; None for one of none here."""
        return next((one.place for one in self.networks if key in one.keys), None)


def on_same_images(rows: Iterable[Row]) -> list[SameImages]:
    """Rows with disturbed copies, once per piece of evidence, sorted by images and by network."""
    once = {row.evidence_key: row for row in reversed(list(rows)) if row.robustness}
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in once.values():
        fingerprint = row.evidence.fingerprint if row.evidence else ""
        groups[row.subject.dataset, row.subject.split, fingerprint].append(row)
    return [_group(groups[key]) for key in sorted(groups)]


def _group(rows: list[Row]) -> SameImages:
    usual = Counter(row.protocol_name for row in rows).most_common(1)[0][0]
    alike: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.run or "", row.evidence_key or "")):
        alike[_training(row), row.protocol_name].append(row)
    found = sorted((_network(same, usual) for same in alike.values()), key=lambda n: n.name)
    return SameImages(
        images_of(next(row for row in rows if row.protocol_name == usual)),
        tuple(replace(network, place=place) for place, network in enumerate(found)),
    )


def images_of(row: Row) -> str:
    """Data set, split and protocol of a row, in words."""
    how = row.protocol_title or row.protocol_name
    return f"{row.subject.dataset} {row.subject.split}, {how}"


def _network(rows: list[Row], usual: str) -> Network:
    names = [row.run or row.subject.model for row in rows]
    name = _stem(names[0]) if len(names) > 1 else names[0]
    other = "" if rows[0].protocol_name == usual else f" ({rows[0].protocol_name})"
    return Network(
        f"{name}{other}",
        tuple(row.robustness for row in rows if row.robustness),
        tuple(row.evidence_key or "" for row in rows),
    )


def _training(row: Row) -> str:
    """Equal for trainings that differ in their seed alone, or in fields that recipes got since."""
    made = row.weights.origin.get("training")
    if not made:
        return row.weights.sha256 or row.run or ""
    named = [made.get(name) for name in ("model", "overrides", "dataset", "fingerprint")]
    return digest([*named, made.get("recipe", {}).get("name"), _stem(row.run or "")])


def _stem(run: str) -> str:
    """The name of a run without its seed."""
    return re.sub(r"[-_](seed)?\d+$", "", run)


def _curve(run: Robustness, kind: str, name: str) -> Curve | None:
    return next((c for c in run.curves if (c.kind, c.name) == (kind, name)), None)


def common_levels(networks: Iterable[Network], kind: str, name: str) -> list[float]:
    """Strengths at which every run has a curve that has the curve at all."""
    found = [set(points) for network in networks for points in network.points(kind, name)]
    return sorted(set.intersection(*found)) if found else []


def mean_kept(points: Points, levels: Iterable[float]) -> float | None:
    """Mean share of the clean mIoU at these strengths; None where one is not known."""
    shares = [points[level].ratio if level in points else None for level in levels]
    known = [share for share in shares if share is not None]
    return fmean(known) if known and len(known) == len(shares) else None
