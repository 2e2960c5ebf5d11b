"""Groups of dependent images: frames of one drive, photos of one place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, NonNegativeInt

from segmodels.core.entry import Entry
from segmodels.core.wording import many
from segmodels.errors import SegmodelsError


def _with_a_group(pattern: str) -> str:
    try:
        named = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"expected a regular expression ({error})") from None
    if not named:
        raise ValueError("expected a group in brackets: the name")
    return pattern


class Grouping(Entry):
    """How images of a dataset depend on each other (`groups` in `params/datasets.yaml`).

    Attributes:
        kind: word for a group: `sequence`, `city`.
        pattern: regular expression on the name of an image; its first group is that of the group.
        block: about how many consecutive images of a group are taken as one; 0 for whole groups.
    """

    kind: str
    pattern: Annotated[str, AfterValidator(_with_a_group)]
    block: NonNegativeInt


@dataclass(frozen=True)
class Units:
    """Independent units of an interval: images, blocks of them, or groups.

    Attributes:
        places: the unit of every image, counted from 0.
        number: how many units there are.
        words: the same in words: `12 blocks of 19 to 21 consecutive images in 2 sequences`.
    """

    places: tuple[int, ...]
    number: int
    words: str


def units_of(
    names: Sequence[str],
    grouping: Grouping | None,
    joined: Iterable[Sequence[int]] = (),
    every: int = 1,
) -> Units:
    """Sort images into units by their names.

    A group is cut into blocks of nearly equal size, consecutive by name, so that no rest of a
    few images counts as much as a block.

    Args:
        names: of the images, in any order.
        grouping: of their dataset; None where images are independent.
        joined: runs of consecutive images of `names`, by their sizes, of which nothing tells apart
            the images: units that have a part in one run are taken as one.
        every: the names are each N-th of their split; a block then holds N times fewer.

    Raises:
        SegmodelsError: a name does not match the pattern.
    """
    return _units(tuple(names), grouping, frozenset(map(tuple, joined)), every)


@lru_cache(maxsize=64)  # conditions of one network are counted on the same images
def _units(
    names: tuple[str, ...],
    grouping: Grouping | None,
    joined: frozenset[tuple[int, ...]],
    every: int,
) -> Units:
    if grouping is None:
        return _independent(len(names), joined)
    groups: dict[str, list[int]] = {}
    for place in sorted(range(len(names)), key=names.__getitem__):
        groups.setdefault(_group(names[place], grouping), []).append(place)
    units, number = [0] * len(names), 0
    size = max(1.0, grouping.block / every)
    for places in groups.values():
        blocks = max(1, round(len(places) / size)) if grouping.block else 1
        for rank, place in enumerate(places):
            units[place] = number + rank * blocks // len(places)
        number += blocks
    joint = _joined(units, joined)
    return Units(joint, len(set(joint)), _words(joint, len(groups), grouping, every))


def _independent(images: int, joined: Iterable[Sequence[int]]) -> Units:
    places = _joined(range(images), joined)
    if (number := len(set(places))) == images:
        return Units(places, number, many(images, "image"))
    return Units(places, number, f"{many(number, 'block')} of {_sizes(places)} images")


def _joined(units: Sequence[int], joined: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Units counted from 0, where those that share a run are one."""
    least = {unit: unit for unit in units}  # one that is joined to it, and not greater

    def of(unit: int) -> int:
        while least[unit] != unit:
            least[unit] = unit = least[least[unit]]
        return unit

    for sizes in joined:
        start = 0
        for size in sizes:
            inside = {of(unit) for unit in units[start : start + size]}
            least.update(dict.fromkeys(inside, min(inside, default=0)))
            start += size
    same = [of(unit) for unit in units]
    order = {unit: place for place, unit in enumerate(sorted(set(same)))}
    return tuple(order[unit] for unit in same)


def _group(name: str, grouping: Grouping) -> str:
    matched = re.match(grouping.pattern, name)
    if matched is None:
        raise SegmodelsError(
            f"image {name!r} has no {grouping.kind} by the pattern {grouping.pattern!r} that "
            f"params/datasets.yaml gives in 'groups'."
        )
    return matched[1]


def _words(units: Sequence[int], groups: int, grouping: Grouping, every: int) -> str:
    in_groups = many(groups, grouping.kind)
    if not grouping.block and len(set(units)) == groups:
        return in_groups
    if every == 1:
        blocks = many(len(set(units)), "block")
        return f"{blocks} of {_sizes(units)} consecutive images in {in_groups}"
    apart = len(set(units)) == len(units)
    what = "" if apart else f"{many(len(set(units)), 'block')} of {_sizes(units)} of "
    return f"{what}{many(len(units), 'image')}, one in {every}, in {in_groups}"


def _sizes(units: Sequence[int]) -> str:
    sizes = Counter(units).values()
    least, most = min(sizes, default=0), max(sizes, default=0)
    return str(most) if least == most else f"{least} to {most}"
