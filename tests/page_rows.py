"""Rows of a leaderboard, made up for tests."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from typing import Any

from segmodels.claims import Claim, Statement
from segmodels.claims.claim import Dispute
from segmodels.leaderboard import Row
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.evidence_summary import EvidenceSummary
from segmodels.verdicts.part_result import PartResult
from segmodels.verdicts.row_subject import Measurement, RowSubject
from segmodels.verdicts.verdict import Verdict
from segmodels.verdicts.weights_summary import WeightsSummary

HOSTILE = (
    """</script><script>alert(1)</script><img src=x onerror="alert(2)"> & 'x' "y" <!-- \u2028 ]]>"""
)
_VOID = ("meta", "link", "img", "input", "br", "td")


#: A verified claim, by the names of docs/leaderboard-schema.md.
FLAT: dict[str, Any] = {
    "claim": "net_toy",
    "claimed": 50.0,
    "verified": 50.02,
    "gap": 0.02,
    "interval": (49.1, 50.9),
    "verdict": "verified",
    "level": "released weights",
    "reason": "Within 0.105 points of the printed number.",
    "tolerance": 0.105,
    "model": "net",
    "dataset": "toy",
    "split": "val",
    "metric": "mIoU",
    "corruption": "",
    "protocol": "toy-ss",
    "protocol_title": "",
    "protocol_source": "",
    "protocol_version": 1,
    "settings": {},
    "evidence": "0123456789abcdef",
    "evidence_file": "evidence/net/toy-ss/0123456789abcdef.json",
    "paper": "toynet",
    "title": "ToyNet: a network",
    "arxiv": "",
    "url": "",
    "source": "Table 1",
    "seen": "",
    "notes": "",
    "claimant": "authors",
    "stated": "",
    "checkpoint": "",
    "conflicts": (),
    "disputed": (),
    "decimals": 1,
    "weights": "a1" * 32,
    "weights_origin": {"released": "toy-weights"},
    "pinned": "",
    "fingerprint": "fe" * 32,
    "evaluator": 3,
    "images": 6,
    "expected_images": 6,
    "counted_by": "",
    "counted_at": "",
    "signed": "",
    "averages": {"mean over images": 47.123, "mean Dice (F1)": None},
    "draws": None,
    "lowest": (("a.png", 3.25), ("b.png", 4.0)),
    "per_class": {"sky": 90.0, "road": 10.04, "car": None},
    "pixel_accuracy": None,
    "mean_accuracy": None,
    "robustness": None,
    "software": {"numpy": "2.2.0"},
    "obstacle": None,
    "seeds": (),
    "interval_over": "",
    "seed_interval": None,
    "findings": (),
    "todo": (),
    "run": None,
    "figure": None,
    "kind": "claim",
}


def make_row(**changes: Any) -> Row:
    """A verified claim; everything can be changed, by the names of `FLAT`.

    Without a claim it is a measurement. What people write is not validated, so that it may be
    as bad as can be.
    """
    assert not changes.keys() - FLAT.keys(), changes.keys() - FLAT.keys()
    flat = {**FLAT, **changes}
    subject = RowSubject(_entry(flat))
    evidence = _evidence(flat)
    return Row(
        subject=subject,
        verdict=_verdict(flat),
        command=_command(subject),
        protocol=_protocol(flat),
        weights=WeightsSummary(flat["weights"], flat["weights_origin"], flat["pinned"]),
        evidence=evidence,
        cost_file=None if evidence else flat["evidence_file"],
        answered_by=flat["run"] if subject.claim else None,
        figure=flat["figure"],
    )


def _taken(flat: dict[str, Any], names: str, **renamed: str) -> dict[str, Any]:
    """Some fields, those of `renamed` under another name."""
    return {name: flat[name] for name in names.split()} | {
        name: flat[old] for name, old in renamed.items()
    }


def _entry(flat: dict[str, Any]) -> Claim | Statement | Measurement:
    paper = _taken(flat, "paper title arxiv url source seen notes", id="claim")
    if flat["kind"] == "relative":
        return Statement.model_construct(**paper, text=flat["model"], parts=())
    if flat["claim"] is None:
        assert flat["metric"] == "mIoU"
        return Measurement(**_taken(flat, "model dataset split"), run=flat["run"] or "net-run")
    objections = tuple(Dispute.model_construct(**one) for one in flat["disputed"])
    texts = "claimant model dataset split metric corruption protocol stated checkpoint conflicts"
    number = _taken(flat, f"{texts} decimals", value="claimed")
    return Claim.model_construct(**paper, **number, disputed=objections)


def _verdict(flat: dict[str, Any]) -> Verdict:
    names = "reason verified gap interval level tolerance obstacle seeds seed_interval todo"
    parts = tuple(
        one if isinstance(one, PartResult) else PartResult(**one) for one in flat["findings"]
    )
    return Verdict(**_taken(flat, names, status="verdict", over="interval_over"), parts=parts)


def _command(subject: RowSubject) -> str:
    if subject.measurement:
        return f"segmodels evaluate {subject.measurement.run}"
    return f"segmodels verify {subject.id}" if subject.claim else "segmodels leaderboard"


def _protocol(flat: dict[str, Any]) -> Protocol | None:
    about = {name: flat[f"protocol_{name}"] for name in ("title", "source", "version")}
    named = flat["protocol"]
    return Protocol(name=named, **about, **flat["settings"]) if named else None


def _evidence(flat: dict[str, Any]) -> EvidenceSummary | None:
    seen = "images expected_images fingerprint evaluator counted_by counted_at signed software"
    scores = "pixel_accuracy mean_accuracy per_class averages draws lowest robustness"
    known = _taken(flat, f"{seen} {scores}", key="evidence", file="evidence_file")
    return EvidenceSummary(**known) if flat["evidence"] else None


def make_measurement(**changes: Any) -> Row:
    """A number of our own."""
    nothing = {"claim": None, "claimed": None, "gap": None, "tolerance": None}
    return make_row(**{**nothing, "verdict": "measured", "run": "net-run", **changes})


def make_statement(**changes: Any) -> Row:
    """A sentence with a part of every outcome, the last of them at another budget."""
    outcomes = [("Size", "holds", True), ("Speed", "fails", True), ("Accuracy", "open", False)]
    nothing = dict.fromkeys(
        ("claimed", "verified", "gap", "interval", "level", "tolerance", "evidence", "weights")
    )
    fields = {
        **{**nothing, "claim": "net-beats-other", "model": "Net beats Other", "kind": "relative"},
        **{"protocol": "", "evidence_file": None, "verdict": "partial", "weights_origin": {}},
        **{"reason": "Size: holds, 1 M against 2 M.", "source": "abstract"},
        "url": "https://example.org",
        "findings": tuple(
            PartResult(about, outcome, f"{i} against 2.", counts)
            for i, (about, outcome, counts) in enumerate(outcomes)
        ),
    }
    return make_row(**{**fields, **changes})


def unrun(**changes: Any) -> Row:
    """A claim nobody has measured."""
    nothing = dict.fromkeys(
        ("verified", "gap", "interval", "level", "tolerance", "evidence", "evidence_file")
    )
    fields = {**nothing, "verdict": "blocked", "obstacle": "weights unpublished", "per_class": {}}
    return make_row(**{**fields, "weights": None, **changes})


def make_rows(number: int) -> list[Row]:
    """Many rows of every status, with numbers that tell them apart."""
    kinds = itertools.cycle(["verified", "below", "better", "partial", "blocked", "unverified"])
    rows = []
    for i, verdict in zip(range(number), kinds, strict=False):
        known: dict[str, Any] = {
            "claim": f"claim_{i}",
            "claimed": round(20 + 60 * i / number, 3),
            "model": f"net_{i % 40}",
            "dataset": f"set_{i % 5}",
            "paper": f"paper_{i % 12}",
            "title": "",
            "verdict": verdict,
        }
        if verdict in ("blocked", "unverified"):
            rows.append(unrun(**known))
            continue
        value = known["claimed"] + {"below": -1.0, "better": 1.0}.get(verdict, 0.01)
        gap = round(value - known["claimed"], 4)
        span = (value - 0.5, value + 0.5)
        rows.append(make_row(**known, verified=value, gap=gap, interval=span, weights=f"{i:064x}"))
    return rows


class Checker(HTMLParser):
    """Balanced tags, the words on the page, addresses, attributes and the tags in use."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.links = "", []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data


def printed_row(model: str, metric: str, value: float, source: str, **fields: Any) -> Row:
    """A claim that nobody measured yet."""
    claim = Claim.model_validate(
        {
            **{"id": "_".join([model, *map(str, fields.values())]), "paper": "toy", "title": "T"},
            **{"model": model, "dataset": "toy", "split": "test", "metric": metric},
            **{"value": value, "decimals": 1, "source": source, **fields},
        }
    )
    return Row(RowSubject(claim), Verdict("unverified", ""), "")
