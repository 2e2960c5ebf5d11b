"""A paper's JSON of SOTAVerified's interface as claims, protocol left open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from segmodels.assets.entries import DatasetEntry, load_dataset_entries
from segmodels.claims import Claim, load_claims
from segmodels.core.entry import Entry, Words, read_entry
from segmodels.core.files import read_json, write_text
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError, nearest, pick, shown
from segmodels.exchange.entries_text import claims_text
from segmodels.models import list_models

FOLDER = "sotaverified"

#: Metrics here by their letters and digits there, and the split that the name of one says.
METRICS: Mapping[str, tuple[str, str]] = {
    "miou": ("mIoU", ""),
    "meaniou": ("mIoU", ""),
    "validationmiou": ("mIoU", "val"),
    "valmiou": ("mIoU", "val"),
    "testmiou": ("mIoU", "test"),
    "macc": ("mAcc", ""),
    "meanaccuracy": ("mAcc", ""),
    "aacc": ("aAcc", ""),
    "pixelaccuracy": ("aAcc", ""),
    "paramsm": ("params_M", ""),
    "gflops": ("GFLOPs", ""),
}

#: Words behind the name of a dataset there that name a split.
_SPLITS = {"val": "val", "validation": "val", "test": "test"}

#: A number as text, perhaps with a sign for percent.
_NUMBER = re.compile(r"(\d+(?:\.(\d+))?)\s*%?")


class _Theirs(Entry):
    """Fields of theirs; those that are not needed here may be there, or not."""

    model_config = ConfigDict(extra="ignore")


class Line(_Theirs):
    """One number of a paper.

    Attributes:
        task, dataset, metric: in their words.
        value: the number, or a text that holds it.
    """

    task: str = ""
    dataset: Words
    metric: Words
    value: float | str


class PaperJson(_Theirs):
    """What the interface gives of a paper, as far as it is read here.

    Attributes:
        arxiv_id: number on arXiv, perhaps with a version.
        title: of the paper.
        leaderboard: its numbers.
    """

    arxiv_id: Annotated[
        str, Field(pattern=r"^\d{4}\.\d{4,5}(v\d+)?$", title="a number as 2103.14030")
    ]
    title: Words
    leaderboard: list[dict[str, Any]]


@dataclass
class ImportedPaper:
    """What an import wrote.

    Attributes:
        path: the file of claims; None where nothing was left to write.
        ids: of the claims written.
        known: ids of claims here that print the same number.
        left_out: what was left out, each with the reason.
    """

    path: Path | None = None
    ids: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def import_paper(path: Path, model: str | None = None) -> ImportedPaper:
    """Write the numbers of a paper into `params/claims/sotaverified/<arxiv_id>.yaml`.

    The interface names neither network, split nor protocol. The protocol is left open, so that the
    claims are blocked until somebody states it.

    Args:
        path: JSON of one paper, as the interface gives it.
        model: name of the network that the numbers are of; else a name made of the title.

    Raises:
        SegmodelsError: the file is no such JSON; file and field are named.
    """
    paper = read_entry(PaperJson, str(path), _object(path))
    if model is not None:
        pick("model", model, dict.fromkeys(list_models()))
    arxiv = paper.arxiv_id.partition("v")[0]
    head, shared = _head(paper, arxiv), _shared(arxiv, model is None)
    here = [one for one in load_claims().values() if one.arxiv == arxiv]
    others = [one for one in here if one.source != shared["source"]]
    found, datasets = ImportedPaper(), load_dataset_entries()
    claims: dict[str, dict[str, Any]] = {}
    for number, raw in enumerate(paper.leaderboard, start=1):
        where = f"{path}, leaderboard entry {number}"
        line = read_entry(Line, where, raw)
        try:
            claim = _claim(where, line, datasets)
        except LookupError as reason:
            found.left_out.append(f"{line.dataset}, {line.metric}: {reason.args[0]}")
            continue
        if same := [one.id for one in others if _same(one, claim)]:
            found.known += same
            continue
        name = _unique(f"sv_{arxiv}_{claim['dataset']}_{claim['metric'].lower()}", claims)
        claims[name] = {"id": name, "model": model or _short(paper.title, arxiv), **claim}
        read_entry(Claim, where, {**shared, **claims[name]}, **head)
    found.ids = list(claims)
    if claims:
        found.path = project_root() / "params" / "claims" / FOLDER / f"{arxiv}.yaml"
        write_text(found.path, claims_text(head, shared, list(claims.values()), FOLDER))
    return found


def _claim(where: str, line: Line, datasets: Mapping[str, DatasetEntry]) -> dict[str, Any]:
    """The fields of a claim that a line says, or lets assume.

    Raises:
        LookupError: a name in it is not known here.
    """
    metric, dataset, split, assumed = _named(line, datasets)
    value, decimals = _value(where, line.value)
    number = {"dataset": dataset, "split": split, "metric": metric, "value": value}
    stated = f"{line.metric} on {line.dataset}; {assumed}no protocol"
    return {**number, "decimals": decimals, "stated": stated}


def _same(one: Claim, claim: Mapping[str, Any]) -> bool:
    """Whether a claim prints that very number."""
    return all(getattr(one, name) == claim[name] for name in ("dataset", "metric", "value"))


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise SegmodelsError(
            f"{path}: expected one paper, an object with 'arxiv_id', 'title' and 'leaderboard'; "
            f"found {shown(content)}."
        )
    return content


def _head(paper: PaperJson, arxiv: str) -> dict[str, str]:
    address = f"https://arxiv.org/abs/{arxiv}"
    key = _key(paper.title, arxiv)
    return {"paper": key, "title": paper.title, "arxiv": arxiv, "url": address}


def _shared(arxiv: str, unnamed: bool) -> dict[str, str]:
    """What all claims of a file have."""
    shared = {
        "source": f"SOTAVerified's interface, papers/{arxiv}",
        "seen": "JSON of the interface, by its reader here",
    }
    note = "The interface names no network; this name is made of the paper's title."
    return {**shared, "notes": note} if unnamed else shared


def _key(title: str, arxiv: str) -> str:
    """The key that claims of the paper have here already, else one made of its title."""
    for claim in load_claims().values():
        if claim.arxiv == arxiv:
            return claim.paper
    return _short(title, arxiv)


def _short(title: str, arxiv: str) -> str:
    """The word before the colon of a title, in the letters of names; else the arXiv number."""
    word = title.partition(":")[0].strip().lower()
    plain = re.sub(r"[^a-z0-9]+", "_", word).strip("_")
    return plain if ":" in title and plain and len(word.split()) == 1 else f"arxiv_{arxiv}"


def _value(where: str, given: float | str) -> tuple[float, int]:
    """The number with its digits after the point."""
    text = given.strip() if isinstance(given, str) else repr(given)
    found = _NUMBER.fullmatch(text)
    if not found:
        raise SegmodelsError(
            f"{where}, field 'value': expected a number such as 54.3, found {shown(given)}."
        )
    number = float(found[1])
    whole = not isinstance(given, str) and number == int(number)
    return number, 0 if whole else len(found[2] or "")


def _named(line: Line, datasets: Mapping[str, DatasetEntry]) -> tuple[str, str, str, str]:
    """Metric, dataset and split here, and what was assumed of the split.

    Raises:
        LookupError: a name is not known here; says which.
    """
    key = _plain(line.metric).replace("_", "")
    if key not in METRICS:
        known = sorted({metric for metric, _ in METRICS.values()})
        raise LookupError(f"metric not known here ({', '.join(known)})")
    metric, split = METRICS[key]
    words = _plain(line.dataset).split("_")
    if len(words) > 1 and words[-1] in _SPLITS:
        split = split or _SPLITS[words.pop()]
    names = {name.replace("_", ""): name for name in datasets}
    dataset = names.get("".join(words))
    if dataset is None:
        raise LookupError(f"dataset not known here.{nearest('_'.join(words), sorted(datasets))}")
    if split:
        return metric, dataset, split, ""
    others = [name for name in datasets[dataset].splits if name != "train"]
    if len(others) != 1:
        raise LookupError(f"split not said, and {dataset} has {', '.join(others) or 'none'}")
    return metric, dataset, others[0], f"split not said, {others[0]} assumed; "


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _unique(name: str, known: Mapping[str, Any]) -> str:
    """A name that is not taken: with a number behind it from the second on."""
    number, wanted = 2, name
    while name in known:
        name, number = f"{wanted}_{number}", number + 1
    return name
