"""Killed by SIGKILL at any place, a training ends as one that nobody disturbed, to the bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed_training.py")


def killed(folder: Path, *kills: str) -> list[str]:
    command = [sys.executable, str(SCRIPT), str(folder), *kills]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.faults
def test_kills_at_places_spread_over_a_training(tmp_path: Path) -> None:
    *others, count = killed(tmp_path, "8")
    assert others == []
    tried, _, places = count.partition(" of ")
    assert 6 <= int(tried) <= 8
    assert int(places) > 100


@pytest.mark.faults
@pytest.mark.slow
def test_kills_at_every_place(tmp_path: Path) -> None:
    *others, count = killed(tmp_path)
    assert others == []
    tried, _, places = count.partition(" of ")
    assert tried == places
