from __future__ import annotations

from pathlib import Path

import pytest
from toy_board import Board


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    return Board(tmp_path)
