from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.core import files
from segmodels.core.files import (
    atomic_path,
    canonical_json,
    check_writable,
    digest,
    json_by_lines,
    read_json,
    sha256_of_file,
    temporary_folder,
    write_json,
    write_text,
)
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
FINITE = SCALARS.filter(lambda value: not isinstance(value, float) or abs(value) != float("inf"))
VALUES = st.recursive(
    FINITE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)
)


def one_line(caught) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_sha256_of_a_file(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_file(path) == known


# canonical JSON


@given(VALUES)
def test_canonical_json_keeps_the_value(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), FINITE, min_size=2))
def test_the_order_of_keys_changes_no_digest(value):
    backwards = dict(reversed(value.items()))
    assert canonical_json(backwards) == canonical_json(value)
    assert digest(backwards) == digest(value)


@given(VALUES, VALUES)
def test_different_values_have_different_spellings(one, other):
    same = canonical_json(one) == canonical_json(other)
    # 1, 1.0 and True are equal in Python and three different things in JSON.
    assert not same or one == other


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_numbers_that_json_lacks_are_refused(value, tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(value)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", value)
    assert list(tmp_path.iterdir()) == []


# Writing


def test_a_file_is_written_whole_in_a_new_folder(tmp_path):
    path = tmp_path / "deep" / "down" / "a.txt"
    write_text(path, "größe\n")
    assert path.read_bytes() == "größe\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path, failure):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(type(failure)), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_never_see_half_a_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_leftovers_of_the_dead_are_swept_and_the_living_keep_theirs(tmp_path):
    path = tmp_path / "a.txt"
    dead = [tmp_path / f".a.txt.{number}" for number in range(3)]
    for one in dead:
        one.write_text("half")
    others = [tmp_path / name for name in (".a.txt", ".a.txt.old", ".b.txt.0", "a.txt.0")]
    for other in others:
        other.write_text("")
    with atomic_path(path) as first:
        assert [one for one in dead if one.exists()] == [first]
        assert first.read_text() == ""
        first.write_text("first")
        with atomic_path(path) as second:
            second.write_text("second")
            assert first.read_text() == "first"
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_many_writers_of_one_file_leave_one_of_theirs(tmp_path):
    """Each is whole: a name that another writer has just freed is nobody's to delete."""
    path, texts = tmp_path / "a.txt", [str(number) * 5000 for number in range(8)]

    def write(text):
        for _ in range(40):
            write_text(path, text)
            assert path.read_text() in texts

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, texts))
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_changed_hands_is_not_used(tmp_path, monkeypatch):
    """Between opening and locking the writer that had it was done: it is `path` by now."""
    path, real, opened = tmp_path / "a.txt", files._open_file, []

    def open_file(temporary):
        handle = real(temporary)
        opened.append(temporary)
        if len(opened) == 1:
            temporary.replace(path)
        return handle

    monkeypatch.setattr(files, "_open_file", open_file)
    write_text(path, "whole")
    assert path.read_text() == "whole"
    assert opened == [tmp_path / ".a.txt.0", tmp_path / ".a.txt.1"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_folder_is_empty_and_goes(tmp_path):
    left = tmp_path / ".w.0"
    left.mkdir()
    (left / "half").write_text("of a killed writer")
    with temporary_folder(tmp_path / "w") as first, temporary_folder(tmp_path / "w") as second:
        assert first == left
        assert list(first.iterdir()) == []
        assert second != first
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SegmodelsError, match=r"a\.txt: No space left on device\.$") as caught:
        write_text(tmp_path / "a.txt", "text")
    one_line(caught)
    assert list(tmp_path.iterdir()) == []


def test_whether_a_file_can_be_written(tmp_path, monkeypatch):
    check_writable(tmp_path / "deep" / "down" / "a.txt")
    (tmp_path / "b").write_text("")
    with pytest.raises(SegmodelsError, match=f"^{tmp_path}/b/c/a.txt: Not a directory"):
        check_writable(tmp_path / "b" / "c" / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]

    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    with pytest.raises(SegmodelsError, match=r"a\.txt: Read-only file system\."):
        check_writable(tmp_path / "a.txt")


def test_json_is_readable_and_stable(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "é"\n}\n'
    assert read_json(path) == {"b": 1, "a": "é"}


def test_json_by_lines_has_an_entry_a_line():
    value = {"a": 1, "b": {"é": [1, 2], "d": {}}, "c": [{"x": None}, 2.5], "e": [], "f": {}}
    text = json_by_lines(value)
    assert json.loads(text) == value
    assert text == (
        '{\n  "a": 1,\n  "b": {\n    "é": [1, 2],\n    "d": {}\n  },\n'
        '  "c": [\n    {"x": null},\n    2.5\n  ],\n  "e": [],\n  "f": {}\n}\n'
    )


# Reading


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (None, "no such file"),
    ],
)
def test_broken_json_is_named(tmp_path, content, message):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegmodelsError, match=message) as caught:
        read_json(path)
    assert str(path) in one_line(caught)


@pytest.mark.parametrize("read", [read_json, read_yaml])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12\n",
            "is a pointer of Git LFS .*, not the content of 12 bytes: run `git lfs pull`",
        ),
        (b"<!DOCTYPE html><title>Log in</title>\n", "is a web page titled 'Log in'"),
        (b"\0\5\x16\7" + bytes(40), "is macOS's companion of a file"),
    ],
)
def test_what_lies_in_a_file_s_place_is_told(tmp_path, read, content, message):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(SegmodelsError, match=message) as caught:
        read(path)
    assert str(path) in one_line(caught)


@pytest.mark.parametrize("name", ["a.yml", "a.YAML"])
def test_a_file_in_another_spelling_is_proposed(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(SegmodelsError, match=rf"no such file\. Rename {name} to a\.yaml\."):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize("read", [read_json, read_yaml])
def test_a_folder_is_no_file(tmp_path, read):
    with pytest.raises(SegmodelsError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "not valid YAML"),
        (b"a: b: c", "not valid YAML"),
        (b"\ta: 1", "not valid YAML"),
        (b"\xff\xfe\x00\x01", "not valid YAML"),
        (b"a: 2024-02-31", "not valid YAML"),
        (b"a: !!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"a: 1\nb: 2\na: 3\n", "'a' is given twice.*line 3"),
        (b"a: {b: 1, b: 2}\n", "'b' is given twice"),
        (b"[1, 2]", "expected a mapping of names, found list"),
        (b"only text", "expected a mapping of names, found str"),
        (b"a: !!set {b, c}", "not valid YAML"),
        (b"a: !!binary aGk=", "not valid YAML"),
        (b"1: {}", "1 is no name"),
        (b"no: {}", "False is no name"),
        (None, "no such file"),
    ],
)
def test_broken_yaml_is_named(tmp_path, content, message):
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegmodelsError, match=message) as caught:
        read_yaml(path)
    assert str(path) in one_line(caught)


def test_yaml_merge_keys_may_be_overridden(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")
    assert read_yaml(path)["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("text", ["", "# only a remark\n"])
def test_an_empty_yaml_file_has_no_names(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert read_yaml(path) == {}


# Names


def test_unknown_names_are_listed_with_the_nearest():
    error = UnknownNameError("model", "unett", ["unet", "segformer_b0"])
    assert str(error) == ("Unknown model 'unett'. Did you mean 'unet'? Known: segformer_b0, unet.")
    assert str(UnknownNameError("model", "zzz", [])) == "Unknown model 'zzz'. Known: none."
