from __future__ import annotations

import io
import os
import pickle
import shutil
import tarfile
from contextlib import suppress

import numpy as np
import pytest
import torch
from copies import SIZE, filled, pascal_context, write_image, write_label
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmodels.assets.entries import load_dataset_entry
from segmodels.datasets.pascal_context import PascalContext, write_masks
from segmodels.datasets.reading.pickled_masks import read_masks
from segmodels.errors import SegmodelsError

MASKS = {
    "train": {2008000002: filled([0, 1, 59]), 2009000015: filled([5])},
    "val": {2010000009: filled([0, 30])},
}


def pickled(root, legacy=True, mode="L"):
    """Masks as `torch.save` writes them: dictionaries of Pillow images."""
    root.mkdir(parents=True, exist_ok=True)
    for split, masks in MASKS.items():
        images = {key: Image.fromarray(mask).convert(mode) for key, mask in masks.items()}
        torch.save(images, root / f"{split}.pth", _use_new_zipfile_serialization=not legacy)
    return root


@pytest.mark.parametrize("legacy", [True, False])
def test_pickled_masks_are_read_without_unpickling_them(tmp_path, legacy):
    pickled(tmp_path, legacy)
    for split, masks in MASKS.items():
        found = dict(read_masks(tmp_path / f"{split}.pth"))
        assert found.keys() == masks.keys()
        for key, mask in masks.items():
            np.testing.assert_array_equal(found[key], mask)


def test_masks_with_a_palette_keep_their_numbers(tmp_path):
    image = Image.fromarray(filled([0, 1, 59]))
    image.putpalette([7] * 768)
    assert image.mode == "P"
    torch.save({2008000002: image}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    ((_, mask),) = read_masks(tmp_path / "a.pth")
    np.testing.assert_array_equal(mask, filled([0, 1, 59]))


class Evil:
    def __reduce__(self):
        return os.system, ("echo run > evil",)


@pytest.mark.parametrize("legacy", [True, False])
def test_nothing_in_a_file_is_run(tmp_path, monkeypatch, legacy):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.pth"
    torch.save({2008000002: Evil()}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(SegmodelsError, match=r"train.pth: .*asks for \w+.system, .* was run"):
        list(read_masks(path))
    assert not (tmp_path / "evil").exists()


def test_other_uses_of_the_known_names_are_refused(tmp_path):
    class Encodes:
        def __reduce__(self):
            import _codecs

            return _codecs.encode, ("text", "rot13")

    path = tmp_path / "a.pth"
    torch.save({1: Encodes()}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(SegmodelsError, match="bytes are written in an unknown way"):
        list(read_masks(path))


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"a": Image.new("L", (2, 2))},
        {1: Image.new("RGB", (2, 2))},
        {1: 3},
        {1: torch.zeros(2)},
    ],
    ids=["list", "name", "colours", "number", "tensor"],
)
@pytest.mark.parametrize("legacy", [True, False])
def test_what_holds_no_masks_is_named(tmp_path, content, legacy):
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(SegmodelsError, match=r"a.pth: no file of pickled masks .*was run"):
        list(read_masks(tmp_path / "a.pth"))


@pytest.mark.parametrize("legacy", [True, False])
def test_damaged_files_are_named(tmp_path, legacy):
    path = pickled(tmp_path, legacy) / "train.pth"
    whole = path.read_bytes()
    end = len(whole) - 40  # the last bytes of the older format list storages, of which are none
    for keep in range(0, end, end // 25):
        path.write_bytes(whole[:keep])
        with pytest.raises(SegmodelsError, match=r"train.pth: no file of pickled masks"):
            list(read_masks(path))
    path.unlink()
    with pytest.raises(SegmodelsError, match=r"train.pth: missing"):
        list(read_masks(path))


@pytest.mark.parametrize("legacy", [True, False])
@given(damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=3))
def test_no_damage_gives_anything_but_masks_or_one_error(tmp_path_factory, legacy, damage):
    path = pickled(tmp_path_factory.mktemp("damaged", numbered=True), legacy) / "train.pth"
    content = bytearray(path.read_bytes())
    for where, value in damage:
        content[int(where * len(content))] = value
    path.write_bytes(content)
    with suppress(SegmodelsError):
        for key, mask in read_masks(path):
            assert isinstance(key, int)
            assert (mask.dtype, mask.ndim) == (np.uint8, 2)


def test_masks_are_written_as_segmenters_script_does(tmp_path):
    root = pickled(tmp_path / "VOCdevkit" / "VOC2010")
    for name in ("2008_000002", "2009_000015", "2010_000009"):
        write_image(root / "JPEGImages" / f"{name}.jpg")
    with pytest.raises(SegmodelsError, match=r"are pickled.*segmodels data masks .*VOC2010"):
        PascalContext.recognise(tmp_path)
    assert write_masks(root) == {"train": 2, "val": 1}
    assert (root / "ImageSets/SegmentationContext/val.txt").read_text() == "2010_000009\n"
    for split, masks in MASKS.items():
        for sample, mask in zip(PascalContext(tmp_path, split), masks.values(), strict=True):
            np.testing.assert_array_equal(sample.label, mask)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (pickled(tmp_path) / "SegmentationClassContext").touch()
    with pytest.raises(SegmodelsError, match=r"SegmentationClassContext: File exists"):
        write_masks(tmp_path)


def test_the_archives_are_prepared(tmp_path):
    pickled(tmp_path)
    with tarfile.open(tmp_path / "VOCtrainval_03-May-2010.tar", "w") as packed:
        for name in ("2008_000002", "2009_000015", "2010_000009", "2007_000027"):
            write_image(tmp_path / "a.jpg")
            packed.add(tmp_path / "a.jpg", f"VOCdevkit/VOC2010/JPEGImages/{name}.jpg")
        link = tarfile.TarInfo("VOCdevkit/VOC2010/JPEGImages/2008_000003.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
    made = tmp_path / "made"
    PascalContext.prepare(load_dataset_entry("pascal_context"), tmp_path, made)
    assert len(PascalContext(made, "train")) == 2
    assert PascalContext(made, "val").read(0).image.shape == (*SIZE, 3)
    assert len(list((made / "JPEGImages").iterdir())) == 3  # only those that have masks


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_broken_tar_is_named(tmp_path, content):
    pickled(tmp_path)
    path = tmp_path / "VOCtrainval_03-May-2010.tar"
    if content is None:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as packed:
            info = tarfile.TarInfo("VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg")
            info.size = 90_000
            packed.addfile(info, io.BytesIO(bytes(90_000)))
        content = stream.getvalue()[:40_000]
    path.write_bytes(content)
    with pytest.raises(SegmodelsError, match=r"2010.tar: (damaged|holds no images)"):
        PascalContext.prepare(load_dataset_entry("pascal_context"), tmp_path, tmp_path / "made")


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([0, 20, 255], "label 255 is none of .*VOC's own 21 classes"),
        ([0, 58, 255], "label 255 is none of .*59 classes already"),
        ([0, 60], "label 60 is none of the 60 classes 0..59"),
    ],
)
def test_masks_of_other_kinds_are_told(tmp_path, stored, message):
    pascal_context(tmp_path)
    write_label(tmp_path / "SegmentationClassContext" / "2008_000009.png", filled(stored))
    with pytest.raises(SegmodelsError, match=f"2008_000009.png: {message}"):
        PascalContext(tmp_path, "val").read(0)


def test_a_real_voc_label_is_refused_where_it_can_be(samples, tmp_path):
    """Its ids 0 and 8 are classes here too: only 255 at borders gives VOC's own labels away."""
    pascal_context(tmp_path)
    shutil.copy(samples / "voc_palette/JPEGImages/1.jpg", tmp_path / "JPEGImages/2008_000009.jpg")
    shutil.copy(
        samples / "voc_palette/SegmentationClass/1.png",
        tmp_path / "SegmentationClassContext/2008_000009.png",
    )
    sample = PascalContext(tmp_path, "val").read(0)
    assert set(np.unique(sample.label)) == {0, 8}  # indices of the palette, not its colours


def test_raw_numbers_of_459_classes_are_refused(tmp_path):
    pascal_context(tmp_path)
    raw = filled([0, 2, 58]).astype(np.uint16) + 200
    write_label(tmp_path / "SegmentationClassContext" / "2008_000009.png", raw)
    with pytest.raises(SegmodelsError, match=r"decodes to uint16.*raw ids of a larger list"):
        PascalContext(tmp_path, "val").read(0)


def test_outlines_alone_are_told(tmp_path):
    (tmp_path / "trainval_merged.json").touch()
    with pytest.raises(SegmodelsError, match="holds outlines, not masks"):
        PascalContext.recognise(tmp_path)


def test_a_plain_pickle_is_no_file_of_masks(tmp_path):
    (tmp_path / "a.pth").write_bytes(pickle.dumps({1: b"x"}))
    with pytest.raises(SegmodelsError, match="no file of pickled masks"):
        list(read_masks(tmp_path / "a.pth"))
