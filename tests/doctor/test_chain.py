"""`segmodels doctor diff`: every stage at which two pieces of evidence can part."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import evidence, matrices, project

from segmodels import cli
from segmodels.core import paths
from segmodels.doctor.count_changes import (
    image_changes,
    label_changes,
    numbers,
    other_truths,
    shared,
)
from segmodels.doctor.diff import STAGES, differences
from segmodels.doctor.locate import Side, find_side
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, Shard, write_evidence
from segmodels.metrics.averages import averages
from segmodels.metrics.intervals import IntervalRule, paired_interval
from segmodels.metrics.scores import score, score_per_image
from segmodels.protocols.protocol import Protocol

RULE, PLAIN = IntervalRule(confidence=0.95), Protocol(name="plain", version=1, title="plain")
Diff = Callable[..., tuple[int, list[str]]]


def side(found: Evidence | None = None, protocol: Protocol | None = None) -> Side:
    return Side(Path("x.json"), found or evidence(), protocol)


def parted(other: Evidence, ours: Evidence | None = None) -> dict[str, str]:
    found = differences(side(ours), side(other))
    order = list(STAGES)
    assert [d.stage for d in found] == sorted((d.stage for d in found), key=order.index)
    return {difference.stage: difference.text for difference in found}


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    return tmp_path


def test_evidence_does_not_differ_from_itself() -> None:
    assert differences(side(), side()) == []


@pytest.mark.parametrize(
    ("stage", "changes", "words"),
    [
        ("weights", {"weights": "b2" * 32}, "sha256 a1a1a1a1a1a1… (released toy-weights)"),
        ("model", {"model": {"name": "espnet_p2_q8", "q": 3}}, "q is (absent) in A, 3 in B"),
        ("preprocessing", {"preprocessing": {"channels": "RGB"}}, "channels is BGR in A, RGB in B"),
        ("dataset", {"dataset": "closed"}, "toy and closed: two data sets"),
        ("dataset", {"fingerprint": "aa" * 32}, "segmodels data check toy"),
        ("split", {"split": "val"}, "test and val"),
        ("images", {"images": 3}, "asked for all images and the first 3"),
        ("condition", {"condition": {"corruption": "fog"}}, "clean in A, corruption fog in B"),
        ("precision", {"precision": "bf16"}, "fp32 in A, bf16 in B. Changed 1 to 6 %"),
        ("evaluator", {"evaluator": 1}, "segmodels evaluate RUN --force"),
    ],
)
def test_each_field_of_the_identity_has_its_stage(
    stage: str, changes: dict[str, Any], words: str
) -> None:
    found = parted(evidence(**changes))
    assert words in found.pop(stage)
    assert not found or (stage, set(found)) == ("images", {"images"})


def test_every_field_of_inference_is_named_with_what_it_does() -> None:
    other = Protocol(
        name="other",
        version=1,
        title="other",
        scales=(0.5, 1.0),
        resize_library="pillow",
        window=64,
        stride=32,
    )
    texts = [d.text for d in differences(side(), side(evidence(inference=other.inference)))]
    assert len(texts) == 4
    assert "resize_library is opencv in A, pillow in B. OpenCV's bilinear" in "\n".join(texts)
    assert "scales is [1.0] in A, [0.5, 1.0] in B." in "\n".join(texts)


def test_one_name_of_released_weights_with_two_files_says_so() -> None:
    assert "One name, two files" in parted(evidence(weights="b2" * 32))["weights"]
    trained = evidence(weights="b2" * 32, origin={"trained": "run", "seed": 1})
    assert "two models" in parted(trained)["weights"]


def test_another_truth_is_told_from_another_prediction() -> None:
    before = matrices(6)
    guess, truth = before.copy(), before.copy()
    guess[2, 0, 0] -= 5
    guess[2, 0, 1] += 5
    truth[4, 1, 0] -= 3
    truth[4, 3, 0] += 3
    predicted = parted(evidence(guess))
    assert set(predicted) == {"counts"}
    assert "1 of 6 images differ (002.png); at least 5 of" in predicted["counts"]
    assert "segmodels evaluate RUN --force" in predicted["counts"]  # one key, two counts
    labelled = parted(evidence(truth))
    assert set(labelled) == {"labels", "counts"}
    assert "(first 004.png: road -3, void +3 pixels)" in labelled["labels"]


def test_other_classes_are_named_and_not_counted_against_each_other() -> None:
    renamed = dataclasses.replace(evidence(), classes=("sky", "road", "bus"))
    assert set(parted(renamed)) == {"labels"}
    lines = numbers(side(), side(renamed), RULE)
    assert len(lines) == 2
    assert "cannot be compared" in lines[1]


def test_more_outputs_are_not_another_count() -> None:
    narrow = matrices(3, outputs=3)
    wide = np.concatenate([narrow, np.zeros((3, 4, 2), dtype=narrow.dtype)], axis=2)
    found = label_changes(*shared(evidence(narrow), evidence(wide)))
    assert (found.images, found.pixels, found.of) == ((), 0, int(narrow.sum()))
    assert other_truths(evidence(narrow), evidence(wide)) == {}


def test_images_of_one_side_and_another_order() -> None:
    whole = evidence()
    part = dataclasses.replace(whole, images=whole.images[:4], shard=Shard(0, 2))
    assert "2 images are in A alone: 004.png, 005.png. One is a shard" in parted(part)["images"]
    skipping = dataclasses.replace(
        whole, images=whole.images[:4], skipped={"004.png": "torn", "005.png": "torn"}
    )
    assert "could not be read were left out of one" in parted(skipping)["images"]
    lacking = dataclasses.replace(whole, images=whole.images[:4])
    texts = [d.text for d in differences(side(whole), side(lacking))]
    assert texts[0] == "B lacks images that were asked for. Run: segmodels evaluate RUN"
    turned = dataclasses.replace(whole, images=whole.images[::-1])
    assert "another order" in parted(turned)["images"]


def test_software_is_the_last_stage_before_the_counts() -> None:
    newer = dataclasses.replace(evidence(), software={"torch": "3.0", "evaluator": "9"})
    texts = [d.text for d in differences(side(), side(newer))]
    assert [text.split(". ")[0] for text in texts] == [
        "numpy is 2.2.0 in A, (absent) in B",
        "torch is 2.7.1 in A, 3.0 in B",
    ]


def test_the_numbers_are_those_of_the_scores() -> None:
    a, b, plain = (
        evidence(),
        evidence(matrices(6, right=90), images=6),
        Protocol(name="plain", version=1, title="plain"),
    )
    lines = numbers(side(a, plain), side(b), RULE)
    before, after = (score(one, plain).miou for one in (a, b))
    low, high = paired_interval(b, a, plain, RULE)
    assert lines[0].startswith(f"mIoU {before:.2f} in A, {after:.2f} in B: {after - before:+.2f}")
    assert lines[1].endswith(f"paired 95% interval {low:+.2f} to {high:+.2f} over 6 images")
    assert lines[2].startswith("classes that gain: ")
    assert lines[2].count("+") == 3
    assert lines[3] == "classes that lose: none"
    assert lines[4].startswith("images that change most: ")
    for letter, side_, line in zip("AB", (a, b), lines[5:], strict=True):
        dice = averages(side_, plain)["mean Dice (F1)"]
        assert line.startswith(f"the counts of {letter} averaged otherwise: mean over images ")
        assert line.endswith(f"mean Dice (F1) {dice:.2f}")


def test_the_images_that_change_most_come_first() -> None:
    a, b = evidence(), evidence(matrices(6, right=90), images=6)
    before, after = (score_per_image(one, PLAIN) for one in (a, b))
    found = image_changes(a, b, PLAIN)
    changes = sorted((abs(after[name] - before[name]) for name in before), reverse=True)
    assert [abs(float(text.split()[-1])) for text in found] == pytest.approx(
        changes[: len(found)], abs=0.006
    )
    assert image_changes(a, a, PLAIN) == []


def test_other_images_have_no_paired_interval() -> None:
    lines = numbers(side(), side(evidence(fingerprint="aa" * 32)), RULE)
    assert lines[1] == "no paired interval: the two did not see the same images"


def test_a_scoring_is_not_lent_to_other_classes() -> None:
    narrow = Protocol(name="narrow", version=1, title="narrow", ignore_classes=("sky",))
    renamed = dataclasses.replace(evidence(), classes=("air", "road", "bus"))
    lines = numbers(side(protocol=narrow), side(renamed), RULE)
    assert "(scored as narrow and usual" in lines[0]


def test_without_labelled_pixels_nothing_is_invented() -> None:
    empty = evidence(np.zeros((2, 4, 4), dtype=np.int64))
    assert differences(side(empty), side(empty)) == []
    assert "mIoU nan in A, nan in B" in numbers(side(empty), side(empty), RULE)[0]


# --- as people type it -----------------------------------------------------------------


@pytest.fixture
def diff(capsys: pytest.CaptureFixture[str]) -> Diff:
    def _diff(*arguments: object) -> tuple[int, list[str]]:
        code = cli.main(["doctor", "diff", *map(str, arguments)])
        out, error = capsys.readouterr()
        return code, (out + error).splitlines()

    return _diff


def kept(found: Evidence) -> Path:
    return write_evidence(paths.evidence() / "toy-run" / "strict", found)


def test_equal_evidence_ends_with_0(diff: Diff) -> None:
    path = kept(evidence())
    code, lines = diff(path, path.stem[:10])
    assert code == 0
    assert lines[-1] == "equal, from weights to counts"


def test_the_first_stage_stands_before_the_rest(diff: Diff) -> None:
    one = kept(evidence())
    guess = matrices(6)
    guess[0, 0, 0] -= 9
    guess[0, 0, 2] += 9
    other = kept(evidence(guess, precision="bf16", evaluator=1))
    code, lines = diff(one, other, "--protocol", "strict")
    assert code == 1
    assert lines[2] == "they part at: precision"
    assert [line.split(":")[0].strip() for line in lines[3:6]] == [
        "precision",
        "evaluator",
        "counts",
    ]
    assert "segmodels evaluate toy-run --force" in lines[4]
    assert "scored as strict" in lines[7]


def test_claims_bring_their_scoring(diff: Diff) -> None:
    path = kept(evidence())
    assert cli.main(["leaderboard"]) == 0
    pages = {p.stem: json.loads(p.read_text()) for p in (paths.local() / "claims").glob("*.json")}
    own = next(n for n, page in pages.items() if page.get("protocol") == "plain")
    assert find_side("toy_strict").path == path
    code, lines = diff("toy_strict", own)
    assert code == 1
    assert "they part at: scoring" in lines
    assert any("void is error in A, ignore in B" in line for line in lines)
    assert diff("toy_strict", own, "--protocol", "plain")[0] == 0
    assert diff("toy_strict", path)[0] == 0  # a file takes the scoring of the claim


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "toy_strict",
            "not written yet, and claims are looked up there. Run: segmodels leaderboard",
        ),
        ("toy_strikt", "Did you mean 'toy_strict'?"),
        ("0c", "'0c': of a key at least 8 digits are needed"),
        ("0123456789", "no evidence here begins with 0123456789"),
        ("gone.json", "gone.json: no such file."),
        (".", "a folder; name one <key>.json in it"),
    ],
)
def test_what_is_not_there_is_one_clear_error(name: str, words: str) -> None:
    with pytest.raises(SegmodelsError) as caught:
        find_side(name)
    assert words in str(caught.value)


def test_a_claim_without_evidence_says_how_to_get_some(diff: Diff) -> None:
    assert cli.main(["leaderboard"]) == 0
    with pytest.raises(SegmodelsError, match=r"has no evidence in .* segmodels verify toy_strict"):
        find_side("toy_strict")


def test_a_short_key_that_fits_two_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [Path("/a/0123456789abcdef.json"), Path("/a/0123456789abcdee.json")]
    monkeypatch.setattr("segmodels.doctor.locate.evidence_files", lambda folder: files)
    with pytest.raises(SegmodelsError, match="begins several keys"):
        find_side("0123456789")
