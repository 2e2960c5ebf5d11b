"""Sentences that compare two models."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import yaml
from synthetic import THEIRS, evidence, matrices

from segmodels.errors import SegmodelsError
from segmodels.leaderboard.charts.curves import robustness_section
from segmodels.leaderboard.claim_page import render_claim
from segmodels.steps.costs import count_wanted
from segmodels.verdicts.part_result import PartResult
from segmodels.verdicts.validation import problems

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
    assert (row.subject.kind, row.verdict.status, row.subject.claimed) == (
        "relative",
        "unverified",
        None,
    )
    assert "Accuracy: not measured yet (segmodels evaluate one and two)." in row.verdict.reason
    assert row.verdict.reason.endswith("On ADE20K: no images.")
    assert row.subject.model == "A beats B"
    told = "not measured yet (segmodels evaluate one and two)."
    assert row.verdict.parts == (
        PartResult("Accuracy", "open", told, False),
        PartResult("", "open", "On ADE20K: no images.", True),
    )


@pytest.mark.parametrize(
    ("one", "two", "verdict", "words", "outcome"),
    [
        (90, 40, "partial", "so it is, on these images alone", "holds_here"),
        (40, 90, "unverified", "the opposite, on these images alone", "fails_here"),
        (60, 60, "unverified", "too close to tell", "open"),
    ],
)
def test_at_another_budget_nothing_is_verified_or_refuted(runs, one, two, verdict, words, outcome):
    runs.statement("better", part())
    runs.keep(trained("one", one), folder="one/plain")
    runs.keep(trained("two", two), folder="two/plain")
    row = runs.row("better")
    assert row.verdict.status == verdict
    assert f"Accuracy: {words}" in row.verdict.reason
    (found,) = row.verdict.parts
    assert (found.about, found.outcome, found.counts) == ("Accuracy", outcome, False)
    assert row.verdict.reason.endswith(found.text)
    assert "(toy images)" in row.verdict.reason


@pytest.mark.parametrize(
    ("one", "two", "verdict", "outcome"),
    [
        (90, 40, "partial", "holds_here"),
        (40, 90, "inconclusive", "fails_here"),
        (60, 60, "inconclusive", "open"),
    ],
)
def test_one_training_a_side_decides_nothing(runs, one, two, verdict, outcome):
    """Not even at the paper's own budget: it tells two networks apart, not two architectures."""
    runs.statement("better", part(as_published=True))
    runs.keep(trained("one", one), folder="one/plain")
    runs.keep(trained("two", two), folder="two/plain")
    row = runs.row("better")
    assert (row.verdict.status, row.verdict.parts[0].outcome) == (verdict, outcome)
    assert "over 30 images" in row.verdict.reason
    words = {"holds_here": "holds on these images", "fails_here": "does not hold on these images"}
    page = render_claim(row, "better", {})
    assert f'<span class="status {outcome}">{words.get(outcome, "open")}' in page


ONES, TWOS = ["one", "one-1"], ["two", "two-1"]


def seeds(board, ones, twos, **fields):
    """Two trainings a side, whose right pixels per class are given."""
    sides = zip((*ONES, *TWOS), (*ones, *twos), strict=True)
    for number, (name, right) in enumerate(sides):
        board.run(name, seed=number, protocols=["plain", "flipped"])
        weights, origin = f"{number:064x}", {"trained": name}
        counts = matrices(30, right=right, seed=number)
        board.keep(evidence(counts, origin=origin, weights=weights, **fields), folder=name)


@pytest.mark.parametrize(
    ("ones", "twos", "verdict", "outcome"),
    [
        ((90, 91), (40, 41), "verified", "holds"),
        ((40, 41), (90, 91), "below", "fails"),
        ((60, 90), (50, 58), "inconclusive", "open"),  # seeds differ more than sides
    ],
)
def test_several_trainings_a_side_decide(runs, ones, twos, verdict, outcome):
    runs.statement("better", part(as_published=True, subject=ONES, other=TWOS))
    seeds(runs, ones, twos)
    row = runs.row("better")
    assert (row.verdict.status, row.verdict.parts[0].outcome) == (verdict, outcome)
    assert "over 2 and 2 trainings and 30 images" in row.verdict.reason


def test_a_side_without_a_second_training_decides_nothing(runs):
    runs.statement("better", part(as_published=True, subject=ONES, other=["two"]))
    seeds(runs, (90, 91), (40, 41))
    assert runs.row("better").verdict.parts[0].outcome == "holds_here"


def test_one_training_told_twice_decides_nothing(runs):
    runs.statement("better", part(as_published=True, subject=ONES, other=TWOS))
    runs.run("one-1", seed=8)
    runs.run("two-1", seed=9)
    for name in (*ONES, *TWOS):
        right = 90 if name in ONES else 40
        counts, weights = matrices(30, right=right), name.encode().hex().ljust(64, "0")
        runs.keep(evidence(counts, origin={"trained": name}, weights=weights), folder=name)
    assert runs.row("better").verdict.parts[0].outcome == "holds_here"


def test_several_runs_of_a_side_are_seeds_of_one_training(runs):
    runs.statement("better", part(subject=ONES))
    runs.run("one-1", seed=1, overrides={"q": 8})
    with pytest.raises(SegmodelsError, match="run 'one-1' has another overrides than 'one'"):
        runs.rows()
    assert any("seeds of one training" in problem for problem in problems())
    runs.run("one-1", seed=0)
    assert any("repeat a seed" in problem for problem in problems())


def test_a_run_stands_on_one_side_once(runs):
    runs.statement("better", part(subject=ONES, other="one"))
    assert any("name each run once" in problem for problem in problems())


def test_parts_tested_at_once_say_so_and_need_more(runs):
    """The second part holds alone, and no more when nine others are tested with it."""
    close = {"one": trained("one", 63), "two": trained("two", 60)}
    for name, found in close.items():
        runs.keep(found, folder=name)
    runs.statement("alone", part())
    runs.statement("many", *(part(about=f"Part {i}") for i in range(9)))
    alone, many = runs.row("alone"), runs.row("many")
    widths = [
        float(high) - float(low)
        for row in (alone, many)
        for low, high in [re.search(r"difference (\S+) to (\S+)", row.verdict.reason).groups()]
    ]
    assert widths[1] > 1.3 * widths[0]
    assert "at once" not in alone.verdict.reason
    assert many.verdict.reason.endswith(
        "9 parts are measured at once, so each interval is one of 99.44 %."
    )


def test_nothing_is_kept_of_a_clean_score_of_zero(runs):
    wrong = np.zeros((30, 4, 4), np.int64)
    wrong[:, 0, 1] = 50
    runs.statement("robust", part(quantity="kept", condition="parameter_noise"))
    for name in ("one", "two"):
        weights, origin = ("a" if name == "one" else "b") * 64, {"trained": name}
        clean = evidence(wrong, origin=origin, weights=weights)
        runs.keep(clean, replace_condition(clean), folder=name)
    row = runs.row("robust")
    assert row.verdict.parts[0].outcome == "open"
    assert "a clean mIoU is 0, so that no share of it can be kept" in row.verdict.reason
    measured = next(
        row for row in runs.rows() if row.run == "one" and row.subject.kind == "measurement"
    )
    assert measured.robustness.ratio is None
    assert "no share of a clean score of zero can be kept" in robustness_section([measured])


def replace_condition(clean):
    noise = {"parameter_noise": 0.1, "seed": 0}
    changed = dataclasses.replace(clean.identity, condition=noise)
    return dataclasses.replace(clean, identity=changed)


@pytest.mark.parametrize(
    ("fields", "folder"),
    [({"counted": THEIRS}, "one/plain"), ({"evaluator": 0}, "one/plain")],
)
def test_only_current_counts_of_ours_decide(runs, fields, folder):
    runs.statement("better", part(as_published=True))
    runs.keep(trained("one", 90, **fields), folder=folder)
    runs.keep(trained("two", 40, **fields), folder=folder)
    assert runs.row("better").verdict.status == "unverified"


def test_part_of_a_split_does_not_decide(runs):
    runs.statement("better", part(as_published=True))
    for name, right in (("one", 90), ("two", 40)):
        found = trained(name, right)
        part_of_it = dataclasses.replace(found, images=found.images[:20])
        runs.keep(part_of_it, folder=f"{name}/plain")
    assert runs.row("better").verdict.status == "unverified"


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
    assert runs.row("better").verdict.status == "partial"


def noisy(name, right, sigma=0.1):
    return trained(name, right, condition={"parameter_noise": sigma, "seed": 0})


def test_kept_under_a_disturbance_both_went_through(runs):
    runs.statement("robust", part(quantity="kept", condition="parameter_noise"))
    runs.keep(trained("one", 60), folder="one/plain")
    runs.keep(trained("two", 90), folder="two/plain")
    assert "parameter noise was not evaluated for both" in runs.row("robust").verdict.reason
    runs.keep(noisy("one", 55), noisy("one", 1, sigma=9.0), folder="one/noise")
    assert "not evaluated for both" in runs.row("robust").verdict.reason
    runs.keep(noisy("two", 20), folder="two/noise")
    row = runs.row("robust")
    assert row.verdict.status == "partial"
    assert "so it is" in row.verdict.reason
    assert "percent of the clean mIoU kept under 1 condition, difference" in row.verdict.reason
    runs.keep(noisy("two", 20, sigma=9.0), folder="two/noise")
    assert "kept under 2 conditions, difference" in runs.row("robust").verdict.reason


def test_kept_under_other_protocols(runs):
    from segmodels.protocols.reading import load_protocol

    inference = load_protocol("flipped").inference
    runs.statement("sizes", part(quantity="kept", under=["flipped"]))
    runs.keep(trained("one", 60), folder="one/plain")
    runs.keep(trained("two", 90), folder="two/plain")
    runs.keep(trained("one", 20, inference=inference), folder="one/flipped")
    assert "flipped was not evaluated for both" in runs.row("sizes").verdict.reason
    runs.keep(trained("two", 80, inference=inference), folder="two/flipped")
    row = runs.row("sizes")
    assert row.verdict.status == "unverified"
    assert "the opposite" in row.verdict.reason
    assert "condition" not in row.verdict.reason


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
    assert "not counted yet" in board.row("lighter").verdict.reason
    count_wanted()
    row = board.row("lighter")
    assert row.verdict.status == verdict
    assert "M against" in row.verdict.reason
    assert all(part.counts and "M against" in part.text for part in row.verdict.parts)
    outcomes = ["holds" if relation == "lower" else "fails" for relation in relations]
    assert [part.outcome for part in row.verdict.parts] == outcomes


@pytest.mark.parametrize("part_of_it", [{"every": 10}, {"images": 3}])
def test_a_part_of_the_images_decides_nothing(runs, part_of_it):
    """Whoever may choose which images are counted can choose what comes out."""
    runs.statement("robust", part(quantity="kept", condition="parameter_noise"))
    every, first = part_of_it.get("every"), part_of_it.get("images")
    noise = {"parameter_noise": 0.3, "seed": 0, **({"every": every} if every else {})}
    for name, right in (("one", 60), ("two", 90)):
        clean = trained(name, right)
        runs.keep(clean, folder=f"{name}/plain")
        identity = dataclasses.replace(clean.identity, condition=noise, images=first)
        some = dataclasses.replace(clean, identity=identity, images=clean.images[:first:every])
        runs.keep(some, folder=f"{name}/some")
    assert "parameter noise was not evaluated for both" in runs.row("robust").verdict.reason
    for name in ("one", "two"):
        runs.keep(noisy(name, 20), folder=f"{name}/noise")
    reason = runs.row("robust").verdict.reason
    assert "kept under 1 condition" in reason
    assert "100.00 against 100.00" not in reason
