"""Verdicts that changed are told once each, with the row before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_rows import make_row, unrun
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import automations, verdict_events
from segmodels.leaderboard import render_json

BEFORE = [unrun(claim="a"), make_row(claim="b"), unrun(claim="c")]
AFTER = [make_row(claim="a"), make_row(claim="b", verified=50.04, gap=0.04), unrun(claim="c")]

pytestmark = pytest.mark.usefixtures("board")


def board(root: Path, rows: list[Any]) -> verdict_events.Rows | None:
    path = root / "reports" / "local" / "leaderboard.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_json(rows))
    return verdict_events.rows_of(root)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"tables": [], "events": []}
    monkeypatch.setattr(
        verdict_events, "create_table_artifact", lambda **given: found["tables"].append(given)
    )
    monkeypatch.setattr(
        verdict_events, "emit_event", lambda name, **given: found["events"].append((name, given))
    )
    return found


def test_only_verdicts_are_told(tmp_path: Path, told: dict[str, list[Any]]) -> None:
    before, after = board(tmp_path, BEFORE), board(tmp_path, AFTER)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        verdict_events.tell(verdict_events.changed(before, after))
    ((name, event),) = told["events"]
    assert name == verdict_events.EVENT
    assert event["resource"]["prefect.resource.id"] == "segmodels.row.a"
    payload = event["payload"]
    assert (payload["before"]["verdict"], payload["after"]["verdict"]) == ("blocked", "verified")
    (table,) = told["tables"]
    assert table["table"] == [{"row": "a", "verdict": "blocked \u2192 verified 50.02 of 50"}]


def test_nothing_is_told_without_two_boards(tmp_path: Path, told: dict[str, list[Any]]) -> None:
    assert verdict_events.rows_of(tmp_path) is None
    now = board(tmp_path, AFTER)
    for pair in ((None, now), (now, None), (now, now)):
        verdict_events.tell(verdict_events.changed(*pair))
    (tmp_path / "reports/local/leaderboard.json").write_text("{")
    assert verdict_events.rows_of(tmp_path) is None
    assert told == {"tables": [], "events": []}


def test_a_dead_run_is_noticed_within_a_minute() -> None:
    """It beats every 30 seconds and may miss less than two beats before it is marked."""
    trigger = automations.dead_runs().trigger
    assert trigger.within.total_seconds() == automations.DEAD_SECONDS < 60
    assert automations.BEAT_SECONDS < automations.DEAD_SECONDS
    assert {"prefect.flow-run.heartbeat", "prefect.flow-run.Completed"} <= set(trigger.expect)
