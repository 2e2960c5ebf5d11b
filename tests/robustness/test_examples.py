"""The sheet of examples: one image under every corruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmodels.cli import main
from segmodels.robustness.corruptions import CORRUPTIONS, corrupt
from segmodels.robustness.examples import drawn_scene

GAP, MARGIN, LINE = 3, 132, 20


def panel(sheet: Image.Image, line: int, column: int, width: int, height: int) -> np.ndarray:
    left, top = MARGIN + column * (width + GAP), LINE + line * (height + GAP)
    return np.asarray(sheet.crop((left, top, left + width, top + height)))


def test_every_corruption_has_a_line_and_every_severity_a_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png")
    path = tmp_path / "sheet.png"
    asked = ["corruptions", str(path), "--image", str(tmp_path / "image.png")]
    assert main([*asked, "--severities", "1", "4", "--width", "16"]) == 0
    assert capsys.readouterr().out.strip().endswith("sheet.png")
    with Image.open(path) as opened:
        sheet = opened.convert("RGB")
    assert sheet.size == (MARGIN + 3 * (16 + GAP), LINE + len(CORRUPTIONS) * (12 + GAP))
    for line, name in enumerate(CORRUPTIONS):
        np.testing.assert_array_equal(panel(sheet, line, 0, 16, 12), image)
        for column, severity in ((1, 1), (2, 4)):
            wanted = corrupt(image, name, severity, 0, "examples")
            np.testing.assert_array_equal(panel(sheet, line, column, 16, 12), wanted)


def test_the_drawn_scene_is_the_same_everywhere(tmp_path: Path) -> None:
    assert drawn_scene().shape == (180, 282, 3)
    assert (
        main(["corruptions", str(tmp_path / "a.webp"), "--severities", "1", "--width", "24"]) == 0
    )
    with Image.open(tmp_path / "a.webp") as sheet:
        assert sheet.format == "WEBP"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sheet.txt"], "sheet.txt: a name that ends in .png, .webp, .jpg, .jpeg is expected"),
        (["sheet.png", "--image", "gone.png"], "gone.png: no such file; --image"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["corruptions", *arguments]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
