"""Evidence in blocks of images is published, packed and taken over without a loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from synthetic import evidence, matrices
from toy_board import Board

from segmodels import cli
from segmodels.core import paths
from segmodels.evidence import (
    Evidence,
    ImageCounts,
    Shard,
    evidence_files,
    read_evidence,
    write_evidence,
)
from segmodels.evidence.adding import in_blocks
from segmodels.metrics.ranking import Ranked
from segmodels.verdicts.evidence_index import EvidenceIndex
from segmodels.verdicts.project import load_project
from segmodels.verdicts.ranking import rank_runs

SUITE = "toy-run/robustness-fog"


def foggy(seed: int = 0, number: int = 6, **changes: Any) -> Evidence:
    condition = {"corruption": "fog", "severity": 1, "seed": changes.pop("drawn", 0)}
    return evidence(matrices(number, seed=seed), condition=condition, **changes)


def grouped(board: Board, block: int | None, images: int = 6, pattern: str = "(.)") -> None:
    """So many images of the toy set are frames of one drive, `block` of which go together."""
    path = board.root / "params/datasets.yaml"
    content = yaml.safe_load(path.read_text())
    content["toy"]["splits"]["test"]["images"] = images
    content["toy"].pop("groups", None)
    if block:
        content["toy"]["groups"] = {"kind": "drive", "pattern": pattern, "block": block}
    path.write_text(json.dumps(content))


def published(folder: Path) -> list[tuple[int, ...] | None]:
    """Sizes of the blocks of all evidence in a folder."""
    found = (read_evidence(path) for path in evidence_files(folder))
    return [one.blocks and one.blocks.sizes for one in found]


def ranked(*runs: str) -> dict[str, Ranked]:
    """Runs under fog, by the first protocol of the first."""
    project = load_project(paths.published_evidence(), paths.reports(), paths.evidence())
    (run,) = (one for one in project.runs if one.name == runs[0])
    protocol = project.protocols[run.protocols[0]]
    return rank_runs(project, runs, protocol, frozenset({("fog", 1)}))


def publish(capsys: pytest.CaptureFixture[str]) -> str:
    cli.main(["evidence", "publish", "toy-run"])
    out, error = capsys.readouterr()
    return str(error or out)


@pytest.mark.parametrize("block", [3, 4, 5, 6, None])
def test_what_was_taken_over_is_published_as_it_was(
    board: Board, capsys: pytest.CaptureFixture[str], block: int | None
) -> None:
    """Whatever blocks the dataset names by now: no larger ones could be taken apart again."""
    grouped(board, block, images=12)
    own = in_blocks(foggy(number=12), [3] * 4)
    for local in (False, True):
        board.keep(own, folder=SUITE, local=local)
    assert "published already" in publish(capsys)
    assert published(board.evidence) == [(3, 3, 3, 3)]


@pytest.mark.parametrize("sizes", [None, (3, 3, 3, 3)])
def test_larger_blocks_do_not_undo_what_is_published(
    board: Board, capsys: pytest.CaptureFixture[str], sizes: Sequence[int] | None
) -> None:
    grouped(board, 3, images=12)
    whole = foggy(number=12)
    board.keep(in_blocks(whole, sizes) if sizes else whole, folder=SUITE)
    board.keep(in_blocks(whole, [6, 6]), folder=SUITE, local=True)
    publish(capsys)
    assert published(board.evidence) == [(3, 3, 3, 3)]
    board.keep(in_blocks(foggy(1, number=12), [12]), folder=SUITE, local=True)
    assert "has other counts" in publish(capsys)
    assert published(board.evidence) == [(3, 3, 3, 3)]


def test_counts_of_single_images_take_the_place_of_sums(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.keep(foggy(), folder=SUITE, local=True)
    for block, sizes in ((3, (3, 3)), (2, (2, 2, 2)), (1, None), (2, (2, 2, 2)), (None, None)):
        grouped(board, block)
        publish(capsys)
        assert published(board.evidence) == [sizes]


def test_nothing_is_written_where_a_name_tells_no_drive(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """Although the first of two folders could have been published."""
    grouped(board, 3, pattern="([0-9])")
    other = foggy(drawn=1)
    names = tuple(replace(one, image=f"x{one.image}") for one in other.images)
    board.keep(foggy(), folder="toy-run/robustness-a", local=True)
    board.keep(replace(other, images=names), folder="toy-run/robustness-b", local=True)
    assert "image 'x000.png' has no drive by the pattern '([0-9])'" in publish(capsys)
    assert not board.evidence.exists()


def test_packing_adds_up_what_is_published_alone(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere they may be the only counts of single images; shards are merged image by image."""
    grouped(board, 3)
    board.keep(foggy(), folder=SUITE)
    board.keep(foggy(), folder=SUITE, local=True)
    part = replace(foggy(number=3, expected=6), shard=Shard(0, 2, ("ab" * 32,) * 3))
    for folder in (board.root / "shards", board.evidence / "shards"):
        write_evidence(folder, part)
    for folder in (board.local, board.root / "shards", board.evidence):
        assert cli.main(["evidence", "pack", str(folder)]) == 0
    assert published(board.local) == [None]
    assert published(board.evidence) == [None, (3, 3)]
    for folder in (board.root / "shards", board.evidence / "shards"):
        assert read_evidence(folder / f"{part.key}.json") == part
    capsys.readouterr()


def test_of_copies_that_are_published_the_finest_counts(board: Board) -> None:
    """And it counts once: a mean over seeds has no seed twice."""
    grouped(board, 3)
    board.keep(evidence(), folder="toy-run/plain")
    first, second = foggy(), foggy(1, drawn=1)
    board.keep(first, folder="toy-run/robustness-a")
    board.keep(second, folder="toy-run/robustness-a")
    alone = ranked("toy-run"), board.row("toy_strict")
    board.keep(in_blocks(first, [3, 3]), folder="another/robustness-b")
    board.keep(in_blocks(first, [2, 4]), folder="toy-run/robustness-z")
    found = EvidenceIndex(board.evidence).disturbed(evidence())
    assert [one.path.parent.name for one in found] == ["robustness-a"] * 2
    row = board.row("toy_strict")
    assert (ranked("toy-run"), row.evidence) == (alone[0], alone[1].evidence)


def test_a_suite_that_is_a_part_of_another_is_published_once(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    grouped(board, 3)
    first, second, third = foggy(), foggy(1, drawn=1), foggy(2, drawn=2)
    board.keep(first, folder="toy-run/robustness-all", local=True)
    board.keep(second, folder="toy-run/robustness-all", local=True)
    board.keep(second, folder="toy-run/robustness-part", local=True)
    there = "toy-run/robustness-all/bundle.json"
    for word in ("published", "published already"):
        lines = publish(capsys).splitlines()
        assert [line.split("evidence/")[-1] for line in lines[:2]] == [
            f"{there}: {word}",
            f"{there}: published already",
        ]
    assert [one.name for one in (board.evidence / "toy-run").iterdir()] == ["robustness-all"]
    board.keep(third, folder="toy-run/robustness-part", local=True)
    publish(capsys)
    assert published(board.evidence) == [(3, 3)] * 4


def test_networks_in_other_blocks_are_ranked_by_units_of_both(board: Board) -> None:
    """As where the dataset's blocks were changed, and one network counted again since."""
    grouped(board, 6, images=24)
    board.run("own")
    own = {"origin": {"trained": "own"}, "weights": "c3" * 32}
    clean = matrices(24)
    board.keep(evidence(clean), evidence(clean, **own), folder="toy-run/plain")
    one, other = foggy(number=24), foggy(1, number=24, **own)
    board.keep(in_blocks(one, [4] * 6), in_blocks(other, [6] * 4), folder=SUITE)
    found = ranked("toy-run", "own")
    assert found.keys() == {"toy-run", "own"}
    board.keep(in_blocks(one, [12, 12]), in_blocks(other, [12, 12]), folder=SUITE)
    assert ranked("toy-run", "own") == found


def test_a_part_of_the_images_is_compared_with_undisturbed_evidence(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    grouped(board, 3)
    whole = evidence()
    noise = {"parameter_noise": 0.1, "seed": 0, "every": 2}
    part = replace(whole, identity=replace(whole.identity, condition=noise))

    def told(images: Sequence[ImageCounts]) -> str:
        board.keep(replace(part, images=images), folder="toy-run/robustness-noise", local=True)
        return publish(capsys)

    def checked() -> str:
        cli.main(["evidence", "check"])
        return "".join(capsys.readouterr())

    right = whole.images[::2]
    assert "undisturbed evidence" in told(right)
    assert f"undisturbed evidence {whole.key} not here to compare with" in checked()
    board.keep(whole, folder="toy-run/plain", local=True)
    assert "its images are not those that its identity asks for" in told(whole.images[:3])
    pairs = zip(whole.images[:3], right, strict=True)
    easy = [replace(one, image=asked.image) for one, asked in pairs]
    assert "the pixels of each label are not those" in told(easy)
    assert "the pixels of each label are not those" in checked()
    assert published(board.evidence) == []
    assert "published" in told(right)
    assert f"pixels of these images as in {whole.key}" in checked()
    assert sorted(published(board.evidence), key=str) == [(2, 1), None]


@pytest.mark.parametrize("every", [5, 6, 1000])
def test_of_a_part_one_image_is_enough(board: Board, every: int) -> None:
    whole = evidence()
    noise = {"parameter_noise": 0.1, "seed": 0, "every": every}
    part = replace(
        whole, identity=replace(whole.identity, condition=noise), images=whole.images[::every]
    )
    board.keep(whole, folder="toy-run/plain", local=True)
    board.keep(part, folder="toy-run/robustness-noise", local=True)
    found = board.row("toy_strict", local=True).evidence
    assert found is not None
    assert found.robustness is not None
    assert [one.name for one in found.robustness.curves] == [
        f"parameter_noise, one image in {every}"
    ]
