"""Tell of verdicts that changed: an event in Prefect for each, and a table of all of them.

What hears of the events is an automation (`flows.automations`), which sends messages.
"""

from __future__ import annotations

from pathlib import Path

from prefect.artifacts import create_table_artifact
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from segmodels.errors import SegmodelsError
from segmodels.leaderboard.history.change import Change, changes
from segmodels.leaderboard.history.published import PublishedRow, read_board

#: Name of the event; its resource is `segmodels.row.<page of the row>`.
EVENT = "segmodels.verdict.changed"

Rows = tuple[PublishedRow, ...]


def rows_of(root: Path) -> Rows | None:
    """Rows of the board of all that is here; None where there is none that can be read."""
    path = root / "reports" / "local" / "leaderboard.json"
    try:
        return read_board(path.read_text(encoding="utf-8"), str(path)).rows
    except (OSError, SegmodelsError):
        return None


def changed(before: Rows | None, after: Rows | None) -> list[Change]:
    """Verdicts that changed; nothing where one of the two boards is not known."""
    if before is None or after is None:
        return []
    return [change for change in changes(before, after) if change.tells_a_verdict]


def tell(found: list[Change]) -> None:
    """An event for each change, and a table of all."""
    if not found:
        return
    table = [{"row": change.row.page, "verdict": change.words} for change in found]
    create_table_artifact(key="verdict-changes", table=table, description="Verdicts that changed")
    if PREFECT_API_URL.value():  # a server of this process alone has no automations
        for change in found:
            _emit(change)


def _emit(change: Change) -> None:
    sides = {"before": change.before, "after": change.after}
    payload = {
        name: row.model_dump(mode="json", exclude_defaults=True)
        for name, row in sides.items()
        if row
    }
    emit_event(
        EVENT,
        resource={
            "prefect.resource.id": f"segmodels.row.{change.row.page}",
            "prefect.resource.name": change.row.page,
        },
        payload={"words": change.words, **payload},
    )
