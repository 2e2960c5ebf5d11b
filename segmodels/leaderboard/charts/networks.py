"""Networks that were disturbed on the same images: what the pictures of robustness compare."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from segmodels.core.files import digest
from segmodels.metrics.comparable import Conditions, conditions
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
class SameConditions:
    """Networks that were measured under the same disturbances.

    Attributes:
        networks: by name, each with those of its trainings that have all of these.
        levels: strengths, ascending, by the name of the disturbance.
    """

    networks: tuple[Network, ...]
    levels: dict[str, list[float]]

    def place_of(self, key: str | None) -> int | None:
        """The place of the network that a piece of evidence is of; None for one of none here."""
        return _place_of(self.networks, key)


@dataclass(frozen=True)
class SameImages:
    """Networks that were measured on the same images.

    Attributes:
        title: data set and split, and the protocol, or that of those whose name says no other.
        networks: by name.
    """

    title: str
    networks: tuple[Network, ...]

    def names(self, kind: str) -> list[str]:
        """Disturbances of a kind that one of them has."""
        runs = (run for network in self.networks for run in network.runs)
        return sorted({c.name for run in runs for c in run.curves if c.kind == kind})

    def groups(self, kind: str, among: Collection[str] | None = None) -> list[SameConditions]:
        """Networks under the same disturbances of a kind, those under the most first.

        Every training that was disturbed so is in one at least: under what it has of the most, or
        under its own, beside all that have this and more.

        Args:
            kind: of the disturbances.
            among: their names (default: all).
        """
        groups = list[SameConditions]()
        left = {
            key: conditions(run, kind, among)
            for network in self.networks
            for key, run in zip(network.keys, network.runs, strict=True)
        }
        most = _widest(left.values())
        left = {key: own & most or own for key, own in left.items()}
        while wanted := _widest(left.values()):
            groups.append(self._under(kind, wanted, among))
            left = {key: own for key, own in left.items() if not wanted <= own}
        return groups

    def _under(
        self, kind: str, wanted: Conditions, among: Collection[str] | None
    ) -> SameConditions:
        networks = []
        for one in self.networks:
            both = zip(one.runs, one.keys, strict=True)
            own = [pair for pair in both if wanted <= conditions(pair[0], kind, among)]
            if own:
                runs, keys = zip(*own, strict=True)
                networks.append(replace(one, runs=runs, keys=keys))
        names = sorted({name for name, _ in wanted})
        levels = {name: sorted(level for of, level in wanted if of == name) for name in names}
        return SameConditions(tuple(networks), levels)

    def place_of(self, key: str | None) -> int | None:
        """The place of the network that a piece of evidence is of; None for one of none here."""
        return _place_of(self.networks, key)


def _place_of(networks: Iterable[Network], key: str | None) -> int | None:
    return next((one.place for one in networks if key in one.keys), None)


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
    title = images_of(next(row for row in rows if row.protocol_name == usual))
    every = len({row.protocol_name for row in rows}) == 1
    return SameImages(
        title if every else f"{title} (unless a name says another protocol)",
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


def _widest(sets: Iterable[Conditions]) -> Conditions:
    """The set of most; of equally many, always the same."""
    return max(sets, key=lambda one: (len(one), sorted(one)), default=frozenset())


def mean_kept(points: Points, levels: Iterable[float]) -> float | None:
    """Mean share of the clean mIoU at these strengths; None where one is not known."""
    shares = [points[level].ratio if level in points else None for level in levels]
    known = [share for share in shares if share is not None]
    return fmean(known) if known and len(known) == len(shares) else None
