"""Several processes at one evaluation, as torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_project

from segmodels import cli, steps
from segmodels.cli import evaluating
from segmodels.cli.progress import ProgressBar
from segmodels.core import paths
from segmodels.errors import SegmodelsError
from segmodels.evaluation.shards import shard_file
from segmodels.evidence import Evidence, Shard, find_evidence


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def prepared(root: Path) -> Path:
    steps.ensure_dataset("shapes")
    steps.fetch_released("published")
    return root


def results(root: Path) -> dict[str, bytes]:
    """Everything an evaluation leaves, but for the record of its seconds."""
    folders = [root / "reports/local" / name for name in ("evidence", "metrics", "figures")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def start(root: Path, rank: int, ranks: int, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(ranks)}
    command = [sys.executable, "-m", "segmodels.cli", "evaluate", "published", *arguments]
    return subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_leave_what_one_leaves(root: Path) -> None:
    """Nothing is there when they start: one fetches and prepares, the other waits for it."""
    processes = [start(root, rank, 2) for rank in range(2)]
    told = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    together = results(root)
    assert len(together) == 4  # counts, head, metrics, picture
    assert cli.main(["evaluate", "published", "--force"]) == 0
    assert results(root) == together
    assert sum("mIoU" in out for out, _ in told) == 1  # whoever was last
    assert sum("waits for the others" in out for out, _ in told) == 1
    assert not list((root / ".cache" / "evaluations").rglob("*.json"))


def run_shard(index: int, number: int, force: bool = False) -> Evidence:
    return steps.evaluate_run(
        "published", "plain", steps.Options(shard=(index, number), force=force)
    )


def test_the_last_one_merges_whichever_it_is(prepared: Path) -> None:
    for last in range(3):
        for index in {0, 1, 2} - {last}:
            part = run_shard(index, 3, force=last > 0)
            assert part.shard is not None
            assert part.shard.index == index
            assert shard_file(part.key, part.shard).is_file()
        whole = run_shard(last, 3, force=last > 0)
        assert whole.complete
        assert whole.shard is None
        assert list(find_evidence(paths.evidence())) == [whole]
        assert paths.record("published", "plain").is_file()
        assert not shard_file(whole.key, Shard(0, 3)).exists()


def test_what_is_known_is_not_counted_again(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = run_shard(0, 2)
    monkeypatch.setattr(
        "segmodels.evaluation.shards.evaluate", lambda *_, **__: pytest.fail("counted")
    )
    assert run_shard(0, 2) == part  # it waits in the cache
    monkeypatch.undo()
    monkeypatch.setenv("SEGMODELS_ROOT", str(prepared))
    monkeypatch.setenv("SEGMODELS_CACHE", str(prepared / ".cache"))
    whole = run_shard(1, 2)
    monkeypatch.setattr(
        "segmodels.evaluation.shards.evaluate", lambda *_, **__: pytest.fail("counted")
    )
    for index in range(2):
        assert run_shard(index, 2) == whole


def test_shards_that_cannot_be_merged_are_counted_again(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segmodels.evaluation.stream.sample_digest", lambda _: "0" * 64)
    part = run_shard(0, 2)
    monkeypatch.undo()
    monkeypatch.setenv("SEGMODELS_ROOT", str(prepared))
    monkeypatch.setenv("SEGMODELS_CACHE", str(prepared / ".cache"))
    with pytest.raises(SegmodelsError, match="did not see the images that were registered"):
        run_shard(1, 2)
    assert part.shard is not None
    assert not shard_file(part.key, part.shard).exists()
    run_shard(0, 2)
    assert run_shard(1, 2).complete


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("again_first", [0, 1])
def test_a_damaged_shard_is_deleted_alone(prepared: Path, again_first: int) -> None:
    parts = [run_shard(index, 3) for index in range(2)]
    files = [shard_file(part.key, part.shard) for part in parts if part.shard]
    flip(files[0].with_suffix(".counts.jsonl"))
    if again_first:  # the process whose shard it is notices by itself
        assert run_shard(0, 3) == parts[0]
        assert files[1].is_file()
        assert run_shard(2, 3).complete
        return
    part = run_shard(2, 3)
    assert part.shard is not None
    assert not files[0].exists()
    assert files[1].is_file()
    assert shard_file(part.key, part.shard).is_file()
    assert run_shard(0, 3).complete


@pytest.mark.parametrize("rerun", [False, True])
def test_force_counts_a_shard_whose_counts_were_left(
    prepared: Path, monkeypatch: pytest.MonkeyPatch, rerun: bool
) -> None:
    """Its writer was killed between the evidence and tidying up."""
    with monkeypatch.context() as patch:
        patch.setattr("segmodels.evaluation.evaluate.forget", lambda _: None)
        part = run_shard(0, 2)
    (scratch,) = (prepared / ".cache" / "evaluations").glob("*.jsonl")
    if rerun:
        run_shard(0, 2)
        assert not scratch.exists()
    assert run_shard(0, 2, force=True) == part
    assert part.shard is not None
    record = shard_file(part.key, part.shard).with_name("record.json")
    assert json.loads(record.read_text())["resumed_at"] == 0


# --- the commands ----------------------------------------------------------------------


def test_shards_by_hand(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two machines that share no folder: the files of one are copied to the other."""
    files = []
    for index in ("0/2", "1/2"):
        assert cli.main(["evaluate", "published", "--shard", index]) == 0
        out = capsys.readouterr().out
        if index == "0/2":
            path = prepared / out.split(" in ")[1].strip()
            copied = tmp_path / "copied"
            path.parent.rename(copied)
            files.append(str(copied / path.name))
        else:
            files.append(str(prepared / out.split(" in ")[1].strip()))
    target = prepared / "reports/local/evidence" / "published" / "plain"
    assert cli.main(["evidence", "merge", str(target), *files]) == 0
    assert cli.main(["evidence", "check"]) == 0
    out = capsys.readouterr().out
    assert "ok, 3 images, pixels as in the labels" in out
    merged = results(prepared)
    assert cli.main(["evaluate", "published", "--force"]) == 0
    assert {name: results(prepared)[name] for name in merged} == merged


def test_checking_goes_on_behind_the_first_error(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.evaluate_run("published", "plain")
    capsys.readouterr()
    good = next(paths.evidence().rglob("*.json"))
    assert cli.main(["evidence", "check", "missing.json", str(good)]) == 1
    out, error = capsys.readouterr()
    assert "missing.json: no such file" in error
    assert "ok, 3 images" in out
    assert cli.main(["evidence", "check", str(prepared / "data")]) == 1
    assert "no evidence here" in capsys.readouterr().err
    assert cli.main(["evidence", "merge", "x", str(good)]) == 1
    assert "only shards can be merged" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["2/2", "1", "a/b", "-1/2", "/"])
def test_a_shard_that_is_none(root: Path, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    assert cli.main(["evaluate", "published", f"--shard={wrong}"]) == 1
    assert "the first of two is 0/2" in capsys.readouterr().err


def test_torchrun_gives_every_process_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluating.own_device("cuda") == "cuda"
    assert evaluating.shard_of(None) is None
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert evaluating.own_device("cuda") == "cuda:1"
    assert evaluating.own_device("cpu") == "cpu"
    assert evaluating.shard_of(None) == (3, 4)
    assert evaluating.shard_of("0/2") == (0, 2)


def test_a_bar_for_those_who_watch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = ProgressBar()
    for done in (3, 4, 5):  # two were finished by an earlier attempt
        progress(done, 5)
    error = capsys.readouterr().err
    assert "5/5" in error
    assert progress.bar is None
