"""What the robustness flow says of itself, and how it ends (on a server: test_reproduce_server)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from uuid import uuid4

import pytest
import small_project
import yaml
from prefect.utilities.callables import parameter_schema

from flows import parts, robustness
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness


def test_every_parameter_has_a_type_and_a_description() -> None:
    properties = parameter_schema(parts.FLOWS["robustness"]).properties
    assert list(properties) == ["run", "suite", "root", "targets", "jobs", "force"]
    for about in properties.values():
        assert about["description"].endswith(".")
        assert "type" in about or "anyOf" in about


def test_deployments_name_flows_that_exist() -> None:
    deployments = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())
    named = {one["entrypoint"] for one in deployments["deployments"]}
    known = {f"flows/parts.py:{name}" for name in parts.FLOWS}
    assert named - known == {"flows/reproduce.py:reproduce"}
    assert "flows/parts.py:robustness" in named


def test_progress_is_shown_now_and_then_and_the_last_of_it_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    updates: list[tuple[float, str]] = []
    monkeypatch.setattr(robustness, "create_progress_artifact", lambda *_, **__: uuid4())
    monkeypatch.setattr(
        robustness,
        "update_progress_artifact",
        lambda _, progress, description: updates.append((progress, description)),
    )
    stop = threading.Event()
    shown = robustness.Shown("x", stop)
    for done in (1, 2, 3, 4):
        shown(done, 4)
    assert updates == [(25.0, "x: 1 of 4 images"), (100.0, "x: 4 of 4 images")]
    stop.set()
    with pytest.raises(robustness.StoppedError, match="Stopped after 4 of 4 images"):
        shown(4, 4)


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
    with robustness._standing_in(str(tmp_path)):
        assert os.environ["SEGMODELS_ROOT"] == str(tmp_path)
    assert "SEGMODELS_ROOT" not in os.environ
    monkeypatch.setenv("SEGMODELS_ROOT", "before")
    with robustness._standing_in("."):
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
