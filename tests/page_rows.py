"""Rows of a leaderboard, made up for tests."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from typing import Any

from segmodels.leaderboard import Row

HOSTILE = (
    """</script><script>alert(1)</script><img src=x onerror="alert(2)"> & 'x' "y" <!-- \u2028 ]]>"""
)
_VOID = ("meta", "link", "img", "input", "br", "td")


def make_row(**changes: Any) -> Row:
    """A verified claim; everything can be changed."""
    fields: dict[str, Any] = {
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
        "protocol": "toy-ss",
        "evidence": "0123456789abcdef",
        "evidence_file": "evidence/net/toy-ss/0123456789abcdef.json",
        "paper": "toynet",
        "title": "ToyNet: a network",
        "source": "Table 1",
        "decimals": 1,
        "rerun": "segmodels verify net_toy",
        "weights": "a1" * 32,
        "weights_origin": {"released": "toy-weights"},
        "fingerprint": "fe" * 32,
        "evaluator": 3,
        "images": 6,
        "expected_images": 6,
        "per_class": {"sky": 90.0, "road": 10.04, "car": None},
        "software": {"numpy": "2.2.0"},
    }
    return Row(**{**fields, **changes})


def make_statement(**changes: Any) -> Row:
    """A sentence with a part of every outcome, the last of them at another budget."""
    outcomes = [("Size", "holds", True), ("Speed", "fails", True), ("Accuracy", "open", False)]
    nothing = dict.fromkeys(
        ("claimed", "verified", "gap", "interval", "level", "tolerance", "evidence")
    )
    words = dict.fromkeys(("dataset", "split", "protocol", "unit", "evidence_file"), "")
    fields = {
        **{**nothing, **words, "claim": "net-beats-other", "model": "Net beats Other"},
        **{"kind": "relative", "metric": "statement", "verdict": "partial", "per_class": {}},
        **{"reason": "Size: holds, 1 M against 2 M.", "source": "abstract", "weights": None},
        **{"images": None, "fingerprint": None, "evaluator": None, "url": "https://example.org"},
        "weights_origin": {},
        "findings": tuple(
            {"about": about, "outcome": outcome, "text": f"{i} against 2.", "counts": counts}
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
