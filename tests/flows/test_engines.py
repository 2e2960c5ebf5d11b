"""Stages and flows with an engine that the environment, or a parameter, names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import small_project
from inline_engine import InlineEngine

from flows import engines, parts, stages
from segmodels import steps
from segmodels.engines.opening import ENGINE, SHARDS, EngineChoice
from segmodels.errors import SegmodelsError
from segmodels.runs.run import load_run


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> InlineEngine:
    """The engine that is opened, whichever is named."""
    engine = InlineEngine()

    @contextmanager
    def opening(choice: EngineChoice, device: str) -> Iterator[InlineEngine]:
        assert device == "cpu"
        engine.name = choice.name
        yield engine

    monkeypatch.setattr(engines, "opened", opening)
    return engine


def test_a_stage_takes_the_engine_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: InlineEngine
) -> None:
    small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    monkeypatch.setattr(stages.tracking, "log_rows", lambda *_, **__: None)
    monkeypatch.setenv(ENGINE, "ray")
    monkeypatch.setenv(SHARDS, "3")
    stages.evaluate("published", "plain")
    stages.robustness("published", "quick")
    assert opened.name == "ray"
    assert len(opened.pieces) == 5  # three shards, two conditions


def test_who_counts(monkeypatch: pytest.MonkeyPatch, opened: InlineEngine) -> None:
    with engines.counting("cpu", None) as options:
        assert options == steps.Options()
    with engines.counting("cpu", None, engine="dask") as options:
        assert (options.engine, opened.name) == (opened, "dask")
    monkeypatch.setenv(ENGINE, "torchrun")
    with pytest.raises(SegmodelsError, match="one process each"), engines.counting("cpu", None):
        pass


@pytest.mark.parametrize("name", ["verify-claim", "robustness"])
def test_the_form_offers_engines(name: str) -> None:
    about: dict[str, Any] = parts.FLOWS[name].parameters.properties["engine"]
    assert about["anyOf"][0]["enum"] == ["processes", "dask", "ray"]
