"""The pictures of the documentation: as the script says, and each where it is told about."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["pictures"] = module
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_there_and_shown(pictures: ModuleType) -> None:
    every = {picture.name: picture for picture in (*pictures.RUNNING, *pictures.ENDED)}
    assert {path.stem for path in (DOCS / "pictures").iterdir()} == set(every)
    shown = re.findall(r"\]\(pictures/([\w-]+)\.webp\)", (DOCS / "tour.md").read_text())
    assert sorted(shown) == sorted(every)
    for name, picture in every.items():
        with Image.open(DOCS / "pictures" / f"{name}.webp") as image:
            assert image.size == picture.size
            assert np.asarray(image.convert("L")).std() > 5, f"{name} is blank"


def test_another_size_is_told(pictures: ModuleType, tmp_path: Path) -> None:
    picture = pictures.ENDED[0]
    known = (DOCS / "pictures" / f"{picture.name}.webp").read_bytes()
    assert pictures.differs(picture, known) == ""
    Image.new("RGB", (8, 8)).save(tmp_path / "small.webp")
    said = pictures.differs(picture, (tmp_path / "small.webp").read_bytes())
    assert said.endswith("(1280, 720) pixels, now (8, 8)")


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(7200)
def test_they_can_be_taken_again(pictures: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pictures.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        pictures.main()
    assert ended.value.code == 0
