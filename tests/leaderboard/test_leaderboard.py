from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from synthetic import WEIGHTS, evidence, identity, matrices, project
from toy_board import SHORT

from segmodels.errors import SegmodelsError
from segmodels.evidence import write_evidence
from segmodels.leaderboard import build_rows, headline, render_json, write_leaderboard
from segmodels.leaderboard.exports.json import whole
from segmodels.metrics.scores import score
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.training.provenance import training_of
from segmodels.verdicts.row_subject import short_title

RUN = "model: espnet_p2_q8\ndataset: toy\nsplit: test\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    return project(tmp_path)


def add_claim(root, name, **fields):
    base = {"model": "espnet_p2_q8", "dataset": "toy", "split": "test", "metric": "mIoU"}
    base |= {"value": 50, "decimals": 1, "protocol": "strict", "source": "Table 2"}
    entry = json.dumps({"id": name, **base, **fields})
    path = root / "params" / "claims" / "toy.yaml"
    path.write_text(path.read_text() + f"  - {entry}\n")


def keep(root, *found, folder="toy-run/strict"):
    for one in found:
        write_evidence(root / "reports" / "evidence" / folder, one)


def rows_of(root):
    return build_rows(root / "reports" / "evidence")


def claimed(root, name="toy_strict"):
    return next(row for row in rows_of(root) if row.subject.id == name)


def test_a_claim_without_evidence_is_unverified(root):
    (row,) = rows_of(root)
    assert (row.subject.id, row.verdict.status, row.subject.claimed) == (
        "toy_strict",
        "unverified",
        50.0,
    )
    assert "segmodels verify toy_strict" in row.verdict.reason
    assert (row.weights.sha256, row.run) == (WEIGHTS, "toy-run")
    assert row.evidence_key is row.verdict.interval is row.verdict.level is None


def test_one_evidence_answers_two_protocols(root):
    found = evidence()
    keep(root, found)
    strict, plain = rows_of(root)
    assert strict.evidence_key == plain.evidence_key == found.key
    assert (strict.subject.id, strict.protocol_name) == ("toy_strict", "strict")
    assert (plain.subject.id, plain.protocol_name) == (None, "plain")
    assert plain.verdict.status == "measured"
    assert strict.verdict.verified == round(score(found, load_protocol("strict")).miou, 4)
    assert plain.verdict.verified == round(score(found, load_protocol("plain")).miou, 4)
    assert plain.verdict.verified > strict.verdict.verified
    told = "No published number uses this protocol; ToyNet claims 50.00 under strict."
    assert plain.verdict.reason == told
    assert plain.run == "toy-run"


def test_a_row_carries_everything_needed_to_doubt_it(root):
    found = evidence()
    keep(root, found)
    row = claimed(root)
    assert row.verdict.gap == pytest.approx(row.verdict.verified - 50, abs=1e-4)
    assert row.verdict.interval[0] <= row.verdict.verified <= row.verdict.interval[1]
    assert (row.evidence.images, row.evidence.expected_images) == (6, 6)
    assert list(row.evidence.per_class) == ["sky", "road", "car <b>"]
    assert row.protocol_fields["void"] == "error"
    assert row.evidence.software["torch"] == "2.7.1"
    assert row.evidence_file == f"evidence/toy-run/strict/{found.key}.json"
    assert row.verdict.level == "released weights"


def test_weights_are_matched_by_checksum(root):
    keep(root, evidence(weights="0" * 64))  # says it is toy-weights, but is not
    assert [row.verdict.status for row in rows_of(root)] == ["unverified"]


def test_weights_without_any_checksum_are_matched_by_name_and_never_verified(root):
    add_claim(root, "toy_by_hand", weights="by-hand")
    assert claimed(root, "toy_by_hand").verdict.status == "blocked"
    keep(root, evidence(weights="0" * 64, origin={"released": "by-hand"}))
    row = claimed(root, "toy_by_hand")
    assert (row.verdict.status, row.weights.pinned) == ("partial", "no")


@pytest.mark.parametrize(
    "change",
    [
        {"split": "val"},
        {"dataset": "closed"},
        {"precision": "bf16"},
        {"inference": identity().inference | {"flip": True}},
        {"condition": {"corruption": "fog", "severity": 1, "seed": 0}},
    ],
)
def test_evidence_of_something_else_answers_nothing(root, change):
    keep(root, evidence(**change))
    assert [row.verdict.status for row in rows_of(root)] == ["unverified"]


def test_other_images_are_another_dataset_and_the_reader_is_told(root):
    found = evidence(fingerprint="0" * 64)
    keep(root, found)
    (row,) = rows_of(root)
    assert row.verdict.status == "unverified"
    assert found.key in row.verdict.reason
    assert "other images" in row.verdict.reason


def test_complete_evidence_goes_first_then_the_newest_evaluator(root):
    keep(root, evidence(matrices(2), expected=6, images=2))
    assert claimed(root).verdict.status == "partial"
    keep(root, evidence(matrices(6), evaluator=0))
    assert claimed(root).verdict.status == "stale"
    keep(root, found := evidence(matrices(6)))
    assert claimed(root).evidence_key == found.key


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"weights": "never"}, "weights are unpublished: nobody has it."),
        ({"weights": "toy-weights", "dataset": "closed"}, "dataset is gated: it wants a login."),
        ({}, "No weights of this number are known"),
    ],
)
def test_blocked_claims_say_what_is_missing(root, fields, words):
    add_claim(root, "toy_blocked", **fields)
    row = claimed(root, "toy_blocked")
    assert row.verdict.status == "blocked"
    assert words in row.verdict.reason


@pytest.mark.parametrize("field", ["weights", "dataset", "protocol"])
def test_a_claim_that_names_something_unknown_is_an_error(root, field):
    add_claim(root, "toy_typo", **{"weights": "toy-weights", field: "toy-wieghts"})
    with pytest.raises(SegmodelsError, match="toy-wieghts"):
        rows_of(root)


def test_weights_trained_here_are_measured(root):
    (root / "params" / "recipes" / "short.yaml").write_text(json.dumps(SHORT))
    (root / "params" / "runs" / "short.yaml").write_text(
        RUN + "recipe: short\nseed: 0\noverrides: {}\nprotocols: [strict, plain, flipped]\n"
    )
    origin = {"trained": "short", "training": training_of(load_run("short"), None)}
    keep(root, evidence(weights="0" * 64, origin=origin), folder="x")
    rows = [row for row in rows_of(root) if row.run == "short"]
    assert [(row.protocol_name, row.verdict.status) for row in rows] == [
        ("plain", "measured"),
        ("strict", "measured"),
    ]
    assert {row.verdict.level for row in rows} == {"trained here"}
    assert (
        rows[1].verdict.reason == "ToyNet claims 50.00 under this protocol, but with other weights."
    )
    assert rows[0].command == "segmodels evaluate short"


def test_two_runs_of_the_same_weights_give_one_row(root):
    (root / "params" / "runs" / "again.yaml").write_text(
        RUN + "weights: toy-weights\nprotocols: [plain]\n"
    )
    keep(root, evidence())
    assert [row.protocol_name for row in rows_of(root)] == ["strict", "plain"]


def disturbed(level, right, images=None, **condition):
    counts = matrices(6, right=right, seed=1)
    if images:  # of the labels that undisturbed evidence has of them
        counts = matrices(6)[:images]
        counts[:, [0, 1], [0, 1]] -= 60 - right
        counts[:, [0, 1], [1, 0]] += 60 - right
    name = condition or {"corruption": "fog", "severity": level}
    return evidence(counts, expected=6, condition={**name, "seed": 0}, images=images)


def test_robustness_is_scored_on_the_same_images(root):
    clean = evidence()
    noise = disturbed(0, 30, images=2, parameter_noise=0.01)
    keep(root, clean, disturbed(1, 50), disturbed(3, 20), noise)
    found = claimed(root).robustness
    fog, by_noise = found.curves
    strict = load_protocol("strict")
    assert (fog.kind, fog.name) == ("corruption", "fog")
    assert [point.level for point in fog.points] == [1, 3]
    assert found.mean == pytest.approx(np.mean([p.miou for p in fog.points]), abs=1e-3)
    assert found.ratio == pytest.approx(found.mean / found.clean, abs=1e-3)
    same = dataclasses.replace(clean, images=clean.images[:2])
    ratio = score(noise, strict).miou / score(same, strict).miou
    assert (by_noise.kind, by_noise.points[0].level) == ("parameter_noise", 0.01)
    assert by_noise.points[0].ratio == pytest.approx(ratio, abs=1e-3)


def test_seeds_of_a_condition_are_averaged_and_other_weights_left_out(root):
    first, second = disturbed(1, 50), disturbed(1, 20)
    again = dataclasses.replace(
        second,
        identity=identity(condition={"corruption": "fog", "severity": 1, "seed": 1}),
    )
    foreign = dataclasses.replace(
        second, identity=dataclasses.replace(second.identity, weights="0" * 64)
    )
    keep(root, evidence(), first, again, foreign)
    (curve,) = claimed(root).robustness.curves
    strict = load_protocol("strict")
    expected = np.mean([score(e, strict).miou for e in (first, again)])
    assert curve.points[0].miou == pytest.approx(expected, abs=1e-3)


def test_disturbed_evidence_alone_is_no_row(root):
    keep(root, disturbed(1, 50))
    assert claimed(root).robustness is None


def everything(root):
    add_claim(root, "toy_never", weights="never", value=81, decimals=0)
    keep(root, evidence(), disturbed(1, 50), disturbed(2, 30))
    return rows_of(root)


def test_claims_come_first_best_first(root):
    rows = everything(root)
    assert [row.subject.id for row in rows] == ["toy_never", "toy_strict", None]


def test_output_is_the_same_to_the_byte(root):
    everything(root)
    folders = [root / "reports", root / "again"]
    written = [write_leaderboard(root / "reports" / "evidence", folder) for folder in folders]
    names = [
        [path.relative_to(f).as_posix() for path in w]
        for f, w in zip(folders, written, strict=True)
    ]
    assert names[0] == names[1]
    pages = [f"claims/{name}" for name in ("toy_never", "toy_strict", "toy-run-plain")]
    kinds = [f"{page}.{kind}" for page in pages for kind in ("html", "svg", "json")]
    assert sorted(names[0]) == sorted(
        [
            *(f"leaderboard.{kind}" for kind in ("md", "html", "json")),
            *kinds,
            *("claims/style.css", "claims/page.js", "papers/toy.html"),
        ]
    )
    before = {path: path.read_bytes() for path in written[0]}
    write_leaderboard(root / "reports" / "evidence", root / "reports")
    assert before == {path: path.read_bytes() for path in written[0]}


def test_a_claim_that_is_gone_leaves_no_file(root):
    add_claim(root, "toy_never", weights="never")
    write_leaderboard(root / "reports" / "evidence", root / "reports")
    claims = root / "reports" / "claims"
    (claims / "mine.json").write_text('{"note": 1}')
    (claims / "mine.html").write_text("<p>by hand</p>")
    project_file = root / "params" / "claims" / "toy.yaml"
    project_file.write_text(project_file.read_text().rpartition("  - {")[0])
    write_leaderboard(root / "reports" / "evidence", root / "reports")
    ours = {f"toy_strict.{kind}" for kind in ("html", "svg", "json")} | {"style.css", "page.js"}
    assert {path.name for path in claims.iterdir()} == ours | {"mine.json", "mine.html"}


def test_json_holds_every_row_without_nan_or_time(root):
    rows = everything(root)
    text = render_json(rows)
    value = json.loads(text, parse_constant=pytest.fail)
    row = value["rows"][1]
    needed = {"claim", "claimed", "verified", "gap", "interval_low", "verdict", "level", "reason"}
    assert needed | {"protocol", "evidence"} <= set(row)
    assert value["verdicts"]["scores"]["blocked"] == 1
    assert value["headline"] == headline(rows)
    assert not re.search(r"20\d\d-\d\d", text)


def test_an_absent_class_is_null(root):
    counts = matrices(6)
    counts[:, 2, :] = 0
    counts[:, :, 2] = 0
    keep(root, evidence(counts))
    assert claimed(root).evidence.per_class["car <b>"] is None
    assert whole(claimed(root), "toy_strict")["per_class"]["car <b>"] is None


def test_short_titles():
    assert short_title("ESPNet: Efficient Spatial Pyramid", "espnet") == "ESPNet"
    assert short_title("Rethinking Decoders for Transformers: A View", "depict") == "depict"
    assert short_title("", "depict") == "depict"


def test_a_laptop_without_torch_can_judge(root):
    everything(root)
    code = (
        "import sys; from pathlib import Path; from segmodels.leaderboard import write_leaderboard;"
        f"write_leaderboard(Path({str(root / 'reports' / 'evidence')!r}), Path('out'));"
        "heavy = {'torch', 'pandas', 'timm', 'mlflow', 'prefect', 'dvc', 'PIL', 'cv2'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (root / "out" / "leaderboard.html").is_file()
