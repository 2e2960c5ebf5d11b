"""The commands of dvc.yaml: one library call each, one line for a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import small_project
import yaml

from flows import stages, tracking
from flows.tracking import store
from segmodels import steps
from segmodels.core import paths
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import Row
from segmodels.runs.suite import activate
from segmodels.steps import stored

PIPELINE = Path(__file__).resolve().parents[2] / "dvc.yaml"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[Row]]:
    """What MLflow would have been told; the real one is in test_tracking."""
    rows: list[list[Row]] = []
    monkeypatch.setattr(tracking, "log_rows", lambda new, every=None: rows.append(new))
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
    assert (root / "reports/local/datasets/shapes.json").is_file()
    assert run(capsys, "weights", "published")[0] == 0
    code, out, error = run(capsys, "train", "tiny")
    assert code == 0
    assert out.startswith("step 2/3: lr ")
    assert error.count("warning: MLflow") == 1
    assert run(capsys, "evaluate", "tiny", "plain")[0] == 0
    assert [(row.run, row.protocol_name) for row in told.pop()] == [
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
    assert out.splitlines() == [f"reports/leaderboard.{end}" for end in ("md", "html", "json")]
    assert not told  # MLflow hears of all that is here
    code, out, _ = run(capsys, "local_leaderboard")
    *files, last = out.splitlines()
    assert files == [f"reports/local/leaderboard.{end}" for end in ("md", "html", "json")]
    assert last.startswith("Open reports/local/leaderboard.html for all that is here;")
    rows = told.pop()
    assert {row.run for row in rows if row.evidence_key} == {"tiny", "published"}
    assert {row.subject.id for row in rows} >= {"toy_open", "toy_lost"}  # the blocked are told too


def test_the_commands_of_the_pipeline_are_these() -> None:
    pipeline = yaml.safe_load(PIPELINE.read_text())["stages"]
    commands = [stage.get("do", stage)["cmd"].split() for stage in pipeline.values()]
    assert {command[3] for command in commands} == set(stages.STAGES)
    for command in commands:
        assert command[:3] == ["python", "-m", "flows.stages"]
        wanted = stages.STAGES[command[3]].__code__.co_argcount
        assert len(command) - 4 == wanted


@pytest.fixture
def counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The conditions of what was counted, one each time."""
    found: list[Any] = []

    def evaluate(subject: Any, *rest: Any, **options: Any) -> Any:
        found.append(subject.condition)
        return whole(subject, *rest, **options)

    whole = stored.evaluate
    monkeypatch.setattr(stored, "evaluate", evaluate)
    steps.prepare("shapes")
    steps.fetch_released("published")
    return found


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / "params" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    activate(["quick"])


def test_a_stage_counts_what_is_not_here(
    root: Path, capsys: pytest.CaptureFixture[str], counted: list[Any]
) -> None:
    """One more protocol costs that protocol; scores of all that share the evidence are written."""
    assert run(capsys, "evaluate", "published", "plain")[0] == 0
    assert counted == [None]
    evidence = {p: p.read_bytes() for p in paths.evidence().rglob("*") if p.is_file()}
    edit(root, "protocols.yaml", "views:", "other: {version: 1, title: T, void: error}\nviews:")
    edit(root, "runs/published.yaml", "[plain, strict]", "[plain, strict, other, views]")
    assert run(capsys, "evaluate", "published", "plain")[0] == 0
    assert counted == [None]
    assert evidence == {p: p.read_bytes() for p in paths.evidence().rglob("*") if p.is_file()}
    scores = json.loads(paths.metrics("published", "plain").read_text())
    assert set(scores) == {"plain", "strict", "other"}
    assert run(capsys, "evaluate", "published", "views")[0] == 0
    assert counted == [None, None]


def test_one_more_severity_counts_one_more_condition(
    root: Path, capsys: pytest.CaptureFixture[str], counted: list[Any]
) -> None:
    assert run(capsys, "robustness", "published", "quick")[0] == 0
    before = list(counted)
    assert len(before) == 2
    edit(root, "robustness.yaml", "severities: [3]", "severities: [3, 4]")
    assert run(capsys, "robustness", "published", "quick")[0] == 0
    new = {"corruption": "gaussian_noise", "severity": 4, "seed": 0}
    assert counted == [*before, new]
    folder = paths.evidence() / "published/robustness-quick"
    assert len(list(folder.glob("*.counts.jsonl"))) == 3
    edit(root, "robustness.yaml", "severities: [3, 4]", "severities: [4]")
    assert run(capsys, "robustness", "published", "quick")[0] == 0
    assert counted == [*before, new]
    assert len(list(folder.glob("*.counts.jsonl"))) == 2  # what is not asked for any more is gone


def test_a_person_can_have_everything_counted_again(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    counted: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(capsys, "evaluate", "published", "plain")[0] == 0
    monkeypatch.setenv("SEGMODELS_FORCE", "1")
    assert run(capsys, "evaluate", "published", "plain")[0] == 0
    assert len(counted) == 2
    assert run(capsys, "robustness", "published", "quick")[0] == 0
    assert run(capsys, "robustness", "published", "quick")[0] == 0
    assert len(counted) == 6
    monkeypatch.setenv("SEGMODELS_FORCE", "yes")
    code, _, error = run(capsys, "evaluate", "published", "plain")
    assert (code, error.splitlines()[-1]) == (1, "error: SEGMODELS_FORCE=yes is neither 0 nor 1.")


def test_one_stage_reads_params_for_all_others() -> None:
    """DVC would parse a file of parameters once for every stage that names a key of it."""
    every = yaml.safe_load(PIPELINE.read_text())["stages"]
    each = {name: stage["do"] for name, stage in every.items() if "foreach" in stage}
    assert not [name for name, stage in each.items() if "params" in stage]
    groups = {
        dependency.split("/")[3]
        for stage in each.values()
        for dependency in stage["deps"]
        if dependency.startswith("reports/local/stages/")
    }
    assert groups == {"download", "prepare", "weights", "train", "evaluate", "robustness"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "shaeps"], "Did you mean 'shapes'"),
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
    assert not paths.evidence().exists()


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

    monkeypatch.setattr(stages, "rows_of_run", broken)
    code, _, error = run(capsys, "evaluate", "published", "plain")
    assert code == 0
    assert error.splitlines()[-1].startswith("warning: MLflow has nothing of published")
    assert len(list((paths.evidence() / "published/plain").iterdir())) == 2


_STOPPED = """
import os, signal, sys
from flows import stages
from segmodels import steps
def prepare(*_):
    os.kill(os.getpid(), signal.SIGINT)
    {then}
steps.prepare = prepare
stages.STAGES["prepare"] = stages.prepare
sys.argv = ["stages", "prepare", "shapes"]
sys.exit(stages.main())
"""


def ended(root: Path, then: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _STOPPED.format(then=then)]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)


def test_ctrl_c_is_one_line(root: Path) -> None:
    done = ended(root, "import time; time.sleep(60)")
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1].startswith("stopped; finished work is kept")
    assert "Traceback" not in done.stderr


def test_a_mistake_of_ours_has_a_code_of_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(steps, "prepare", broken)
    monkeypatch.setattr(sys, "argv", ["stages", "prepare", "shapes"])
    assert stages.main() == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_may_pass_has_a_code_of_its_own(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGMODELS_MIRROR")
    monkeypatch.setattr("segmodels.assets.retries._BACKOFF", 0.0)
    code, _, error = run(capsys, "weights", "published")  # nobody listens at its address
    assert code == 75
    assert error.splitlines()[-1].startswith("error: model.safetensors: cannot be downloaded from")


def test_stages_import_no_orchestration_and_pytorch_late() -> None:
    late = "{'prefect', 'dvc', 'mlflow', 'torch'}"
    code = f"import sys, flows.stages; assert not {late} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_and_the_leaderboard_need_no_pytorch(root: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None  # whoever imports it fails\n"
        "from flows import stages, tracking\n"
        "tracking.log_leaderboard = print\n"
        "assert stages.main(['prepare', 'shapes']) == 0\n"
        "assert stages.main(['leaderboard']) == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


@pytest.mark.parametrize(("rank", "device"), [("0", "cuda:2"), ("1", "cuda:5")])
def test_processes_of_torchrun_have_a_device_each_and_the_first_tells_mlflow(
    monkeypatch: pytest.MonkeyPatch, rank: str, device: str
) -> None:
    told: list[str] = []

    class Log:
        def made(self, weights: Path) -> None:
            told.append(str(weights))

    asked: list[steps.Options] = []

    def trained(run: str, options: steps.Options) -> Path:
        asked.append(options)
        return Path(run)

    monkeypatch.setattr(stages.tracking, "training", lambda run: nullcontext(Log()))
    monkeypatch.setattr(stages.steps, "train_run", trained)
    monkeypatch.setattr(stages.steps, "weights_path", lambda folder: folder)
    monkeypatch.setenv("SEGMODELS_DEVICE", "cuda:2,cuda:5")
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, rank)
    stages.train("mine")
    (options,) = asked
    assert options.device == device
    assert (options.curve is None) == (rank != "0")
    assert told == (["mine"] if rank == "0" else [])
