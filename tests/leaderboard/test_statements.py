"""Sentences that compare two models."""

from __future__ import annotations

import dataclasses

import pytest
import yaml
from synthetic import THEIRS, evidence, matrices

from segmodels.costs import count_wanted
from segmodels.errors import SegmodelsError
from segmodels.validation import problems

BUDGET = {"budget": "toy images", "as_published": False, "protocol": "plain"}


def part(**fields):
    base = {"kind": "evidence", "about": "Accuracy", "subject": "one", "other": "two"}
    return {**base, "relation": "higher", "quantity": "mIoU", **BUDGET, **fields}


def trained(name, right, **fields):
    return evidence(
        matrices(30, right=right),
        origin={"trained": name},
        weights=("a" if name == "one" else "b") * 64,
        **fields,
    )


@pytest.fixture
def runs(board):
    splits = {"test": {"images": 30, "fingerprint": "fe" * 32}}
    path = board.root / "params" / "datasets.yaml"
    entries = yaml.safe_load(path.read_text())
    entries["toy"]["splits"] = splits
    path.write_text(yaml.safe_dump(entries))
    board.run("one", protocols=["plain", "flipped"])
    board.run("two", protocols=["plain", "flipped"], seed=2)
    return board


def test_what_nobody_measured_is_unverified(runs):
    runs.statement("better", part(), missing=["On ADE20K: no images."])
    row = runs.row("better")
    assert (row.kind, row.verdict, row.claimed) == ("relative", "unverified", None)
    assert "Accuracy: not measured yet (segmodels evaluate one and two)." in row.reason
    assert row.reason.endswith("On ADE20K: no images.")
    assert row.model == "A beats B"
    told = "not measured yet (segmodels evaluate one and two)."
    assert row.findings == (
        {"about": "Accuracy", "outcome": "open", "text": told, "counts": False},
        {"about": "", "outcome": "open", "text": "On ADE20K: no images.", "counts": True},
    )


@pytest.mark.parametrize(
    ("one", "two", "verdict", "words", "outcome"),
    [
        (90, 40, "partial", "so it is", "holds"),
        (40, 90, "unverified", "the opposite", "fails"),
        (60, 60, "unverified", "too close to tell", "open"),
    ],
)
def test_at_another_budget_nothing_is_verified_or_refuted(runs, one, two, verdict, words, outcome):
    runs.statement("better", part())
    runs.keep(trained("one", one), folder="one/plain")
    runs.keep(trained("two", two), folder="two/plain")
    row = runs.row("better")
    assert row.verdict == verdict
    assert f"Accuracy: {words}" in row.reason
    (found,) = row.findings
    assert (found["about"], found["outcome"], found["counts"]) == ("Accuracy", outcome, False)
    assert row.reason.endswith(found["text"])
    assert "(toy images)" in row.reason


@pytest.mark.parametrize(("one", "two", "verdict"), [(90, 40, "verified"), (40, 90, "below")])
def test_at_the_papers_budget_it_is_decided(runs, one, two, verdict):
    runs.statement("better", part(as_published=True))
    runs.keep(trained("one", one), folder="one/plain")
    runs.keep(trained("two", two), folder="two/plain")
    assert runs.row("better").verdict == verdict


@pytest.mark.parametrize(
    ("fields", "folder"),
    [({"counted": THEIRS}, "one/plain"), ({"evaluator": 0}, "one/plain")],
)
def test_only_current_counts_of_ours_decide(runs, fields, folder):
    runs.statement("better", part(as_published=True))
    runs.keep(trained("one", 90, **fields), folder=folder)
    runs.keep(trained("two", 40, **fields), folder=folder)
    assert runs.row("better").verdict == "unverified"


def test_part_of_a_split_does_not_decide(runs):
    runs.statement("better", part(as_published=True))
    for name, right in (("one", 90), ("two", 40)):
        found = trained(name, right)
        part_of_it = dataclasses.replace(found, images=found.images[:20])
        runs.keep(part_of_it, folder=f"{name}/plain")
    assert runs.row("better").verdict == "unverified"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"subject": "three"}, "statement 'better': Unknown run 'three'"),
        ({"protocol": "params-all"}, "statement 'better': Unknown protocol 'params-all'"),
    ],
)
def test_a_part_about_nothing_is_told(runs, fields, message):
    runs.statement("better", part(**fields))
    with pytest.raises(SegmodelsError, match=message):
        runs.rows()
    assert any(message.partition(": ")[2] in problem for problem in problems())


def test_what_is_missing_keeps_a_statement_from_being_verified(runs):
    runs.statement("better", part(as_published=True), missing=["Something else."])
    runs.keep(trained("one", 90), folder="one/plain")
    runs.keep(trained("two", 40), folder="two/plain")
    assert runs.row("better").verdict == "partial"


def noisy(name, right, sigma=0.1):
    return trained(name, right, condition={"parameter_noise": sigma, "seed": 0})


def test_kept_under_a_disturbance_both_went_through(runs):
    runs.statement("robust", part(quantity="kept", condition="parameter_noise"))
    runs.keep(trained("one", 60), folder="one/plain")
    runs.keep(trained("two", 90), folder="two/plain")
    assert "parameter noise was not evaluated for both" in runs.row("robust").reason
    runs.keep(noisy("one", 55), noisy("one", 1, sigma=9.0), folder="one/noise")
    assert "not evaluated for both" in runs.row("robust").reason
    runs.keep(noisy("two", 20), folder="two/noise")
    row = runs.row("robust")
    assert row.verdict == "partial"
    assert "so it is" in row.reason


def test_kept_under_other_protocols(runs):
    from segmodels.protocols import load_protocol

    inference = load_protocol("flipped").inference
    runs.statement("sizes", part(quantity="kept", under=["flipped"]))
    runs.keep(trained("one", 60), folder="one/plain")
    runs.keep(trained("two", 90), folder="two/plain")
    runs.keep(trained("one", 20, inference=inference), folder="one/flipped")
    assert "flipped was not evaluated for both" in runs.row("sizes").reason
    runs.keep(trained("two", 80, inference=inference), folder="two/flipped")
    row = runs.row("sizes")
    assert row.verdict == "unverified"
    assert "the opposite" in row.reason


def cost(relation, about):
    return {
        "kind": "cost",
        "about": about,
        "subject": "segformer_b0",
        "other": "segformer_b1",
        "relation": relation,
        "convention": "params-all",
        "image_size": [64, 64],
    }


@pytest.mark.parametrize(
    ("relations", "verdict"),
    [(["lower"], "verified"), (["higher"], "below"), (["lower", "higher"], "partial")],
)
def test_costs_decide(board, relations, verdict):
    counting = {"version": 1, "title": "all", "source": "here", "quantity": "parameters"}
    counting |= {"part": "whole", "unused": True, "auxiliary": True}
    path = board.root / "params" / "efficiency.yaml"
    path.write_text(yaml.safe_dump({"params-all": counting}))
    board.statement("lighter", *(cost(r, f"Parameters, {r}") for r in relations))
    assert "not counted yet" in board.row("lighter").reason
    count_wanted()
    row = board.row("lighter")
    assert row.verdict == verdict
    assert "M against" in row.reason
    assert all(part["counts"] and "M against" in part["text"] for part in row.findings)
    outcomes = ["holds" if relation == "lower" else "fails" for relation in relations]
    assert [part["outcome"] for part in row.findings] == outcomes
