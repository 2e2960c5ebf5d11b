"""Checkpoints of every container, damaged or odd: one line that names a file, or a whole network.

Nothing in them is run, nothing is written, and nothing hangs.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_damage import (
    TEXTS,
    bytes_damaged,
    pickle_damaged,
    saved,
    tensors_damaged,
    text_damaged,
)
from checkpoint_files import KINDS, written
from hypothesis import given
from hypothesis import strategies as st
from mutations import campaign, fewer

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel

pytestmark = pytest.mark.fuzz

#: What lies where a file was.
GONE = (b"", b"\0" * 100, b"version https://git-lfs.github.com/spec/v1\n", b"{", b"<html>")


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    torch.set_num_threads(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_one_loads(tmp_path: Path, kind: str) -> None:
    path = written(kind, tmp_path / "right")
    model = load_checkpoint(path)
    assert not model.training
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 32, 32)).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_one_is_one_line_or_a_network(tmp_path: Path, kind: str) -> None:
    path = written(kind, tmp_path / "folder")
    folder = tmp_path / "folder"
    good = {file: file.read_bytes() for file in sorted(folder.iterdir())}
    torches = {
        file: torch.load(file, weights_only=False)
        for file, content in good.items()
        if file.suffix in (".pth", ".pt", ".ckpt") and content[8:9] != b"{"
    }
    canary = tmp_path / "canary"

    @campaign(fewer(4))
    @given(st.data())
    def wrong(data: Any) -> None:
        file = data.draw(st.sampled_from(list(good)))
        how = data.draw(st.sampled_from(("bytes", "pickle", "tensors", "gone")))
        if file.suffix in TEXTS and how != "gone":
            text = text_damaged(data, file, good[file].decode())
            content = text.encode("utf-8", "surrogatepass")
        elif how == "gone":
            content = data.draw(st.sampled_from(GONE))
        elif how == "bytes" or file not in torches:
            content = bytes_damaged(data, good[file])
        elif how == "pickle":
            content = pickle_damaged(data, good[file], canary)
        else:
            content = saved(data, tensors_damaged(data, torches[file]))
        file.write_bytes(content)
        try:
            check(path, folder, canary)
        finally:
            file.write_bytes(good[file])

    wrong()
    assert load_checkpoint(path)


def check(path: Path, folder: Path, canary: Path) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's, about what it reads
            model = load_checkpoint(path)
    except SegmodelsError as error:
        line = str(error)
        assert str(folder) in line, line
        assert "\n" not in line, line
        assert len(line) < 1500, line
    else:
        assert isinstance(model, SegModel)
        assert not model.training
        assert all(value.isfinite().all() for value in model.state_dict().values())
    assert not canary.exists()
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert [item.name for item in folder.parent.iterdir()] == [folder.name]
