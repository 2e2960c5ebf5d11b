"""What became of the numbers of one paper."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from segmodels.leaderboard.headline import Group, group
from segmodels.leaderboard.links import file_name
from segmodels.leaderboard.words import paper
from segmodels.verdicts.row import Row
from segmodels.verdicts.verdict import STATUSES, Status

#: What is counted apart, and one word for it.
WORDS: dict[Group, str] = {"scores": "scores", "costs": "costs", "statements": "statements"}
#: Verdicts that leave a number open.
OPEN: tuple[Status, ...] = ("unverified", "blocked")


@dataclass(frozen=True)
class Tally:
    """How many numbers of one kind a paper prints, by what became of them.

    Attributes:
        word: the kind: scores, costs or statements.
        verdicts: rows by verdict, those that occur.
        obstacles: open rows by what is in their way, most first.
    """

    word: str
    verdicts: dict[Status, int]
    obstacles: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.verdicts.values())

    @property
    def sentence(self) -> str:
        """`12 of 41 scores verified, 3 below, 26 open: 20 not implemented, 6 gated data`."""
        known = [f"{n} {s}" for s, n in self.verdicts.items() if s not in (*OPEN, "verified")]
        why = ", ".join(f"{number} {reason}" for reason, number in self.obstacles.items())
        waiting = sum(self.verdicts.get(status, 0) for status in OPEN)
        first = f"{self.verdicts.get('verified', 0)} of {self.total} {self.word} verified"
        return ", ".join([first, *known, *([f"{waiting} open: {why}"] if waiting else [])])


@dataclass(frozen=True)
class Paper:
    """A paper and its rows.

    Attributes:
        name: what people call it.
        rows: everything that it prints, each with the name of its page.
    """

    name: str
    rows: tuple[tuple[Row, str], ...]

    @property
    def first(self) -> Row:
        """A row that says how the paper is called and where it is."""
        return self.rows[0][0]

    @property
    def page(self) -> str:
        """File name of its page, without ending."""
        return file_name(self.first.subject.paper or self.name)

    @cached_property
    def tallies(self) -> list[Tally]:
        """One per kind of number that it prints."""
        found: dict[Group, list[Row]] = defaultdict(list)
        for row, _ in self.rows:
            found[group(row)].append(row)
        return [_tally(WORDS[kind], found[kind]) for kind in WORDS if found[kind]]

    def of(self, *statuses: Status) -> list[tuple[Row, str]]:
        """Its rows of some verdicts, with the names of their pages."""
        return [(row, name) for row, name in self.rows if row.verdict.status in statuses]


def papers(rows: Iterable[tuple[Row, str]]) -> list[Paper]:
    """Every paper by name; measurements of our own stand in none.

    Args:
        rows: with the names of their pages.
    """
    found: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for row, name in rows:
        if row.subject.kind != "measurement":
            found[row.subject.paper or paper(row)].append((row, name))
    made = [Paper(paper(of[0][0]), tuple(of)) for of in found.values()]
    return sorted(made, key=lambda one: (one.name.lower(), one.page))


def obstacle(row: Row) -> str:
    """What keeps a row open, in few words."""
    free = "one command away" if row.verdict.status == "unverified" else row.verdict.status
    return row.verdict.obstacle or free


def _tally(word: str, rows: list[Row]) -> Tally:
    counted = Counter(row.verdict.status for row in rows)
    waiting = Counter(obstacle(row) for row in rows if row.verdict.status in OPEN)
    return Tally(word, {s: counted[s] for s in STATUSES if counted[s]}, dict(waiting.most_common()))
