"""The tutorials, done as they stand there.

The normal run does them in small: with a few drawn images, a few steps, and the claims a page
speaks of. The slow run changes nothing but what a page says it leaves out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from shown_commands import follow

REPOSITORY = Path(__file__).resolve().parent.parent
TUTORIALS = REPOSITORY / "docs" / "tutorials"
EVIDENCE = Path("reports/evidence/camvid-espnet/espnet-camvid")

EditYaml = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what git keeps of params and reports, to stand in."""
    root = tmp_path / "copy"
    shutil.copytree(REPOSITORY / "params", root / "params")
    for name in ("reports/datasets", str(EVIDENCE)):
        shutil.copytree(REPOSITORY / name, root / name)
    shutil.copy(REPOSITORY / "reports/efficiency.json", root / "reports")
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    monkeypatch.chdir(root)
    return root


def keep_two_papers(root: Path, edit_yaml: EditYaml) -> None:
    """Of claims and runs those that the page speaks of: judging all takes a minute."""
    for path in (root / "params/claims").rglob("*.yaml"):
        if path.stem not in ("espnet", "segformer"):
            path.unlink()
    spoken_of = ("segformer_b5_cityscapes_gflops", "segformer_b0_cityscapes_1024_ss")

    def few(entries: dict[str, Any]) -> None:
        entries.pop("statements", None)
        entries["claims"] = [one for one in entries["claims"] if one["id"] in spoken_of]

    edit_yaml(root / "params/claims/segformer.yaml", few)
    for folder in ("runs", "suites"):
        for path in (root / "params" / folder).iterdir():
            if path.stem != "camvid-espnet":
                path.unlink()


def test_verify(copy: Path, capsys: pytest.CaptureFixture[str], edit_yaml: EditYaml) -> None:
    keep_two_papers(copy, edit_yaml)
    assert follow(TUTORIALS / "verify.md", copy, capsys) == 8
    assert "55.64" in (copy / "espnet.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_verify_with_all_claims_and_camvid(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    mirror: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEGMODELS_MIRROR", str(mirror))
    assert follow(TUTORIALS / "verify.md", copy, capsys, frozenset({"camvid"})) == 9


@pytest.fixture
def in_small(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository's params and a handful of drawn images, to stand in."""
    torch.set_num_threads(1)  # threads that wait for each other are slow where cores are shared
    monkeypatch.chdir(project)
    return project


def shorter(page: Path, folder: Path, changes: dict[str, str]) -> Path:
    """The page with fewer steps."""
    text = page.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{page}: {old!r} is not there any more"
        text = text.replace(old, new)
    path = folder / page.name
    path.write_text(text, encoding="utf-8")
    return path


def test_retrain_in_small(
    in_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {
        "\nsteps: 30\nwarmup: 5\nvalidate_every: 15\n": (
            "\nsteps: 2\nbatch: 2\nwarmup: 1\nvalidate_every: 2\nvalidate_images: 1\nthreads: 1\n"
        ),
        # It runs the network of the paper in its full size.
        "```console numbers=vary\n$ segmodels train segformer-b0": (
            "```console numbers=vary needs=time\n$ segmodels train segformer-b0"
        ),
    }
    assert follow(shorter(TUTORIALS / "retrain.md", tmp_path, changes), in_small, capsys) == 4


def test_own_model_in_small(
    in_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {
        "\nsteps: 60\nbatch: 16\n": "\nsteps: 2\nbatch: 2\nthreads: 1\n",
        "\nwarmup: 10\n": "\nwarmup: 1\n",
        "\nvalidate_every: 30\nvalidate_images: 16\n": "\nvalidate_every: 2\nvalidate_images: 1\n",
        "protocols: [whole-ss, segmenter-ade20k-ss, segformer-ade20k-ms]": "protocols: [whole-ss]",
        "mine, segmenter-ade20k-ss: mIoU 50.7112 (evidence ...)\n": "",
        "mine, segformer-ade20k-ms: mIoU 50.7493 (evidence ...)\n": "",
    }
    assert follow(shorter(TUTORIALS / "own-model.md", tmp_path, changes), in_small, capsys) == 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "commands"), [("retrain", 5), ("own-model", 3)])
def test_as_it_stands(
    name: str, commands: int, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(TUTORIALS / f"{name}.md", copy, capsys) == commands
