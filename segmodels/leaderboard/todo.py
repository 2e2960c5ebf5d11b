"""What would unblock a claim, as a list."""

from __future__ import annotations

from dataclasses import dataclass, field

from segmodels.verdicts.row import Row


@dataclass(frozen=True)
class ToDo:
    """One obstacle, and what to do about it.

    Attributes:
        kind: of the obstacle, before its colon.
        text: what stands behind it.
        steps: what to do, in order.
    """

    kind: str
    text: str
    steps: list[str] = field(default_factory=list)


def todo_items(row: Row) -> list[ToDo]:
    """One per obstacle; none for a row that is not blocked."""
    items: list[ToDo] = []
    for line in row.verdict.todo:
        if line.startswith("  ") and items:
            items[-1].steps.append(line.strip())
        else:
            kind, _, text = line.strip().partition(": ")
            items.append(ToDo(kind, text))
    return items


def tells_everything(row: Row) -> bool:
    """Whether the list repeats the reason of a row, so that one of them is enough."""
    texts = [line.partition(": ")[2] for line in row.verdict.todo if not line.startswith("  ")]
    return bool(texts) and all(text in row.verdict.reason for text in texts)
