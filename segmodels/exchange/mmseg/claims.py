"""Claims and weights out of mmsegmentation's model zoo, written below `params/`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segmodels.claims import Claim
from segmodels.claims.reading import Paper, claim_files, read_file
from segmodels.core.entry import read_entry
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.exchange.entries_text import claims_text, write_claims, write_weights
from segmodels.exchange.mmseg.configs import read_config
from segmodels.exchange.mmseg.networks import NotHereError, network_of
from segmodels.exchange.mmseg.package import Package, open_package
from segmodels.exchange.mmseg.protocols import protocol_of
from segmodels.exchange.mmseg.results import Result, results_of
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocols

#: Name, split and number of classes here, by the class and the folder of a dataset there.
DATASETS: Mapping[tuple[str, str], tuple[str, str, int]] = {
    ("ADE20KDataset", "data/ade/ADEChallengeData2016"): ("ade20k", "val", 150),
    ("CityscapesDataset", "data/cityscapes/"): ("cityscapes", "val", 19),
    ("PascalContextDataset", "data/VOCdevkit/VOC2010/"): ("pascal_context", "val", 60),
    ("PascalVOCDataset", "data/VOCdevkit/VOC2012"): ("voc2012", "val", 21),
    ("COCOStuffDataset", "data/coco_stuff164k"): ("coco_stuff_164k", "val", 171),
    ("COCOStuffDataset", "data/coco_stuff10k"): ("coco_stuff_10k", "test", 171),
}

#: Who prints the numbers.
BY = "MMSegmentation"

FOLDER = "mmseg"


@dataclass
class Imported:
    """What an import wrote, and what it left out.

    Attributes:
        files: those that hold claims, and the one of weights.
        claims: how many were written.
        by_hand: how many numbers stand in other files of claims already.
        left_out: how many numbers were left out, by what is not here.
    """

    files: list[Path] = field(default_factory=list)
    claims: int = 0
    by_hand: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def import_zoo(path: Path) -> Imported:
    """Write a claim for every number of the zoo whose network, data and protocol are here.

    The files of an earlier import are replaced. A number that a hand-written claim has with the
    same weights and protocol is not written again; where that claim prints another number, both
    are kept, and the new one names the other in `conflicts`.

    Args:
        path: of mmsegmentation's wheel, or of a folder with its configs.

    Raises:
        SegmodelsError: it is no such package, or a file in it is not as it should be.
    """
    package = open_package(path)
    results, other = results_of(package)
    imported, known = Imported(left_out=Counter(other)), load_protocols()
    by_hand = _written_by_hand()
    claims: dict[str, list[dict[str, Any]]] = {}
    weights: dict[str, dict[str, Any]] = {}
    titles = {result.family: result for result in results}
    for result in results:
        try:
            claim = _claim(package, result, known)
        except NotHereError as error:
            imported.left_out[str(error)] += 1
            continue
        weights[claim["weights"]] = _weights(package, result, claim["model"])
        same = by_hand.get((claim["weights"], claim["protocol"]), [])
        if any(one.value == claim["value"] for one in same):
            imported.by_hand += 1
            continue
        if same:
            claim["conflicts"] = sorted(one.id for one in same)
        imported.claims += 1
        claims.setdefault(result.family, []).append(claim)
    folder = project_root() / "params" / "claims" / FOLDER
    texts = {
        f"{family}.yaml": claims_text(_head(titles[family]), _shared(package, family), found)
        for family, found in sorted(claims.items())
    }
    imported.files = [*write_claims(folder, texts), write_weights(FOLDER, weights)]
    return imported


def _claim(package: Package, result: Result, known: Mapping[str, Protocol]) -> dict[str, Any]:
    if result.config not in package.texts:
        raise NotHereError("config that its metafile names and the package lacks")
    config = read_config(package, result.config)
    kind = (str(config.get("dataset_type")), str(config.get("data_root")))
    if kind not in DATASETS:
        raise NotHereError(f"dataset {kind[0]}{'' if _one_folder(kind[0]) else f' in {kind[1]}'}")
    dataset, split, classes = DATASETS[kind]
    model, overrides = network_of(config["model"], classes)
    name = _name(result)
    scales = "multi-scale and flip" if result.several else "single scale"
    claim = {
        "id": f"mmseg_{name}_{'ms' if result.several else 'ss'}",
        "model": model,
        "overrides": overrides,
        "dataset": dataset,
        "split": split,
        "value": result.value,
        "protocol": protocol_of(config, result.family, dataset, result.several, known),
        "stated": f"{scales}; {_schedule(result, name)}",
        "weights": f"mmseg-{name}",
    }
    return {field: value for field, value in claim.items() if value != {}}


def _one_folder(kind: str) -> bool:
    return all(known != kind for known, _ in DATASETS)


def _name(result: Result) -> str:
    """The name of the file of weights without date and digits, in the letters of ids.

    Two rows may name one config, by mistake; files are each of one training.
    """
    stem = result.weights[0].rpartition("/")[2].removesuffix(".pth")
    plain = re.sub(r"[_-]\d{8}(_\d{6})?-[0-9a-f]{8}$", "", stem.lower())
    return re.sub(r"[^a-z0-9_-]", "-", plain)


def _schedule(result: Result, name: str) -> str:
    """How a training went by the names of config and file: `4xb2` is 4 GPUs x 2 images."""
    batch = re.search(r"(\d+)xb(\d+)", result.name)
    length = re.search(r"_(\d+)k(_|-|$)", name) or re.search(r"-(\d+)k_", result.name)
    images = f"{batch[1]} x {batch[2]} images" if batch else "a batch not named"
    iterations = f", {length[1]}k iterations" if length else ""
    mixed = ", mixed precision" if "fp16" in name or "-amp-" in result.name else ""
    return f"trained with {images}{iterations}{mixed}"


def _weights(package: Package, result: Result, model: str) -> dict[str, Any]:
    address, digits = result.weights
    file = {"name": address.rpartition("/")[2], "url": address, "sha256_prefix": digits}
    source = f"mmsegmentation {package.version}, configs/{result.family}/metafile.yaml"
    entry = {"model": model, "state": "ok", "source": source, "licence": "Apache-2.0"}
    return {**entry, "files": [file]}


def _shared(package: Package, family: str) -> dict[str, Any]:
    """What all claims of a file have."""
    return {
        "claimant": "re-implementation",
        "by": BY,
        "metric": "mIoU",
        "decimals": 2,  # of the tables; the metafiles drop a last zero
        "released": "yes",
        "source": f"mmsegmentation {package.version}, configs/{family}/metafile.yaml",
        "seen": f"the package mmsegmentation {package.version} itself",
    }


def _head(result: Result) -> dict[str, str]:
    """Key, title and address of a paper: as claims by hand have them, where there are some."""
    arxiv = re.search(r"arxiv\.org/abs/(\d{4}\.\d{4,5})", result.url)
    number = arxiv[1] if arxiv else ""
    for paper in _papers():
        if number and paper.arxiv == number:
            return {"paper": paper.paper, "title": paper.title, "arxiv": number, "url": paper.url}
    url = result.url if result.url.startswith("https://") else ""
    return {"paper": result.family, "title": result.title, "arxiv": number, "url": url}


def _papers() -> Iterable[Paper]:
    for path in claim_files():
        if path.parent.name != FOLDER:
            yield read_entry(Paper, str(path), read_yaml(path))


def _written_by_hand() -> dict[tuple[str, str], list[Claim]]:
    """Claims that no import wrote, by their weights and protocol."""
    found: dict[tuple[str, str], list[Claim]] = {}
    for path in claim_files():
        for entry in read_file(path)[0] if path.parent.name != FOLDER else ():
            if isinstance(entry, Claim) and entry.weights:
                found.setdefault((entry.weights, entry.protocol), []).append(entry)
    return found
