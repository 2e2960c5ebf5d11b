"""What is said of evidence in blocks of images: averages, comparisons, differences, lines."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic import evidence, matrices, project

from segmodels.assets.groups import Grouping
from segmodels.cli import main
from segmodels.doctor.count_changes import shared
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, write_evidence
from segmodels.evidence.adding import in_blocks
from segmodels.metrics.averages import averages
from segmodels.metrics.comparison import compare
from segmodels.metrics.intervals import IntervalRule
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")
NUMBER = 12
RULE = IntervalRule(confidence=0.95, groups={"toy": Grouping(kind="drive", pattern="(.)", block=4)})


def foggy(seed: int = 0, number: int = NUMBER, **changes: Any) -> Evidence:
    fog = {"corruption": "fog", "severity": 1, "seed": 0}
    return evidence(matrices(number, seed=seed), **{"condition": fog, **changes})


def test_a_mean_over_images_is_not_told_from_sums() -> None:
    found, whole = averages(in_blocks(foggy(), [4] * 3), PLAIN), averages(foggy(), PLAIN)
    assert math.isnan(found.pop("mean over images"))
    assert whole.pop("mean over images") > 0
    assert found == whole


def test_the_units_of_a_comparison_are_those_of_all_its_evidence() -> None:
    clean = foggy(condition=None)
    found = compare([(clean, [foggy()])], [(clean, [in_blocks(foggy(1), [6, 6])])], PLAIN, RULE)
    assert found.over == "1 block of 12 consecutive images in 1 drive"
    assert math.isnan(found.interval[0])


def compared(capsys: pytest.CaptureFixture[str], folder: Path, *found: Evidence) -> str:
    files = [write_evidence(folder / str(place), one) for place, one in enumerate(found)]
    main(["doctor", "diff", *map(str, files)])
    out, error = capsys.readouterr()
    assert not error
    return out


def test_what_cannot_be_compared_is_said_beside_what_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    part = foggy(number=6, images=6, expected=NUMBER)
    told = compared(capsys, tmp_path, in_blocks(foggy(), [4] * 3), in_blocks(part, [6]))
    assert "they part at: images" in told
    why = "sums of blocks of images, and the two are of other images"
    assert f"counts: not compared: {why}. Count both" in told
    assert f"no paired interval: {why}" in told
    with pytest.raises(SegmodelsError, match=f"cannot be compared: {why}"):
        shared(foggy(), in_blocks(part, [6]))
    first, second, *others = foggy().images
    names = replace(second, image=first.image), replace(first, image=second.image)
    exchanged = in_blocks(replace(foggy(), images=(*names, *others)), [4] * 3)
    told = compared(capsys, tmp_path, foggy(), exchanged)
    assert "counts: the sums of 3 blocks of images are equal, the counts of single images" in told


def test_lines_of_sums_are_shown_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_evidence(tmp_path, in_blocks(foggy(), [4] * 3))
    assert main(["evidence", "show", str(path), "--counts"]) == 0
    out, error = capsys.readouterr()
    assert out.encode() == path.with_suffix(".counts.jsonl").read_bytes()
    assert "3 sums of counts, each at the first image of its block" in error


def test_what_differs_is_told_by_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    one, other = foggy(), in_blocks(foggy(seed=1), [4, 4, 4])
    files = [write_evidence(tmp_path / name, e) for name, e in (("a", one), ("b", other))]
    assert main(["doctor", "diff", *map(str, files)]) == 1
    told = capsys.readouterr().out
    assert "3 of 3 blocks of images differ" in told
    assert "on the 12 images of both" in told
    assert "blocks of images that change most: 00" in told
