"""The whole pipeline on a few drawn images: DVC, Prefect and the command line agree."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from dvc_project import Repository, build
from waiting import until

ALL = {
    "resolve",
    "generate@shapes",
    "weights@published",
    "train@tiny",
    "evaluate@tiny-plain",
    "evaluate@published-plain",
    "robustness@tiny-quick",
    "efficiency",
    "leaderboard",
    "local_leaderboard",
}


Reproduced = tuple[Repository, dict[str, bytes]]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    """A repository in which `dvc repro` has run, and what it gave that first time."""
    repository = build(tmp_path_factory.mktemp("dvc") / "project")
    ran, output = repository.repro()
    assert ran == ALL, output
    assert "Open reports/local/leaderboard.html for all that is here;" in output
    return repository, repository.results()


#: Has a processor add up in the order that one without wide vectors would.
OTHER_ARITHMETIC = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}


def test_a_newcomer_changes_nothing_in_git(origin: Repository, tmp_path: Path) -> None:
    """On a processor that trains other weights; what is published is judged as it was."""
    origin.git("clone", "-q", str(origin.root), str(tmp_path / "clone"))
    settings = {**origin.environment, **OTHER_ARITHMETIC, "PYTHONPATH": str(tmp_path / "clone")}
    clone = Repository(tmp_path / "clone", settings)
    ran, output = clone.repro()
    assert ran == ALL - {"efficiency", "leaderboard"}, output
    weights = "weights/trained/tiny/model.safetensors"
    others = (clone.root / weights).read_bytes() != (origin.root / weights).read_bytes()
    assert clone.git("status", "--porcelain") == (" M dvc.lock\n" if others else "")
    assert clone.repro()[0] == set()

    told = clone.results()["leaderboard.html"].decode()
    here = 2 if others else 0  # plain and strict, of what was trained here
    assert f"{here} rows rest on evidence that this machine alone counted" in told
    # Published evidence of the released weights is taken over, not counted again.
    assert not (clone.root / "reports/local/records/published-plain.json").exists()
    plain = "evidence/published/plain/"
    mine, theirs = (
        {name: data for name, data in one.results().items() if name.startswith(plain)}
        for one in (clone, origin)
    )
    assert mine == theirs
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        assert others


@pytest.fixture
def origin(reproduced: Reproduced, tmp_path: Path) -> Repository:
    """A repository in git whose evidence is published."""
    shutil.copytree(reproduced[0].root, tmp_path / "origin", symlinks=True)
    settings = {**reproduced[0].environment, "PYTHONPATH": str(tmp_path / "origin")}
    made = Repository(tmp_path / "origin", settings)
    for run in ("tiny", "published"):
        made.run("segmodels.cli", "evidence", "publish", run)
    made.repro("leaderboard")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "everything")
    return made


def test_dvc_repro(reproduced: Reproduced) -> None:
    pristine, results = reproduced
    keys = [name for name in results if re.search(r"/[0-9a-f]{16}\.json$", name)]
    assert len(keys) == 4  # two clean, two disturbed
    board = results["leaderboard.md"].decode()
    for words in ("toy_open", "**below**", "3 blocked", "the address died", "tiny"):
        assert words in board

    ran, output = pristine.repro()
    assert (ran, "Data and pipelines are up to date" in output) == (set(), True)

    # One more way to score evidence concerns the stage that scores it, and counts nothing.
    record = pristine.root / "reports/local/records/published-plain.json"
    counted = record.read_bytes()  # seconds, which are others every time
    pristine.edit("protocols.yaml", "views:", "other: {version: 1, title: T, void: error}\nviews:")
    pristine.edit("runs/published.yaml", "[plain, strict]", "[plain, strict, other]")
    pristine.run("segmodels.cli", "suite", "quick")
    ran, output = pristine.repro("evaluate@published-plain", "evaluate@tiny-plain")
    assert ran == {"resolve", "evaluate@published-plain"}, output
    assert record.read_bytes() == counted
    after = pristine.results()
    names = [name for name in results if name.startswith("evidence/")]
    assert {name: after[name] for name in names} == {name: results[name] for name in names}
    assert b'"other"' in after["metrics/published-plain.json"]
    pristine.edit("runs/published.yaml", "[plain, strict, other]", "[plain, strict]")
    pristine.edit("protocols.yaml", "other: {version: 1, title: T, void: error}\n", "")
    pristine.run("segmodels.cli", "suite", "quick")
    pristine.repro()
    assert pristine.results() == results


@pytest.mark.slow
def test_a_failing_stage_and_another_seed(reproduced: Reproduced) -> None:
    pristine, results = reproduced

    # A failing stage says so in one line and leaves what was there.
    pristine.edit("runs/tiny.yaml", "seed: 0", "seed: 1")
    ran, output = pristine.repro(code=255, SEGMODELS_DEVICE="abacus")
    assert ran == {"resolve", "train@tiny"}
    assert "error: run 'tiny' cannot train on 'abacus'" in output
    assert "Traceback" not in output
    after = pristine.results()
    lost = {"curves/tiny.csv"}  # with the weights it belongs to
    assert after == {name: data for name, data in results.items() if name not in lost}

    # Another seed concerns its own run alone.
    ran, output = pristine.repro()
    others = {"generate@shapes", "weights@published", "evaluate@published-plain", "efficiency"}
    assert ran == ALL - others - {"resolve"}  # which ran before the one that failed
    changed = {name for name, data in pristine.results().items() if results.get(name) != data}
    assert not any("published" in name for name in changed)
    assert {"curves/tiny.csv", "leaderboard.json"} <= changed

    # DVC knows what the first one gave, weights and curve, and nothing is trained again.
    pristine.edit("runs/tiny.yaml", "seed: 1", "seed: 0")
    ran, output = pristine.repro("train@tiny")
    assert (ran, "Stage 'train@tiny' is cached" in output) == ({"resolve"}, True), output
    assert pristine.results()["curves/tiny.csv"] == results["curves/tiny.csv"]


def test_the_command_line_gives_the_same(reproduced: Reproduced, tmp_path: Path) -> None:
    other = build(tmp_path / "project")
    code = (
        "from segmodels.cli import main\n"
        "for line in ('evaluate tiny', 'verify toy_open'): assert main(line.split()) == 0\n"
        "from segmodels import steps; steps.stress_run('tiny', 'quick')\n"
        "assert main(['leaderboard']) == 0\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=other.root,
        env=other.environment,
        check=True,
        capture_output=True,
    )
    assert other.results() == reproduced[1]


def test_ctrl_c_under_dvc_is_one_line_of_ours(tmp_path: Path) -> None:
    """The terminal interrupts DVC and the stage alike; DVC waits for the stage, which says so."""
    repository = build(tmp_path / "project")
    waits = "\nimport pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(120)\n"
    with (repository.root / "segmodels/datasets/shapes.py").open("a") as code:
        code.write(waits)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "dvc", "repro", "generate@shapes"],
        cwd=repository.root,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        until((repository.root / "begun").exists, process)
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate()
    assert "stopped; finished work is kept and taken up next time" in output.splitlines()
    # The shell that DVC starts may become the stage, or wait for it and end by the signal itself.
    assert re.search(r"failed to run: .*, exited with (130|-2)$", output, re.MULTILINE)
    assert "Traceback" not in output


@pytest.mark.slow
@pytest.mark.server
def test_the_flow_gives_the_same(reproduced: Reproduced, tmp_path: Path) -> None:
    """One stage with all it needs, without a server; with one: `test_reproduce_server`."""
    other, target = build(tmp_path / "project"), "evaluate@tiny-plain"
    output = other.run("flows.reproduce", "--jobs", "1", "--targets", target)
    assert "Completed('4 ran')" in output
    found = other.results()
    assert any(name.startswith("evidence/tiny/plain/") for name in found)
    assert found == {name: reproduced[1][name] for name in found}
    ran, _ = other.repro(target)  # and DVC agrees that everything is done
    assert ran == set()
