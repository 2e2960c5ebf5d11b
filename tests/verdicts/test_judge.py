"""Evidence of others, weights trained again, counted costs and corruptions on the leaderboard."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import yaml
from synthetic import FINGERPRINT, THEIRS, evidence, matrices

from segmodels.assets.entries import weights_identity
from segmodels.assets.pins import Pin, note_pins
from segmodels.claims import load_claims
from segmodels.efficiency.claims import all_wanted, wanted_by_claim
from segmodels.errors import SegmodelsError
from segmodels.evidence import Counted, write_evidence
from segmodels.metrics.scores import score
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.training.provenance import training_of
from segmodels.verdicts.validation import problems


def other_counts(key_of):
    """Evidence of the same identity with other counts."""
    return evidence(matrices(6, right=61), origin=key_of.weights_origin)


def test_evidence_of_others_has_their_name_and_level(board):
    found = evidence(counted=THEIRS)
    board.keep(found, folder="third-party/some-lab")
    row = board.row("toy_strict")
    assert (row.verdict.status, row.verdict.level) == ("better", "third party (some-lab)")
    assert row.evidence_file == f"evidence/third-party/some-lab/{found.key}.json"


@pytest.mark.parametrize("folder", ["toy-run/strict", "third-party/other-lab", "anywhere"])
@pytest.mark.parametrize("counted", [THEIRS, Counted()])
def test_a_moved_file_stays_who_counted_it(board, counted, folder):
    board.keep(evidence(counted=counted), folder=folder)
    row = board.row("toy_strict")
    assert row.verdict.level == f"third party ({counted.by or 'not recorded'})"
    assert row.evidence.counted_by == (counted.by or "not recorded")


def test_images_that_nobody_registered_are_those_that_are_here(board):
    """Another copy of a dataset is another number, whether or not a fingerprint is published."""
    path = board.root / "params" / "datasets.yaml"
    entries = yaml.safe_load(path.read_text())
    del entries["toy"]["splits"]["test"]["fingerprint"]
    path.write_text(json.dumps(entries))
    board.keep(evidence())
    assert board.row("toy_strict").verdict.status == "better"
    for fingerprint, verdict in (("0" * 64, "unverified"), (FINGERPRINT, "better")):
        about = {"splits": {"test": {"images": 6, "fingerprint": fingerprint}}}
        (board.root / "reports" / "datasets").mkdir(exist_ok=True)
        (board.root / "reports" / "datasets" / "toy.json").write_text(json.dumps(about))
        assert board.row("toy_strict").verdict.status == verdict


def test_our_own_file_stays_ours_in_the_folder_of_others(board):
    board.keep(evidence(), folder="third-party/some-lab")
    assert board.row("toy_strict").verdict.level == "released weights"


@pytest.mark.parametrize("claimed", [{"model": "unet"}, {"overrides": {"q": 3}}])
def test_evidence_of_another_network_answers_no_claim(board, claimed):
    board.keep(evidence(model={"name": "espnet_p2_q8", "q": 8}))
    board.claim("toy_slip", protocol="plain", weights="toy-weights", **claimed)
    board.claim("toy_same", protocol="plain", weights="toy-weights", overrides={"q": 8})
    row = board.row("toy_slip")
    assert (row.verdict.status, row.verdict.verified) == ("blocked", None)
    assert row.verdict.obstacle == "weights of another network"
    assert board.row("toy_same").verdict.status == "better"


def lesser(precision="bf16"):
    """Evidence in a cheaper arithmetic that says of itself that this did no harm."""
    scoring = load_protocol("strict").scoring
    told = {"scoring": scoring, "fp32": 50.0, "reduced": 50.0, "difference": 0.0}
    effect = {"against": "0" * 16, "moved": 0.0, "interval": {"method": 2, "confidence": 0.9}}
    return replace(
        evidence(precision=precision), effect={**effect, "scores": [{**told, "interval": [0, 0]}]}
    )


def test_cheaper_arithmetic_verifies_nothing_that_is_defined_in_fp32(board):
    board.keep(lesser())
    board.claim("toy_near", protocol="strict", weights="toy-weights", value=80, uncertainty=50)
    row = board.row("toy_near")
    assert row.verdict.status == "partial"
    assert "Only counted in bf16, not in fp32: segmodels verify toy_near" in row.verdict.reason
    board.keep(evidence())
    assert board.row("toy_near").verdict.status == "verified"


# --- weights that were trained here ----------------------------------------------------


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("runs/again.yaml", {"seed": 1}, "seed was 0, now it is 1"),
        ("recipes/short.yaml", {"lr": 0.02}, r"recipe\.lr was 0\.01, now it is 0\.02"),
        ("recipes/short.yaml", {"flip": 0.0}, r"recipe\.flip was 0\.5, now it is 0\.0"),
        ("datasets.yaml", None, "fingerprint was 11.*, now it is 22"),
    ],
)
def test_counts_of_an_earlier_form_of_a_run_are_stale(board, file, change, words):
    """Today's run is never shown beside yesterday's counts as if they were its own."""
    board.claim("toy_again", protocol="plain", value=80, uncertainty=20)
    board.run("again", retrains=["toy_again"])
    path = board.root / "params" / file
    if change is None:
        register_training_images(board, "1" * 64)
        made = training_of(load_run("again"), "1" * 64)
        register_training_images(board, "2" * 64)
    else:
        made = training_of(load_run("again"), None)
        path.write_text(json.dumps({**yaml.safe_load(path.read_text()), **change}))
    board.keep(trained_again(made), folder="again/plain")
    row = board.row("toy_again")
    assert row.verdict.status == "stale"
    assert re.search(words, row.verdict.reason)
    assert "segmodels evaluate again" in row.verdict.reason
    assert row.verdict.verified is not None  # told for what it is


def register_training_images(board, fingerprint):
    path = board.root / "params" / "datasets.yaml"
    entries = yaml.safe_load(path.read_text())
    entries["toy"]["splits"]["train"] = {"images": 9, "fingerprint": fingerprint}
    path.write_text(json.dumps(entries))


def trained_again(made, name="again"):
    return evidence(origin={"trained": name, "training": made}, weights="0" * 64)


def test_the_content_of_a_run_decides_and_not_its_name(board):
    board.run("again")
    board.keep(trained_again(training_of(load_run("again"), None), "former-name"))
    (row,) = [row for row in board.rows() if row.run == "again"]
    assert (row.verdict.status, row.protocol_name) == ("measured", "plain")


def test_what_an_evidence_does_not_say_about_its_training_is_not_assumed(board):
    board.run("again")
    board.keep(trained_again({}), folder="again/plain")
    (row,) = [row for row in board.rows() if row.run == "again"]
    assert row.verdict.status == "stale"


def test_seeds_that_are_current_are_not_mixed_with_outdated_ones(board):
    board.claim("toy_again", protocol="plain", value=80)
    for seed in (0, 1):
        board.run(f"again-{seed}", seed=seed, retrains=["toy_again"])
    now = training_of(load_run("again-0"), None)
    board.keep(trained_again(now, "again-0"), folder="0")
    old = replace(trained_again({**now, "seed": 7}, "again-1"))
    board.keep(replace(old, identity=replace(old.identity, weights="1" * 64)), folder="1")
    row = board.row("toy_again")
    assert row.verdict.level == "retrained (1 seed)"


def test_a_part_that_calls_itself_the_whole_is_no_answer(board):
    """Whatever the file says, the split has six images."""
    board.keep(evidence(matrices(3)), folder="third-party/some-lab")
    row = board.row("toy_strict")
    assert (row.verdict.status, row.verdict.verified) == ("unverified", None)
    assert "counted on other images" in row.verdict.reason


def test_our_own_evidence_goes_before_that_of_others(board):
    ours = evidence()
    board.keep(ours)
    theirs = replace(other_counts(ours), counted=THEIRS)
    write_evidence(board.evidence / "third-party" / "some-lab", theirs)
    row = board.row("toy_strict")
    assert row.verdict.level == "released weights"
    assert row.verdict.verified == round(score(ours, load_protocol("strict")).miou, 4)


NAMES = ("config.json", "model.bin")
TWO = ("e1" * 32, "e2" * 32)


def two_files(board, sums=TWO, **changes):
    """Make the toy weights two files."""
    path = board.root / "params" / "weights.yaml"
    entries = yaml.safe_load(path.read_text())
    entries["toy-weights"]["files"] = [
        {"name": name, "url": f"https://example.org/{name}", "sha256": [one] if one else []}
        for name, one in zip(NAMES, sums, strict=True)
    ]
    entries["toy-weights"].update(changes)
    path.write_text(yaml.safe_dump(entries))


def of_two_files():
    return evidence(weights=weights_identity(dict(zip(NAMES, TWO, strict=True))))


def test_evidence_of_two_files_keeps_its_entry_once_their_sums_are_registered(board):
    """The identity of several files is a digest of digests."""
    two_files(board)
    board.keep(of_two_files())
    row = board.row("toy_strict")
    assert (row.verdict.level, row.verdict.status, row.weights.pinned) == (
        "released weights",
        "better",
        "first sight",
    )
    assert row.weights.sha256 == of_two_files().identity.weights


def test_one_wrong_sum_is_another_checkpoint(board):
    two_files(board, (TWO[0], "e3" * 32))
    board.keep(of_two_files())
    row = board.row("toy_strict")
    assert (row.verdict.level, row.verdict.status, row.evidence_key) == (None, "unverified", None)
    assert row.weights.sha256 == weights_identity({"config.json": TWO[0], "model.bin": "e3" * 32})


def test_two_files_of_others_are_known_too(board):
    two_files(board)
    board.keep(replace(of_two_files(), counted=THEIRS), folder="third-party/some-lab")
    assert board.row("toy_strict").verdict.level == "third party (some-lab)"


def test_what_nothing_pins_is_partial_at_most(board):
    """By name alone, whatever is in the file; and a checksum of one file of two is no identity."""
    two_files(board, (None, None), unseen=True)
    board.keep(evidence(weights="0" * 64))
    row = board.row("toy_strict")
    assert (row.verdict.level, row.verdict.status, row.weights.pinned) == (
        "released weights",
        "partial",
        "no",
    )
    assert row.verdict.reason.startswith("Nothing pins these weights")
    assert row.verdict.verified is not None
    measured = [r for r in board.rows() if r.subject.kind == "measurement"]
    assert [(r.verdict.status, r.weights.pinned) for r in measured] == [("partial", "no")]
    two_files(board, (TWO[0], None), unseen=True)
    assert board.row("toy_strict").evidence_key is None


def test_what_was_noted_at_first_sight_pins(board):
    two_files(board, (None, None), unseen=True)
    pins = {
        name: Pin(sha256=one, bytes=3, url=f"https://example.org/{name}", origin="address")
        for name, one in zip(NAMES, TWO, strict=True)
    }
    note_pins(board.root / "params" / "weights.lock.yaml", "toy-weights", pins)
    board.keep(of_two_files())
    row = board.row("toy_strict")
    assert (row.verdict.status, row.weights.pinned) == ("better", "first sight")
    board.keep(evidence(weights="0" * 64, evaluator=0), folder="toy-run/other")
    assert board.row("toy_strict").evidence_key == row.evidence_key


def test_weights_trained_again_answer_the_claims_their_runs_name(board):
    board.claim("toy_again", protocol="plain", value=80)
    for seed, right in enumerate((60, 70)):
        name = f"again-{seed}"
        board.run(name, seed=seed, retrains=["toy_again"])
        trained = {"trained": name}
        board.keep(
            evidence(matrices(6, right=right), origin=trained, weights=f"{seed:064x}"),
            folder=f"{name}/plain",
        )
    row = board.row("toy_again")
    assert row.verdict.level.startswith("retrained (2 seeds, ")
    assert row.verdict.verified == pytest.approx(np.mean(row.verdict.seeds), abs=1e-4)
    assert row.run == "again-0"
    measured = [r for r in board.rows() if r.subject.kind == "measurement" and r.run == "again-0"]
    assert not measured  # the number stands in the claim's row


def test_released_weights_go_before_retrained_ones(board):
    board.run("again", protocols=["strict"], retrains=["toy_strict"])
    board.keep(evidence(origin={"trained": "again"}, weights="0" * 64), folder="again/strict")
    assert board.row("toy_strict").verdict.level == "retrained (1 seed)"
    board.keep(evidence())
    assert board.row("toy_strict").verdict.level == "released weights"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"retrains": ["toy_nobody"]}, "'retrains' names 'toy_nobody'; there is no such claim"),
        ({"retrains": ["toy_strict"]}, "its protocol 'strict' is not among 'protocols'"),
        ({"retrains": ["toy_fps"]}, "it is about fps"),
        ({"model": "unet"}, "its model is 'espnet_p2_q8', not 'unet'"),
        ({"recipe": "long"}, "'recipe' is not that of again"),
        ({"overrides": {"a": 1}}, "'overrides' is not that of again"),
        ({"seed": 0}, "'seed' repeats that of a run that retrains 'toy_again'"),
    ],
)
def test_only_seeds_of_one_training_are_averaged(board, fields, message):
    board.claim("toy_again", protocol="plain", value=80)
    board.claim("toy_fps", metric="fps", protocol="")
    board.run("again", retrains=["toy_again"])
    (board.root / "params" / "recipes" / "long.yaml").write_text("title: long\n")
    board.run("other", **{"seed": 1, "retrains": ["toy_again"], **fields})
    with pytest.raises(SegmodelsError, match=message):
        board.rows()
    assert any(message.split("'")[-1] in problem for problem in problems())


def test_a_training_told_twice_is_one(board):
    """Whoever copies counts of one seed into the folders of three has trained once."""
    board.claim("toy_again", protocol="plain", value=80)
    for seed in range(3):
        name = f"again-{seed}"
        board.run(name, seed=seed, retrains=["toy_again"])
        board.keep(evidence(origin={"trained": name}, weights=f"{seed:064x}"), folder=name)
    row = board.row("toy_again")
    assert (row.verdict.status, row.verdict.level) == ("inconclusive", "retrained (1 seed)")
    assert "At least 3 seeds are needed." in row.verdict.reason
    assert row.verdict.reason.endswith("are those of another seed: 2.")


def test_seeds_that_saw_other_images_are_left_out_and_told(board):
    board.claim("toy_again", protocol="plain", value=80)
    for seed, images in enumerate((3, 6, 6)):
        name = f"again-{seed}"
        board.run(name, seed=seed, retrains=["toy_again"])
        counts, origin = matrices(images, right=60 + seed), {"trained": name}
        board.keep(evidence(counts, expected=6, origin=origin, weights=f"{seed:064x}"), folder=name)
    row = board.row("toy_again")
    assert row.verdict.level.startswith("retrained (2 seeds")
    assert row.verdict.reason.endswith("because they saw other images: 1.")


def test_stale_evidence_of_a_training_names_the_command_that_renews_it(board):
    board.run("again", protocols=["strict"], retrains=["toy_strict"])
    stale = evidence(origin={"trained": "again"}, weights="0" * 64, evaluator=0)
    board.keep(stale, folder="again/strict")
    row = board.row("toy_strict")
    assert row.verdict.status == "stale"
    assert "segmodels evaluate again" in row.verdict.reason


def test_retrains_is_for_weights_trained_here(board):
    path = board.root / "params" / "runs" / "toy-run.yaml"
    path.write_text(path.read_text() + "retrains: [toy_strict]\n")
    with pytest.raises(SegmodelsError, match="'retrains' is for weights trained here"):
        board.rows()


COUNTING = {
    "params-all": {
        "version": 1,
        "title": "all parameters",
        "source": "here",
        "quantity": "parameters",
        "part": "whole",
        "unused": True,
        "auxiliary": True,
    }
}


def cost_claim(board, **fields):
    path = board.root / "params" / "efficiency.yaml"
    path.write_text(yaml.safe_dump(COUNTING))
    board.claim(
        "toy_params",
        **{
            "metric": "params_M",
            "protocol": "params-all",
            "image_size": [64, 64],
            "dataset": "any",
            "value": 3.8,
            "model": "segformer_b0",
            **fields,
        },
    )


def test_costs_are_counted_on_request_and_judged_from_the_record(board):
    from segmodels.steps.costs import count_wanted

    cost_claim(board)
    assert board.row("toy_params").verdict.status == "unverified"
    count_wanted()
    row = board.row("toy_params")
    assert (row.verdict.status, row.verdict.level, row.subject.unit) == ("verified", "counted", "M")
    assert row.evidence_file == "efficiency.json"
    assert row.protocol_title == "all parameters"
    recounted = {"params-all": {**COUNTING["params-all"], "version": 2}}
    (board.root / "params" / "efficiency.yaml").write_text(yaml.safe_dump(recounted))
    assert board.row("toy_params").verdict.status == "unverified"  # counted by another rule


def test_what_no_network_here_has_is_not_wanted(board):
    cost_claim(board, model="nobodys_network")
    assert wanted_by_claim(load_claims()["toy_params"]) is not None
    assert all_wanted(load_claims().values(), ()) == []
    row = board.row("toy_params")
    assert (row.verdict.status, row.verdict.obstacle) == ("blocked", "not implemented")


def test_an_unknown_convention_is_named(board):
    cost_claim(board, protocol="params-al")
    with pytest.raises(SegmodelsError, match=r"'toy_params': .*Did you mean 'params-all'"):
        board.rows()


def test_speeds_are_never_compared(board):
    board.claim("toy_fps", metric="fps", value=50.5, protocol="", dataset="any")
    row = board.row("toy_fps")
    assert (row.verdict.status, row.verdict.obstacle, row.subject.unit) == (
        "blocked",
        "another device",
        "images/s",
    )


@pytest.mark.parametrize(
    ("fields", "obstacle", "words"),
    [
        ({"protocol": "", "stated": "crop 512"}, "protocol not stated", "only: crop 512"),
        ({"model": "hrnet"}, "not implemented", "'hrnet' is not implemented"),
        (
            {"model": "hrnet", "undescribed": "Nobody says how it is built."},
            "network not described",
            "Nobody says how it is built. ",
        ),
        ({"weights": "never"}, "weights unpublished", "nobody has it"),
        ({"weights": "by-hand"}, "weights gated", "it has no address"),
        ({"released": "no"}, "weights unpublished", "gives out no weights"),
        ({"released": "yes", "checkpoint": "a zoo"}, "weights not registered", "(a zoo)"),
        ({}, "needs retraining", "No weights of this number are known"),
        ({"dataset": "closed", "weights": "toy-weights"}, "gated data", "it wants a login"),
    ],
)
def test_every_obstacle_is_told_with_what_would_help(board, fields, obstacle, words):
    board.claim("toy_blocked", **fields)
    row = board.row("toy_blocked")
    assert (row.verdict.status, row.verdict.obstacle) == ("blocked", obstacle)
    assert words in row.verdict.reason
    assert "To change that: " in row.verdict.reason
    assert row.verdict.verified is None
    assert any(line.startswith(f"{obstacle}: ") for line in row.verdict.todo)
    assert any(line.startswith("  to change that: ") for line in row.verdict.todo)


def test_only_blocked_rows_have_something_to_do(board):
    assert board.row("toy_strict").verdict.status == "unverified"
    assert board.row("toy_strict").verdict.todo == ()


def test_what_was_counted_before_the_pixels_of_a_corruption_changed_answers_nothing(board):
    about = {"metric": "mIoU-c", "corruption": "brightness", "dataset": "toy"}
    board.claim("toy_bright", weights="toy-weights", protocol="plain", **about)
    before = [
        evidence(condition={"corruption": "brightness", "severity": severity, "seed": 0})
        for severity in range(1, 6)
    ]
    board.keep(evidence(), *before)
    assert board.row("toy_bright").verdict.status == "unverified"
    board.keep(*(with_version(one, 2) for one in before))
    assert board.row("toy_bright").verdict.status == "better"


def with_version(copy, version):
    return evidence(condition={**copy.identity.condition, "version": version})


def test_a_corruption_is_judged_from_its_severities(board):
    board.claim(
        "toy_fog",
        metric="mIoU-c",
        corruption="contrast",
        dataset="toy",
        weights="toy-weights",
        protocol="plain",
    )
    assert board.row("toy_fog").verdict.status == "unverified"
    copies = [
        evidence(condition={"corruption": "contrast", "severity": severity, "seed": 0})
        for severity in range(1, 6)
    ]
    board.keep(evidence(), *copies[:2])
    assert board.row("toy_fog").verdict.status == "partial"
    board.keep(*copies)
    row = board.row("toy_fog")
    assert row.verdict.status == "better"
    assert row.verdict.verified == round(score(copies[0], load_protocol("plain")).miou, 4)
    low, high = row.verdict.interval
    assert low < row.verdict.verified < high


def test_every_disturbed_score_has_its_interval(board):
    def fog(severity, seed):
        condition = {"corruption": "fog", "severity": severity, "seed": seed}
        return evidence(matrices(6, right=20, seed=severity + seed), condition=condition)

    board.keep(evidence(), *(fog(severity, seed) for severity in (1, 3) for seed in (0, 7)))
    (curve,) = board.row("toy_strict").robustness.curves
    assert [point.level for point in curve.points] == [1.0, 3.0]
    for point in curve.points:
        low, high = point.interval
        assert low < point.miou < high


def test_a_row_names_the_picture_its_run_makes(board):
    """Whether it is here or not: the page must not depend on that."""
    board.keep(evidence(), local=True)
    strict, plain = (row.figure for row in board.rows(local=True))
    picture = "local/figures/toy-run-strict.png"
    assert strict == plain == picture  # the first with this inference


def test_published_evidence_has_no_picture(board):
    """The one drawn here may show labels of other weights, and git keeps none."""
    board.keep(evidence())
    assert {row.figure for row in board.rows()} == {None}
    assert {row.figure for row in board.rows(local=True)} == {None}


def test_evidence_of_others_has_no_picture(board):
    board.keep(evidence(counted=THEIRS), folder="third-party/some-lab")
    assert {row.figure for row in board.rows()} == {None}


def test_featured_claims_stand_first(board):
    board.claim("toy_low", value=10, weights="toy-weights")
    board.claim("toy_first", value=1, weights="toy-weights", featured=True)
    assert [row.subject.id for row in board.rows()] == ["toy_first", "toy_strict", "toy_low"]
