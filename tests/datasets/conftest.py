from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def samples(mirror: Path) -> Path:
    """A few real images and labels per dataset, in its own layout and encoding."""
    folder = mirror / "datasets" / "samples"
    if not folder.is_dir():
        pytest.skip(f"no sample files at {folder}")
    return folder
