"""Files that segmodels brings into a project: written once, and never over what was changed."""

from __future__ import annotations

import json

import pytest

from segmodels.core import bringing
from segmodels.core.bringing import REMEMBERED, make_project, update_project
from segmodels.errors import SegmodelsError

FIRST = {"params/a.yaml": b"a: 1\n", "params/b.yaml": b"b: 1\n", "docs/c.md": b"c\n"}


@pytest.fixture
def brings(monkeypatch):
    """Sets what the installed segmodels brings."""
    return lambda files: monkeypatch.setattr(bringing, "template", lambda: files)


@pytest.fixture
def folder(tmp_path, brings):
    brings(FIRST)
    make_project(tmp_path / "mine")
    return tmp_path / "mine"


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and ".dvc" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_new_project_has_every_file_and_remembers_it(folder):
    found = contents(folder)
    remembered = json.loads(found.pop(REMEMBERED))
    assert found == FIRST
    assert set(remembered["files"]) == set(FIRST)


def test_an_update_with_nothing_new_changes_nothing(folder):
    before = contents(folder)
    done = update_project(folder)
    assert (done.written, done.removed, done.kept) == ((), (), ())
    assert contents(folder) == before


def test_what_nobody_changed_is_brought_up_to_date(folder, brings):
    brings({"params/a.yaml": b"a: 2\n", "params/b.yaml": b"b: 1\n", "params/new.yaml": b"n\n"})
    done = update_project(folder)
    assert done.written == ("params/a.yaml", "params/new.yaml")
    assert done.removed == ("docs/c.md",)
    assert (folder / "params/a.yaml").read_bytes() == b"a: 2\n"
    assert not (folder / "docs/c.md").exists()


def test_what_was_changed_is_kept_and_named_once(folder, brings):
    (folder / "params/a.yaml").write_bytes(b"a: mine\n")
    (folder / "docs/c.md").write_bytes(b"mine\n")
    brings({"params/a.yaml": b"a: 2\n", "params/b.yaml": b"b: 2\n"})
    done = update_project(folder)
    assert done.kept == ("docs/c.md", "params/a.yaml")
    assert (folder / "params/a.yaml").read_bytes() == b"a: mine\n"
    assert (folder / "docs/c.md").read_bytes() == b"mine\n"
    assert (folder / "params/b.yaml").read_bytes() == b"b: 2\n"
    assert update_project(folder).kept == ()


def test_what_was_removed_here_stays_away(folder, brings):
    (folder / "docs/c.md").unlink()
    brings({**FIRST, "docs/c.md": b"c, new\n"})
    assert update_project(folder).written == ()
    assert not (folder / "docs/c.md").exists()


def test_files_of_ones_own_are_nobodys_business(folder, brings):
    (folder / "params/own.yaml").write_bytes(b"mine\n")
    brings({"params/a.yaml": b"a: 2\n"})
    update_project(folder)
    assert (folder / "params/own.yaml").read_bytes() == b"mine\n"


def test_a_file_of_ones_own_is_not_replaced_by_a_new_one_of_its_name(folder, brings):
    (folder / "params/own.yaml").write_bytes(b"mine\n")
    brings({**FIRST, "params/own.yaml": b"theirs\n"})
    assert update_project(folder).kept == ("params/own.yaml",)
    assert (folder / "params/own.yaml").read_bytes() == b"mine\n"


def test_looking_writes_nothing(folder, brings):
    before = contents(folder)
    brings({"params/a.yaml": b"a: 2\n"})
    assert update_project(folder, save=False).written == ("params/a.yaml",)
    assert contents(folder) == before


def test_an_update_that_was_stopped_is_finished_by_the_next(folder, brings, monkeypatch):
    brings({name: content + b"2\n" for name, content in FIRST.items()})
    write, left = bringing._write, iter([True])

    def stopped(path, content):
        if not next(left, None):
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(bringing, "_write", stopped)
    with pytest.raises(KeyboardInterrupt):
        update_project(folder)
    monkeypatch.setattr(bringing, "_write", write)
    done = update_project(folder)
    assert len(done.written) == len(FIRST) - 1
    assert done.kept == ()


@pytest.mark.parametrize("inside", ["a.txt", ".hidden", REMEMBERED])
def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path, brings, inside):
    brings(FIRST)
    (tmp_path / inside).write_text("mine")
    with pytest.raises(SegmodelsError, match="is not empty; name a new folder"):
        make_project(tmp_path)
    assert contents(tmp_path) == {inside: b"mine"}


def test_a_new_repository_of_git_is_as_good_as_empty(tmp_path, brings):
    brings(FIRST)
    (tmp_path / ".git").mkdir()
    make_project(tmp_path)
    assert not (tmp_path / ".dvc").exists()  # DVC need not be told that git is missing


def test_dvc_is_told_where_git_is_missing(folder):
    assert "no_scm = true" in (folder / ".dvc" / "config.local").read_text()


def test_a_file_is_no_folder(tmp_path, brings):
    brings(FIRST)
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SegmodelsError, match="Not a directory"):
            make_project(path)


def test_only_a_project_of_ours_is_brought_up_to_date(tmp_path):
    with pytest.raises(SegmodelsError, match=r"has no \.segmodels\.json"):
        update_project(tmp_path)


def test_a_broken_memory_is_named(folder):
    (folder / REMEMBERED).write_text("[]")
    with pytest.raises(SegmodelsError, match=r"\.segmodels\.json: expected what"):
        update_project(folder)
