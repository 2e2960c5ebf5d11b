"""What a public forge runs and shows: workflows, forms, and the check of submissions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from synthetic import evidence
from toy_board import Board

from segmodels.evidence.signature import make_key
from segmodels.protocols.protocol import Protocol
from segmodels.steps.packing import pack_run

REPOSITORY = Path(__file__).resolve().parents[1]
FORGE = REPOSITORY / ".github"
WORKFLOWS = sorted((FORGE / "workflows").glob("*.yml"))
FORMS = sorted(path for path in FORGE.glob("ISSUE_TEMPLATE/*.yml") if path.name != "config.yml")
STRICT = Protocol(name="x", version=1, title="x", void="error").inference

#: Packages that the workflow does not install: judging must not ask for them.
HEAVY = "torch torchvision timm cv2 PIL pandas jinja2 huggingface_hub safetensors argcomplete"
NOT_HERE = f"""
import sys

class NotHere:
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY.split()!r}:
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, NotHere())
"""


def read(path: Path) -> dict[str, Any]:
    """A file of YAML, where `on` is read as true."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_alone_and_has_no_secret(workflow: Path) -> None:
    about = read(workflow)
    assert about["permissions"] == {"contents": "read"}
    assert "pull_request" in about[True]
    assert "pull_request_target" not in about[True]
    assert all(
        "permissions" not in job and job["timeout-minutes"] for job in about["jobs"].values()
    )
    assert "secrets." not in workflow.read_text()
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_of_a_pull_request_is_pasted_into_a_shell(workflow: Path) -> None:
    assert not [step for step in steps(workflow) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit(workflow: Path) -> None:
    """A tag can be moved by whoever owns the action, or took it over."""
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", one) for one in used)


def test_the_forge_runs_the_tests_as_anybody_does() -> None:
    assert "bash .ci/run" in [step.get("run") for step in steps(FORGE / "workflows" / "ci.yml")]


def test_forms_ask_for_something_each_under_a_name_of_its_own() -> None:
    assert {path.stem for path in FORMS} == {
        *("evaluation-request", "new-claim", "third-party-evidence", "dispute"),
    }
    for path in FORMS:
        form = read(path)
        asked = [part for part in form["body"] if part["type"] != "markdown"]
        names = [part["id"] for part in asked]
        assert len(set(names)) == len(names)
        assert all(part["attributes"]["label"] for part in asked)
        assert any(part.get("validations", {}).get("required") for part in asked)
        assert form["name"]
        assert form["description"]


Check = Callable[[], tuple[int, str]]


@pytest.fixture
def trusted(board: Board, tmp_path: Path) -> Path:
    """The project that judges; beside it lies what is offered, as the workflow has them."""
    folder = tmp_path / "work" / "trusted"
    board.keep(evidence(inference=STRICT), local=True)
    pack_run("toy-run", tmp_path / "toy.submission")
    shutil.rmtree(board.local)
    shutil.copytree(board.root / "params", folder / "params")
    shutil.copytree(REPOSITORY / ".ci", folder / ".ci")
    return folder


@pytest.fixture
def offered(trusted: Path) -> Path:
    """A repository that a change begins from."""
    folder = trusted.parent / "offered"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "before")
    return folder


@pytest.fixture
def check(trusted: Path, offered: Path, tmp_path: Path) -> Check:
    """Commits what is offered and runs the last step of the workflow; code and what it said."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NOT_HERE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEGMODELS_")}
    here = os.pathsep.join([str(tmp_path / "site"), str(REPOSITORY)])
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**kept, "PYTHONPATH": here, "PATH": programs, "GITHUB_ACTIONS": "true"}

    def run() -> tuple[int, str]:
        git(offered, "add", "-A")
        git(offered, "commit", "-q", "--allow-empty", "-m", "change")
        command = steps(FORGE / "workflows" / "evidence.yml")[-1]["run"]
        done = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=trusted.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return run


def offer(offered: Path, name: str, content: bytes) -> Path:
    path = offered / "submissions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_good_submission_is_judged_and_a_bad_one_refused(
    check: Check, offered: Path, trusted: Path, tmp_path: Path
) -> None:
    before = sorted(trusted.rglob("*"))
    good = (tmp_path / "toy.submission").read_bytes()
    offer(offered, "a-lab/toy.submission", good.replace(b"toy", b"tor", 1))
    offer(offered, "some-lab/toy.submission", good)
    code, said = check()
    assert said.startswith("::stop-commands::")
    bad, _, judged = said.partition("== submissions/some-lab/toy.submission")
    assert "error: " in bad
    assert "mIoU printed" not in bad
    assert "toy_strict: mIoU printed" in judged
    assert "third-party/some-lab" in judged
    assert said.endswith("2 submissions checked, none kept\n")
    assert sorted(trusted.rglob("*")) == before
    assert code == 1
    assert "Traceback" not in said


def test_names_of_a_hostile_change_are_names(check: Check, offered: Path, tmp_path: Path) -> None:
    good = (tmp_path / "toy.submission").read_bytes()
    offer(offered, "$(touch pwned)/a.submission", good)
    offer(offered, "lab/`touch pwned`;touch pwned\n.submission", good)
    offer(offered, "lab/--help", good)
    (offered / "submissions" / "lab" / "link.submission").symlink_to("/etc/passwd")
    (offered / ".ci").mkdir()
    (offered / ".ci" / "evidence").write_text("touch pwned")
    (offered / "sitecustomize.py").write_text("open('pwned', 'w')")
    code, said = check()
    assert code == 1
    assert said.count("refused: expected submissions/NAME/RUN.submission") == 3
    assert "root:" not in said
    assert "toy_strict" not in said
    assert list(tmp_path.rglob("pwned*")) == []


@pytest.mark.slow
def test_a_signature_must_be_of_the_key_that_was_known(
    check: Check, offered: Path, board: Board, tmp_path: Path
) -> None:
    pytest.importorskip("minisign")
    board.keep(evidence(inference=STRICT), local=True)
    keys = {name: make_key(tmp_path / name) for name in ("known", "another")}
    for lab in ("a-lab", "b-lab"):
        offer(offered, f"{lab}/key.pub", keys["known"].read_bytes())
    git(offered, "add", "-A")
    git(offered, "commit", "-q", "-m", "keys")
    for lab, name in (("a-lab", "known"), ("b-lab", "another")):
        packed = pack_run("toy-run", tmp_path / f"{lab}.submission", tmp_path / name).path
        offer(offered, f"{lab}/toy.submission", packed.read_bytes())
        offer(offered, f"{lab}/key.pub", keys[name].read_bytes())
    code, said = check()
    first, _, second = said.partition("== submissions/b-lab/toy.submission")
    assert "signed, checked with" in first
    assert "toy_strict" in first
    assert "toy_strict" not in second
    assert code == 1


def test_a_change_without_a_submission_passes(check: Check, offered: Path) -> None:
    offer(offered, "README.md", b"how to")
    assert check()[1].endswith("0 submissions checked, none kept\n")
