"""From a name to evidence: the whole chain on a small project, and what can go wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
import yaml
from PIL import Image

from segmodels import steps
from segmodels.checkpoints import load_checkpoint, save_checkpoint
from segmodels.core import paths
from segmodels.core.files import sha256_of_file
from segmodels.datasets.described import described_split
from segmodels.errors import SegmodelsError
from segmodels.evidence import Counted, Shard, find_evidence, read_evidence, write_evidence
from segmodels.metrics.scores import score
from segmodels.models import create_model
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.steps import evaluation, robustness, stored, weights
from segmodels.training.provenance import training_of


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


@pytest.fixture
def published(root: Path) -> Path:
    steps.ensure_inputs(load_run("published"))
    return root


PLAIN = ("published", "plain")


def kill_while(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, work: Callable[[], object]
) -> None:
    """Do some work that ends where a function is called."""

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            work()


def later(path: Path) -> None:
    """Make a file newer than whatever was written before, on any clock."""
    stamp = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(stamp, stamp))


def edit(root: Path, name: str, **changes: Any) -> None:
    path = root / "params" / name
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- the chain -------------------------------------------------------------------------


def test_the_whole_chain(root: Path) -> None:
    run = load_run("tiny")
    steps.ensure_inputs(run)
    assert sorted(p.name for p in (root / "weights/trained/tiny").iterdir()) == [
        "model.json",
        "model.safetensors",
    ]
    assert paths.curve("tiny").read_text().startswith("step,lr,loss,gradient_norm,val_miou\n2,")
    assert json.loads(paths.record("tiny", "train").read_text())["steps"] == 3

    evidence = steps.evaluate_run("tiny", "plain")
    folder = root / "reports/local/evidence/tiny/plain"
    assert sorted(files_of(folder)) == [f"{evidence.key}.counts.jsonl", f"{evidence.key}.json"]
    assert read_evidence(folder / f"{evidence.key}.json") == evidence
    made = training_of(run, described_split("shapes", "train")["fingerprint"])
    assert evidence.weights_origin == {"trained": "tiny", "training": made}
    assert evidence.counted == Counted("evaluated")
    assert evidence.classes[0] == "ground"
    assert evidence.identity.images is None

    scores = json.loads(paths.metrics("tiny", "plain").read_text())
    assert set(scores) == {"plain", "strict"}  # one piece of evidence answers both
    for name in scores:
        found = score(evidence, load_protocol(name))
        assert scores[name]["mIoU"] == pytest.approx(found.miou, abs=1e-4)
    assert scores["strict"]["mIoU"] <= scores["plain"]["mIoU"]
    with Image.open(paths.figure("tiny", "plain")) as picture:
        assert picture.size[0] > 3 * 90
    assert json.loads(paths.record("tiny", "plain").read_text())["images"] == 3

    other = steps.evaluate_run("tiny", "views")
    assert other.key != evidence.key
    assert set(json.loads(paths.metrics("tiny", "views").read_text())) == {"views"}

    found = steps.stress_run("tiny", "quick")
    assert [e.identity.condition for e in found] == [
        {"corruption": "gaussian_noise", "severity": 3, "seed": 0},
        {"parameter_noise": 0.01, "seed": 0},
    ]
    assert len(files_of(root / "reports/local/evidence/tiny/robustness-quick")) == 4
    summary = json.loads(paths.metrics("tiny", "robustness-quick").read_text())
    assert set(summary["mIoU"]) == {"gaussian_noise-3", "0.01"}
    assert summary["mean_mIoU"] == pytest.approx(np.mean(list(summary["mIoU"].values())), abs=1e-4)


def test_nothing_is_done_twice(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = steps.evaluate_run("published", "plain")
    before = files_of(published / "reports/local/evidence")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("evaluated again")

    monkeypatch.setattr(stored, "evaluate", never)
    assert steps.evaluate_run("published", "plain") == first
    assert files_of(published / "reports/local/evidence") == before


def test_a_killed_robustness_suite_goes_on(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = steps.stress_run("published", "quick", steps.Options(force=True))
    before = files_of(published / "reports/local/evidence")
    counted, whole = [], stored.evaluate

    def second_dies(*asked: Any, **options: Any) -> Any:
        counted.append(asked[0].condition)
        if len(counted) == 2:
            raise KeyboardInterrupt
        return whole(*asked, **options)

    monkeypatch.setattr(stored, "evaluate", second_dies)
    with pytest.raises(KeyboardInterrupt):
        steps.stress_run("published", "quick", steps.Options(force=True))
    assert files_of(published / "reports/local/evidence") == before
    assert steps.stress_run("published", "quick", steps.Options(force=True)) == undisturbed
    conditions = [one.identity.condition for one in undisturbed]
    assert counted == [*conditions[:2], *conditions[1:]]  # the first was not counted again
    assert files_of(published / "reports/local/evidence") == before
    steps.stress_run("published", "quick", steps.Options(force=True))
    assert len(counted) == 3 + len(conditions)  # nothing waits once it is done


def test_a_field_that_recipes_gained_had_its_default_before(root: Path) -> None:
    """What a recipe says now about a field that older weights do not know is compared with it."""
    steps.ensure_inputs(load_run("tiny"))
    path = paths.trained_weights("tiny") / "model.json"
    about = json.loads(path.read_text())
    del about["metadata"]["recipe"]["photometric"]
    path.write_text(json.dumps(about))
    edit(root, "recipes/tiny.yaml", photometric=0.5)
    with pytest.raises(SegmodelsError, match=r"recipe\.photometric was 1\.0, now it is 0\.5"):
        steps.evaluate_run("tiny", "plain")


def test_evidence_of_others_is_not_taken_over_wherever_it_lies(published: Path) -> None:
    """Moving or copying a file does not make it ours, nor does evaluating the run."""
    ours = steps.evaluate_run("published", "plain")
    forged = replace(ours, counted=Counted("checked", "some-lab"), images=ours.images[::-1])
    for folder in ("third-party/some-lab", "published/plain", "published/elsewhere"):
        shutil.rmtree(paths.evidence(), ignore_errors=True)
        write_evidence(paths.evidence() / folder, forged)
        assert steps.evaluate_run("published", "plain") == ours


def test_a_shard_is_not_taken_for_the_whole(published: Path) -> None:
    ours = steps.evaluate_run("published", "plain")
    part = replace(ours, images=ours.images[:1], shard=Shard(0, 3, ("0" * 64,)))
    write_evidence(paths.evidence() / "published/plain", part)
    assert steps.evaluate_run("published", "plain") == ours


def test_evidence_of_another_folder_is_taken_over(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = steps.evaluate_run("published", "plain")
    shutil.copy(published / "params/runs/published.yaml", published / "params/runs/again.yaml")
    monkeypatch.setattr(stored, "evaluate", None)
    assert steps.evaluate_run("again", "plain") == first
    folders = [
        published / "reports/local/evidence" / run / "plain" for run in ("published", "again")
    ]
    assert files_of(folders[0]) == files_of(folders[1])


def test_equal_weights_of_another_origin_are_not_taken_over(published: Path) -> None:
    steps.evaluate_run("published", "plain")
    mirror = published.parent / "mirror"
    description = json.loads((mirror / "model.json").read_text())
    shutil.copytree(mirror, paths.released_weights("twin"))
    entries = yaml.safe_load((published / "params/weights.yaml").read_text())
    edit(published, "weights.yaml", twin=entries["published"])
    run = yaml.safe_load((published / "params/runs/published.yaml").read_text())
    (published / "params/runs/twin.yaml").write_text(yaml.safe_dump({**run, "weights": "twin"}))
    found = steps.evaluate_run("twin", "plain")
    assert found.identity.weights == description["weights_sha256"]
    assert found.weights_origin == {"released": "twin"}


def test_a_folder_holds_the_last_evidence_alone(published: Path) -> None:
    old = steps.evaluate_run("published", "plain")
    folder = published / "reports/local/evidence/published/plain"
    (folder / "notes").mkdir()
    edit(published, "protocols.yaml", plain={"version": 2, "title": "mirrored", "flip": True})
    new = steps.evaluate_run("published", "plain")
    assert new.key != old.key
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [f"{new.key}.counts.jsonl", f"{new.key}.json", "notes"]
    )


# --- what keeps old evidence in place --------------------------------------------------


def test_a_wrong_image_leaves_the_old_evidence(published: Path) -> None:
    steps.evaluate_run("published", "plain")
    before = files_of(published / "reports")
    edit(published, "protocols.yaml", plain={"version": 2, "title": "mirrored", "flip": True})
    path = published / "data/shapes/test/00001.png"
    Image.fromarray(np.asarray(Image.open(path)) ^ 1).save(path)
    with pytest.raises(SegmodelsError, match="not those that were registered"):
        steps.evaluate_run("published", "plain")
    assert files_of(published / "reports") == before


def test_a_damaged_image_leaves_the_old_evidence(published: Path) -> None:
    steps.evaluate_run("published", "plain")
    before = files_of(published / "reports")
    edit(published, "protocols.yaml", plain={"version": 2, "title": "mirrored", "flip": True})
    (published / "data/shapes/test/00001.png").write_bytes(b"no image")
    with pytest.raises(SegmodelsError, match=r"00001\.png"):
        steps.evaluate_run("published", "plain")
    assert files_of(published / "reports") == before


def test_corrupted_evidence_is_named_and_counted_again(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = steps.evaluate_run("published", "plain")
    path = published / f"reports/local/evidence/published/plain/{evidence.key}.counts.jsonl"
    whole = path.read_text()
    path.write_text(whole.replace('"counts":[', '"counts":[1', 1))
    assert steps.evaluate_run("published", "plain") == evidence
    assert path.read_text() == whole
    assert f"{evidence.key}.counts.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_an_edited_file_of_released_weights_is_not_released(published: Path, name: str) -> None:
    """A description decides counts as much as the weights: every registered file is looked at."""
    path = paths.released_weights("published") / name
    path.write_bytes(path.read_bytes().replace(b"127.5", b"000.5", 1) + b" ")
    for work in (
        lambda: steps.evaluate_run("published", "plain"),
        lambda: steps.stress_run("published", "quick"),
    ):
        with pytest.raises(SegmodelsError, match=rf"{name}: its sha256 is .* fetch the weights"):
            work()


@pytest.mark.parametrize("damage", [b"", b"{"])
def test_a_damaged_file_in_the_cache_blocks_no_suite(published: Path, damage: bytes) -> None:
    undisturbed = steps.stress_run("published", "quick")
    waiting = published / ".cache" / "stress" / "published-quick"
    shutil.copytree(paths.evidence() / "published" / "robustness-quick", waiting)
    for file in waiting.glob("*.jsonl"):
        file.write_bytes(damage)
    for force in (False, True):
        assert steps.stress_run("published", "quick", steps.Options(force=force)) == undisturbed
        assert not waiting.exists()


def test_force_counts_although_a_scratch_file_was_left(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a writer that was killed between evidence and tidying up."""
    monkeypatch.setattr("segmodels.evaluation.evaluate.forget", lambda _: None)
    found = steps.evaluate_run("published", "plain")
    monkeypatch.undo()
    small_project.enter(published, monkeypatch)
    steps.prepare("shapes")
    scratch = published / ".cache" / "evaluations" / f"{found.key}.jsonl"
    assert scratch.is_file()
    assert steps.evaluate_run("published", "plain") == found
    assert not scratch.exists()
    assert steps.evaluate_run("published", "plain", steps.Options(force=True)) == found
    assert json.loads(paths.record("published", "plain").read_text())["resumed_at"] == 0
    assert not scratch.exists()


@pytest.mark.parametrize("rerun", [False, True])
def test_force_counts_all_after_a_kill_behind_the_evidence(
    published: Path, monkeypatch: pytest.MonkeyPatch, rerun: bool
) -> None:
    kill_while(monkeypatch, evaluation, "write_json", lambda: steps.evaluate_run(*PLAIN))
    (scratch,) = (published / ".cache" / "evaluations").glob("*.jsonl")
    assert not paths.record(*PLAIN).exists()
    if rerun:
        steps.evaluate_run(*PLAIN)
        assert not scratch.exists()
    steps.evaluate_run(*PLAIN, steps.Options(force=True))
    assert json.loads(paths.record(*PLAIN).read_text())["resumed_at"] == 0
    assert not scratch.exists()


def test_a_forced_attempt_that_was_killed_goes_on(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = steps.evaluate_run(*PLAIN)
    kill_while(
        monkeypatch,
        stored,
        "write_evidence",
        lambda: steps.evaluate_run(*PLAIN, steps.Options(force=True)),
    )
    later(published / ".cache" / "evaluations" / f"{found.key}.jsonl")
    assert steps.evaluate_run(*PLAIN, steps.Options(force=True)) == found
    assert json.loads(paths.record(*PLAIN).read_text())["resumed_at"] == 3


def test_a_suite_that_was_killed_while_it_tidied_up_blocks_nothing(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(folder: Path, **_: Any) -> None:
        for path in sorted(Path(folder).glob("*.counts.jsonl"))[:1]:
            path.unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", half)
        with pytest.raises(KeyboardInterrupt):
            steps.stress_run("published", "quick")
    undisturbed = steps.stress_run("published", "quick")
    assert steps.stress_run("published", "quick", steps.Options(force=True)) == undisturbed
    assert [
        path.name for path in (published / ".cache" / "stress").iterdir() if path.is_dir()
    ] == []


def test_force_counts_a_suite_that_was_killed_before_it_tidied_up(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_while(monkeypatch, robustness, "_forget", lambda: steps.stress_run("published", "quick"))
    counted, real = [], stored.evaluate

    def counts(*asked: Any, **options: Any) -> Any:
        counted.append(asked[0].condition)
        return real(*asked, **options)

    monkeypatch.setattr(stored, "evaluate", counts)
    found = steps.stress_run("published", "quick", steps.Options(force=True))
    assert counted == [one.identity.condition for one in found]


@pytest.mark.parametrize("damage", [b"", b"{"])
def test_a_condition_damaged_in_the_cache_is_counted_again(
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: bytes,
) -> None:
    kill_while(
        monkeypatch, robustness, "replace_evidence", lambda: steps.stress_run("published", "quick")
    )
    file = min((published / ".cache" / "stress" / "published-quick").glob("*.counts.jsonl"))
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert len(steps.stress_run("published", "quick")) == 2
    placed = paths.evidence() / "published" / "robustness-quick" / file.name
    assert placed.read_bytes() == whole
    assert capsys.readouterr().err.count(f"{file.name}: its sha256") == 1


def test_other_counts_never_lie_under_the_old_head(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forced count gave others, and its writer was killed between its two files."""
    found, folder = steps.evaluate_run(*PLAIN), paths.evidence() / "published" / "plain"
    other = replace(found, images=(replace(found.images[0], image="other.png"), *found.images[1:]))
    real = Path.replace

    def once(path: Path, target: Path) -> Path:
        real(path, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", once)
        with pytest.raises(KeyboardInterrupt):
            write_evidence(folder, other)
    assert list(find_evidence(paths.evidence())) == []
    assert steps.evaluate_run(*PLAIN) == found
    assert list(find_evidence(paths.evidence())) == [found]


def test_evidence_that_vanishes_while_it_is_looked_at(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = steps.evaluate_run(*PLAIN)
    (paths.evidence() / "0123456789abcdef.json").symlink_to(published / "nowhere")
    gone = paths.evidence() / "gone" / "0123456789abcdee.json"
    listed = stored.evidence_files
    monkeypatch.setattr(stored, "evidence_files", lambda folder: [*listed(folder), gone])
    assert steps.evaluate_run(*PLAIN) == found


def test_only_evidence_is_deleted_from_a_folder_of_evidence(published: Path) -> None:
    folder, key = paths.evidence() / "published" / "plain", "0123456789abcdef"
    foreign = [
        folder / "my-notes-of-2024.json",
        folder / "copy" / f"{key}.json",
        folder / f"{key}.json.bak",
        folder / "my-notes.jsonl",
    ]
    ours = [
        f"{key}.json",
        f".{key}.json.0",
        f".{key}.counts.jsonl.12",
        "fedcba9876543210.counts.jsonl",
    ]
    for path in (*foreign, *(folder / name for name in ours)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    (folder / "0123456789abcde0.json").mkdir()
    (folder / "0123456789abcde1.json").symlink_to(foreign[0])
    found = steps.evaluate_run(*PLAIN)
    left = {path.name for path in folder.iterdir()}
    kept = {f"{found.key}.json", f"{found.key}.counts.jsonl", "copy", "0123456789abcde0.json"}
    assert left == kept | {path.name for path in foreign if path.parent == folder}
    assert all(path.read_text() == "mine" for path in foreign)


def test_a_link_is_refused_before_anything_is_counted(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (paths.evidence() / "published").mkdir(parents=True)
    for name in ("plain", "robustness-quick"):
        (paths.evidence() / "published" / name).symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(stored, "evaluate", lambda *_, **__: pytest.fail("counted"))
    for work in (
        lambda: steps.evaluate_run(*PLAIN),
        lambda: steps.stress_run("published", "quick"),
    ):
        with pytest.raises(SegmodelsError, match=r"a link to .*elsewhere.*Remove the link"):
            work()


def test_what_a_killed_writer_of_a_record_left_goes(published: Path) -> None:
    steps.evaluate_run(*PLAIN)
    left = paths.record(*PLAIN).with_name(".published-plain.json.0")
    left.write_text("half")
    steps.evaluate_run(*PLAIN)
    assert not left.exists()


def test_what_is_no_evidence_stays_and_links_are_refused(published: Path, tmp_path: Path) -> None:
    folder = paths.evidence() / "published" / "plain"
    steps.evaluate_run("published", "plain")
    (folder / "thesis.txt").write_text("mine")
    steps.evaluate_run("published", "plain", steps.Options(force=True))
    assert (folder / "thesis.txt").read_text() == "mine"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SegmodelsError, match="a link to"):
        steps.evaluate_run("published", "plain", steps.Options(force=True))
    assert (tmp_path / "elsewhere" / "thesis.txt").read_text() == "mine"


# --- weights that do not fit -----------------------------------------------------------


def test_missing_weights(root: Path) -> None:
    steps.prepare("shapes")
    with pytest.raises(SegmodelsError, match=r"weights of run 'tiny' are not there; train them"):
        steps.evaluate_run("tiny", "plain")
    with pytest.raises(SegmodelsError, match=r"'published' are not there; fetch them"):
        steps.evaluate_run("published", "plain")
    paths.released_weights("published").mkdir(parents=True)
    with pytest.raises(SegmodelsError, match="it is missing"):
        steps.evaluate_run("published", "plain")


def test_a_missing_dataset(root: Path) -> None:
    with pytest.raises(SegmodelsError, match="'shapes' is not prepared"):
        steps.evaluate_run("tiny", "plain")


def test_a_checkpoint_of_another_model(published: Path) -> None:
    edit(published, "weights.yaml", published=entry(published, model="unet"))
    edit(published, "runs/published.yaml", model="unet")
    with pytest.raises(SegmodelsError, match="holds segformer_nano, but unet was asked for"):
        steps.evaluate_run("published", "plain")
    with pytest.raises(SegmodelsError, match="holds segformer_nano, but unet was asked for"):
        steps.fetch_released("published")


def entry(root: Path, **changes: Any) -> dict[str, Any]:
    stored = yaml.safe_load((root / "params/weights.yaml").read_text())["published"]
    return {**stored, **changes}


def test_a_checkpoint_for_another_dataset(published: Path) -> None:
    shutil.rmtree(paths.released_weights("published"))
    folder = paths.released_weights("published")
    save_checkpoint(create_model("segformer_nano", 5), folder)
    files = [
        {**file, "sha256": [sha256_of_file(folder / file["name"])]}
        for file in entry(published)["files"]
    ]
    edit(published, "weights.yaml", published=entry(published, files=files))
    with pytest.raises(SegmodelsError, match="5 outputs, but shapes has 8 classes"):
        steps.evaluate_run("published", "plain")


def test_a_checkpoint_cut_short(published: Path) -> None:
    path = paths.released_weights("published") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SegmodelsError, match=r"model\.safetensors"):
        steps.evaluate_run("published", "plain")


def test_weights_that_cannot_be_had(root: Path) -> None:
    with pytest.raises(SegmodelsError, match="are lost: the address died"):
        steps.fetch_released("lost")
    with pytest.raises(SegmodelsError, match="is gated: the images want a login"):
        steps.download("closed")


def test_released_weights_are_not_trained(published: Path) -> None:
    with pytest.raises(SegmodelsError, match="nothing to train"):
        steps.train_run("published")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("runs/tiny.yaml", {"seed": 1}),
        ("runs/tiny.yaml", {"overrides": {"drop_path": 0.3}}),
        ("recipes/tiny.yaml", {"lr": 2.0e-3}),
        ("recipes/tiny.yaml", {"resize_short": 64}),
    ],
)
def test_weights_of_another_recipe_are_refused_and_trained_again(
    root: Path, name: str, change: dict[str, Any]
) -> None:
    steps.ensure_inputs(load_run("tiny"))
    before = (paths.trained_weights("tiny") / "model.safetensors").read_bytes()
    edit(root, name, **change)
    with pytest.raises(SegmodelsError, match=r"names now \(.* was .*\); train it again"):
        steps.evaluate_run("tiny", "plain")
    steps.ensure_inputs(load_run("tiny"))
    assert (paths.trained_weights("tiny") / "model.safetensors").read_bytes() != before
    steps.evaluate_run("tiny", "plain")


def swap_weights() -> None:
    """Put random weights in the place of a run's, which say of themselves what those did."""
    folder = paths.trained_weights("tiny")
    told = json.loads((folder / "model.json").read_text())["metadata"]
    model = load_checkpoint(folder)
    torch.manual_seed(99)
    for values in model.parameters():
        values.data = torch.randn_like(values)
    save_checkpoint(model, folder, metadata=told)


@pytest.mark.parametrize("noted", [True, False])
def test_weights_that_the_record_does_not_name_are_trained_again(root: Path, noted: bool) -> None:
    steps.ensure_inputs(load_run("tiny"))
    weights = paths.trained_weights("tiny") / "model.safetensors"
    before, record = weights.read_bytes(), paths.record("tiny", "train")
    if not noted:  # a record of the time before it said of which training it is
        told = json.loads(record.read_text())
        record.write_text(json.dumps({k: v for k, v in told.items() if k != "training"}))
    assert steps.trained_as_asked(load_run("tiny"))
    swap_weights()
    with pytest.raises(SegmodelsError, match=r"not those that the record .*tiny-train\.json"):
        steps.evaluate_run("tiny", "plain")
    steps.ensure_inputs(load_run("tiny"))
    assert weights.read_bytes() == before
    assert steps.trained_as_asked(load_run("tiny"))


def test_a_record_of_another_training_says_nothing_about_weights(root: Path) -> None:
    """As when DVC brings back the weights of an earlier recipe, but no record."""
    steps.ensure_inputs(load_run("tiny"))
    record = paths.record("tiny", "train")
    told = {"training": "0" * 64, "weights_sha256": "1" * 64}
    record.write_text(json.dumps({**json.loads(record.read_text()), **told}))
    assert steps.trained_as_asked(load_run("tiny"))
    record.unlink()
    assert steps.trained_as_asked(load_run("tiny"))
    record.write_text("[]")
    with pytest.raises(SegmodelsError, match=r"tiny-train\.json: no record of a training"):
        steps.trained_as_asked(load_run("tiny"))


def test_weights_that_are_best_where_they_are_judged_are_refused(root: Path) -> None:
    edit(root, "recipes/tiny.yaml", keep="best")
    edit(root, "runs/tiny.yaml", split="val")
    steps.prepare("shapes")
    with pytest.raises(
        SegmodelsError, match="judged on 'val', and recipe 'tiny' keeps the weights"
    ):
        steps.train_run("tiny")


def test_words_about_a_recipe_do_not_train_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.ensure_inputs(load_run("tiny"))
    edit(root, "recipes/tiny.yaml", title="the same in other words")
    monkeypatch.setattr(weights, "train", None)
    steps.ensure_inputs(load_run("tiny"))


def test_a_field_that_recipes_gained_does_not_train_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.ensure_inputs(load_run("tiny"))
    path = paths.trained_weights("tiny") / "model.json"
    about = json.loads(path.read_text())
    del about["metadata"]["recipe"]["photometric"]
    path.write_text(json.dumps(about))
    monkeypatch.setattr(weights, "train", None)
    steps.ensure_inputs(load_run("tiny"))


def test_images_are_prepared_again_when_their_entry_changes(root: Path) -> None:
    steps.ensure_dataset("shapes")
    found = json.loads((root / "reports/local/datasets/shapes.json").read_text())["splits"]["test"]
    stamp = (root / "data/shapes").stat().st_ino
    steps.ensure_dataset("shapes")
    assert (root / "data/shapes").stat().st_ino == stamp
    stored = yaml.safe_load((root / "params/datasets.yaml").read_text())["shapes"]
    new = {**stored, "settings": {**stored["settings"], "test": 4}}
    new["splits"] = {"test": {"images": 4}}
    edit(root, "datasets.yaml", shapes=new)
    steps.ensure_dataset("shapes")
    again = json.loads((root / "reports/local/datasets/shapes.json").read_text())["splits"]["test"]
    assert (found["images"], again["images"]) == (3, 4)


# --- identity of weights ---------------------------------------------------------------


def test_the_digest_of_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = save_checkpoint(create_model("segformer_nano", 3), tmp_path / "own")
    assert steps.weights_path(tmp_path / "own") == tmp_path / "own"
    assert steps.weights_digest(tmp_path / "own") == own
    single = tmp_path / "single"
    single.mkdir()
    (single / "a.pth").write_bytes(b"a")
    assert steps.weights_path(single) == single / "a.pth"
    assert steps.weights_digest(single / "a.pth")[:8] == "ca978112"
    two = [steps.weights_digest(single)]
    (single / "b.yml").write_bytes(b"b")
    assert steps.weights_path(single) == single
    two.append(steps.weights_digest(single))
    (single / "b.yml").write_bytes(b"c")
    two.append(steps.weights_digest(single))
    assert len(set(two)) == 3


def litter(folder: Path) -> None:
    """What systems and broken programs leave behind."""
    for name in (".DS_Store", "._model.json", "Thumbs.db", "desktop.ini", "model.bin.part"):
        (folder / name).write_bytes(b"litter")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._model.json").write_bytes(b"litter")


def test_stray_files_change_neither_path_nor_digest(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_checkpoint(create_model("segformer_nano", 3), tmp_path / "own")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.pth").write_bytes(b"a")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "b.yml").write_bytes(b"b")
    names = {
        "own": ("model.safetensors", "model.json"),
        "one": ("a.pth",),
        "two": ("a.pth", "b.yml"),
    }
    for kind, listed in names.items():
        folder = tmp_path / kind
        path = steps.weights_path(folder)
        before = steps.weights_digest(path)
        assert steps.weights_path(folder, listed) == path
        assert steps.weights_digest(path, listed) == before
        litter(folder)
        for given in ((), listed):
            assert steps.weights_path(folder, given) == path
            assert steps.weights_digest(path, given) == before


@pytest.mark.parametrize("run", ["published", "tiny"])
def test_stray_files_among_weights_change_neither_key_nor_result(root: Path, run: str) -> None:
    steps.ensure_inputs(load_run(run))
    first = steps.evaluate_run(run, "plain")
    litter(root / load_run(run).weights_folder)
    steps.ensure_inputs(load_run(run))
    assert steps.evaluate_run(run, "plain", steps.Options(force=True)) == first


def test_a_file_that_might_be_read_for_the_released_one_is_refused(published: Path) -> None:
    """A reader that finds model.safetensors takes it before any pytorch_model.bin."""
    steps.evaluate_run("published", "plain")
    folder = paths.released_weights("published")
    (folder / "notes.txt").write_text("from the authors' page")
    steps.evaluate_run("published", "plain")
    (folder / "pytorch_model.bin").write_bytes(b"another")
    with pytest.raises(
        SegmodelsError, match=r"pytorch_model\.bin: none of the files .*Move it away"
    ):
        steps.evaluate_run("published", "plain")


def test_a_missing_file_of_several_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"a")
    with pytest.raises(SegmodelsError, match=r"b\.yml: missing"):
        steps.weights_digest(tmp_path, ("a.pth", "b.yml"))
