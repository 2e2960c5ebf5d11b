"""What would unblock a claim, as a list."""

from __future__ import annotations

from segmodels.leaderboard.markup import prose
from segmodels.verdicts.row import Row


def todo_list(row: Row) -> str:
    """One item per obstacle with what to do about it below; "" for a row that is not blocked."""
    items: list[tuple[str, list[str]]] = []
    for line in row.verdict.todo:
        if line.startswith("  ") and items:
            items[-1][1].append(line.strip())
        else:
            items.append((line.strip(), []))
    told = "".join(f"<li>{_obstacle(line)}{_steps(steps)}</li>" for line, steps in items)
    return f'<ul class="todo">{told}</ul>' if told else ""


def tells_everything(row: Row) -> bool:
    """Whether the list repeats the reason of a row, so that one of them is enough."""
    lines = [line.partition(": ")[2] for line in row.verdict.todo if not line.startswith("  ")]
    return bool(lines) and all(line in row.verdict.reason for line in lines)


def _obstacle(line: str) -> str:
    kind, _, text = line.partition(": ")
    return f"<b>{prose(kind)}</b> {prose(text)}"


def _steps(steps: list[str]) -> str:
    told = "".join(f"<li>{prose(step)}</li>" for step in steps)
    return f"<ul>{told}</ul>" if told else ""
