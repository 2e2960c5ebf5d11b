"""DVC, the flow and the command line give the same files, also when they work at the same time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from dvc_project import Repository, build
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.server]

DVC = ("dvc", "repro")
FLOW = ("flows.reproduce", "--jobs", "2", "--retries", "3")
VERIFY = ("segmodels.cli", "verify", "toy_open", "--force")

#: Everything without DVC: the run that is trained, the claim, the disturbed run, the board.
WITHOUT_DVC = """
from segmodels import steps
from segmodels.cli import main
assert main(["evaluate", "tiny"]) == main(["verify", "toy_open"]) == 0
steps.stress_run("tiny", "quick")
assert main(["leaderboard"]) == 0
"""

BUSY = ("Unable to acquire lock", "is busy, it is being blocked by")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Where `dvc repro` ran alone."""
    made = build(tmp_path_factory.mktemp("alone") / "project")
    made.repro()
    return made


def outputs(repository: Repository) -> dict[str, list[dict[str, object]]]:
    """What DVC notes of all outputs: path, md5, size, number of files."""
    locked = yaml.safe_load((repository.root / "dvc.lock").read_text())["stages"]
    return {name: stage["outs"] for name, stage in locked.items()}


def assert_cache_is_sound(cache: Path) -> None:
    """Every file of the cache holds what its name says."""
    kept = [path for path in (cache / "files/md5").rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        assert path.parent.name + path.name.removesuffix(".dir") == digest


def start(repository: Repository, command: Sequence[str], home: Path) -> subprocess.Popen[str]:
    with home.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", *command],
            cwd=repository.root,
            env={**repository.environment, "PREFECT_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def test_three_ways_in_three_clones(undisturbed: Repository, tmp_path: Path) -> None:
    flow = build(tmp_path / "flow" / "project")
    said = flow.run(*FLOW)
    assert "Completed('10 ran')" in said
    assert flow.results() == undisturbed.results()
    assert outputs(flow) == outputs(undisturbed)
    assert flow.repro()[0] == set()

    command = build(tmp_path / "command" / "project")
    code = [sys.executable, "-c", WITHOUT_DVC]
    subprocess.run(code, cwd=command.root, env=command.environment, check=True)
    assert command.results() == undisturbed.results()


@pytest.mark.parametrize(
    ("first", "second", "later"),
    [
        (DVC, DVC, False),
        (DVC, DVC, True),
        (FLOW, DVC, True),
        (DVC, FLOW, True),
        (FLOW, FLOW, False),
        (DVC, VERIFY, True),
    ],
    ids=[
        "dvc-dvc",
        "dvc-then-dvc",
        "flow-then-dvc",
        "dvc-then-flow",
        "flow-flow",
        "dvc-then-verify",
    ],
)
def test_two_at_the_same_time(
    undisturbed: Repository,
    tmp_path: Path,
    first: Sequence[str],
    second: Sequence[str],
    later: bool,
) -> None:
    """Whoever meets the other waits for it, or says so and ends, and harms nothing."""
    made = build(tmp_path / "project")
    homes = [tmp_path / "first", tmp_path / "second"]
    one = start(made, first, homes[0])
    if later:  # while something is trained or counted
        until((made.root / "reports/local/datasets/shapes.json").exists, one)
    other = start(made, second, homes[1])
    codes = [process.wait() for process in (one, other)]
    for command, code, home in zip((first, second), codes, homes, strict=True):
        said = home.with_suffix(".log").read_text()
        assert "Traceback" not in said
        if code:
            assert command == DVC, said
            assert any(sign in said for sign in BUSY), said
    assert 0 in codes
    made.repro()  # what a busy one left out
    assert made.results() == undisturbed.results()
    assert outputs(made) == outputs(undisturbed)
    assert_cache_is_sound(made.root / ".dvc/cache")
    assert made.repro()[0] == set()


def clone(origin: Repository, root: Path, **environment: str) -> Repository:
    """A clone of what is in git, on a machine that can fetch nothing."""
    origin.git("clone", "-q", str(origin.root), str(root))
    nothing = {"SEGMODELS_MIRROR": str(root.parent), "PYTHONPATH": str(root)}
    return Repository(root, {**origin.environment, **nothing, **environment})


def test_two_clones_fill_one_cache_at_the_same_time(
    undisturbed: Repository, tmp_path: Path
) -> None:
    made = build(tmp_path / "origin")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "nothing is computed yet")
    clones = [
        clone(made, tmp_path / name, SEGMODELS_MIRROR=made.environment["SEGMODELS_MIRROR"])
        for name in ("one", "two")
    ]
    for one in clones:
        one.run("dvc", "cache", "dir", "--local", str(tmp_path / "cache"))
    started = [start(one, DVC, one.root.with_suffix(".home")) for one in clones]
    assert [process.wait() for process in started] == [0, 0]
    for one in clones:
        assert one.results() == undisturbed.results()
        assert outputs(one) == outputs(undisturbed)
    assert_cache_is_sound(tmp_path / "cache")


def kept(repository: Repository) -> dict[str, bytes]:
    """What DVC keeps of the results; a training's last pictures are only for who watches it."""
    return {name: data for name, data in repository.results().items() if name != "curves/tiny.png"}


def test_what_one_machine_computed_another_gets(undisturbed: Repository, tmp_path: Path) -> None:
    """By `dvc pull` with the `dvc.lock` of the other; without it by `dvc repro --pull`."""
    made = Repository(tmp_path / "origin", undisturbed.environment)
    shutil.copytree(undisturbed.root, made.root, symlinks=True)
    made.git("add", "-A", ":!dvc.lock")
    made.git("commit", "-q", "-m", "nothing is computed yet")
    made.run("dvc", "remote", "add", "-d", "storage", str(tmp_path / "storage"))
    made.git("commit", "-q", "-am", "where results are")
    before = clone(made, tmp_path / "before")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "everything is computed")
    made.run("dvc", "push")
    made.run("dvc", "push", "--run-cache")
    after = clone(made, tmp_path / "after")

    after.run("dvc", "pull")
    assert after.repro()[0] == set()
    assert after.results() == kept(undisturbed)

    ran, said = before.repro("--pull")
    known = ("generate@shapes", "weights@published", "train@tiny")
    assert all(f"Stage '{name}' is cached" in said for name in known), said
    assert not ran & set(known)
    assert before.results() == kept(undisturbed)
