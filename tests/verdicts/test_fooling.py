"""Attempts to have a row say more than was measured; none may succeed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import FINGERPRINT, THEIRS, evidence, matrices

from segmodels.errors import SegmodelsError
from segmodels.evidence import Counted, Shard, write_evidence
from segmodels.leaderboard import headline
from segmodels.runs.run import load_run
from segmodels.training.provenance import training_of
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.statements import decides

FULL = ("verified", "better", "below")


def near(board, name="toy_near", **fields):
    """A claim that every number of these tests is near enough to."""
    base = {"protocol": "strict", "weights": "toy-weights", "value": 60, "uncertainty": 40}
    board.claim(name, **{**base, **fields})


def describe(board, found):
    """The labels of the toy set, as `prepare` would have counted them."""
    names = (*found.classes, "void")
    pixels = dict(zip(names, map(int, found.total().sum(axis=1)), strict=True))
    split = {"images": 6, "fingerprint": FINGERPRINT, "pixels": pixels}
    path = board.root / "reports" / "datasets" / "toy.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"classes": list(found.classes), "splits": {"test": split}}))


def test_counts_that_are_not_those_of_the_labels_are_no_evidence(board):
    near(board)
    board.keep(evidence())
    describe(board, evidence())
    assert board.row("toy_near").verdict.status == "verified"
    for made_up in (matrices(6, right=70), matrices(6)[:, [0, 1, 3]][:, :, [0, 1, 3]]):
        write_evidence(board.evidence / "toy-run/strict", evidence(made_up))
        with pytest.raises(SegmodelsError, match=r"labels of toy test hold|field 'classes'"):
            board.rows()


def test_one_image_counted_six_times_is_no_split(board):
    near(board)
    best = replace(evidence(), images=(evidence().images[0],) * 6)
    write_evidence(board.evidence / "toy-run/strict", best)
    with pytest.raises(SegmodelsError, match=r"'000\.png' is counted 6 times"):
        board.rows()


def test_a_shard_is_not_the_whole(board):
    near(board)
    found = evidence()
    board.keep(replace(found, shard=Shard(0, 1, ("0" * 64,) * 6)))
    row = board.row("toy_near")
    assert row.verdict.status == "partial"
    assert "shard 0/1" in row.verdict.reason


def test_two_counts_of_one_evaluation_are_refused(board):
    """No folder's name decides which of them is right."""
    near(board)
    board.keep(evidence(), folder="mmm")
    for folder in ("aaa", "zzz"):
        path = board.evidence / folder
        write_evidence(path, evidence(matrices(6, right=500)))
        with pytest.raises(SegmodelsError, match="other counts than"):
            board.rows()
        for file in path.iterdir():
            file.unlink()
    board.keep(evidence(), folder="zzz")  # the same twice does no harm
    assert board.row("toy_near").verdict.status == "verified"


def test_what_does_not_say_who_counted_it_verifies_nothing(board):
    near(board)
    board.keep(evidence(counted=Counted()))
    row = board.row("toy_near")
    assert row.verdict.status == "partial"
    assert "Who counted it is not recorded" in row.verdict.reason


def test_third_parties_are_counted_apart(board):
    near(board)
    board.keep(evidence(counted=THEIRS, origin={"released": "OfficialModel"}))
    assert board.row("toy_near").verdict.status == "verified"
    said = headline(board.rows())
    assert said.startswith("Verified: 0 scores measured from pixels")
    assert said.endswith("By third parties: 1 score.")
    assert board.row("toy_near").weights.origin == {"released": "toy-weights"}  # not their word


# --- corruptions -----------------------------------------------------------------------


def fog(severity, seed=0, counts=None, **fields):
    condition = {"corruption": "fog", "severity": severity, "seed": seed, **fields.pop("more", {})}
    return evidence(counts, condition=condition, **fields)


def corrupted(board, copies, **fields):
    board.keep(evidence(**fields), *copies)
    near(board, "toy_fog", protocol="plain", metric="mIoU-c", corruption="fog")
    return board.row("toy_fog")


def test_whole_copies_of_all_severities_are_judged(board):
    assert corrupted(board, [fog(level) for level in range(1, 6)]).verdict.status in FULL


@pytest.mark.parametrize(
    "copies",
    [
        [fog(level, counts=matrices(2), expected=6) for level in range(1, 6)],
        [fog(level, more={"parameter_noise": 0.1}) for level in range(1, 6)],
        [fog(level, seed=level) for level in range(1, 6)],
        [replace(fog(level), shard=Shard(0, 1, ("0" * 64,) * 6)) for level in range(1, 6)],
    ],
    ids=["some images", "noise on top", "a seed each", "shards"],
)
def test_other_copies_are_not(board, copies):
    assert corrupted(board, copies).verdict.status not in FULL


def test_cheaper_arithmetic_does_not_verify_a_corruption(board):
    scoring = {"void": "ignore", "ignore_classes": []}
    told = {"fp32": 50.0, "reduced": 50.0, "difference": 0.0, "interval": [0, 0]}
    effect = {"against": "0" * 16, "moved": 0.0, "scores": [{"scoring": scoring, **told}]}
    copies = [replace(fog(level, precision="bf16"), effect=effect) for level in range(1, 6)]
    board.keep(replace(evidence(precision="bf16"), effect=effect), *copies)
    near(board, "toy_fog", protocol="plain", metric="mIoU-c", corruption="fog")
    assert board.row("toy_fog").verdict.status not in FULL


# --- noise on parameters ---------------------------------------------------------------


def noise(sigma=0.1, seed=0, counts=None, **more):
    return evidence(counts, condition={"parameter_noise": sigma, "seed": seed, **more})


def noisy(board, *copies):
    board.keep(evidence(), *copies)
    near(board, "toy_noise", protocol="plain", metric="mIoU-n", noise=0.1)
    return board.row("toy_noise")


def test_all_seeds_of_a_level_of_noise_are_judged(board):
    row = noisy(board, noise(), noise(seed=1))
    assert row.verdict.status == "verified"
    assert "It is the mean of 2 seeds." in row.verdict.reason
    assert row.subject.corruption == "parameter noise 0.1"


@pytest.mark.parametrize(
    "copy",
    [
        noise(sigma=0.2),
        noise(noise_on="decoder"),
        noise(noise_scale="relative"),
        noise(noise_without="norms"),
        noise(corruption="fog", severity=1),
    ],
    ids=["another level", "on a part", "relative", "without norms", "fog on top"],
)
def test_other_noise_is_no_answer(board, copy):
    assert noisy(board, copy).verdict.status == "unverified"


def test_noise_that_nobody_described_calls_no_number_wrong(board):
    board.keep(evidence(), noise())
    near(board, "toy_noise", protocol="plain", metric="mIoU-n", noise=0.1, value=1, uncertainty=0)
    row = board.row("toy_noise")
    assert row.verdict.status == "inconclusive"
    assert "nobody says" in row.verdict.reason


# --- trainings -------------------------------------------------------------------------


def seeds(board, numbers):
    """Runs that retrain a claim, with evidence of each."""
    board.claim("toy_again", protocol="plain", value=60, uncertainty=40)
    for seed, right in enumerate(numbers):
        name = f"again-{seed}"
        board.run(name, seed=seed, retrains=["toy_again"])
        board.keep(
            evidence(
                matrices(6, right=right, seed=seed),
                origin={"trained": name},
                weights=f"{seed:064x}",
            ),
            folder=f"{name}/plain",
        )


def test_a_bad_seed_cannot_be_dropped_in_silence(board):
    seeds(board, (60, 61, 62, 60))
    assert board.row("toy_again").verdict.status == "verified"
    for file in (board.evidence / "again-3" / "plain").iterdir():
        file.unlink()
    row = board.row("toy_again")
    assert row.verdict.status == "inconclusive"
    assert "again-3: no evidence" in row.verdict.reason


def test_a_seed_that_was_renumbered_is_missing(board):
    seeds(board, (60, 61, 62, 60))
    path = board.root / "params" / "runs" / "again-3.yaml"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": 9}))
    row = board.row("toy_again")
    assert row.verdict.status == "inconclusive"
    assert "again-3: seed was 3, now it is 9" in row.verdict.reason


def test_a_training_of_another_network_retrains_nothing(board):
    board.claim("toy_again", protocol="plain", value=60)
    board.run("again", retrains=["toy_again"], overrides={"q": 3})
    with pytest.raises(SegmodelsError, match=r"its overrides is \{\}, not \{'q': 3\}"):
        board.rows()


def test_a_training_takes_what_its_claim_assumes(board):
    board.claim("toy_again", protocol="plain", value=60, assumed={"q": 3})
    board.run("again", retrains=["toy_again"])
    with pytest.raises(SegmodelsError, match=r"overrides and assumed are \{'q': 3\}, not \{\}"):
        board.rows()
    board.run("again", retrains=["toy_again"], overrides={"q": 3})
    assert board.row("toy_again").answered_by == "again"


def test_another_network_under_the_record_of_a_training_is_refused(board):
    board.run("again", overrides={"q": 3})
    made = training_of(load_run("again"), None)
    forged = evidence(model={"name": "espnet_p2_q8", "q": 8}, origin={"trained": "again"})
    origin = {"trained": "again", "training": made}
    write_evidence(board.evidence / "again", replace(forged, weights_origin=origin))
    with pytest.raises(SegmodelsError, match=r"'identity\.model' has q 8"):
        board.rows()


def test_no_statement_rests_on_cheaper_arithmetic():
    whole = Found(Path("x.json"), evidence())
    assert decides(whole)
    assert not decides(replace(whole, evidence=evidence(precision="bf16")))
    part = replace(evidence(), shard=Shard(0, 1, ("0" * 64,) * 6))
    assert not decides(replace(whole, evidence=part))
