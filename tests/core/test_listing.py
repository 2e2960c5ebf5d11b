"""Files that systems, editors and programs leave behind match nothing; misnamed ones are named."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
import small_project
from hypothesis import given
from hypothesis import strategies as st

from segmodels import steps
from segmodels.assets.entries import RemoteFile
from segmodels.assets.mirror import mirror_candidates
from segmodels.claims import load_claims
from segmodels.core import paths
from segmodels.core.listing import has_stray_part, is_stray, without_strays, yaml_files
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.archives import unpack
from segmodels.datasets.reading.layouts import Layout
from segmodels.errors import SegmodelsError
from segmodels.evidence import evidence_files
from segmodels.runs.run import load_run, run_names
from segmodels.runs.suite import suite_names
from segmodels.steps.weights import weights_path

STRAYS = [
    "._{}",
    ".#{}",
    "#{}#",
    "{}~",
    ".{}.swp",
    "{}.part",
    "{}.bak",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".ipynb_checkpoints/{}",
    "__MACOSX/{}",
    ".AppleDouble/{}",
]
APPLE = b"\0\5\26\7\0\2\0\0Mac OS X        "


def litter(beside: Path) -> None:
    """Put every kind of stray file beside a file, under names made from its own."""
    for pattern in STRAYS:
        path = beside.parent / pattern.format(beside.name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(APPLE)


@pytest.mark.parametrize("pattern", STRAYS)
def test_every_kind_is_known(pattern: str) -> None:
    assert has_stray_part(f"a/{pattern.format('b.yaml')}")


@given(st.text("abcXYZ019_-.", min_size=1).filter(lambda name: name[0] != "."))
def test_other_names_are_data(name: str) -> None:
    ends = ("~", ".part", ".tmp", ".lock", ".swp", ".swo", ".bak", ".orig", ".crdownload")
    assert is_stray(name) == name.lower().endswith(ends)


@pytest.mark.parametrize("name", ["a.yaml", "..", ".", "a.b.png", "Kernel.png"])
def test_these_are_no_strays(name: str) -> None:
    assert not is_stray(name)


# --- params --------------------------------------------------------------------------------


def test_strays_beside_params_change_nothing(project: Path) -> None:
    before = sorted(load_claims()), run_names(), suite_names()
    for folder in ("claims", "runs", "suites", "recipes"):
        litter(sorted((project / "params" / folder).glob("*.yaml"))[0])
    assert (sorted(load_claims()), run_names(), suite_names()) == before
    assert load_run(before[1][0]).name == before[1][0]


MISNAMED = [
    ".YAML",
    ".yml",
    ".Yaml",
    ".YML",
    ".yaml.txt",
    ".yml.txt",
    ".yaml ",
    ".yaml (1)",
    ".json",
]


@pytest.mark.parametrize("suffix", MISNAMED)
@pytest.mark.parametrize(
    ("folder", "read"), [("claims", load_claims), ("runs", run_names), ("suites", suite_names)]
)
def test_a_file_that_looks_meant_is_named(
    folder: str, read: object, suffix: str, project: Path
) -> None:
    path = sorted((project / "params" / folder).glob("*.yaml"))[0]
    path.rename(path.with_suffix(suffix))
    with pytest.raises(SegmodelsError, match=f"files of {folder} end in .yaml; rename it"):
        read()  # type: ignore[operator]


def test_folders_and_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "b.yml").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "c.yaml").touch()
    assert yaml_files(tmp_path, "things") == [tmp_path / "c.yaml"]
    assert yaml_files(tmp_path / "none", "things") == []


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    for target in ("gone.yaml", "a.yaml"):
        (tmp_path / "a.yaml").symlink_to(target)
        with pytest.raises(SegmodelsError, match=r"a\.yaml: a link that leads nowhere"):
            yaml_files(tmp_path, "things")
        (tmp_path / "a.yaml").unlink()


def test_files_in_a_folder_of_their_own_are_named(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yaml").touch()
    with pytest.raises(SegmodelsError, match=r"more: files of things lie in .* itself"):
        yaml_files(tmp_path, "things")


# --- weights, evidence, mirror ------------------------------------------------------------


def test_strays_beside_weights_and_evidence_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    run = load_run("published")
    steps.ensure_inputs(run)
    folder = root / run.weights_folder
    before = weights_path(folder)
    evidence = steps.evaluate_run("published", "plain")
    (file,) = evidence_files(paths.evidence())
    for path in (before if before.is_file() else before / "model.safetensors", file):
        litter(path)
    assert weights_path(folder) == before
    assert evidence_files(paths.evidence()) == [file]
    assert steps.evaluate_run("published", "plain") == evidence
    for name in (
        f"{file.stem}.JSON",
        f"{file.stem} (1).json",
        f"{file.stem} - Copy.json",
        f"{file.stem}.json.txt",
        f"{file.stem}.counts (1).jsonl",
        f"{file.stem.upper()}.json",
        "mine.json",
    ):
        copy = file.with_name(name)
        shutil.copy(file, copy)
        with pytest.raises(
            SegmodelsError, match=re.escape(f"{copy}: files of evidence are called")
        ):
            evidence_files(paths.evidence())
        copy.unlink()
    file.with_name("notes.json").write_text("{}")
    file.with_name("torn.json").write_text("{")
    assert evidence_files(paths.evidence()) == [file]


def test_strays_in_the_mirror_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pth").write_bytes(b"right")
    litter(tmp_path / "a.pth")
    monkeypatch.setenv("SEGMODELS_MIRROR", str(tmp_path))
    assert mirror_candidates(RemoteFile(name="a.pth", url="https://host/a.pth")) == [
        tmp_path / "a.pth"
    ]


# --- datasets -------------------------------------------------------------------------------


def copy_of(folder: Path, number: int = 3) -> Layout:
    for index in range(number):
        for part, suffix in (("images", ".jpg"), ("labels", ".png")):
            path = folder / part / "val" / "city" / f"{index:03}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    return Layout("a way", "images/{split}", "labels/{split}")


def test_strays_in_a_copy_are_no_images(tmp_path: Path) -> None:
    layout = copy_of(tmp_path)
    before = layout.files(tmp_path, "val")
    assert len(before) == 3
    for files in before:
        litter(Path(str(files.image)))
        litter(Path(str(files.label)))
    assert layout.is_here(tmp_path, "val")
    assert layout.files(tmp_path, "val") == before


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".JPEG", ".Jpg"])
def test_an_image_with_another_ending_is_named(suffix: str, tmp_path: Path) -> None:
    layout = copy_of(tmp_path)
    path = tmp_path / "images" / "val" / "city" / "001.jpg"
    path.rename(path.with_suffix(suffix))
    with pytest.raises(SegmodelsError, match=rf"001\{suffix}: images of this layout end in \.jpg"):
        layout.files(tmp_path, "val")


def test_links_in_a_circle_are_passed_over(tmp_path: Path) -> None:
    layout = copy_of(tmp_path)
    before = layout.files(tmp_path, "val")
    images = tmp_path / "images" / "val"
    (images / "loop").symlink_to(".")
    (images / "city" / "up").symlink_to("../..")
    (images / "self").symlink_to("self")
    (images / "nowhere").symlink_to("gone")
    assert layout.files(tmp_path, "val") == before


def test_a_link_to_images_elsewhere_is_followed(tmp_path: Path) -> None:
    layout = copy_of(tmp_path / "a")
    before = [files.name for files in layout.files(tmp_path / "a", "val")]
    shutil.move(tmp_path / "a" / "images" / "val", tmp_path / "elsewhere")
    (tmp_path / "a" / "images" / "val").symlink_to(tmp_path / "elsewhere")
    assert [files.name for files in layout.files(tmp_path / "a", "val")] == before


def test_strays_in_an_archive_are_not_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("images/a.png", b"right")
        for pattern in STRAYS:
            packed.writestr(f"images/{pattern.format('a.png')}", APPLE)
            packed.writestr(f"__MACOSX/images/{pattern.format('a.png')}", APPLE)
    assert unpack(archive, tmp_path / "out", lambda member: member) == 1
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert found == [tmp_path / "out" / "images" / "a.png"]


def test_strays_in_prepared_data_are_no_images(project: Path) -> None:
    steps.ensure_dataset("shapes")
    dataset = open_dataset("shapes", "test")
    before = dataset.files
    litter(Path(str(before[0].image)))
    assert open_dataset("shapes", "test").files == before


def test_only_what_stands_below_a_folder_counts(tmp_path: Path) -> None:
    hidden = tmp_path / ".cache"
    hidden.mkdir()
    (hidden / "a.png").touch()
    assert without_strays(hidden, hidden.glob("*")) == [hidden / "a.png"]
