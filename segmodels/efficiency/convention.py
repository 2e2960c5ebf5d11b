"""A convention is how parameters or operations are counted; without it a count is no claim.

The same SegFormer-B5 has 1460.4 or 1447.6 "GFLOPs" at 1024x2048 in two tables of one paper,
because one of them counts a classifier for 150 classes and the other one for 19. The rule
behind a printed number is data (``params/efficiency.yaml``) and is never fitted to a single
row: it has to be read somewhere, or to give a whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import PositiveInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.entry import Entry, Several, read_entry
from segmodels.core.files import digest
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import pick

Quantity = Literal["parameters", "operations"]
NetworkPart = Literal["whole", "encoder", "decoder"]
Unit = Literal["MACs", "2xMACs", "2xMACs/2"]

#: Operations that are multiply-adds: worth one or two, as the unit says.
MultiplyAdd = Literal["convolution", "linear", "projection", "attention", "product"]

#: Operations that are worth one, or a half where everything is halved.
Single = Literal["convolution_bias", "relu", "pooling"]
Operation = Literal[MultiplyAdd, Single]

LATENCY = "latency"
_LABELS = ("name", "title", "source")
#: Halves of an operation that a multiply-add and a single operation are worth.
_WEIGHTS: Mapping[Unit, tuple[int, int]] = {"MACs": (2, 2), "2xMACs": (4, 2), "2xMACs/2": (2, 1)}


class Convention(Entry):
    """One way to count a network.

    Attributes:
        name: key in ``params/efficiency.yaml``.
        version: raised when the meaning of the entry changes.
        title: one line for people.
        source: where the rule was read, or what shows it.
        quantity: ``parameters`` or ``operations`` of one forward pass of one image.
        part: the ``whole`` network, its ``encoder``, or its ``decoder`` (all but the encoder).
        unused: parameters: whether tensors count that no forward pass reads (ImageNet heads).
        auxiliary: parameters: whether heads count that only training uses.
        statistics: parameters: whether BatchNorm's running means and variances count, too, which
            files hold and no gradient reaches.
        unit: operations: whether a multiply-add is one operation or two; or two, and the sum of
            everything halved, so that a bias counts half.
        counts: operations: which count. ``convolution`` and ``linear`` layers; ``projection``,
            a product with a learned matrix that is no layer; ``attention``, its two products;
            ``product``, of two computed tensors elsewhere; ``convolution_bias`` and ``relu``,
            one per output; ``pooling``, one per input.
        classes: outputs of the network, whatever the dataset; None leaves them to the claim.
    """

    name: SkipJsonSchema[str]
    version: int
    title: str
    source: str
    quantity: Quantity
    part: NetworkPart
    unused: bool = False
    auxiliary: bool = False
    statistics: bool = False
    unit: Unit | None = None
    counts: Several[Operation] = ()
    classes: PositiveInt | None = None

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if self.quantity == "parameters":
            if self.unit or self.counts:
                yield "`unit` and `counts` are for operations; leave them out."
        elif self.unused or self.auxiliary or self.statistics:
            yield "`unused`, `auxiliary` and `statistics` are for parameters; leave them out."
        elif not self.unit:
            yield f"`unit` is missing: {' or '.join(get_args(Unit))}."
        elif not self.counts:
            yield "`counts` must list what counts."

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything but the descriptions, and a later field at its default."""
        fields = {k: v for k, v in vars(self).items() if k not in _LABELS}
        if not self.statistics:
            del fields["statistics"]
        return digest({**fields, "counts": sorted(self.counts)})

    def weigh(self, operations: Mapping[str, int]) -> dict[str, int]:
        """What each kind of operation contributes, in this unit; kinds that are 0 are left out."""
        product, single = _WEIGHTS[self.unit or "MACs"]
        weights = {
            **dict.fromkeys(get_args(MultiplyAdd), product),
            **dict.fromkeys(get_args(Single), single),
        }
        found = {kind: weights[kind] * operations.get(kind, 0) // 2 for kind in sorted(self.counts)}
        return {kind: number for kind, number in found.items() if number}


def load_conventions(path: Path | None = None) -> dict[str, Convention]:
    """The counting conventions of ``params/efficiency.yaml`` by name.

    Raises:
        SegmodelsError: an entry has a missing, unknown or impossible field.
    """
    path = path or efficiency_file()
    return {
        name: read_entry(Convention, f"{path}, convention {name!r}", entry, name=name)
        for name, entry in read_yaml(path).items()
        if not is_latency(entry)
    }


def load_convention(name: str, path: Path | None = None) -> Convention:
    """One counting convention by name.

    Raises:
        UnknownNameError: no such convention; the message suggests the nearest.
    """
    return pick("convention", name, load_conventions(path))


def efficiency_file() -> Path:
    """Where conventions and latency protocols stand."""
    return project_root() / "params" / "efficiency.yaml"


def is_latency(entry: object) -> bool:
    """Whether an entry says how seconds are measured, not how something is counted."""
    return isinstance(entry, dict) and entry.get("quantity") == LATENCY
