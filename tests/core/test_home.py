"""The user's own project: made at the first command, brought up to date by a new version."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segmodels.core import template
from segmodels.core.home import home_project
from segmodels.errors import SegmodelsError

FILES = {"dvc.yaml": "stages:\n", "prefect.yaml": "deployments:\n", "params/protocols.yaml": "a\n"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(template, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(template, "LISTED", tmp_path / "bundled" / "files.json")
    monkeypatch.setenv("SEGMODELS_HOME", str(tmp_path / "home"))
    install(tmp_path, FILES)
    return tmp_path / "home"


def install(folder: Path, files: dict[str, str]) -> None:
    """What a wheel brings."""
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    for name, text in {**files, "files.json": json.dumps(digests)}.items():
        path = folder / "bundled" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_it_is_made_once_and_said_so(home, capsys):
    assert home_project() == home
    assert (home / "params/protocols.yaml").read_text() == "a\n"
    assert f"segmodels works in {home} outside of a project" in capsys.readouterr().err
    assert home_project() == home
    assert capsys.readouterr().err == ""


def test_a_new_version_brings_it_up_to_date_and_keeps_what_was_changed(home, tmp_path, capsys):
    home_project()
    (home / "dvc.yaml").write_text("mine\n")
    (home / "data").mkdir()
    install(tmp_path, {**FILES, "dvc.yaml": "stages: {}\n", "params/protocols.yaml": "b\n"})
    home_project()
    assert (home / "params/protocols.yaml").read_text() == "b\n"
    assert (home / "dvc.yaml").read_text() == "mine\n"
    assert (home / "data").is_dir()
    assert "not brought up to date: dvc.yaml" in capsys.readouterr().err


def test_the_scratch_folder_may_be_deleted(home):
    home_project()
    for path in sorted((home / ".cache").rglob("*"), reverse=True):
        path.unlink()
    assert home_project() == home


def test_many_at_once_make_one(home):
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: home_project(), range(4))) == {home}
    assert (home / "params/protocols.yaml").read_text() == "a\n"


def test_it_lies_where_data_of_users_do(tmp_path, monkeypatch):
    monkeypatch.delenv("SEGMODELS_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert home_project() == tmp_path / "data" / "segmodels"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert home_project() == tmp_path / "me" / ".local" / "share" / "segmodels"


def test_an_installation_without_files_says_so(tmp_path):
    (tmp_path / "bundled" / "files.json").unlink()
    with pytest.raises(SegmodelsError, match=r"bundled is missing: install the wheel"):
        home_project()
