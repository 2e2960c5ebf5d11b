"""The wheel: what it holds, and that it works outside of any checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from segmodels.versions import SOFTWARE

REPOSITORY = Path(__file__).resolve().parents[1]
BUNDLED = "segmodels/bundled/"

#: As a stranger calls it, and the library; everything in one process.
SCRIPT = """
import numpy as np
import segmodels as sm
from segmodels.cli import main

assert main(["list", "claims", "--match", "espnet_p2_q8_camvid"]) == 0
assert main(["show", "espnet_p2_q8_camvid"]) == 0
assert main(["show", "nowhere"]) == 1
protocol = sm.load_protocol("whole-ss")
model = sm.create_model("segformer_nano", num_classes=3)
print(sm.predict(model, np.zeros((32, 48, 3), np.uint8), protocol).shape)
"""


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEGMODELS_", "XDG_", "PYTHON"))
    }
    environment = {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def build(kind: str, place: Path, source: Path = REPOSITORY) -> Path:
    """A wheel or sdist of a source, made in a folder."""
    hatchling = (sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(place))
    built = run(*hatchling, cwd=source)
    assert built.returncode == 0, built.stderr
    (path,) = place.glob("segmodels-*")
    return path


def tracked(*parts: str) -> set[str]:
    listed = run("git", "ls-files", "-z", "--", *parts, cwd=REPOSITORY)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return {name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """A folder with the wheel in it; what it needs is that of the tests."""
    folder = wheel.parent / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


class Stranger:
    """Somebody with the wheel, an empty folder and a home, and no checkout."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.here, self.home = folder / "here", folder / "home"
        self.here.mkdir()
        self.home.mkdir()
        self.own = self.home / ".local" / "share" / "segmodels"
        self._environment = {
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def runs(self, *command: str, cwd: Path | None = None, code: int = 0, **named: str) -> str:
        """What a command of Python's says."""
        environment = {**self._environment, **named}
        done = run(sys.executable, "-P", *command, cwd=cwd or self.here, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def segmodels(self, *arguments: str, code: int = 0, **named: str) -> str:
        return self.runs("-m", "segmodels.cli", *arguments, code=code, **named)


@pytest.fixture
def stranger(installed: Path, tmp_path: Path) -> Stranger:
    return Stranger(installed, tmp_path)


def listing(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_it_brings_what_git_has_of_the_project_and_nothing_else(names: set[str]) -> None:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    parts = config["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["bundled"]
    brought = {name.removeprefix(BUNDLED) for name in names if name.startswith(BUNDLED)}
    assert brought == {"files.json", *tracked(*(f":(glob){part}" for part in parts))}


def test_everything_else_is_code_that_git_has(names: set[str]) -> None:
    about = f"segmodels-{SOFTWARE}.dist-info/"
    code = {name for name in names if not name.startswith((BUNDLED, about))}
    assert code == tracked("segmodels", "flows")


def test_it_says_its_version_and_is_no_heavier_than_evidence_makes_it(wheel: Path) -> None:
    assert wheel.name == f"segmodels-{SOFTWARE}-py3-none-any.whl"
    assert wheel.stat().st_size < 20e6


def test_versions_agree() -> None:
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == SOFTWARE
    (first, *_) = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == SOFTWARE


def test_an_editable_installation_has_no_copy_of_the_project() -> None:
    script = (
        "from hatchling.builders.hooks.custom import CustomBuildHook as hook; import json\n"
        "made = hook('.', {'path': 'hatch_build.py', 'bundled': ['params']}, *[None] * 3, '', '')\n"
        "data = {'force_include': {}}; made.initialize('editable', data); print(json.dumps(data))"
    )
    done = run(sys.executable, "-c", script, cwd=REPOSITORY)
    assert json.loads(done.stdout) == {"force_include": {}}, done.stderr


def test_it_works_in_an_empty_folder_and_writes_to_the_home_alone(
    stranger: Stranger, installed: Path
) -> None:
    before = listing(installed)
    said = stranger.runs("-c", SCRIPT)
    assert "espnet_p2_q8_camvid\n{" in said
    assert "(32, 48)" in said
    assert f"segmodels works in {stranger.own} outside of a project" in said
    assert listing(installed) == before
    assert list(stranger.here.iterdir()) == []
    assert stranger.segmodels("--version") == f"segmodels {SOFTWARE}\n"
    assert "note:" not in stranger.segmodels("list", "suites")


def test_another_home_may_be_named_and_must_be_writable(stranger: Stranger, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = stranger.segmodels("list", "suites", code=1, SEGMODELS_HOME=str(tmp_path / "file"))
    assert re.fullmatch(r"error: Outside of a project .* SEGMODELS_HOME=FOLDER\.\n", said)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").write_text("mine")
    said = stranger.segmodels("list", "suites", code=1, SEGMODELS_HOME=str(full))
    assert "it holds other files" in said
    assert [path.name for path in full.iterdir() if path.name[0] != "."] == ["thesis.tex"]


@pytest.mark.slow
def test_the_sdist_holds_what_git_has_and_gives_the_same_wheel(
    names: set[str], tmp_path: Path
) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"segmodels-{SOFTWARE}"
    files = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
    assert files - {"PKG-INFO"} <= tracked()
    (tmp_path / "dist").mkdir()
    with zipfile.ZipFile(build("wheel", tmp_path / "dist", source)) as archive:
        assert set(archive.namelist()) == names


@pytest.mark.slow
def test_a_claim_is_verified_and_the_board_written_anywhere(stranger: Stranger) -> None:
    assert "verified 55.65: verified" in stranger.segmodels("verify", "espnet_p2_q8_camvid")
    said = stranger.segmodels("leaderboard")
    assert f"Open {stranger.own / 'reports' / 'local' / 'leaderboard.html'}" in said
    ours = (REPOSITORY / "reports" / "leaderboard.json").read_bytes()
    assert (stranger.own / "reports" / "leaderboard.json").read_bytes() == ours
    assert "bad" not in re.findall(r"^\w+", stranger.segmodels("doctor"), re.MULTILINE)
    assert "camvid" in stranger.segmodels("data")
    assert "not a git repository" in stranger.segmodels("changes", code=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_project_of_ones_own_is_reproduced_by_dvc_and_by_the_flow(stranger: Stranger) -> None:
    stranger.segmodels("init", "mine")
    mine = stranger.here / "mine"
    quiet = {
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(stranger.home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    stranger.runs("-m", "dvc", "repro", "leaderboard", cwd=mine, **quiet)
    again = stranger.runs("-m", "dvc", "repro", "leaderboard", cwd=mine, **quiet)
    assert re.findall(r"Running stage '(\w+)", again) == ["resolve"]
    said = stranger.runs("-m", "flows.reproduce", "--targets", "generate", cwd=mine, **quiet)
    assert (mine / "reports" / "local" / "datasets" / "shapes.json").is_file(), said
    assert (mine / "reports" / "leaderboard.json").read_bytes() == (
        REPOSITORY / "reports" / "leaderboard.json"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_empty_environment_gets_everything_it_needs_from_the_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    run(sys.executable, "-m", "venv", str(tmp_path / "venv"), cwd=tmp_path)
    lock = REPOSITORY / "requirements.lock"
    pip = (str(tmp_path / "venv" / "bin" / "pip"), "install", "-q", "-c", str(lock), str(wheel))
    done = run(*pip, cwd=tmp_path)
    if done.returncode:
        pytest.skip(f"nothing can be installed here: {done.stderr[-300:]}")
    command = (str(tmp_path / "venv" / "bin" / "segmodels"), "verify", "espnet_p2_q8_camvid")
    said = run(*command, cwd=tmp_path, HOME=str(tmp_path / "home"))
    assert "verified 55.65: verified" in said.stdout, said.stderr
