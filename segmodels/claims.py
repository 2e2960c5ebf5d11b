"""A claim is a published number with everything needed to check it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segmodels.errors import SegmodelsError, pick
from segmodels.files import read_yaml, take_fields
from segmodels.settings import project_root


@dataclass(frozen=True)
class Claim:
    """One published number.

    Attributes:
        id: unique, stable name.
        paper: key of the paper (the file it stands in).
        title: title of the paper.
        model: name for `create_model`.
        dataset, split: what it was measured on.
        metric: what the number is (`mIoU`).
        value: the number as printed, in percent.
        decimals: digits after the point as printed; rounding is part of the tolerance.
        protocol: name in `params/protocols.yaml`.
        weights: name in `params/weights.yaml` of the weights behind the number, if any.
        source: where the number is printed.
        url: link to the paper or repository.
        notes: what a reader must know.
    """

    id: str
    paper: str
    title: str
    model: str
    dataset: str
    split: str
    metric: str
    value: float
    decimals: int
    protocol: str
    source: str
    weights: str | None = None
    url: str = ""
    notes: str = ""


_REQUIRED = {
    "id": str,
    "model": str,
    "dataset": str,
    "split": str,
    "metric": str,
    "value": float,
    "decimals": int,
    "protocol": str,
    "source": str,
}
_OPTIONAL = {"weights": str, "notes": str}


def load_claims(folder: Path | None = None) -> dict[str, Claim]:
    """All claims of `params/claims/*.yaml`, by id, in file order.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible, or an id occurs twice.
    """
    folder = folder or project_root() / "params" / "claims"
    claims: dict[str, Claim] = {}
    for path in sorted(folder.glob("*.yaml")):
        for claim in _read_paper(path):
            if claim.id in claims:
                raise SegmodelsError(f"{path}: claim id {claim.id!r} occurs twice.")
            claims[claim.id] = claim
    return claims


def _read_paper(path: Path) -> list[Claim]:
    required = {"paper": str, "title": str, "claims": list}
    head = take_fields(str(path), read_yaml(path), required, {"url": str})
    return [
        _parse(f"{path}, claim {number}", entry, head)
        for number, entry in enumerate(head["claims"], start=1)
    ]


def _parse(source: str, entry: object, head: dict[str, str]) -> Claim:
    if isinstance(entry, dict) and "id" in entry:
        source = f"{source} ({entry['id']})"
    fields = take_fields(source, entry, _REQUIRED, _OPTIONAL)
    value = float(fields.pop("value"))
    if not 0 <= value <= 100:
        raise SegmodelsError(f"{source}: field 'value' is a percentage, not {value}.")
    return Claim(
        **fields, value=value, paper=head["paper"], title=head["title"], url=head.get("url", "")
    )


def load_claim(claim_id: str, folder: Path | None = None) -> Claim:
    """One claim by id.

    Raises:
        UnknownNameError: no such claim; the message suggests the nearest.
    """
    return pick("claim", claim_id, load_claims(folder))
