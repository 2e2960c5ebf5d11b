"""The page about the models: what is printed elsewhere beside what is counted here.

Prose and printed figures are data (``params/models.yaml``); every figure of ours is counted
from the network itself when the page is written.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field, PositiveInt

from segmodels.core.entry import AboveZero, Entry, Several, Words, read_entry
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError
from segmodels.models import list_models

#: Side of the square image for which operations are counted unless a family says otherwise.
SIDE = 512


class Printed(Entry):
    """Figures somebody else prints about one model.

    Attributes:
        source: where.
        parameters: in millions.
        gmac: 1e9 multiply-adds of one forward pass.
    """

    source: str
    parameters: AboveZero | None = None
    gmac: AboveZero | None = None


class Family(Entry):
    """Models of one paper.

    Attributes:
        title: its name, for people.
        paper: authors, title and place of the paper.
        arxiv: its number.
        models: patterns of names.
        formats: keys of ``segmodels.checkpoints.FORMATS`` that hold its weights.
        facts: what people get wrong.
        classes: outputs the models are counted with.
        sizes: side of the image by pattern of names, where it is not ``SIDE``.
        claimed: printed figures by name.
    """

    title: str
    paper: str
    arxiv: str
    models: Several[Words]
    formats: Several[Words]
    facts: Several[Words] = ()
    classes: PositiveInt = 150
    sizes: dict[str, PositiveInt] = Field(default_factory=dict)
    claimed: dict[str, Printed] = Field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Figures of a model that is none of the family."""
        for name in self.claimed.keys() - set(self.names()):
            yield f"'claimed' names {name!r}, which is no model of it"

    def names(self) -> list[str]:
        """Registered names of the family, sorted."""
        return [n for n in list_models() if any(fnmatch.fnmatch(n, p) for p in self.models)]

    def side(self, name: str) -> int:
        """Side of the image in pixels for which a model is counted."""
        return next((s for p, s in self.sizes.items() if fnmatch.fnmatch(name, p)), SIDE)


def load_families(path: Path | None = None) -> dict[str, Family]:
    """The families of ``params/models.yaml`` in file order.

    Raises:
        SegmodelsError: a field is missing or wrong, a pattern or a claimed name fits no model,
            or a model belongs to no family or to two.
    """
    path = path or project_root() / "params" / "models.yaml"
    families = {
        key: read_entry(Family, f"{path}, family {key!r}", entry)
        for key, entry in read_yaml(path).items()
    }
    homes = [(name, key) for key, family in families.items() for name in family.names()]
    for name in list_models():
        found = [key for known, key in homes if known == name]
        if len(found) != 1:
            where = " and ".join(found) or "no family"
            raise SegmodelsError(f"{path}: model {name!r} belongs to {where}; it must be one.")
    return families


def render(families: Mapping[str, Family]) -> str:
    """The page as Markdown. Counts every model, which takes some seconds."""
    parts = [_HEAD]
    for family in families.values():
        parts += [
            f"## {family.title}\n\n{family.paper}. arXiv [{family.arxiv}]"
            f"(https://arxiv.org/abs/{family.arxiv})",
            "\n".join(_table(family)),
            "\n".join(["Weights that load:", "", *_formats(family)]),
        ]
        if family.facts:
            parts.append(
                "\n".join(["What people get wrong:", "", *(f"- {f}" for f in family.facts)])
            )
    return "\n\n".join(parts) + "\n"


_HEAD = """# Models

<!-- Written by `segmodels catalogue` from params/models.yaml and the networks. Do not edit. -->

Millions of parameters, all of them (unused ImageNet heads and auxiliary heads for the training
included), and 10^9 multiply-adds (GMAC) of one image through the network in its paper's form:
convolutions and matrix products, attention's included, without norms, activations and resizing.
"Printed" is what the source in the last column prints, for 150 classes unless the family says
otherwise. Operations that were printed from mmcv's counter hold 0.1 to 0.2 % more (biases and
ReLU); [efficiency.md](efficiency.md) counts them as they did. An empty cell means that nothing is
printed, or that we know of nothing."""


def _table(family: Family) -> Iterator[str]:
    from segmodels.efficiency import cost

    yield "| model | parameters | printed | image | GMAC | printed | source |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for name in family.names():
        side, printed = family.side(name), family.claimed.get(name, Printed(source=""))
        found = cost(name, family.classes, (side, side))
        cells = (
            f"`{name}`",
            f"{found.parameters / 1e6:.2f}",
            _figure(printed.parameters),
            f"{side}²",
            f"{found.macs / 1e9:.2f}",
            _figure(printed.gmac),
            printed.source,
        )
        yield f"| {' | '.join(cells)} |"


def _formats(family: Family) -> Iterator[str]:
    from segmodels.checkpoints import FORMATS

    for name in family.formats:
        if name not in FORMATS:
            raise SegmodelsError(f"params/models.yaml: {family.title} names format {name!r}.")
        yield f"- {FORMATS[name].looks}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
