from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections import namedtuple

import pytest

from segmodels.core.environment import machine, peak_memory_bytes, software
from segmodels.doctor import examine, examine_machine
from segmodels.runs.suite import activate

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def healthy(project):
    activate(["quick"])
    return project


def findings():
    return {finding.subject: finding for finding in examine_machine()}


def test_a_healthy_project(healthy, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_MIRROR", str(tmp_path))
    found = findings()
    assert list(found) == [
        *("project", "software", "torch", "threads", "flows", "active", "mirror", "disk")
    ]
    assert {f.level for f in found.values()} <= {"ok", "note"}
    assert found["project"].text == str(healthy)
    assert found["active"].text == "quick"
    assert found["mirror"].text == str(tmp_path)
    assert str(tmp_path / "cache") in found["disk"].text


def test_examining_changes_nothing(healthy, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert list(examine())
    assert sorted(tmp_path.rglob("*")) == before


def test_outside_of_a_project_every_check_still_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    found = findings()
    assert len(found) == 8
    assert list(examine()) == examine_machine()  # nothing to look for data in
    assert found["torch"].level == "ok"
    for subject in ("project", "active", "disk"):
        assert found[subject].level == "bad"
        assert "SEGMODELS_ROOT" in found[subject].text


def test_a_stale_active_file_is_bad_and_says_what_to_run(healthy, edit_yaml):
    suite = healthy / "params" / "suites" / "quick.yaml"
    edit_yaml(suite, lambda content: content["runs"].pop())
    assert findings()["active"].level == "bad"
    assert "segmodels suite quick" in findings()["active"].text


def test_a_wrong_mirror_is_bad_and_none_is_a_note(healthy, monkeypatch):
    assert findings()["mirror"].level == "note"
    monkeypatch.setenv("SEGMODELS_MIRROR", "/nowhere/at/all")
    assert findings()["mirror"].level == "bad"
    assert "Correct it or unset it" in findings()["mirror"].text


def test_a_full_disk_is_bad(healthy, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - 10**9, 10**9))
    assert findings()["disk"].level == "bad"
    assert findings()["disk"].text.startswith("1.0 GB free below")


def test_a_read_only_project_is_bad(healthy, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "is not writable" in findings()["disk"].text


def test_missing_flow_packages_are_a_note(healthy, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "prefect" else find(name)
    )
    assert findings()["flows"].level == "note"
    assert "prefect not installed: pip install 'segmodels[flows]'" in findings()["flows"].text


def test_a_torchvision_of_another_torch_is_bad(healthy, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert findings()["torch"].level == "bad"
    assert "Install both from the same index" in findings()["torch"].text


@pytest.mark.parametrize(
    ("named", "level", "words"),
    [
        ("1", "ok", "1 of 4 cores"),
        ("8", "note", "8 on 4 cores: they wait for each other"),
        ("many", "bad", "is no number of threads. Unset it."),
        ("0", "bad", "is no number of threads. Unset it."),
        (None, "ok", "4 cores, all used"),
    ],
)
def test_threads_that_wait_for_each_other_are_told(healthy, monkeypatch, named, level, words):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if named is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", named)
    assert findings()["threads"].level == level
    assert words in findings()["threads"].text


# The record of a measurement


def test_software_names_releases_without_build_tags():
    found = software()
    assert {"segmodels", "evaluator", "torch", "numpy", "pillow"} <= set(found)
    assert not [text for text in found.values() if "+" in text]


def test_the_machine_is_named_and_memory_counted():
    found = machine("cpu")
    assert found["device"]
    assert found["cores"] >= 1
    assert 10**7 < peak_memory_bytes("cpu") < 10**12


def test_a_copy_without_git_is_told_before_dvc_refuses_it(healthy):
    assert "git" not in findings()  # nothing of DVC is here
    (healthy / ".dvc").mkdir()
    config = healthy / ".dvc" / "config"
    config.write_text("[core]\n    analytics = false\n    no_scm = false\n")
    found = findings()["git"]
    assert found.level == "bad"
    assert f"{healthy} is a copy without .git" in found.text
    assert "`dvc config --local core.no_scm true`" in found.text
    config.with_name("config.local").write_text("[core]\n    no_scm = true\n")
    assert findings()["git"].level == "note"
    (healthy.parent / ".git").mkdir()
    assert "git" not in findings()
