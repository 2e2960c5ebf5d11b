"""Changes of the board as a page and as text."""

from __future__ import annotations

from segmodels.leaderboard.asset import styles
from segmodels.leaderboard.history.change import KINDS, Change
from segmodels.leaderboard.policy import inline_policy
from segmodels.leaderboard.templating import render


def render_changes(changes: list[Change], old: str, new: str) -> str:
    """One HTML file.

    Args:
        changes: in the order of the page.
        old, new: what people call the two boards.
    """
    kinds = [(title, [c for c in changes if c.kind == kind]) for kind, title in KINDS.items()]
    style = styles("palette.css", "claim.css") + "header, main { max-width: 1240px; }"
    return render(
        "changes.html",
        policy=inline_policy([style]),
        style=style,
        kinds=[(title, found) for title, found in kinds if found],
        old=old,
        new=new,
    )


def changes_text(changes: list[Change]) -> str:
    """One line per row, below the title of its kind."""
    lines: list[str] = []
    for kind, title in KINDS.items():
        found = [change for change in changes if change.kind == kind]
        lines += [f"{title} ({len(found)})", *map(_line, found), ""] if found else []
    return "\n".join(lines).strip() or "No verdict and no number changed."


def _line(change: Change) -> str:
    row = change.row
    about = " ".join(filter(None, (row.dataset, row.metric, row.corruption)))
    return f"  {row.page}: {change.words} ({about})"
