"""What third parties counted of the same weights, beside the evidence that a row rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from segmodels.assets.entries import DatasetEntry
from segmodels.evidence.bundle import file_of
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.answering import Answered, of_released
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.matching import best
from segmodels.verdicts.project import Project
from segmodels.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Recount:
    """One third party's number for what a row is about.

    Attributes:
        by: who counted it.
        at: where they published it; empty where they did not say.
        key: of their evidence.
        file: its `<key>.json`, seen from the folder of the leaderboard.
        verdict: on their number, by the rules for evidence of third parties.
    """

    by: str
    at: str
    key: str
    file: str
    verdict: Verdict


def recounts_of(
    project: Project,
    candidates: Iterable[Found],
    asked: tuple[DatasetEntry | None, str, Protocol],
    chosen: Found,
    judged: Callable[[Answered], Verdict],
) -> tuple[Recount, ...]:
    """The best evidence of each third party that a row does not rest on, by name.

    Args:
        project: with the folder that links are relative to.
        candidates: evidence of the right weights, split and inference.
        asked: dataset, split and protocol of the row.
        chosen: the evidence that the row rests on.
        judged: gives the verdict on an answer, as that of the row was given.
    """
    return tuple(
        Recount(
            found.by,
            found.evidence.counted.url,
            found.evidence.key,
            project.linked(file_of(found.path)),
            judged(of_released(found)).rounded(),
        )
        for found in _of_each(candidates, asked, chosen)
    )


def _of_each(
    candidates: Iterable[Found], asked: tuple[DatasetEntry | None, str, Protocol], chosen: Found
) -> Iterator[Found]:
    theirs: dict[str, list[Found]] = {}
    for one in candidates:
        if one.by and one.by != chosen.by:
            theirs.setdefault(one.by, []).append(one)
    for name in sorted(theirs):
        if found := best(theirs[name], *asked):
            yield found
