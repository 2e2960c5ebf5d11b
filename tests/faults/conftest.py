"""One project for all faults: it is put back before each."""

from __future__ import annotations

from pathlib import Path

import pytest
import stage_project
from stage_project import Project


@pytest.fixture(scope="session")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, Path]]:
    """See `stage_project.computed`."""
    return stage_project.computed(tmp_path_factory.mktemp("faults"))
