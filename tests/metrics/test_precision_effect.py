"""What bfloat16 did to a number: measured against fp32, written down, and checked again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, identity, matrices
from toy_board import Board

from segmodels import cli, steps
from segmodels.assets.groups import Grouping
from segmodels.core import paths
from segmodels.core.files import readable_json
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import count_pairs
from segmodels.evaluation.reference import predict
from segmodels.evidence import (
    Evidence,
    Shard,
    evidence_files,
    find_evidence,
    read_evidence,
    write_evidence,
)
from segmodels.evidence.files import read_head
from segmodels.evidence.head import head_of
from segmodels.evidence.merge import merge_evidence
from segmodels.leaderboard import build_rows
from segmodels.metrics.intervals import METHOD, IntervalRule, paired_interval
from segmodels.metrics.precision_effect import (
    changed_share,
    check_effect,
    effect_sentence,
    effect_under,
    full_precision,
    interval_is_current,
    measure_effect,
    renewed,
)
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.steps import evaluation, stored
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.matching import best

PLAIN, STRICT = (
    Protocol(name="plain", version=1, title="plain"),
    Protocol(name="strict", version=1, title="strict", void="error"),
)
RULE = IntervalRule(confidence=0.95)
REPORTS = Path(__file__).resolve().parents[2] / "reports"


def reduced(counts: np.ndarray | None = None) -> Evidence:
    return evidence(matrices(6, right=55, seed=1) if counts is None else counts, precision="bf16")


def with_effect(full: Evidence | None = None) -> Evidence:
    low = reduced()
    effect = measure_effect(low, full or evidence(), [PLAIN, STRICT], RULE)
    return dataclasses.replace(low, effect=effect)


# --- the block -------------------------------------------------------------------------


def test_the_scores_are_those_of_both() -> None:
    full, low = evidence(), reduced()
    again = Protocol(name="another name", version=7, title="another name")
    found = measure_effect(low, full, [PLAIN, STRICT, again], RULE)
    assert found["against"] == full.key
    assert found["interval"] == {"method": METHOD, "confidence": 0.95, "groups": None}
    assert [entry["scoring"] for entry in found["scores"]] == [PLAIN.scoring, STRICT.scoring]
    for entry, protocol in zip(found["scores"], (PLAIN, STRICT), strict=True):
        assert entry["fp32"] == pytest.approx(score(full, protocol).miou, abs=1e-4)
        assert entry["reduced"] == pytest.approx(score(low, protocol).miou, abs=1e-4)
        assert entry["difference"] == pytest.approx(entry["reduced"] - entry["fp32"], abs=2e-4)
        interval = paired_interval(low, full, protocol, RULE)
        assert entry["interval"] == pytest.approx(interval, abs=1e-4)
        assert entry["interval"][0] < entry["difference"] < entry["interval"][1]


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1))
def test_at_least_the_share_that_moved_has_changed(seed: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    label, before = draw.integers(0, 3, (2, 2, 50))
    after = np.where(draw.random((2, 50)) < share, draw.integers(0, 3, (2, 50)), before)
    counts = [
        np.stack([count_pairs(a, b, 3, 4) for a, b in zip(label, guess, strict=True)])
        for guess in (before, after)
    ]
    changed = np.count_nonzero(before != after) / before.size
    found = changed_share(evidence(counts[0]), evidence(counts[1]))
    assert 0 <= found <= changed + 1e-12
    assert (found == 0) == np.array_equal(*counts)


def test_all_pixels_that_change_one_way_are_seen() -> None:
    before, after = np.zeros((1, 4, 4), int), np.zeros((1, 4, 4), int)
    before[0, 1, 1], after[0, 1, 1], after[0, 1, 2] = 100, 70, 30
    assert changed_share(evidence(before), evidence(after)) == pytest.approx(0.3)
    assert changed_share(evidence(before * 0), evidence(before * 0)) == 0


def test_numbers_that_do_not_exist_are_null() -> None:
    nothing = np.zeros((2, 4, 4), int)
    low = reduced(nothing)
    effect = measure_effect(low, evidence(nothing), [PLAIN], RULE)
    (entry,) = effect["scores"]
    assert entry["difference"] is None
    assert entry["interval"] == [None, None]
    low = dataclasses.replace(low, effect=effect)
    check_effect(low, evidence(nothing))
    assert effect_sentence(low, entry) == ""


@pytest.mark.parametrize(
    "change", [{"evaluator": 1}, {"weights": "0" * 64}, {"images": 3}, {"precision": "bf16"}]
)
def test_only_precision_may_differ(change: dict[str, Any]) -> None:
    with pytest.raises(SegmodelsError, match="are not one evaluation"):
        measure_effect(reduced(), evidence(**change), [PLAIN], RULE)
    with pytest.raises(SegmodelsError, match="are not one evaluation"):
        measure_effect(evidence(), evidence(), [PLAIN], RULE)


def test_shards_are_merged_first() -> None:
    part = dataclasses.replace(reduced(), shard=Shard(0, 2))
    with pytest.raises(SegmodelsError, match="is a shard"):
        measure_effect(part, evidence(), [PLAIN], RULE)


# --- on disk ---------------------------------------------------------------------------


def test_the_head_carries_it_and_fp32_is_as_before(tmp_path: Path) -> None:
    low = with_effect()
    path = write_evidence(tmp_path, low)
    assert read_evidence(path) == low
    assert list(json.loads(path.read_text()))[-2:] == ["effect", "record_sha256"]
    assert "effect" not in json.loads(write_evidence(tmp_path, evidence()).read_text())
    assert full_precision(low.identity).key == evidence().key != low.key


def test_keys_are_pinned() -> None:
    assert identity(evaluator=3).key == "0d0498c9ca874293"
    assert identity(evaluator=3, precision="bf16").key == "bef14b8b9aa05461"


def test_committed_evidence_keeps_its_heads() -> None:
    files = evidence_files(REPORTS / "evidence")
    assert len(files) > 10
    for path in files:
        head = head_of(read_evidence(path))
        assert head == read_head(path)
        assert not path.is_file() or path.read_text(encoding="utf-8") == readable_json(head)


# --- checking --------------------------------------------------------------------------


def test_what_was_written_can_be_computed_again() -> None:
    check_effect(with_effect(), evidence())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.update(moved=e["moved"] + 1e-6), "but the counts give"),
        (lambda e: e.update(against="0" * 16), "but the counts give"),
        (lambda e: e["scores"][0].update(difference=0.0), "but the counts give"),
        (lambda e: e["scores"][1].update(interval=[-1.0, 1.0]), "but the counts give"),
        (lambda e: e["scores"][1].update(fp32=None), "but the counts give"),
        (lambda e: e["scores"][0].pop("reduced"), "is broken"),
        (lambda e: e["scores"][0].update(scoring={"vod": 1}), "is broken"),
        (lambda e: e.update(interval={"method": METHOD, "confidence": "high"}), "is broken"),
        (lambda e: e.pop("scores"), "is broken"),
    ],
)
def test_what_was_edited_is_found(change: Any, words: str) -> None:
    low = with_effect()
    change(low.effect)
    with pytest.raises(SegmodelsError, match=words):
        check_effect(low, evidence())


def test_the_units_of_its_interval_are_on_record() -> None:
    groups = Grouping(kind="drive", pattern=r"(\d)", block=2)
    low = reduced()
    effect = measure_effect(
        low, evidence(), [PLAIN], IntervalRule(confidence=0.9, groups={"toy": groups})
    )
    assert effect["interval"]["groups"] == {"kind": "drive", "pattern": r"(\d)", "block": 2}
    low = dataclasses.replace(low, effect=effect)
    check_effect(low, evidence())
    effect["interval"]["groups"]["block"] = 1
    with pytest.raises(SegmodelsError, match="but the counts give"):
        check_effect(low, evidence())


def test_an_interval_of_an_earlier_method_is_neither_checked_nor_told() -> None:
    """It can be renewed from the counts, and everything beside it is checked as ever."""
    low = with_effect()
    assert low.effect is not None
    del low.effect["interval"]
    low.effect["bootstrap"] = {"resamples": 100, "confidence": 0.95}
    low.effect["scores"][0]["interval"] = [-9.0, 9.0]
    check_effect(low, evidence())
    assert not interval_is_current(low)
    assert "interval" not in effect_sentence(low, effect_under(low, PLAIN))
    again = renewed(low, evidence(), RULE)
    assert again == with_effect()
    low.effect["scores"][0]["fp32"] += 1
    with pytest.raises(SegmodelsError, match="but the counts give"):
        check_effect(low, evidence())


def test_none_is_no_effect() -> None:
    with pytest.raises(SegmodelsError, match="bf16 carries no effect"):
        check_effect(reduced(), evidence())


# --- answering -------------------------------------------------------------------------


def test_fp32_answers_first_and_bf16_only_where_its_effect_is_known() -> None:
    low, full = with_effect(), evidence(evaluator=1)

    def answer(*candidates: Evidence, protocol: Protocol = PLAIN) -> Evidence | None:
        found = best([Found(Path(), one) for one in candidates], None, "test", protocol)
        return found.evidence if found else None

    assert answer(low, full) is full  # however old
    assert answer(low) is low
    assert answer(reduced()) is None
    assert answer(low, protocol=PLAIN.replace(ignore_classes=("sky",))) is None  # nor here
    quick = PLAIN.replace(precision="bf16")  # asks for it
    assert answer(full, low, protocol=quick) is low
    assert answer(full, protocol=quick) is None


def test_evidence_in_bf16_answers_a_claim_and_the_row_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    board, low = Board(tmp_path), with_effect()
    board.keep(low)
    row = board.row("toy_strict")
    assert row.verdict.verified == pytest.approx(score(low, STRICT).miou, abs=1e-4)
    assert "Counted in bf16, which moved it by" in row.verdict.reason
    measured = next(row for row in board.rows() if row.subject.kind == "measurement")
    assert "Counted in bf16" in measured.verdict.reason
    board.keep(evidence())
    assert "bf16" not in board.row("toy_strict").verdict.reason


def test_readers_are_told() -> None:
    low = with_effect()
    entry = effect_under(low, STRICT)
    assert entry is not None
    told = effect_sentence(low, entry)
    assert f"{entry['difference']:+.2f} points against fp32" in told
    assert f"at least {low.effect['moved']:.2%} of the labels" in told  # type: ignore[index]
    assert effect_under(evidence(), STRICT) is None
    assert effect_sentence(evidence(), None) == ""


# --- the whole way ---------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    return root


def test_asking_for_bf16_counts_fp32_first(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["evaluate", "published", "--precision", "bf16"]) == 0
    out = capsys.readouterr().out
    assert out.count("Counted in bf16, which moved it by") == 2  # plain and strict
    folder = paths.evidence() / "published"
    assert sorted(path.name for path in folder.iterdir()) == ["plain", "plain-bf16"]
    (full,), (low,) = (find_evidence(folder / name) for name in ("plain", "plain-bf16"))
    check_effect(low, full)
    assert low.identity == dataclasses.replace(full.identity, precision="bf16")
    assert set(json.loads(paths.metrics("published", "plain-bf16").read_text())) == {
        "plain",
        "strict",
    }
    # The labels are those of the reference path in bf16, and others than in fp32.
    dataset, model = open_dataset("shapes", "test"), steps.subject_of(load_run("published")).model
    protocol = load_protocol("plain").replace(precision="bf16")
    for sample, found in zip(dataset, low.matrices(), strict=True):
        guess = predict(model, sample.image, protocol)
        assert np.array_equal(found, count_pairs(sample.label, guess, 8, 8))
    assert low.images != full.images
    assert low.effect is not None
    assert low.effect["moved"] > 0
    monkeypatch.setattr(stored, "evaluate", lambda *_, **__: pytest.fail("counted again"))
    assert steps.evaluate_run("published", "plain", steps.Options(precision="bf16")) == low


def test_the_effect_is_checked_where_both_are(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    low = steps.evaluate_run("published", "plain", steps.Options(precision="bf16"))
    full = full_precision(low.identity).key
    capsys.readouterr()
    assert cli.main(["evidence", "check"]) == 0
    assert f"effect as against {full}" in capsys.readouterr().out
    path = paths.evidence() / "published/plain-bf16" / f"{low.key}.json"
    effect = {**low.effect, "moved": low.effect["moved"] + 0.1}
    write_evidence(path.parent, dataclasses.replace(low, effect=effect))
    assert cli.main(["evidence", "check", str(path)]) == 1  # fp32 is found in the project
    assert "the counts give" in capsys.readouterr().err
    assert cli.main(["evidence", "effect", str(path)]) == 0
    assert "written again" in capsys.readouterr().out
    assert cli.main(["evidence", "check", str(path)]) == 0
    capsys.readouterr()
    (paths.evidence() / "published/plain" / f"{full}.json").unlink()
    assert cli.main(["evidence", "check", str(path)]) == 0
    assert f"fp32 evidence {full} not here" in capsys.readouterr().out


def test_protocols_in_bf16_are_measured_too(root: Path) -> None:
    path = root / "params" / "protocols.yaml"
    path.write_text(path.read_text() + "quick: {version: 1, title: bf16, precision: bf16}\n")
    run = root / "params/runs/published.yaml"
    run.write_text(run.read_text().replace("[plain, strict]", "[quick]"))
    low = steps.evaluate_run("published", "quick")
    (full,) = find_evidence(paths.evidence() / "published" / "quick-fp32")
    check_effect(low, full)
    assert list(steps.scores_of(load_run("published"), low)) == ["quick"]
    rows = [row for row in build_rows(paths.evidence()) if row.run == "published"]
    (own,) = (row for row in rows if row.protocol_name == "quick")
    assert own.evidence_key == low.key
    assert "Counted in bf16" in own.verdict.reason


def test_shards_in_bf16(root: Path) -> None:
    told = [
        steps.evaluate_run("published", "plain", steps.Options(shard=(i, 2), precision="bf16"))
        for i in range(2)
    ]
    assert told[0].shard is not None
    assert told[1] == steps.evaluate_run("published", "plain", steps.Options(precision="bf16"))
    assert told[1].effect is not None


def test_shards_without_fp32_say_what_to_run(root: Path) -> None:
    one = steps.evaluate_run("published", "plain", steps.Options(shard=(0, 2), precision="bf16"))
    assert one.effect is None
    steps.evaluate_run("published", "plain", steps.Options(shard=(1, 2), precision="bf16"))
    (full,) = (paths.evidence() / "published/plain").glob("*.json")
    (low,) = find_evidence(paths.evidence() / "published/plain-bf16")
    full.unlink()
    run, dataset = load_run("published"), open_dataset("shapes", "test")
    with pytest.raises(SegmodelsError, match=r"evaluate published --protocol plain --precision"):
        evaluation._with_effect(
            run,
            steps.subject_of(run),
            dataset,
            steps.protocol_in("plain", "bf16"),
            low,
        )
    with pytest.raises(SegmodelsError, match="only shards can be merged"):
        merge_evidence([low])
