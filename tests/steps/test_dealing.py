"""Shards and conditions that an engine deals out: the bytes of one process, whoever counted."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_project
from inline_engine import InlineEngine

from segmodels import cli, steps
from segmodels.engines.engine import Engine
from segmodels.engines.processes import ProcessEngine
from segmodels.errors import SegmodelsError
from segmodels.runs.run import load_run
from segmodels.steps import dealing, pieces

LOCAL = "reports/local"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    return root


def results(root: Path) -> dict[str, bytes]:
    """All that was found, but for the record of seconds; nothing waits in the cache."""
    folders = [root / LOCAL / name for name in ("evidence", "metrics", "figures")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert not [one for one in (root / ".cache").rglob("*.json*") if "surveys" not in one.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def count(root: Path, engine: Engine | None = None, shards: int | None = None) -> dict[str, bytes]:
    shutil.rmtree(root / LOCAL / "evidence", ignore_errors=True)
    options = steps.Options(engine=engine, shards=shards)
    steps.evaluate_run("published", "plain", options)
    steps.stress_run("published", "quick", options)
    return results(root)


def test_an_engine_leaves_what_one_process_leaves(root: Path) -> None:
    alone = count(root)
    assert len(alone) == 9  # heads and counts of three, two files of metrics, one figure
    inline = InlineEngine(kill=(2, 4))
    assert count(root, inline, 2) == alone
    assert len(inline.pieces) == 4  # two shards and two conditions
    processes = ProcessEngine(2)
    try:
        assert count(root, processes) == alone
    finally:
        processes.close()


def test_every_other_image_by_an_engine(root: Path) -> None:
    with (root / "params" / "robustness.yaml").open("a") as file:
        file.write("\nsome: {title: t, corruptions: [fog], severities: [1, 3], every: 2}\n")
    alone = steps.stress_run("published", "some")
    shutil.rmtree(root / LOCAL / "evidence")
    told: list[tuple[int, int]] = []
    options = steps.Options(engine=InlineEngine(), progress=lambda *numbers: told.append(numbers))
    assert steps.stress_run("published", "some", options) == alone
    assert {len(one.images) for one in alone} == {2}
    assert told == sorted(told)
    assert told[-1] == (4, 4)


def test_more_shards_than_images(root: Path) -> None:
    engine, told = InlineEngine(), list[tuple[int, int]]()
    options = steps.Options(engine=engine, shards=9, progress=lambda *done: told.append(done))
    found = steps.evaluate_run("published", "plain", options)
    assert len(engine.pieces) == len(found.images) == 3
    assert told == sorted(told)
    assert told[-1] == (3, 3)


def test_what_is_known_or_waits_is_not_asked_for(root: Path) -> None:
    class StoppedError(SegmodelsError):
        pass

    def stop(done: int, total: int) -> None:
        if done:
            raise StoppedError

    options = steps.Options(engine=InlineEngine(), shards=3, progress=stop)
    with pytest.raises(StoppedError):
        steps.evaluate_run("published", "plain", options)
    second = InlineEngine()
    whole = steps.evaluate_run("published", "plain", steps.Options(engine=second, shards=3))
    assert len(second.pieces) == 2
    assert whole.complete
    third = InlineEngine()
    steps.evaluate_run("published", "plain", steps.Options(engine=third))
    assert third.pieces == []
    steps.evaluate_run("published", "plain", steps.Options(engine=third, force=True))
    assert len(third.pieces) == 2


def test_a_worker_with_other_weights_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = steps.subject_of(load_run("published"))
    object.__setattr__(other, "weights", "0" * 64)
    words = r"worker .*: run 'published' is not the same here .*its weights are others\. Bring"
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "subject_of", lambda *_: other)
        with pytest.raises(SegmodelsError, match=words):
            steps.evaluate_run("published", "plain", steps.Options(engine=InlineEngine()))
    shutil.rmtree(root / "weights")
    piece = pieces.Piece(load_run("published"), None, "cpu", None)  # type: ignore[arg-type]
    with pytest.raises(SegmodelsError, match="fetch them first"):
        piece.opened()


def test_workers_with_other_images_are_found_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segmodels.evaluation.stream.sample_digest", lambda _: "0" * 64)
    with pytest.raises(SegmodelsError, match="did not see the images that were registered"):
        steps.evaluate_run("published", "plain", steps.Options(engine=InlineEngine()))


def test_workers_with_other_packages_are_found_out(root: Path) -> None:
    found = steps.evaluate_run("published", "plain")
    other = steps.evaluate_run("published", "plain")
    object.__setattr__(other, "software", {**other.software, "torch": "1.0"})
    with pytest.raises(SegmodelsError, match=r"different packages: torch \d.* and 1\.0\. Install"):
        dealing._check_software(found, other)


def test_label_maps_are_not_sent(root: Path) -> None:
    options = steps.Options(engine=InlineEngine(), keep_maps=True)
    with pytest.raises(SegmodelsError, match="leave out --keep-labels, or --engine"):
        steps.evaluate_run("published", "plain", options)


# --- the commands ----------------------------------------------------------------------


def test_a_suite_by_the_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "published", "--suite", "quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "published, gaussian_noise-3",
        "published, 0.01",
        "published, mean of quick",
    ]
    assert cli.main(["evaluate", "published", "--suite", "quick", "--precision", "bf16"]) == 1
    assert "--precision does not go with --suite" in capsys.readouterr().err
    assert cli.main(["evaluate", "published", "--suite", "quack"]) == 1
    assert "Did you mean 'quick'?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["dask", "ray", "torchrun"])
def test_a_cluster_leaves_what_one_process_leaves(root: Path, engine: str) -> None:
    package = {"dask": "distributed", "ray": "ray"}.get(engine)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'segmodels[{engine}]'")
    alone = count(root)
    shutil.rmtree(root / LOCAL / "evidence")
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    program = [sys.executable, *(torchrun if engine == "torchrun" else [])]
    asked = ("evaluate", "published", "--engine", engine)
    for more in (["--protocol", "plain", "--shards", "3"], ["--suite", "quick"]):
        done = subprocess.run(
            [*program, "-m", "segmodels.cli", *asked, *more],
            cwd=root,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert results(root) == alone
