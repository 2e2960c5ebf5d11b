from __future__ import annotations

from pathlib import Path

import pytest

from segmodels.core.settings import cache_dir, loading_workers, mirror_dir, project_root
from segmodels.errors import SegmodelsError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").touch()
    return tmp_path


def test_the_variable_names_the_root(root, monkeypatch):
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    assert project_root() == root
    assert cache_dir() == root / ".cache"


def test_the_nearest_parent_is_the_root(root, monkeypatch):
    below = root / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert project_root() == root


def test_the_checkout_is_the_last_resort(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project_root() == Path(__file__).resolve().parents[2]


def test_outside_of_any_project_the_fix_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("segmodels.core.settings.__file__", str(tmp_path / "site" / "x" / "s.py"))
    with pytest.raises(SegmodelsError, match=r"No segmodels project.*SEGMODELS_ROOT"):
        project_root()


@pytest.mark.parametrize("missing", ["nowhere", "."])
def test_a_root_without_params_is_refused(tmp_path, monkeypatch, missing):
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path / missing))
    with pytest.raises(SegmodelsError, match=r"SEGMODELS_ROOT=.* does not hold params"):
        project_root()


def test_an_empty_variable_is_none(root, monkeypatch):
    monkeypatch.chdir(root)
    for name in ("SEGMODELS_ROOT", "SEGMODELS_CACHE", "SEGMODELS_MIRROR"):
        monkeypatch.setenv(name, "")
    assert (project_root(), cache_dir(), mirror_dir()) == (root, root / ".cache", None)


def test_the_cache_may_be_elsewhere(root, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "scratch"))
    assert cache_dir() == tmp_path / "scratch"


def test_a_mirror_that_is_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_MIRROR", str(tmp_path))
    assert mirror_dir() == tmp_path
    monkeypatch.setenv("SEGMODELS_MIRROR", str(tmp_path / "gone"))
    with pytest.raises(SegmodelsError, match=r"SEGMODELS_MIRROR=.*gone is not a folder"):
        mirror_dir()


def test_processes_that_load_may_be_named(monkeypatch):
    assert loading_workers() is None
    for text, number in (("", None), ("0", 0), ("12", 12)):
        monkeypatch.setenv("SEGMODELS_WORKERS", text)
        assert loading_workers() == number
