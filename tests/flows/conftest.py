"""The fixtures of the flow tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_repository import PIPELINE, MakeRepo, write_repo


@pytest.fixture
def make_repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRepo:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return lambda stages=PIPELINE, name="repo": write_repo(tmp_path / name, stages)
