"""What the robustness flow says of itself, and how it ends (on a server: test_reproduce_server)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import small_project

from flows import in_process, robustness
from flows.in_process import project_at
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness


def test_progress_is_shown_now_and_then_and_the_last_of_it_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    updates: list[tuple[float, str]] = []
    monkeypatch.setattr(in_process, "create_progress_artifact", lambda *_, **__: uuid4())
    monkeypatch.setattr(
        in_process,
        "update_progress_artifact",
        lambda _, progress, description: updates.append((progress, description)),
    )
    stop = threading.Event()
    shown = in_process.Shown("x", stop)
    for done in (1, 2, 3, 4):
        shown(done, 4)
    shown.end()
    assert updates == [(25.0, "x: 1 of 4 images"), (100.0, "x: 4 of 4 images")]
    in_process.Shown("y", stop).end()
    assert updates[2:] == [(100.0, "y: the rest was there already")]
    stop.set()
    with pytest.raises(in_process.StoppedError, match="Stopped after 4 of 4 images"):
        shown(4, 4)


def test_progress_tells_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    clock = iter([100.0, 110.0, 160.0, 11_000.0])
    monkeypatch.setattr(in_process, "create_progress_artifact", lambda *_, **__: uuid4())
    monkeypatch.setattr(
        in_process, "update_progress_artifact", lambda *_, description: texts.append(description)
    )
    monkeypatch.setattr(in_process, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    shown = in_process.Shown("x", threading.Event())
    for done in (50, 51, 53, 100):  # fifty were done by an earlier attempt
        shown(done, 100)
    assert texts == [
        "x: 50 of 100 images",
        "x: 51 of 100 images, 8 min left",
        "x: 53 of 100 images, 16 min left",
        "x: 100 of 100 images",
    ]


def test_the_table_has_every_strength() -> None:
    points = (CurvePoint(1.0, 40.123, 0.8012), CurvePoint(2.0, 0.0, None))
    found = Robustness(50.0, 40.0, 0.8, (Curve("corruption", "fog", points),))
    assert robustness.table(found) == [
        {"disturbance": "fog", "strength": 1.0, "mIoU": 40.12, "kept": 80.1},
        {"disturbance": "fog", "strength": 2.0, "mIoU": 0.0, "kept": ""},
    ]
    text = robustness.summary("net", "quick", found)
    assert text == "net under quick: clean 50.00, mean over corruptions 40.00 mIoU"


def test_the_folder_of_the_project_is_that_of_the_flow_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMODELS_ROOT", raising=False)
    with project_at(str(tmp_path)):
        assert os.environ["SEGMODELS_ROOT"] == str(tmp_path)
    assert "SEGMODELS_ROOT" not in os.environ
    monkeypatch.setenv("SEGMODELS_ROOT", "before")
    with project_at("."):
        assert os.environ["SEGMODELS_ROOT"] == "before"
    assert os.environ["SEGMODELS_ROOT"] == "before"


def test_what_cannot_be_counted_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_project.enter(tmp_path / "project", monkeypatch)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    asked = {("tiny", None): "the suite is missing", ("tiny", "quik"): "Did you mean 'quick'?"}
    for (run, suite), words in {**asked, (None, "quick"): "the run is missing"}.items():
        ended = robustness.robustness(run, suite)
        assert ended.is_failed()
        assert words in str(ended.message)
