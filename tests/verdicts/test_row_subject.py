"""A claim, a statement and a measurement under the same words."""

from __future__ import annotations

import pytest

from segmodels.claims import Claim, Statement
from segmodels.verdicts.row_subject import Measurement, RowSubject, short_title

PAPER = {"id": "net_toy", "paper": "toynet", "title": "ToyNet: a network", "source": "Table 1"}
NUMBER = {"model": "net", "dataset": "toy", "split": "val", "metric": "GFLOPs", "value": 7.9}
PART = {"kind": "cost", "about": "Size", "subject": "a", "other": "b", "relation": "lower"}
PART |= {"convention": "params", "image_size": [8, 8]}


def test_a_claim_says_what_is_printed_and_by_whom() -> None:
    claim = Claim(**PAPER, **NUMBER, decimals=1, claimant="quoted", by="them", conflicts=["other"])
    subject = RowSubject(claim)
    assert (subject.kind, subject.id, subject.claim) == ("claim", "net_toy", claim)
    assert (subject.claimed, subject.decimals, subject.unit) == (7.9, 1, "GFLOPs")
    assert (subject.claimant, subject.conflicts) == ("quoted (them)", ("other",))
    assert subject.measurement is None


def test_a_statement_has_its_text_for_a_model_and_no_number() -> None:
    statement = Statement(**PAPER, text="A beats B", parts=[PART])
    subject = RowSubject(statement)
    assert (subject.kind, subject.id, subject.model) == ("relative", "net_toy", "A beats B")
    assert (subject.metric, subject.unit, subject.claimed) == ("statement", "", None)
    assert subject.dataset == subject.split == subject.corruption == ""
    assert (subject.paper, subject.claimant) == ("toynet", "authors")
    assert subject.claim is subject.measurement is None
    assert subject.printed == statement


def test_a_measurement_is_printed_nowhere() -> None:
    own = Measurement("net-run", "net", "toy", "val")
    subject = RowSubject(own)
    assert (subject.kind, subject.measurement, subject.model) == ("measurement", own, "net")
    assert subject.id is subject.claim is subject.printed is subject.claimed is None
    assert (subject.metric, subject.unit, subject.decimals) == ("mIoU", "%", 2)
    texts = ("paper", "title", "arxiv", "url", "source", "seen", "notes", "claimant")
    assert [getattr(subject, name) for name in texts] == [""] * len(texts)
    assert subject.conflicts == subject.disputed == ()


@pytest.mark.parametrize(
    ("title", "name"),
    [("ESPNet: Efficient", "ESPNet"), ("Rethinking Decoders for All: A View", "key"), ("", "key")],
)
def test_papers_are_called_by_what_stands_before_the_colon(title: str, name: str) -> None:
    assert short_title(title, "key") == name
