"""What suites are said to cost, on a project whose archives are not fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmodels import cli
from segmodels.errors import UnknownNameError
from segmodels.runs.run import load_run
from segmodels.steps import suite_planning
from segmodels.steps.planning import Cost, cost
from segmodels.steps.suite_planning import suite_plan


@pytest.fixture
def asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs whose cost was asked for; each is said to take three hours."""
    monkeypatch.delenv("SEGMODELS_MIRROR", raising=False)
    runs: list[str] = []
    monkeypatch.setattr(
        suite_planning, "cost", lambda run, _: runs.append(run.name) or Cost(2**30, True, 3.0)
    )
    return runs


def test_a_suite_says_what_is_missing_and_sums_up(asked: list[str]) -> None:
    first, *lines = suite_plan(["segmenter-ade20k"], "cpu")
    assert first.startswith("segmenter-ade20k: 43 runs, 36 of them trainings; ")
    assert "ade20k: 920 MB to fetch" in lines
    assert "weights: 0 here, 13 to fetch, 1 missing" in lines
    (blocked,) = [line for line in lines if "vit-base-patch8-384 is unpublished" in line]
    assert blocked.count("segmenter-base-patch8-linear-ade20k-seed") == 3
    assert "  3 x segmenter-tiny-ade20k, segmenter_vit_tiny_patch16_mask: 1024 MiB, fits; " in (
        "".join(line for line in lines if "x segmenter-tiny" in line)
    )
    assert len(asked) == 12  # seeds of one training are asked for once
    assert lines[-1].startswith(f"trainings: about {36 * 3 / 24:.0f} days of one cpu")


def test_images_behind_a_registration_are_told(asked: list[str]) -> None:
    lines = list(suite_plan(["setr-cityscapes", "quick"], "cpu"))
    assert any(line.startswith("cityscapes: missing, it is gated: ") for line in lines)
    assert "shapes: drawn" in lines


def test_what_was_not_measured_is_counted(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Cost(2**30, None, None, "cuda is not here")
    monkeypatch.setattr(suite_planning, "cost", lambda *_: away)
    assert cli.main(["suite", "quick", "--plan", "--device", "cuda"]) == 0
    said = capsys.readouterr().out
    assert "1024 MiB; not measured, because cuda is not here" in said
    assert "and 3 that were not measured" in said


def test_an_unknown_suite_suggests_the_nearest(asked: list[str]) -> None:
    with pytest.raises(UnknownNameError, match="segmenter-ade20k"):
        list(suite_plan(["segmenter-ade"], "cpu"))


def test_a_training_is_probed(project: Path) -> None:
    found = cost(load_run("shapes-segformer-nano"), "cpu")
    assert found.fits
    assert found.memory > 0
    assert found.hours is not None
    assert 0 < found.hours < 100
