"""What people write stays text, on every page and badge and in every table, however bad it is."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from page_rows import HOSTILE, Checker, make_row
from pydantic import BaseModel
from synthetic import project

from segmodels.claims import Claim, Statement
from segmodels.claims.claim import Dispute
from segmodels.leaderboard import Row, render_html, render_markdown
from segmodels.leaderboard.badge import render_badge
from segmodels.leaderboard.claim_page import render_claim
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.table_data import table_data
from segmodels.metrics.averages import AVERAGES
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.evidence_summary import EvidenceSummary
from segmodels.verdicts.part_result import PartResult
from segmodels.verdicts.row_subject import Measurement, RowSubject
from segmodels.verdicts.verdict import Verdict
from segmodels.verdicts.weights_summary import WeightsSummary

TEXTS = {
    "tags": HOSTILE,
    "attributes": """' onmouseover='alert(1)' x=" onmouseover="alert(2)" > &amp; &lt;b&gt; &#60;""",
    "svg": "]]></title></svg><svg onload=alert(1)><!-- --><style>*{display:none}</style>",
    "right to left": "\u202eevil\u2066 \u05d0\u05d1 \u200f\u061c <b>",
    "a long word": "w" * 5000 + "<i>",
    "lines": "one\ntwo | three\r\n\n# four\n</details>\n| five | <u>\t\u2028 six \\| seven \\\\|",
}
#: Beside each a harmless text of the same form.
PAIRS = {
    **{name: (text, "word") for name, text in TEXTS.items()},
    "an address": ("https://example.org/)<script>|'\" [a](b)", "https://example.org/)"),
}
PARAMETERS = pytest.mark.parametrize(("text", "harmless"), PAIRS.values(), ids=PAIRS)


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))


def model(kind: type[BaseModel], text: str, **known: Any) -> Any:
    """A model with a text in every field that can hold one, validated by nobody."""
    fields = kind.model_fields.items()
    names = [name for name, f in fields if f.annotation is str or str in get_args(f.annotation)]
    return kind.model_construct(**{**dict.fromkeys(names, text), **known})


def record(kind: type, text: str, **known: Any) -> Any:
    """A dataclass, filled in the same way."""
    names = [f.name for f in dataclasses.fields(kind) if f.type in ("str", "str | None")]
    return kind(**{**dict.fromkeys(names, text), **known})


def rows_of(text: str) -> list[Row]:
    """A claim, the same blocked, a statement and a measurement of a third party."""
    objections = (model(Dispute, text), model(Dispute, text, answer=""))
    number = {"metric": "mIoU", "value": 50.0, "decimals": 1, "claimant": "quoted"}
    arguments = {"overrides": {text: text}, "assumed": {text: text}}
    claim = model(Claim, text, **number, **arguments, conflicts=(text, "else"), disputed=objections)
    parts = (record(PartResult, text, outcome="open", counts=False),)
    numbers = {"verified": 50.1, "gap": 0.1, "interval": (49.0, 51.0), "tolerance": 0.2}
    verified = record(Verdict, text, status="verified", **numbers)
    blocked = record(Verdict, text, status="blocked", todo=(text, f"  {text}"))
    curve = Curve("corruption", text, (CurvePoint(1.0, 40.0, 0.8, (39.0, 41.0)),))
    counts: dict[str, Any] = {"images": 6, "expected_images": 6, "evaluator": 4}
    evidence = record(
        EvidenceSummary,
        text,
        **counts,
        software={text: text},
        per_class={text: 1.0},
        averages={AVERAGES[0].name: 40.0},
        lowest=((text, 1.0),),
        robustness=Robustness(50.0, 40.0, 0.8, (curve,)),
    )
    behind = {
        "command": text,
        "protocol": Protocol(name=text, version=1, title=text, source=text, ignore_classes=(text,)),
        "weights": WeightsSummary(text, {text: text, "released": text}, text),
        "evidence": evidence,
        "figure": text,
    }
    statement = model(Statement, text, parts=(), missing=())
    own = RowSubject(record(Measurement, text))
    return [
        Row(RowSubject(claim), verified, answered_by=text, **behind),
        Row(RowSubject(claim.model_copy(update={"id": "second"})), blocked, command=text),
        Row(
            RowSubject(statement),
            record(Verdict, text, status="partial", parts=parts),
            command=text,
        ),
        Row(own, record(Verdict, text, status="measured", verified=50.0), **behind),
    ]


def pages(text: str) -> Iterator[str]:
    """Every HTML page of these rows."""
    rows = rows_of(text)
    yield render_html(rows)
    for row, name in zip(rows, page_names(rows), strict=True):
        yield render_claim(row, name, {text: rows[0], "net": rows[3]})


def folded(text: str) -> str:
    return " ".join(text.split())


@PARAMETERS
def test_a_page_has_the_same_elements_whatever_people_write(text: str, harmless: str) -> None:
    for wanted, made in zip(pages(harmless), pages(text), strict=True):
        plain, page = Checker(wanted), Checker(made)
        assert page.open == []
        assert page.tags == plain.tags
        assert page.attributes == plain.attributes
        assert folded(text) in folded(page.text)
        assert not any(link.startswith("javascript:") for link in page.links)


@PARAMETERS
def test_a_badge_has_the_same_elements_whatever_people_write(text: str, harmless: str) -> None:
    for plain, hostile in zip(rows_of(harmless), rows_of(text), strict=True):
        trees = [ElementTree.fromstring(render_badge(row)) for row in (plain, hostile)]
        wanted, made = ([element.tag for element in tree.iter()] for tree in trees)
        assert made == wanted
        assert folded(text) in folded(trees[1][0].text or "")


@PARAMETERS
def test_tables_in_markdown_keep_their_form_whatever_people_write(text: str, harmless: str) -> None:
    plain, hostile = (render_markdown(rows_of(one)).splitlines() for one in (harmless, text))
    assert len(hostile) == len(plain)
    for wanted, line in zip(plain, hostile, strict=True):
        assert cells(line) == cells(wanted)
        assert re.findall(r"<(/?\w+)", line) == re.findall(r"<(/?\w+)", wanted)


def cells(line: str) -> int:
    """How many bars of a line are not escaped."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) if line.startswith("|") else 0


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_data_cannot_close_its_script(text: str) -> None:
    data = table_data(rows_of(text), 1.0)
    assert not set("<>&\u2028") & set(data)
    value = json.loads(data)
    assert text in value["words"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"])
def test_only_web_addresses_and_files_beside_the_page_become_links(url: str) -> None:
    objection = {"date": "2026-01-02", "by": "Jo", "url": url, "text": url, "answer": url}
    told = {"reason": url, "source": url, "stated": url, "notes": url, "counted_by": "them"}
    files = {"checkpoint": url, "evidence_file": url, "figure": url, "counted_at": url}
    row = make_row(url=url, disputed=(objection,), **told, **files)
    for page in (render_claim(row, "net_toy", {}), render_html([row])):
        links = Checker(page).links
        assert url not in [link.removeprefix("../") for link in links]
    (line,) = json.loads(table_data([row], 1.0))["rows"]
    assert url not in line
