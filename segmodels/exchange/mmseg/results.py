"""The results that mmsegmentation's `metafile.yaml` files list."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from segmodels.errors import SegmodelsError, shown
from segmodels.exchange.mmseg.package import Package

#: How the tables name a mean IoU: at one scale, and at several with mirroring.
METRICS = {"mIoU": False, "mIoU(ms+flip)": True}

#: What ends the name of a file of weights: the first digits of its sha256.
_PREFIX = re.compile(r"-([0-9a-f]{8})\.pth$")


@dataclass(frozen=True)
class Result:
    """One printed number of the zoo.

    Attributes:
        family: folder of its metafile.
        name: of the config.
        config: its path below the folder of configs.
        title: of the paper of the family.
        url: of that paper.
        value: mean IoU, %.
        several: whether at several scales and mirrored.
        weights: address of the file, and the digits of its sha256 that its name ends with.
    """

    family: str
    name: str
    config: str
    title: str
    url: str
    value: float
    several: bool
    weights: tuple[str, str]


def results_of(package: Package) -> tuple[list[Result], list[str]]:
    """All mean IoUs of the package, and what is said of the numbers that are none.

    Raises:
        SegmodelsError: a metafile is not what it should be; file and field are named.
    """
    found: list[Result] = []
    other: list[str] = []
    for path in package.metafiles:
        where = f"{package.path}, {path}"
        content = _content(where, package.texts[path])
        collections = _list(where, content, "Collections")
        papers = {str(one.get("Name")): one.get("Paper") for one in collections}
        for model in _list(where, content, "Models"):
            for kind, value in _metrics(where, model):
                if kind not in METRICS:
                    other.append(f"metric {kind}")
                elif (weights := _weights(model)) is None:
                    other.append("no address with digits of a sha256")
                else:
                    paper = papers.get(str(model.get("In Collection")))
                    found.append(_result(where, path, model, paper, (kind, value), weights))
    return found, other


def _content(where: str, text: str) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise SegmodelsError(f"{where}: not valid YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(content, Mapping):
        found = shown(content)
        raise SegmodelsError(f"{where}: expected 'Collections' and 'Models', found {found}.")
    return content


def _list(where: str, content: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    values = content.get(field) or []
    if not isinstance(values, list) or not all(isinstance(one, Mapping) for one in values):
        raise SegmodelsError(f"{where}: field {field!r}: expected a list of mappings.")
    return values


def _metrics(where: str, model: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    results = model.get("Results")
    for one in results if isinstance(results, list) else [results]:
        metrics = one.get("Metrics") if isinstance(one, Mapping) else None
        if not isinstance(metrics, Mapping):
            raise SegmodelsError(f"{where}, {model.get('Name')}: field 'Results' has no 'Metrics'.")
        for kind, value in metrics.items():
            if kind in METRICS and not (type(value) in (int, float) and 0 < value <= 100):
                raise SegmodelsError(
                    f"{where}, {model.get('Name')}: metric {kind!r}: expected a percentage, found "
                    f"{shown(value)}."
                )
            yield str(kind), value


def _weights(model: Mapping[str, Any]) -> tuple[str, str] | None:
    address = str(model.get("Weights") or "")
    found = _PREFIX.search(address)
    return (address, found[1]) if found and address.startswith("https://") else None


def _result(
    where: str,
    path: str,
    model: Mapping[str, Any],
    paper: Any,
    printed: tuple[str, float],
    weights: tuple[str, str],
) -> Result:
    config = str(model.get("Config") or "").removeprefix("configs/")
    if not config.endswith(".py"):
        raise SegmodelsError(f"{where}, {model.get('Name')}: field 'Config' names no config.")
    paper = paper if isinstance(paper, Mapping) else {}
    return Result(
        family=posixpath.dirname(path),
        name=posixpath.basename(config).removesuffix(".py"),
        config=config,
        title=" ".join(str(paper.get("Title") or posixpath.dirname(path)).split()),
        url=str(paper.get("URL") or ""),
        value=float(printed[1]),
        several=METRICS[printed[0]],
        weights=weights,
    )
