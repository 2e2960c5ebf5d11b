"""What a run in MLflow is to say, told without MLflow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from page_rows import make_measurement, make_row, unrun

from flows.tracking.registry import aliases
from flows.tracking.tracked_run import SUMMARY, key_of, tracked_runs
from segmodels.leaderboard import Row
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "protocols.yaml").write_text("{}\n")
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))


def cost(**changes: object) -> Row:
    fields = {"claim": "size", "metric": "params_M", "level": "counted"}
    nothing = {"evidence": None, "weights": None, "fingerprint": None, "interval": None}
    return make_row(**{**fields, **nothing, "claimed": 13.7, "verified": 13.68, **changes})


def test_what_becomes_a_run() -> None:
    other = make_row(claim=None, claimed=None, gap=None, kind="measurement", protocol="toy-ms")
    statement = unrun(claim="said", kind="relative")
    found = tracked_runs([other, make_row(), unrun(claim="dark"), cost(), statement])
    assert [entry.key for entry in found] == ["0123456789abcdef", "claim size"]
    assert [entry.name for entry in found] == ["net_toy", "size"]
    assert [row.protocol_name for row in found[0].rows] == ["toy-ss", "toy-ms"]


def test_the_key_is_found_again_in_the_tags() -> None:
    for entry in tracked_runs([make_row(), cost()]):
        assert key_of(entry.tags) == entry.key
        assert key_of(entry.identity) == entry.key
    assert key_of({"kind": SUMMARY}) == SUMMARY
    assert key_of({"mlflow.runName": "somebody else's"}) == ""
    # As an earlier version wrote it.
    assert key_of({"kind": "measurement", "claim": "", "evidence": "abc"}) == "abc"


def test_of_two_claims_that_share_evidence_the_authors_name_the_run() -> None:
    quoted = make_row(claim="quoted", claimant="quoted (others)", claimed=49.0)
    (entry,) = tracked_runs([quoted, make_row(claimant="authors")])
    assert entry.name == "net_toy"
    assert entry.tags["claim"] == "net_toy, quoted"
    assert entry.metrics["claimed_mIoU"] == 50.0


def test_a_claim_about_miou_names_the_run_and_other_metrics_keep_their_names() -> None:
    """As the authors of ESPNet print both of one network on one set of images."""
    accuracy = make_row(
        claim="net_toy_accuracy", metric="mAcc", claimed=68.3, verified=68.31, gap=0.01
    )
    others = [
        make_measurement(protocol="toy-ms", verified=51),
        make_row(claim="quoted", metric="mAcc", protocol="toy-ms", verified=69, claimant="quoted"),
    ]
    (entry,) = tracked_runs([accuracy, *others, make_row()])
    assert (entry.name, entry.tags["metric"]) == ("net_toy", "mIoU")
    assert entry.tags["claim"] == "net_toy, net_toy_accuracy, quoted"
    found = {name: value for name, value in entry.metrics.items() if "m" in name}
    assert (
        found.items()
        >= {
            "claimed_mIoU": 50.0,
            "verified_mIoU": 50.02,
            "claimed_mAcc": 68.3,
            "verified_mAcc": 68.31,
            "verified_mIoU.toy-ms": 51,
            "verified_mAcc.toy-ms": 69,
        }.items()
    )
    assert (entry.metrics["gap"], entry.metrics["gap_mAcc"]) == (0.02, 0.01)
    assert not any(name.startswith("verified_mIoU") for name, v in found.items() if v > 60)


def test_metrics_are_named_after_what_they_measure() -> None:
    measured, counted = tracked_runs([make_row(), cost(gap=-0.02)])
    told = {"claimed_mIoU": 50.0, "verified_mIoU": 50.02, "gap": 0.02}
    assert told.items() <= measured.metrics.items()
    told = {"claimed_params_M": 13.7, "verified_params_M": 13.68, "gap_params_M": -0.02}
    assert told.items() <= counted.metrics.items()
    assert "gap" not in counted.metrics
    assert "interval_low" not in counted.metrics


def test_a_run_that_knows_former_names_keeps_them_true() -> None:
    other = make_row(claim=None, claimed=None, kind="measurement", protocol="toy-ms", verified=51)
    (entry,) = tracked_runs([make_row(), other])
    assert entry.metrics_for([]) == entry.metrics
    known = ["claimed", "verified", "verified.toy-ms", "gap", "images", "mine"]
    added = {"claimed": 50.0, "verified": 50.02, "verified.toy-ms": 51.0}
    assert entry.metrics_for(known) == {**entry.metrics, **added}


def test_the_digest_follows_everything_that_is_told() -> None:
    row = make_row()
    changes = [
        {"claimed": 50.1},
        {"verdict": "below"},
        {"reason": "another"},
        {"per_class": {"sky": 1.0}},
        {"software": {"numpy": "9"}},
        {"paper": "other"},
        {"notes": "a remark"},
    ]
    rows = [row, *(make_row(**change) for change in changes)]
    digests = [tracked_runs([r])[0].tags["digest"] for r in rows]
    assert len(set(digests)) == len(rows)
    assert tracked_runs([make_row()])[0].tags["digest"] == digests[0]


def test_a_picture_that_changed_is_told_again(tmp_path: Path) -> None:
    row = make_row(figure="figures/a.png")
    without = tracked_runs([row])[0]
    assert without.files == [tmp_path / "reports" / str(row.evidence_file)]
    digests = {without.tags["digest"]}
    path = tmp_path / "reports" / "figures" / "a.png"
    path.parent.mkdir(parents=True)
    for content in (b"one", b"two"):
        path.write_bytes(content)
        entry = tracked_runs([row])[0]
        assert entry.files[0] == path
        digests.add(entry.tags["digest"])
    assert len(digests) == 3


def test_parameters_hold_how_labels_were_decided_and_not_how_they_were_scored() -> None:
    fields = {"flip": True, "scales": [1.0], "void": "error", "ignore_classes": ["sky"]}
    measured, counted = tracked_runs([make_row(settings=fields), cost(settings=fields)])
    unset = ("resize_short", "resize_long", "resize_multiple", "window", "stride")
    assert measured.params == {
        "model": "net",
        "dataset": "toy",
        "split": "val",
        "inference.flip": "True",
        "inference.scales": "[1.0]",
        **{f"inference.{name}": "None" for name in unset},
        "inference.enlarge": "False",
    }
    assert set(counted.params) == {"model", "dataset", "split"}


def test_the_table_is_one_that_mlflow_shows() -> None:
    (entry,) = tracked_runs([make_row()])
    data = [["sky", 90.0], ["road", 10.04], ["car", None]]
    assert entry.tables == {"per_class.json": {"columns": ["class", "IoU"], "data": data}}
    shown = json.loads(entry.tags["mlflow.loggedArtifacts"])
    assert shown == [{"path": "per_class.json", "type": "table"}]


def test_best_compares_under_the_protocol_most_weights_were_measured_with() -> None:
    a, b = "a" * 64, "b" * 64
    trained = {"trained": "mine"}
    rows = [
        make_row(weights=a, protocol="ss", verified=50.0),
        make_row(weights=b, protocol="ss", verified=51.0, weights_origin=trained),
        make_row(weights=a, protocol="ms", verified=60.0),
    ]
    assert aliases(rows) == {"released": a, "best": b}
    part = make_row(weights=b, protocol="ss", images=1, verified=70.0, weights_origin=trained)
    assert aliases([rows[0], part]) == {"released": a, "best": a}
    assert aliases([part]) == {}


def test_curves_of_robustness_are_a_table_and_a_page() -> None:
    point = CurvePoint(1.0, 40.0, 0.8)
    found = Robustness(50.0, 40.0, 0.8, (Curve("corruption", "fog", (point,)),))
    entry, plain = tracked_runs([make_row(robustness=found)])[0], tracked_runs([make_row()])[0]
    assert entry.tables["robustness.json"]["data"] == [["corruption", "fog", 1.0, 40.0, 0.8]]
    assert "fog" in entry.pages["robustness.html"]
    assert [one["path"] for one in json.loads(entry.tags["mlflow.loggedArtifacts"])] == [
        "per_class.json",
        "robustness.json",
    ]
    assert plain.pages == {}
    assert "robustness.json" not in plain.tables
    worse = replace(found, curves=(Curve("corruption", "fog", (replace(point, miou=39.0),)),))
    assert tracked_runs([make_row(robustness=worse)])[0].tags["digest"] != entry.tags["digest"]


def test_a_sheet_that_is_drawn_anew_is_logged_again(tmp_path: Path) -> None:
    fog = Curve("corruption", "fog", (CurvePoint(1.0, 40.0, 0.8),))
    row = make_row(robustness=Robustness(50.0, 40.0, 0.8, (fog,)))
    (tmp_path / "docs").mkdir()

    def logged(sheet: bytes) -> str:
        (tmp_path / "docs" / "corruptions.webp").write_bytes(sheet)
        return tracked_runs([row])[0].tags["digest"]

    assert logged(b"one") == logged(b"one") != logged(b"other")
