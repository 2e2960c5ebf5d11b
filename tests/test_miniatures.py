"""Each dataset of the papers in small: fetched, prepared, trained on, evaluated and judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import miniatures
import numpy as np
import pytest
import torch
from small_project import FILES

from segmodels import cli, steps
from segmodels.core import paths
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.shapes import draw_scene
from segmodels.evidence import find_evidence
from segmodels.leaderboard import rows_here

#: A protocol of a paper, or what is usual, for each dataset.
PROTOCOLS = {
    "ade20k": "segformer-ade20k-ss",
    "camvid": "espnet-camvid",
    "cityscapes": "segformer-cityscapes-512-ss",
    "coco_stuff_164k": "segformer-coco-stuff-ss",
    "pascal_context": "mmseg-pascal-context-59-ss",
    "voc2012": "espnetv2-voc-256",
}


@pytest.fixture
def mini(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edit_yaml: Callable[..., None],
    request: pytest.FixtureRequest,
) -> str:
    """A project whose mirror holds the miniature of a dataset; its name."""
    name: str = request.param
    entry = miniatures.draw(name, tmp_path / "mirror")
    edit_yaml(project / "params/datasets.yaml", lambda entries: entries[name].update(entry))
    monkeypatch.setenv("SEGMODELS_MIRROR", str(tmp_path / "mirror"))
    torch.set_num_threads(1)
    (project / "params/recipes/tiny.yaml").write_text(FILES["recipes/tiny.yaml"])
    run = FILES["runs/tiny.yaml"].replace("shapes", name).replace("robustness: [quick]\n", "")
    run = run.replace("[plain, strict, views]", f"[{PROTOCOLS[name]}]")
    split = "test" if name == "camvid" else "val"
    (project / "params/runs/mini.yaml").write_text(run.replace("split: test", f"split: {split}"))
    return name


@pytest.mark.parametrize("mini", miniatures.DRAWN, indirect=True)
def test_from_the_archives_to_the_board(mini: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "mini"]) == 0
    said = capsys.readouterr()
    assert f"mini, {PROTOCOLS[mini]}: mIoU" in said.out, said.err
    (found,) = find_evidence(paths.evidence())
    assert found.complete
    assert found.identity.dataset == mini
    (row,) = [row for row in rows_here() if row.run == "mini"]
    assert row.verdict.status == "measured"


@pytest.mark.parametrize("mini", ["voc2012"], indirect=True)
def test_one_command_verifies_a_released_network(
    mini: str, tmp_path: Path, mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ESPNetv2's released file on drawn images: fetched, counted when squashed, judged."""
    file = "espnetv2_s_0.5_pascal_256x256.pth"
    shutil.copy(mirror / "checkpoints" / "espnetv2" / file, tmp_path / "mirror")
    assert cli.main(["verify", "espnetv2_s0_5_voc_256"]) == 0
    assert "claimed 39.82, verified" in capsys.readouterr().out
    (found,) = find_evidence(paths.evidence())
    assert found.classes[0] == "background"
    assert [sum(one.counts) for one in found.images] == [256 * 256] * miniatures.IMAGES["val"]
    drawn = {sample.label.shape for sample in open_dataset(mini, "val")}
    assert drawn.isdisjoint({(256, 256)})


@pytest.mark.parametrize("mini", miniatures.DRAWN, indirect=True)
def test_labels_come_back_as_drawn(mini: str) -> None:
    """Read by its own encoding, each drawn class is one class of the dataset, and void is void."""
    steps.ensure_dataset(mini)
    drawn = [draw_scene(7, "train", index).label for index in range(miniatures.IMAGES["train"])]
    found = {
        (int(was), int(now))
        for label, sample in zip(drawn, open_dataset(mini, "train"), strict=True)
        for was, now in np.unique(np.stack([label, sample.label], -1).reshape(-1, 2), axis=0)
    }
    assert len({was for was, _ in found}) >= 8
    assert len(found) == len({was for was, _ in found}) == len({now for _, now in found})
