"""Weights that a user has as files, for an entry that nobody can fetch."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_project
import torch

from segmodels import cli, steps
from segmodels.assets.entries import load_weights_entry
from segmodels.checkpoints import save_checkpoint
from segmodels.core import paths
from segmodels.core.files import sha256_of_file
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.models import create_model
from segmodels.steps.adding import add_weights, forget_weights
from segmodels.steps.verify import verify


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def made(folder: Path, model: str = "segformer_nano", seed: int = 5) -> list[Path]:
    """The files of some weights that nobody can fetch."""
    torch.manual_seed(seed)
    save_checkpoint(create_model(model, 8), folder)
    return sorted(folder.iterdir())


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return made(tmp_path / "mine")


def state(root: Path) -> dict[str, bytes]:
    folders = (root / "params", root / "weights")
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_a_blocked_claim_is_verified_in_one_breath(
    root: Path, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify("toy_lost").verdict.status == "blocked"
    assert "segmodels weights add lost FILE" in "\n".join(verify("toy_lost").verdict.todo)
    assert cli.main(["verify", "toy_lost", "--weights", *map(str, files)]) == 0
    said = capsys.readouterr().out
    assert "lost: loads as segformer_nano; copied to weights/added/lost" in said
    assert "toy_lost: mIoU claimed 50.0, verified " in said
    row = verify("toy_lost")
    assert row.verdict.level == "released weights"
    assert row.weights.pinned == "its user"
    assert row.weights.origin == {"released": "lost"}
    assert load_weights_entry("lost").state == "lost"  # for everybody else


def test_what_can_be_verified_now_is_said(
    root: Path, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["weights", "add", "lost", *map(str, files)]) == 0
    said = capsys.readouterr().out
    for path in files:
        digest = sha256_of_file(path)
        assert f"{path.name}: sha256 {digest}, noted in params/weights.lock.yaml" in said
    assert said.splitlines()[-1] == "  now: segmodels verify toy_lost"
    assert cli.main(["weights"]) == 0
    assert "lost: added, segformer_nano" in capsys.readouterr().out
    before = state(root)
    add_weights("lost", files)  # again
    assert state(root) == before


def test_other_files_are_refused_until_the_first_are_forgotten(
    root: Path, files: list[Path], tmp_path: Path
) -> None:
    add_weights("lost", files)
    before, other = state(root), made(tmp_path / "other", seed=6)
    with pytest.raises(SegmodelsError, match=r"sha256 is .*weights forget lost"):
        add_weights("lost", other)
    with pytest.raises(SegmodelsError, match=r"added before as model\.json, model\.safetensors"):
        add_weights("lost", files[1:])
    assert state(root) == before
    forget_weights("lost")
    assert load_weights_entry("lost").files == ()
    with pytest.raises(SegmodelsError, match="nothing to forget"):
        forget_weights("lost")
    add_weights("lost", other)
    assert load_weights_entry("lost").files[1].accepted == (sha256_of_file(other[1]),)


def test_what_is_no_such_network_changes_nothing(
    root: Path, files: list[Path], tmp_path: Path
) -> None:
    before = state(root)
    torn = tmp_path / "torn" / "model.safetensors"
    torn.parent.mkdir()
    torn.write_bytes(files[1].read_bytes()[:-100])
    wrong = made(tmp_path / "unet", "unet")
    page = tmp_path / "page.pth"
    page.write_text("<html>")
    (tmp_path / "nothing").mkdir()
    for given, reason in (
        (wrong, "holds unet, but segformer_nano was asked for"),
        ([torn, files[0]], r"torn/model\.safetensors has sha256 .* cut short"),
        ([page], r"page\.pth is a web page"),
        ([tmp_path / "nothing"], "nothing: there are no files in this folder"),
        ([tmp_path / "none.pth"], r"none\.pth: no such file"),
        ([files[0], files[0]], "two files of the name 'model.json'"),
    ):
        with pytest.raises(SegmodelsError, match=reason) as caught:
            add_weights("lost", given)
        assert ".adding" not in str(caught.value)
    assert state(root) == before


def test_a_folder_stands_for_its_files(root: Path, files: list[Path]) -> None:
    (files[0].parent / ".DS_Store").write_text("x")
    added = add_weights("lost", [files[0].parent])
    assert sorted(path.name for path in added.iterdir()) == [path.name for path in files]


def test_registered_files_must_be_the_registered_ones(
    root: Path, files: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(SegmodelsError, match=r"sha256 is .*, not the registered"):
        add_weights("published", files)
    (tmp_path / "a.pth").touch()
    with pytest.raises(SegmodelsError, match=r"are the files model\.json, model\.safetensors, not"):
        add_weights("published", [tmp_path / "a.pth"])
    mirror = root.parent / "mirror"
    add_weights("published", sorted(mirror.iterdir()))
    assert load_weights_entry("published").pinned == "first sight"  # its sha256 is registered
    for path in sorted(mirror.iterdir()):
        path.unlink()
    steps.fetch_released("published")
    assert (paths.released_weights("published") / "model.json").is_file()


def test_a_copy_that_changed_is_not_taken(root: Path, files: list[Path]) -> None:
    add_weights("lost", files)
    path = paths.added_weights("lost") / "model.safetensors"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(SegmodelsError, match="weights 'lost' are lost: the address died"):
        steps.fetch_released("lost")


def test_an_unknown_name_suggests_the_nearest(root: Path, files: list[Path]) -> None:
    with pytest.raises(UnknownNameError, match="published"):
        add_weights("publishd", files)


def test_a_claim_without_weights_says_so(
    root: Path, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", "toy_nobody", "--weights", str(files[0])]) == 1
    assert "claim 'toy_nobody' names no weights" in capsys.readouterr().err
