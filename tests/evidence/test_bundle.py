"""Bundles: all conditions of a network in two files, as firmly written down as in two each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import THEIRS, evidence, matrices

from segmodels.cli import main
from segmodels.errors import SegmodelsError
from segmodels.evidence import (
    Evidence,
    check_evidence,
    evidence_files,
    find_evidence,
    read_evidence,
    write_evidence,
)
from segmodels.evidence.adding import in_blocks
from segmodels.evidence.bundle import file_of, write_bundle
from segmodels.evidence.files import read_head, write_compact
from segmodels.evidence.finding import paths_in, paths_of_key
from segmodels.evidence.packing import pack

CONDITIONS: list[dict[str, Any]] = [
    {"corruption": "fog", "severity": 1, "seed": 0},
    {"corruption": "fog", "severity": 2, "seed": 0},
    {"parameter_noise": 0.1, "seed": 0},
]
PIECES = [
    evidence(matrices(2, seed=number), condition=condition)
    for number, condition in enumerate(CONDITIONS)
]


def shifted(counts: np.ndarray, number: int) -> np.ndarray:
    """Other predictions for the same labels: rows keep their sums, and a cell may become zero."""
    moved, both = counts.copy(), counts[..., 0] + counts[..., 3]
    moved[..., 3] = both // (number + 1) % 7
    moved[..., 0] = both - moved[..., 3]
    return moved


#: As of a real suite: the same images under each condition.
SAME_IMAGES = [
    evidence(shifted(matrices(2), number), condition=condition)
    for number, condition in enumerate(CONDITIONS)
]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of three conditions, in a folder of its own."""
    return write_bundle(tmp_path / "robustness", PIECES)


def test_pieces_have_the_paths_of_their_own_files(bundle: Path) -> None:
    paths = [bundle.with_name(f"{one.key}.json") for one in PIECES]
    assert evidence_files(bundle.parent.parent) == sorted(paths) == sorted(paths_in(bundle))
    assert [read_evidence(path) for path in paths] == PIECES
    assert [check_evidence(path) for path in paths] == PIECES
    assert [file_of(path) for path in paths] == [bundle] * 3
    assert paths_of_key(bundle.parent.parent, PIECES[0].key) == paths[:1]
    assert paths_of_key(bundle.parent.parent, "0" * 16) == []
    assert sorted(file.name for file in bundle.parent.iterdir()) == [
        "bundle.counts.xz",
        "bundle.json",
    ]


def test_heads_are_those_of_files_of_their_own(bundle: Path, tmp_path: Path) -> None:
    for one in PIECES:
        alone = write_evidence(tmp_path / "alone", one)
        assert read_head(bundle.with_name(alone.name)) == json.loads(alone.read_text())


def test_pieces_may_differ_in_more_than_their_condition(tmp_path: Path) -> None:
    other = evidence(matrices(1), condition=CONDITIONS[0], weights="00" * 32, counted=THEIRS)
    found = [*PIECES, other]
    write_bundle(tmp_path, found)
    assert {e.key: e for e in find_evidence(tmp_path)} == {e.key: e for e in found}


def test_what_all_conditions_share_is_written_once(tmp_path: Path) -> None:
    found = [
        evidence(shifted(matrices(200), number), condition={**CONDITIONS[0], "severity": number})
        for number in range(1, 5)
    ]
    path = write_bundle(tmp_path / "bundle", found)
    assert {e.key: e for e in find_evidence(path.parent)} == {e.key: e for e in found}
    alone = [pack(e.images, 16) for e in found]
    assert path.with_name("bundle.counts.xz").stat().st_size < 0.7 * sum(map(len, alone))


def test_a_line_says_what_a_condition_has_of_its_own(tmp_path: Path) -> None:
    sums = [in_blocks(one, [1, 1]) for one in SAME_IMAGES]
    lines = write_bundle(tmp_path, sums).read_text().splitlines()
    own = [json.loads(line.strip(" ,")) for line in lines[-5:-2]]
    assert {one["key"] for one in own} == {one.key for one in sums}
    names = {"key", "counts_sha256", "record_sha256", "identity", "blocks"}
    assert all(set(one) == names and set(one["blocks"]) == {"images_sha256"} for one in own)
    assert {e.key: e for e in find_evidence(tmp_path)} == {e.key: e for e in sums}


def test_conditions_of_other_images_get_a_stack_of_their_own(tmp_path: Path) -> None:
    found = [
        *SAME_IMAGES[:2],
        PIECES[2],
        evidence(matrices(3), condition={"parameter_noise": 0.2, "seed": 0}),
    ]
    path = write_bundle(tmp_path, found)
    assert [one["conditions"] for one in json.loads(path.read_text())["stacks"]] == [2, 1, 1]
    assert {e.key: e for e in find_evidence(tmp_path)} == {e.key: e for e in found}


def test_a_stack_has_no_more_counts_than_are_unpacked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = sum(len(image.counts) for one in SAME_IMAGES[:2] for image in one.images)
    monkeypatch.setattr("segmodels.evidence.bundle._MOST", most)
    path = write_bundle(tmp_path, SAME_IMAGES)
    assert [one["conditions"] for one in json.loads(path.read_text())["stacks"]] == [2, 1]
    assert {e.key: e for e in find_evidence(tmp_path)} == {e.key: e for e in SAME_IMAGES}
    for limit in ("bundle._MOST", "stack._MOST"):
        monkeypatch.setattr(f"segmodels.evidence.{limit}", 1)
        other = write_bundle(tmp_path / limit, SAME_IMAGES)
        assert [one["conditions"] for one in json.loads(other.read_text())["stacks"]] == [1, 1, 1]
        assert {e.key: e for e in find_evidence(other.parent)} == {e.key: e for e in SAME_IMAGES}
        monkeypatch.undo()


def test_a_stack_of_fewer_conditions_is_told(tmp_path: Path) -> None:
    bundle, other = (write_bundle(tmp_path / str(n), SAME_IMAGES[:n]) for n in (3, 2))
    shutil.copy(other.with_name("bundle.counts.xz"), bundle.parent)
    size = other.with_name("bundle.counts.xz").stat().st_size
    content = json.loads(bundle.read_text())
    bundle.write_text(json.dumps({**content, "stacks": [{"conditions": 3, "bytes": size}]}))
    with pytest.raises(SegmodelsError, match="2 conditions, this is number 3"):
        read_evidence(bundle.with_name(f"{content['pieces'][2]['key']}.json"))


@pytest.mark.parametrize("form", [1, 2])
def test_bundles_of_before_are_read_and_take_the_new_form(tmp_path: Path, form: int) -> None:
    """Those of `earlier_bundles` were written by the code of their time."""
    shutil.copytree(Path(__file__).with_name("earlier_bundles") / f"form_{form}", tmp_path / "old")
    assert {e.key: e for e in find_evidence(tmp_path / "old")} == {e.key: e for e in SAME_IMAGES}
    for folder in ("old", "new"):
        write_bundle(tmp_path / folder, SAME_IMAGES)
    old, new = ([f.read_bytes() for f in sorted((tmp_path / n).iterdir())] for n in ("old", "new"))
    assert old == new


@pytest.mark.parametrize("form", [1, 2])
def test_no_byte_of_an_earlier_bundle_can_be_changed(tmp_path: Path, form: int) -> None:
    shutil.copytree(Path(__file__).with_name("earlier_bundles") / f"form_{form}", tmp_path / "old")
    counts = tmp_path / "old" / "bundle.counts.xz"
    whole = counts.read_bytes()
    for i in range(len(whole)):
        counts.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
        with pytest.raises(SegmodelsError, match=r"bundle\.counts\.xz: "):
            list(find_evidence(tmp_path))


@pytest.mark.parametrize("pieces", [PIECES, SAME_IMAGES])
def test_no_byte_of_the_counts_can_be_changed(tmp_path: Path, pieces: list[Evidence]) -> None:
    bundle = write_bundle(tmp_path, pieces)
    counts = bundle.with_name("bundle.counts.xz")
    whole = counts.read_bytes()
    wrong = [whole[:-1], b"", whole[1:], whole + b"x"]
    wrong += [whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :] for i in range(len(whole))]
    for content in wrong:
        counts.write_bytes(content)
        with pytest.raises(SegmodelsError, match=r"bundle\.counts\.xz: "):
            list(find_evidence(bundle.parent))
    counts.unlink()
    with pytest.raises(SegmodelsError, match=r"bundle\.counts\.xz: missing beside bundle\.json"):
        list(find_evidence(bundle.parent))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b["common"].update(outputs=5), "'record_sha256' is of other ones"),
        (lambda b: b["common"]["software"].update(torch="9"), "'record_sha256' is of other ones"),
        (lambda b: b["common"]["counted"].update(how="unknown"), "'record_sha256' is of other"),
        (lambda b: b["common"]["identity"].update(weights="c3" * 32), "hashes to key"),
        (lambda b: b["pieces"][0]["identity"]["condition"].update(severity=3), "hashes to key"),
        (lambda b: b["pieces"][0].update(counts_sha256="0" * 64), "counts were changed after"),
        (lambda b: b["pieces"][0].update(images=9), "field 'images' says 9"),
        (lambda b: b["pieces"][0].update(colour="red"), "'record_sha256' is of other ones"),
        (lambda b: b["pieces"].reverse(), "counts were changed after"),
        (lambda b: b["pieces"].pop(0), r"bundle\.json: no bundle"),
        (lambda b: b["stacks"].pop(0), r"bundle\.json: no bundle"),
        (lambda b: b["stacks"][0].update(bytes=7), r"bundle\.counts\.xz: the counts of "),
        (lambda b: b["stacks"][0].update(bytes=-7), r"bundle\.json: no bundle"),
        (lambda b: b["stacks"][0].update(bytes="x"), r"bundle\.json: no bundle"),
        (lambda b: b["stacks"][0].update(bytes=float("inf")), r"bundle\.json: no bundle"),
        (lambda b: b["stacks"][0].update(conditions=10**9), r"bundle\.json: no bundle"),
        (lambda b: b["stacks"][0].update(conditions=2), "stacks of another number of conditions"),
        (lambda b: b["stacks"][-1].update(bytes=10**4), "bytes where there should be"),
        (lambda b: b["stacks"][0].update(conditions="x"), r"bundle\.json: no bundle"),
        (lambda b: b["pieces"][0].update(key="../../other"), r"bundle\.json: no bundle"),
        (lambda b: b["pieces"][0].update(key=3), r"bundle\.json: no bundle"),
        (lambda b: b["pieces"].append(b["pieces"][0]), r"bundle\.json: no bundle"),
        (lambda b: b.pop("common"), r"bundle\.json: no bundle"),
        (lambda b: b.update(pieces=[3]), r"bundle\.json: no bundle"),
        (lambda b: b.update(bundle=4), "'bundle' is 4, this version reads 1 to 3"),
        (lambda b: b.update(bundle=2), r"bundle\.json: no bundle"),
    ],
)
def test_no_field_can_be_edited(bundle: Path, change: Callable[[Any], Any], message: str) -> None:
    content = json.loads(bundle.read_text())
    change(content)
    bundle.write_text(json.dumps(content))
    with pytest.raises(SegmodelsError, match=message) as caught:
        list(find_evidence(bundle.parent))
    assert str(bundle.parent) in str(caught.value)


def test_the_same_evidence_leaves_it_as_it_is(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [file.read_bytes() for file in sorted(bundle.parent.iterdir())]
    monkeypatch.setattr("segmodels.evidence.stream._PRESET", 0)
    write_bundle(bundle.parent, reversed(PIECES))
    assert [file.read_bytes() for file in sorted(bundle.parent.iterdir())] == before
    bundle.with_name("bundle.counts.xz").write_bytes(before[0][:-1])
    write_bundle(bundle.parent, PIECES)
    assert list(find_evidence(bundle.parent)) == sorted(PIECES, key=lambda e: e.key)


def test_a_file_of_its_own_goes_before_the_piece(bundle: Path) -> None:
    first = PIECES[0]
    other = Evidence(**{**vars(first), "images": evidence(matrices(2, seed=9)).images})
    path = write_evidence(bundle.parent, other)
    assert len(evidence_files(bundle.parent)) == 3
    assert (read_evidence(path), file_of(path)) == (other, path)


def test_a_copy_under_another_name_is_told(bundle: Path) -> None:
    bundle.with_name("bundle (1).json").write_bytes(bundle.read_bytes())
    with pytest.raises(SegmodelsError, match=r"bundle \(1\)\.json: files of evidence are called"):
        evidence_files(bundle.parent)


def test_a_bundle_is_no_piece(bundle: Path) -> None:
    with pytest.raises(
        SegmodelsError, match=r"bundle\.json: a bundle of 3; name one of them, such"
    ):
        read_evidence(bundle)


def test_a_bundle_that_is_not_there_is_told(bundle: Path) -> None:
    bundle.unlink()
    with pytest.raises(SegmodelsError, match=r"bundle\.json: no such file"):
        read_evidence(bundle)


def test_what_is_no_condition_gets_files_of_its_own(tmp_path: Path) -> None:
    files = write_compact(tmp_path, [evidence(), PIECES[0]])
    assert [file.suffix for file in files] == [".json", ".xz"] * 2
    assert len(list(find_evidence(tmp_path))) == 2


def test_commands_read_it(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "check", str(bundle)]) == 0
    assert capsys.readouterr().out.count(": ok, 2 images") == 3
    path = bundle.with_name(f"{PIECES[1].key}.json")
    assert main(["evidence", "show", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == read_head(path)
    assert main(["evidence", "show", str(path), "--counts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [image.to_line() for image in PIECES[1].images]


@pytest.mark.parametrize("kept", ["bundle.counts.xz", f"{evidence().key}.counts.xz"])
def test_a_file_of_counts_stands_for_its_heads(
    bundle: Path, capsys: pytest.CaptureFixture[str], kept: str
) -> None:
    write_compact(bundle.parent, [evidence()])
    counts = bundle.with_name(kept)
    assert main(["evidence", "check", str(counts)]) == 0
    assert capsys.readouterr().out.count(": ok") == (3 if kept.startswith("bundle") else 1)
    head = counts.with_name(kept.replace(".counts.xz", ".json"))
    head.unlink()
    assert main(["evidence", "check", str(bundle.parent)]) == 1
    out, error = capsys.readouterr()
    assert f"{kept}: {head.name} is missing beside it, so it is evidence of nothing." in error
    assert out.count(": ok") == (1 if kept.startswith("bundle") else 3)
    assert main(["evidence", "check", str(counts)]) == 1
    assert f"{head}: no such file" in capsys.readouterr().err


def test_a_command_packs_what_was_published_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in (*PIECES, evidence()):
        where = "robustness" if one.identity.condition else "plain"
        write_evidence(tmp_path / where, one)
    before = {e.key: e for e in find_evidence(tmp_path)}
    assert main(["evidence", "pack", str(tmp_path)]) == 0
    *folders, last = capsys.readouterr().out.splitlines()
    assert ([Path(one).name for one in folders], "MB before" in last) == (
        ["plain", "robustness"],
        True,
    )
    assert main(["evidence", "pack", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert {e.key: e for e in find_evidence(tmp_path)} == before
    names = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*"))
    key = evidence().key
    packed = [f"plain/{key}.counts.xz", f"plain/{key}.json"]
    assert names == [*packed, "robustness/bundle.counts.xz", "robustness/bundle.json"]
