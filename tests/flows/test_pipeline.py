"""What DVC says about a toy pipeline, and one stage at a time through the ``dvc`` command."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.states import Failed
from toy_repository import MakeRepo, copy, dvc, each, ran
from waiting import growing, text_of

from flows import dvc_stages
from flows.dvc_stages import Outcome
from flows.tasks import may_pass
from segmodels.errors import SegmodelsError, UnknownNameError

ALL = ["download@a", "download@b", "prepare@a", "prepare@b", "train@a", "leaderboard"]


def names(stages: list[dvc_stages.Stage]) -> list[str]:
    return [stage.name for stage in stages]


def python(code: str) -> str:
    return f"{sys.executable} -c {shlex.quote(code)}"


def test_stages_come_in_an_order_that_can_be_run(make_repo: MakeRepo) -> None:
    stages = dvc_stages.stages(make_repo())
    assert sorted(names(stages)) == sorted(ALL)
    before: set[str] = set()
    for stage in stages:
        assert before.issuperset(stage.upstream)
        before.add(stage.name)
    by_name = {stage.name: stage for stage in stages}
    assert by_name["leaderboard"].upstream == ("prepare@b", "train@a")
    assert by_name["prepare@a"].group == "prepare"
    assert by_name["leaderboard"].group == "leaderboard"


def test_edges_through_folders_and_frozen_stages(make_repo: MakeRepo) -> None:
    stages = {
        "whole": {"cmd": "mkdir -p d && echo 1 > d/f", "outs": ["d"]},
        "part": {"cmd": "cp d/f p", "deps": ["d/f"], "outs": ["p"]},
        "inner": {"cmd": "mkdir -p e && echo 1 > e/x", "outs": ["e/x"]},
        "around": {"cmd": "cp e/x q", "deps": ["e"], "outs": ["q"]},
        "frozen": {"cmd": "cp p r", "deps": ["p"], "outs": ["r"], "frozen": True},
    }
    upstream = {stage.name: stage.upstream for stage in dvc_stages.stages(make_repo(stages))}
    assert upstream["part"] == ("whole",)
    assert upstream["around"] == ("inner",)
    assert upstream["frozen"] == ()


def test_selection_brings_what_it_needs(make_repo: MakeRepo) -> None:
    repo = make_repo()
    assert names(dvc_stages.stages(repo, ["train@a"])) == ["download@a", "prepare@a", "train@a"]
    assert set(names(dvc_stages.stages(repo, ["prepare"]))) == set(ALL[:4])
    assert names(dvc_stages.stages(repo, ["*load@b"])) == ["download@b"]
    assert names(dvc_stages.stages(repo, groups=["generate", "download"])) == ALL[:2]
    assert dvc_stages.stages(repo, groups=["generate"]) == []
    with pytest.raises(UnknownNameError, match="Did you mean 'train@a'"):
        dvc_stages.stages(repo, ["train@b"])


def test_errors_are_one_sentence(make_repo: MakeRepo, tmp_path: Path) -> None:
    with pytest.raises(SegmodelsError, match="not inside a DVC repository"):
        dvc_stages.stages(tmp_path)
    repo = make_repo({"one": copy("x", "y"), "two": copy("y", "x")})
    with pytest.raises(SegmodelsError, match="DVC cannot read the pipeline in"):
        dvc_stages.stages(repo)


def test_a_copy_without_git_is_told_what_dvc_wants(make_repo: MakeRepo) -> None:
    repo = make_repo()
    (repo / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    with pytest.raises(SegmodelsError, match=r"is not a git repository\. .*core\.no_scm true"):
        dvc_stages.stages(repo)


def test_stale_early_cut_off_and_restored(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = python("from pathlib import Path; Path('n').write_text(str(len(open('t').read())))")
    repo = make_repo(
        {
            "count": {"cmd": count, "deps": ["t"], "outs": ["n"]},
            "report": copy("r", "n"),
            "other": copy("o", "source-a"),
        }
    )
    (repo / "t").write_text("abc")
    assert names(dvc_stages.stale(dvc_stages.stages(repo))) == ["count", "other", "report"]
    dvc(repo, "repro")
    monkeypatch.chdir(tmp_path)  # nothing depends on where we stand
    assert dvc_stages.stale(dvc_stages.stages(repo)) == []
    assert set(ran(repo)) == {"r", "o"}

    (repo / "t").write_text("xyz")  # as long as before: the count stays
    plan = dvc_stages.stale(dvc_stages.stages(repo))
    assert [(stage.name, stage.changed) for stage in plan] == [("count", True), ("report", False)]
    outcomes = [dvc_stages.reproduce_stage(repo, stage.name) for stage in plan]
    assert outcomes == [Outcome.RAN, Outcome.UNCHANGED]
    assert ran(repo) == []

    (repo / "n").unlink()
    assert dvc_stages.reproduce_stage(repo, "count") == Outcome.RESTORED
    assert dvc_stages.reproduce_stage(repo, "count", force=True) == Outcome.RAN


def test_a_stage_that_is_forced_counts_again(make_repo: MakeRepo) -> None:
    repo = make_repo({"say": {"cmd": "echo forced $SEGMODELS_FORCE", "outs": []}})
    lines: list[str] = []
    dvc_stages.reproduce_stage(repo, "say", on_line=lines.append)
    assert "forced" in lines
    dvc_stages.reproduce_stage(repo, "say", force=True, on_line=lines.append)
    assert "forced 1" in lines


def test_a_failed_stage_says_why(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "bad": {"cmd": "echo about to fail; exit 3", "outs": ["x"]},
            "full": {"cmd": "echo '[Errno 28] No space left on device' >&2; false", "outs": ["y"]},
            "broken": {"cmd": "kill -SEGV $$", "outs": ["z"]},
        }
    )
    lines: list[str] = []
    with pytest.raises(
        dvc_stages.StageFailedError, match=r"(?s)'bad' failed.*about to fail.*with 3"
    ):
        dvc_stages.reproduce_stage(repo, "bad", on_line=lines.append)
    assert "Running stage 'bad':" in lines
    assert "about to fail" in lines
    with pytest.raises(dvc_stages.StageFailedError, match="The disk is full"):
        dvc_stages.reproduce_stage(repo, "full")
    with pytest.raises(dvc_stages.StageFailedError, match="there was not enough memory"):
        dvc_stages.reproduce_stage(repo, "broken")
    assert names(dvc_stages.stale(dvc_stages.stages(repo))) == ["bad", "full", "broken"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, dvc_stages.StageRefusedError),
        (2, dvc_stages.StageRefusedError),
        (130, dvc_stages.StageRefusedError),
        (70, dvc_stages.StageFailedError),
        (75, dvc_stages.StageFailedError),
        (137, dvc_stages.StageFailedError),
    ],
)
def test_what_is_worth_another_try(
    make_repo: MakeRepo, code: int, kind: type[dvc_stages.StageFailedError]
) -> None:
    repo = make_repo({"bad": {"cmd": f"echo 'exited with 9'; exit {code}", "outs": ["x"]}})
    with pytest.raises(dvc_stages.StageFailedError) as caught:
        dvc_stages.reproduce_stage(repo, "bad")
    assert type(caught.value) is kind
    assert f"(exit code {code}); it is not tried again" in str(caught.value) or (
        kind is dvc_stages.StageFailedError
    )
    assert may_pass(None, None, Failed(data=caught.value)) == (kind is dvc_stages.StageFailedError)


def test_a_stage_is_told_its_device(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMODELS_DEVICE", "cuda")
    repo = make_repo({"one": {"cmd": "echo $SEGMODELS_DEVICE > x", "outs": ["x"]}})
    dvc_stages.reproduce_stage(repo, "one", device="cuda:1")
    assert (repo / "x").read_text() == "cuda:1\n"
    dvc_stages.reproduce_stage(repo, "one", force=True)
    assert (repo / "x").read_text() == "cuda\n"


def test_out_of_time_and_stopped(make_repo: MakeRepo) -> None:
    repo = make_repo({"long": {"cmd": "sleep 300 & echo $! > pid; wait", "outs": ["x"]}})
    for limit in growing(4):
        with pytest.raises(dvc_stages.StageFailedError, match=f"took longer than {limit} s"):
            dvc_stages.reproduce_stage(repo, "long", timeout=limit)
        if (repo / "pid").exists():
            break
    first = (repo / "pid").read_text().strip()
    assert not Path(f"/proc/{first}").exists()

    stop = threading.Event()
    (repo / "pid").unlink()
    threading.Thread(target=lambda: (text_of(repo / "pid"), stop.set()), daemon=True).start()
    with pytest.raises(dvc_stages.StageStoppedError):
        dvc_stages.reproduce_stage(repo, "long", stop=stop)
    second = (repo / "pid").read_text().strip()
    assert second != first
    assert not Path(f"/proc/{second}").exists()


def test_many_at_once_share_the_lock(make_repo: MakeRepo) -> None:
    items = ["1", "2", "3", "4"]
    repo = make_repo(
        {"make": each(items, {"cmd": "echo ${item.x} > ${item.x}", "outs": ["${item.x}"]})}
    )
    with ThreadPoolExecutor(4) as pool:
        stages = [f"make@{item}" for item in items]
        outcomes = list(pool.map(lambda name: dvc_stages.reproduce_stage(repo, name), stages))
    assert outcomes == [Outcome.RAN] * 4
    assert dvc_stages.stale(dvc_stages.stages(repo)) == []


def test_a_stage_that_somebody_else_runs_is_busy(make_repo: MakeRepo) -> None:
    wait = "touch started; while [ ! -e go ]; do sleep 0.1; done; echo x > x"
    repo = make_repo({"one": {"cmd": wait, "outs": ["x"]}})
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(dvc, repo, "repro")
        while not (repo / "started").exists():
            time.sleep(0.05)
        assert [stage.changed for stage in dvc_stages.stages(repo)] == [True]
        with pytest.raises(dvc_stages.StageBusyError, match="'one' is busy"):
            dvc_stages.reproduce_stage(repo, "one")
        (repo / "go").touch()
        other.result()
    assert dvc_stages.reproduce_stage(repo, "one") == Outcome.UNCHANGED


def test_python_in_a_stage_is_this_python(make_repo: MakeRepo) -> None:
    code = "import sys; open('x', 'w').write(sys.prefix)"
    repo = make_repo({"one": {"cmd": f"python -c {shlex.quote(code)}", "outs": ["x"]}})
    dvc_stages.reproduce_stage(repo, "one")
    assert (repo / "x").read_text() == sys.prefix
