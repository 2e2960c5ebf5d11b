"""The commands of dvc.yaml: one library call each, one line for a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import small_project
import yaml

from flows import stages, tracking
from flows.tracking import store
from segmodels import layout, steps
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import Row

PIPELINE = Path(__file__).resolve().parents[2] / "dvc.yaml"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[Row]]:
    """What MLflow would have been told; the real one is in test_tracking."""
    rows: list[list[Row]] = []
    monkeypatch.setattr(tracking, "log_rows", rows.append)
    monkeypatch.setattr(tracking, "log_leaderboard", rows.append)
    monkeypatch.setattr(store, "connect", no_client)
    return rows


def no_client() -> Any:
    raise ConnectionError("no MLflow here")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[list[Row]]) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = stages.main(list(arguments))
    out, error = capsys.readouterr()
    return code, out, error


def test_every_stage(root: Path, capsys: pytest.CaptureFixture[str], told: list[list[Row]]) -> None:
    assert run(capsys, "prepare", "shapes")[0] == 0
    assert (root / "reports/datasets/shapes.json").is_file()
    assert run(capsys, "weights", "published")[0] == 0
    code, out, error = run(capsys, "train", "tiny")
    assert code == 0
    assert out.startswith("step 2/3: lr ")
    assert error.count("warning: MLflow") == 1
    assert run(capsys, "evaluate", "tiny", "plain")[0] == 0
    assert [(row.run, row.protocol) for row in told.pop()] == [
        ("tiny", "plain"),
        ("tiny", "strict"),
    ]
    assert run(capsys, "evaluate", "published", "plain")[0] == 0
    assert {row.run for row in told.pop()} == {"published"}  # of this run alone
    assert run(capsys, "labels", "published", "plain")[0] == 0
    assert (root / "labels/published/plain/manifest.json").is_file()
    assert run(capsys, "robustness", "tiny", "quick")[0] == 0
    assert not told
    code, out, _ = run(capsys, "leaderboard")
    assert "reports/leaderboard.md" in out.splitlines()
    rows = told.pop()
    assert {row.run for row in rows if row.evidence} == {"tiny", "published"}
    assert {row.claim for row in rows} >= {"toy_open", "toy_lost"}  # the blocked are told too


def test_the_commands_of_the_pipeline_are_these() -> None:
    pipeline = yaml.safe_load(PIPELINE.read_text())["stages"]
    commands = [stage.get("do", stage)["cmd"].split() for stage in pipeline.values()]
    assert {command[3] for command in commands} == set(stages.STAGES)
    for command in commands:
        assert command[:3] == ["python", "-m", "flows.stages"]
        wanted = stages.STAGES[command[3]].__code__.co_argcount
        assert len(command) - 4 == wanted


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "shaeps"], "Did you mean 'shapes'?"),
        (["download", "closed"], "is gated: the images want a login"),
        (["weights", "lost"], "are lost: the address died"),
        (["train", "tiny"], "no such file"),
        (["train", "tini"], "Did you mean 'tiny'?"),
        (["evaluate", "tiny", "plain"], "'shapes' is not prepared"),
        (["evaluate", "tiny", "plian"], "Did you mean 'plain'?"),
        (["robustness", "tiny", "quikc"], "Did you mean 'quick'?"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, _, error = run(capsys, *arguments)
    assert code == 1
    last = error.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last
    assert not layout.evidence().exists()


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["evaluate", "tiny"], ["leaderboard", "tiny"], []]
)
def test_wrong_usage(root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        stages.main(arguments)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err.splitlines()[-1]


def test_an_active_file_that_no_longer_fits(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "params/runs/tiny.yaml"
    path.write_text(path.read_text().replace("robustness: [quick]", "robustness: []"))
    code, _, error = run(capsys, "prepare", "shapes")
    assert code == 1
    assert "segmodels suite quick" in error
    assert not (root / "data").exists()


def test_the_device_of_the_environment(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "prepare", "shapes")
    monkeypatch.setenv("SEGMODELS_DEVICE", "abacus")
    code, _, error = run(capsys, "train", "tiny")
    assert code == 1
    assert "'abacus'" in error.splitlines()[-1]


def test_other_evidence_that_is_broken_does_not_fail_this_stage(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "prepare", "shapes")
    run(capsys, "weights", "published")

    def broken(*_: object, **__: object) -> None:
        raise SegmodelsError("evidence of another run is being replaced")

    monkeypatch.setattr(stages, "build_rows", broken)
    code, _, error = run(capsys, "evaluate", "published", "plain")
    assert code == 0
    assert error.splitlines()[-1].startswith("warning: MLflow was not told about published")
    assert len(list((layout.evidence() / "published/plain").iterdir())) == 2


def test_an_error_of_ours_is_not_hidden(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(steps, "prepare", broken)
    with pytest.raises(ZeroDivisionError):
        stages.main(["prepare", "shapes"])


def test_stages_import_no_orchestration_and_pytorch_late() -> None:
    late = "{'prefect', 'dvc', 'mlflow', 'torch'}"
    code = f"import sys, flows.stages; assert not {late} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_data_and_the_leaderboard_need_no_pytorch(root: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None  # whoever imports it fails\n"
        "from flows import stages, tracking\n"
        "tracking.log_leaderboard = print\n"
        "assert stages.main(['prepare', 'shapes']) == 0\n"
        "assert stages.main(['leaderboard']) == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=120)
