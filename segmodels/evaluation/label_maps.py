"""Label maps: the label that a network gave every pixel of a split, kept as one PNG per image.

Evidence holds counts; maps hold where. A folder of maps carries a manifest with the key of the
evidence and the sha256 of every file, so that counting the maps against the labels must give
the counts of the evidence, cell by cell. Maps are large and belong to DVC's cache, not to git.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from segmodels.core.arrays import void_of
from segmodels.core.files import (
    atomic_path,
    combine,
    naming,
    read_json,
    sha256_of_file,
    write_json,
)
from segmodels.core.listing import without_strays
from segmodels.datasets.reading.base import Dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import count_pairs
from segmodels.evidence import Evidence, ImageCounts

SCHEMA = 1
_MANIFEST = "manifest.json"

#: (H, W): uint8, or uint16 for networks of more than 256 outputs.
LabelMap = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class MapFile:
    """One map of a folder: the name of its image, its file and the file's hex SHA-256."""

    image: str
    file: str
    sha256: str


def map_path(image: str) -> str:
    """Where the map of an image lies in its folder: its name, ending in `.png`.

    Raises:
        SegmodelsError: the name would lead out of the folder.
    """
    name = PurePosixPath(image)
    if name.is_absolute() or ".." in name.parts or not name.name:
        raise SegmodelsError(f"image {image!r}: a label map cannot be kept under this name.")
    return str(name.with_suffix(".png"))


def check_names(images: Iterable[str]) -> None:
    """Refuse images whose maps would lie in one file (SegmodelsError names them)."""
    seen: dict[str, str] = {}
    for image in images:
        other = seen.setdefault(map_path(image), image)
        if other != image:
            raise SegmodelsError(f"label maps of {other!r} and {image!r} would be one file.")


def write_map(folder: Path, image: str, labels: LabelMap) -> MapFile:
    """Write the map of one image whole or not at all: 8-bit grey, 16-bit for uint16."""
    path = folder / map_path(image)
    with naming(path), atomic_path(path) as temporary:
        Image.fromarray(labels).save(temporary, "PNG")
    return MapFile(image, map_path(image), sha256_of_file(path))


def read_map(path: Path) -> LabelMap:
    """The labels of one file, as they were written.

    Raises:
        SegmodelsError: it is missing, damaged, or no grey image of 8 or 16 bits.
    """
    try:
        with Image.open(path) as opened:
            labels = np.asarray(opened)
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: missing.") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise SegmodelsError(f"{path}: cannot be decoded ({error}).") from None
    if labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16):
        raise SegmodelsError(f"{path}: no label map, it decodes to {labels.dtype} {labels.shape}.")
    return labels


def is_whole(folder: Path, evidence: str) -> bool:
    """Whether a folder holds every map behind the evidence of this key, by its manifest."""
    path = folder / _MANIFEST
    if not path.is_file() or read_json(path).get("evidence") != evidence:
        return False
    return all((folder / one.file).is_file() for one in _read(path))


def publish(
    draft: Path, target: Path, evidence: str, outputs: int, files: Sequence[MapFile]
) -> None:
    """Make a finished folder of maps, with its manifest, the folder `target`.

    Args:
        draft: holds the maps; it is gone afterwards, and with it what belongs to no image.
        target: replaced whole; what it held before goes last.
        evidence: key of the evidence.
        outputs: number of network outputs.
        files: all maps, in the order of the dataset.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (target.with_name(f".{target.name}.{what}") for what in ("new", "old"))
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for one in files:
        (fresh / one.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft / one.file, fresh / one.file)
    images = [asdict(one) for one in files]
    head = {"schema": SCHEMA, "evidence": evidence, "outputs": outputs, "images": images}
    write_json(fresh / _MANIFEST, head)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    for leftover in (draft, old):
        shutil.rmtree(leftover, ignore_errors=True)


def merge_maps(parts: Sequence[Path], target: Path, evidence: Evidence) -> None:
    """Make one folder of copies from the folders of all shards.

    Raises:
        SegmodelsError: a shard's maps are missing, or are not those of this evidence.
    """
    for part in parts:
        if not is_whole(part, evidence.key):
            raise SegmodelsError(f"{part}: label maps of evidence {evidence.key} are missing here.")
    found = {one.image: (part, one) for part in parts for one in _read(part / _MANIFEST)}
    wanted = evidence.names
    if missing := [name for name in wanted if name not in found]:
        raise SegmodelsError(f"the shards of {evidence.key} kept no label map of {missing[0]!r}.")
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for part, one in (found[name] for name in wanted):
        (draft / one.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part / one.file, draft / one.file)
    publish(draft, target, evidence.key, evidence.outputs, [found[name][1] for name in wanted])


def evidence_of(folder: Path) -> str:
    """Key of the evidence that the maps of a folder belong to."""
    return str(_head(folder / _MANIFEST)["evidence"])


def maps_digest(folder: Path) -> dict[str, Any]:
    """What identifies the maps of a folder by their labels, whoever encoded the PNG files.

    Returns:
        `sha256` over names, sizes and labels (two bytes each, little end first) of all images, and
        how many `images` there are.

    Raises:
        SegmodelsError: a map is missing or was changed.
    """
    files = _read(folder / _MANIFEST)
    sums = []
    for one in files:
        path = folder / map_path(one.file)
        labels = read_map(path)
        if sha256_of_file(path) != one.sha256:
            raise SegmodelsError(f"{path}: changed since it was written, its sha256 is another.")
        content = np.array(labels.shape, "<u4").tobytes() + labels.astype("<u2").tobytes()
        sums.append((one.image, hashlib.sha256(content).hexdigest()))
    return {"sha256": combine(sums), "images": len(files)}


def map_folders(folder: Path) -> list[Path]:
    """Every folder of maps at or below a folder, sorted; unfinished ones left out."""
    return [path.parent for path in without_strays(folder, folder.rglob(_MANIFEST))]


def check_maps(folder: Path, evidence: Evidence, dataset: Dataset) -> int:
    """Count the maps against the labels and compare with the evidence.

    Args:
        folder: as `publish` makes it.
        evidence: whose key the manifest names.
        dataset: the split that was evaluated.

    Returns:
        how many maps were counted.

    Raises:
        SegmodelsError: the first map that is missing, changed, or gives other counts.
    """
    path = folder / _MANIFEST
    head, files = _head(path), _read(path)
    expected = {"evidence": evidence.key, "outputs": evidence.outputs}
    for field, value in expected.items():
        if head[field] != value:
            raise SegmodelsError(f"{path}: field {field!r} is {head[field]!r}, not {value!r}.")
    if tuple(one.image for one in files) != evidence.names:
        raise SegmodelsError(f"{path}: the images are not those of evidence {evidence.key}.")
    indices = {one.name: index for index, one in enumerate(dataset.files)}
    for one, counts in zip(files, evidence.images, strict=True):
        if one.image not in indices:
            raise SegmodelsError(f"{path}: {one.image!r} is no image of {dataset.name}.")
        label = dataset.read_label(dataset.files[indices[one.image]].label)
        _check_map(folder, one, counts, label, evidence)
    return len(files)


def _check_map(
    folder: Path, file: MapFile, counts: ImageCounts, label: LabelMap, evidence: Evidence
) -> None:
    path = folder / map_path(file.file)
    labels = read_map(path)
    if sha256_of_file(path) != file.sha256:
        raise SegmodelsError(f"{path}: changed since it was written, its sha256 is another one.")
    try:
        matrix = count_pairs(label, labels, len(evidence.classes), evidence.outputs, void_of(label))
    except SegmodelsError as error:
        raise SegmodelsError(f"{path}: {error}") from None
    if ImageCounts.from_matrix(file.image, matrix) != counts:
        raise SegmodelsError(f"{path}: counting it does not give the counts of {evidence.key}.")


def _head(path: Path) -> dict[str, Any]:
    head: dict[str, Any] = read_json(path)
    if not isinstance(head, dict) or head.get("schema") != SCHEMA:
        raise SegmodelsError(f"{path}: no manifest of label maps of schema {SCHEMA}.")
    return head


def _read(path: Path) -> list[MapFile]:
    try:
        return [MapFile(**entry) for entry in _head(path)["images"]]
    except (KeyError, TypeError) as error:
        raise SegmodelsError(f"{path}: field 'images' is broken ({error!r}).") from None
