from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import small_project
import torch
from PIL import Image

from segmodels.checkpoints import save_checkpoint
from segmodels.cli import analysing, main
from segmodels.core.files import digest
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import ESPNET_CAMVID
from segmodels.runs.run import load_run
from segmodels.steps.analysis import KINDS, Asked, analyse


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def checkpoint(root: Path) -> Path:
    torch.manual_seed(0)
    model = create_model("depict_sa_vit_nano_patch8", 4, layers=1, decoder_layers=1)
    model.preprocessing = ESPNET_CAMVID
    save_checkpoint(model, root.parent / "weights")
    return root.parent / "weights"


@pytest.fixture
def image(root: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root.parent / "image.png")
    return root.parent / "image.png"


def test_kinds_are_those_that_can_be_drawn() -> None:
    assert set(analysing._KINDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_and_the_numbers_behind_them(
    root: Path, checkpoint: Path, image: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "params/protocols.yaml").write_text(
        "middle: {version: 1, title: a window, window: 32, stride: 24}\n"
        "whole-ss: {version: 1, title: whole image}\n"
    )
    more = ["--protocol", "middle"] if kind == "embeddings" else []
    assert main(["analyse", kind, str(checkpoint), "--image", str(image), *more]) == 0
    printed = [root / line for line in capsys.readouterr().out.splitlines()]
    assert {path.suffix for path in printed} >= {".png", ".csv", ".json"}
    assert all(path.parent == root / "reports/local/analysis/weights" for path in printed)
    for path in printed:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert min(picture.size) > 100
    about = json.loads((printed[0].parent / f"{kind}.json").read_text())
    assert about["network"]["name"] == "depict_sa_vit_nano_patch8"
    assert list(about["images"]) == ["image.png"]
    assert about["inputs"] == [[32, 32] if more else [40, 56]]
    with (printed[0].parent / f"{kind}.csv").open() as source:
        rows = list(csv.DictReader(source))
    assert [list(row.values()) for row in rows] == [
        [str(value) for value in line.values()] for line in about["table"]
    ]
    again = {path: path.read_bytes() for path in printed}
    assert main(["analyse", kind, str(checkpoint), "--image", str(image), *more]) == 0
    assert {path: path.read_bytes() for path in printed} == again


def test_a_run_brings_its_own_images(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", "receptive-field", "published", "--number", "2", "--out", "drawn"]) == 0
    capsys.readouterr()
    about = json.loads((root / "drawn/receptive-field.json").read_text())
    assert len(about["images"]) == 2
    assert {line["input_height"] for line in about["table"]} == {min(s[0] for s in about["inputs"])}
    assert {line["input_width"] for line in about["table"]} == {min(s[1] for s in about["inputs"])}
    assert [line["stage"] for line in about["table"]] == [
        *(f"stage {number}" for number in range(1, 5)),
        "logits",
    ]


def test_attention_lists_the_image_that_it_shows_and_no_other(
    root: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyse", "attention", "published", "--out", "drawn"]) == 0
    about = json.loads((root / "drawn/attention.json").read_text())
    run = load_run("published")
    first = open_dataset(run.dataset, run.split).read(0)
    assert about["images"] == {first.name: digest(first.image.tolist())}
    assert about["inputs"] == [list(first.image.shape[:2])]
    capsys.readouterr()
    other = shutil.copy(image, root / "other.png")
    for asked in (Asked("published", [image, other]), Asked("published", number=2)):
        with pytest.raises(SegmodelsError, match="attention shows one image, and 2 are asked for"):
            analyse("attention", asked)


@pytest.mark.parametrize("kind", ["receptive-field", "embeddings"])
def test_images_of_the_same_name_are_refused(root: Path, image: Path, kind: str) -> None:
    (root / "more").mkdir()
    other = shutil.copy(image, root / "more/image.png")
    with pytest.raises(SegmodelsError, match=r"/image\.png and .*more/image\.png: reports list"):
        analyse(kind, Asked("published", [image, other]))


def test_what_is_missing_is_named(
    root: Path, checkpoint: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = root.parent / "small.png"
    Image.new("RGB", (1, 1)).save(small)
    plain = ["embeddings", str(checkpoint), "--protocol", "plain"]
    for arguments, message in (
        (
            [*plain, "--image", str(image), str(small)],
            "small.png: the network sees it as one patch",
        ),
        (["embeddings", str(checkpoint)], "is no run, so name images of it: --image FILE"),
        (["embeddings", "publishd", "--image", str(image)], "Did you mean 'published'"),
        (["embeddings", "published", "--image", str(image)], "has no class embeddings"),
        (["attention", str(checkpoint), "--image", "nothing.png"], "nothing.png"),
    ):
        assert main(["analyse", *arguments]) != 0
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["analyse", "attention", "published", "--at", "0.5,1"])
    assert "expected two shares below 1" in capsys.readouterr().err
