"""Evaluating: the counts, what names them, and what a killed evaluation leaves behind."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
from PIL import Image
from waiting import until

from segmodels import steps
from segmodels.core import environment, paths
from segmodels.datasets import VOID, Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.errors import PassingError, SegmodelsError
from segmodels.evaluation import evaluate as module
from segmodels.evaluation import image_counter, stream
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.image_counter import ImageCounter
from segmodels.evaluation.predict import predict_many
from segmodels.evaluation.prediction import Prediction
from segmodels.evaluation.reference import predict
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Evidence, write_evidence
from segmodels.evidence.merge import merge_evidence
from segmodels.models import create_model
from segmodels.models.preprocessing import HALF
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import load_run

PLAIN = Protocol(name="plain", version=1, title="plain")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.prepare("shapes")
    return root


@pytest.fixture
def dataset(root: Path) -> Dataset:
    return open_dataset("shapes", "test")


@pytest.fixture
def subject(dataset: Dataset) -> Subject:
    torch.manual_seed(0)
    model = create_model("segformer_nano", 8).eval()
    about = json.loads((dataset.root.parents[1] / "reports/local/datasets/shapes.json").read_text())
    return Subject(model, "ab" * 32, {"made": "up"}, about["splits"]["test"]["fingerprint"])


def scratch_of(root: Path, key: str) -> Path:
    return root / ".cache" / "evaluations" / f"{key}.jsonl"


def written(folder: Path, evidence: Evidence) -> dict[str, bytes]:
    write_evidence(folder, evidence)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the counts ------------------------------------------------------------------------


def test_counts_equal_a_naive_loop(subject: Subject, dataset: Dataset) -> None:
    evidence, record = evaluate(subject, dataset, PLAIN)
    assert [image.image for image in evidence.images] == [f.name for f in dataset.files]
    assert evidence.complete
    for sample, found in zip(dataset, evidence.matrices(), strict=True):
        expected = np.zeros((9, 8), dtype=np.int64)
        prediction = predict(subject.model, sample.image, PLAIN)
        for truth, guess in zip(sample.label.ravel(), prediction.ravel(), strict=True):
            expected[8 if truth == VOID else truth, guess] += 1
        assert np.array_equal(found, expected)
    assert record["images"] == 3
    assert record["resumed_at"] == 0
    assert record["seconds"] > 0
    assert record["peak_memory_bytes"] > 0
    json.dumps(record)


def test_the_number_of_workers_decides_nothing(
    subject: Subject, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = Protocol(
        name="slide", version=1, title="slide", window=64, stride=48, scales=(0.75, 1.0), flip=True
    )
    found = []
    for workers in (1, 2, 5):
        monkeypatch.setattr(stream, "cores", lambda n=workers: n)
        evidence, _ = evaluate(subject, dataset, protocol)
        found.append(written(tmp_path / str(workers), evidence))
    assert found[0] == found[1] == found[2]


def test_the_number_of_threads_before_decides_nothing_and_comes_back(
    subject: Subject, dataset: Dataset
) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(evaluate(subject, dataset, PLAIN)[0])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_convolutions_on_a_gpu_would_not_be_rounded(
    subject: Subject, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(*arguments: Any) -> Any:
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        return predict_many(*arguments)

    monkeypatch.setattr(image_counter, "predict_many", spy)
    before = torch.backends.cudnn.allow_tf32
    evaluate(subject, dataset, PLAIN)
    assert set(seen) == {(False, False)}
    assert torch.backends.cudnn.allow_tf32 == before


def test_the_first_images_only(subject: Subject, dataset: Dataset) -> None:
    whole, _ = evaluate(subject, dataset, PLAIN)
    part, record = evaluate(subject, dataset, PLAIN, limit=2)
    assert part.images == whole.images[:2]
    assert (part.expected_images, part.complete, record["images"]) == (3, False, 2)
    assert part.key != whole.key
    for wrong in (0, -1):
        with pytest.raises(SegmodelsError, match="'limit'"):
            evaluate(subject, dataset, PLAIN, limit=wrong)


def test_progress_counts_to_the_end(subject: Subject, dataset: Dataset) -> None:
    told: list[tuple[int, int]] = []
    evaluate(subject, dataset, PLAIN, progress=lambda *numbers: told.append(numbers))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_disturbance_changes_the_image_and_not_the_fingerprint(
    subject: Subject, dataset: Dataset
) -> None:
    names = []

    def blacken(name: str, image: Any) -> Any:
        names.append(name)
        return np.zeros_like(image)

    condition = {"corruption": "night", "severity": 5, "seed": 0}
    disturbed = dataclasses.replace(subject, condition=condition, disturb=blacken)
    clean, _ = evaluate(subject, dataset, PLAIN)
    dark, _ = evaluate(disturbed, dataset, PLAIN)
    assert sorted(names) == [f.name for f in dataset.files]
    assert dark.images != clean.images
    assert dark.key != clean.key
    assert dark.identity.condition == condition
    assert dark.identity.fingerprint == clean.identity.fingerprint


def test_more_outputs_than_classes_are_kept(subject: Subject, dataset: Dataset) -> None:
    wide = dataclasses.replace(subject, model=create_model("segformer_nano", 11).eval())
    with pytest.raises(SegmodelsError, match=r"11 outputs, but shapes has 8.*extra_outputs = 3"):
        evaluate(wide, dataset, PLAIN, limit=1)
    wide.model.extra_outputs = 3
    evidence, _ = evaluate(wide, dataset, PLAIN, limit=1)
    assert evidence.matrices().shape == (1, 9, 11)


@pytest.mark.parametrize("extra", [1, 2])
def test_weights_that_name_their_outputs_may_have_one_for_void(
    subject: Subject, dataset: Dataset, extra: int
) -> None:
    model = create_model("segformer_nano", 8 + extra).eval()
    model.class_names = tuple(map(str, range(8 + extra)))
    wide = dataclasses.replace(subject, model=model)
    if extra == 1:
        assert evaluate(wide, dataset, PLAIN, limit=1)[0].outputs == 9
    else:  # of another dataset
        with pytest.raises(SegmodelsError, match="10 outputs, but shapes has 8"):
            evaluate(wide, dataset, PLAIN, limit=1)


def test_fewer_outputs_than_classes_are_refused(subject: Subject, dataset: Dataset) -> None:
    narrow = dataclasses.replace(subject, model=create_model("segformer_nano", 7).eval())
    with pytest.raises(SegmodelsError, match="7 outputs, but shapes has 8 classes"):
        evaluate(narrow, dataset, PLAIN)


# --- the key ---------------------------------------------------------------------------


def test_every_field_decides_the_key(subject: Subject, dataset: Dataset) -> None:
    identity = identify(subject, dataset, PLAIN)
    assert len(identity.key) == 16
    changes: dict[str, Any] = {
        "weights": "cd" * 32,
        "model": {**identity.model, "drop_path": 0.5},
        "preprocessing": HALF.to_dict(),
        "dataset": "camvid",
        "split": "val",
        "fingerprint": "00" * 32,
        "inference": PLAIN.replace(flip=True).inference,
        "condition": {"parameter_noise": 0.1, "seed": 0},
        "images": 2,
        "precision": "bf16",
        "evaluator": identity.evaluator + 1,
    }
    assert set(changes) == {field.name for field in dataclasses.fields(identity)}
    keys = {dataclasses.replace(identity, **{k: v}).key for k, v in changes.items()}
    assert len(keys | {identity.key}) == 1 + len(changes)


@pytest.mark.parametrize(
    "change",
    [
        {"resize_short": 96},
        {"resize_multiple": 32},
        {"window": 64, "stride": 64},
        {"window": 64, "stride": 32},
        {"window": 64, "stride": 64, "enlarge": True},
        {"scales": (0.5, 1.0)},
        {"flip": True},
    ],
)
def test_inference_decides_the_key(
    subject: Subject, dataset: Dataset, change: dict[str, Any]
) -> None:
    assert identify(subject, dataset, PLAIN).key != (
        identify(subject, dataset, PLAIN.replace(**change)).key
    )


def test_names_and_scoring_do_not_decide_the_key(subject: Subject, dataset: Dataset) -> None:
    other = Protocol(name="strict", version=7, title="another", source="elsewhere", void="error")
    assert identify(subject, dataset, PLAIN).key == identify(subject, dataset, other).key


def test_a_model_without_preprocessing_has_no_key(subject: Subject, dataset: Dataset) -> None:
    subject.model.preprocessing = None
    with pytest.raises(SegmodelsError, match="no preprocessing"):
        identify(subject, dataset, PLAIN)


# --- killed and taken up again ---------------------------------------------------------


def interrupt(subject: Subject, dataset: Dataset, after: int) -> None:
    def stop(done: int, total: int) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(subject, dataset, PLAIN, progress=stop)


def changed_line(data: bytes, number: int, change: Any) -> bytes:
    """One line with another entry, and the checksum it had."""
    lines = data.splitlines(keepends=True)
    entry = json.loads(lines[number])
    change(entry)
    lines[number] = json.dumps(entry).encode() + b"\n"
    return b"".join(lines)


def swapped_counts(entry: dict[str, Any]) -> None:
    image = json.loads(entry["counts"])
    counts = image["counts"]
    counts[0], counts[1] = counts[1], counts[0]
    entry["counts"] = json.dumps(image, separators=(",", ":"), sort_keys=True)


def reordered(data: bytes, *numbers: int) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[number] for number in numbers)


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (lambda data: data, 2),
        (lambda data: data[:-1], 1),
        (lambda data: data[:-40], 1),
        (lambda data: b"".join(data.splitlines(keepends=True)[:2]) + b"half", 1),
        (lambda data: data[: data.index(b"\n") + 5], 0),
        (lambda data: data[:7], 0),
        (lambda data: b"", 0),
        (lambda data: data + b'{"digest": "12', 2),
        (lambda data: data + bytes(4096), 2),  # what a power cut may leave
        (lambda data: data[:60] + b"\xff" + data[61:], 0),
        (lambda data: data + b"{}\n", 2),
        (lambda data: data + b"[" * 100_000 + b"\n", 2),
        (lambda data: b"[" * 100_000 + b"\n" + data, 0),
        (lambda data: changed_line(data, 1, swapped_counts), 0),
        (lambda data: changed_line(data, 2, swapped_counts), 1),
        (lambda data: changed_line(data, 1, lambda entry: entry.update(digest="0" * 64)), 0),
        (lambda data: changed_line(data, 2, lambda entry: entry.pop("sum")), 1),
        (lambda data: reordered(data, 0, 2, 1), 0),
        (lambda data: reordered(data, 0, 1, 1), 1),
        (lambda data: reordered(data, 0, 2), 0),
        (lambda data: reordered(data, 1, 2), 0),
        (lambda data: changed_line(data, 0, lambda head: head["arithmetic"].clear()), 0),
    ],
)
def test_resumed_evidence_is_the_same_to_the_byte(
    root: Path, subject: Subject, dataset: Dataset, tmp_path: Path, damage: Any, left: int
) -> None:
    whole, _ = evaluate(subject, dataset, PLAIN)
    interrupt(subject, dataset, 2)
    scratch = scratch_of(root, whole.key)
    scratch.write_bytes(damage(scratch.read_bytes()))
    told: list[int] = []
    resumed, record = evaluate(subject, dataset, PLAIN, progress=lambda done, _: told.append(done))
    assert record["resumed_at"] == left
    assert told == list(range(left + 1, 4))
    assert written(tmp_path / "a", resumed) == written(tmp_path / "b", whole)
    assert not list(scratch.parent.glob("*.jsonl*"))


def test_what_is_not_taken_up_is_told(
    root: Path, subject: Subject, dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(subject, dataset, 2)
    (scratch,) = (root / ".cache" / "evaluations").glob("*.jsonl")
    scratch.write_bytes(changed_line(scratch.read_bytes(), 2, swapped_counts))
    evaluate(subject, dataset, PLAIN)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"note: {scratch}: line 3 cannot be used; 1 of 2 finished images")


@pytest.mark.parametrize("other", [{"torch": "1.0"}, {"device": "cuda"}, {"pillow": "1"}])
def test_counts_of_another_arithmetic_are_not_taken_up(
    root: Path,
    subject: Subject,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    other: dict[str, str],
) -> None:
    elsewhere = {**environment.arithmetic("cpu"), **other}
    with monkeypatch.context() as patch:
        patch.setattr(module, "arithmetic", lambda _: elsewhere)
        interrupt(subject, dataset, 2)
    scratch = root / ".cache" / "evaluations"
    interrupt(subject, dataset, 1)
    told = capsys.readouterr().err
    (name,) = other
    assert f"begun with {name} {other[name]!r}, which is" in told
    assert len(list(scratch.glob("*.jsonl.aside"))) == 1  # nothing is thrown away unasked
    _, record = evaluate(subject, dataset, PLAIN)
    assert record["resumed_at"] == 1
    assert not list(scratch.glob("*.jsonl*"))


def test_the_arithmetic_of_a_device() -> None:
    found = environment.arithmetic("cpu")
    assert found["device"].startswith("cpu ")
    assert found["torch"] == torch.__version__
    assert {"numpy", "pillow", "opencv-python-headless", "evaluator"} <= found.keys()


# --- from counts to the disk -----------------------------------------------------------


@pytest.mark.parametrize("failure", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_counts_stay_until_they_are_on_disk(
    root: Path, subject: Subject, dataset: Dataset, failure: BaseException
) -> None:
    def fails(evidence: Evidence, record: Any) -> Evidence:
        raise failure

    with pytest.raises(type(failure)):
        evaluate(subject, dataset, PLAIN, finish=fails)
    kept: list[Evidence] = []
    evidence, record = evaluate(
        subject, dataset, PLAIN, finish=lambda found, _: kept.append(found) or found
    )
    assert (record["resumed_at"], kept) == (3, [evidence])
    assert not scratch_of(root, evidence.key).exists()
    assert evidence == evaluate(subject, dataset, PLAIN)[0]


def test_a_full_cache_is_one_sentence_and_loses_nothing(
    root: Path, subject: Subject, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written_lines = module.Line.to_text, []

    def full(line: Any, place: int) -> str:
        written_lines.append(place)
        if place == 1:
            raise OSError(28, "No space left on device")
        return real(line, place)

    with monkeypatch.context() as patch:
        patch.setattr(module.Line, "to_text", full)
        with pytest.raises(SegmodelsError, match=r"\.jsonl: No space left on device"):
            evaluate(subject, dataset, PLAIN)
    assert evaluate(subject, dataset, PLAIN)[1]["resumed_at"] == 1


_KILLED = """
import time
from segmodels.evaluation.image_counter import ImageCounter; from segmodels import steps
real = ImageCounter.begin
def slow(counter, batch):
    (pending,) = real(counter, batch)
    time.sleep(0 if batch[0].sample.name == "00000" else 60)
    return [pending]
ImageCounter.begin = slow
steps.evaluate_run("published", "plain")
"""


def test_a_process_killed_outright(root: Path, tmp_path: Path) -> None:
    steps.fetch_released("published")
    process = subprocess.Popen([sys.executable, "-c", _KILLED], cwd=root)
    folder = root / ".cache" / "evaluations"
    # The head and one image.
    until(lambda: [f.read_bytes().count(b"\n") for f in folder.glob("*.jsonl")] == [2], process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not paths.evidence().exists()
    evidence = steps.evaluate_run("published", "plain")
    record = json.loads(paths.record("published", "plain").read_text())
    assert record["resumed_at"] == 1
    subject = steps.subject_of(load_run("published"))
    whole, _ = evaluate(subject, open_dataset("shapes", "test"), PLAIN)
    assert written(tmp_path / "a", evidence) == written(tmp_path / "b", whole)


def test_waiting_for_oneself_is_refused(subject: Subject, dataset: Dataset) -> None:
    def again(done: int, total: int) -> None:
        evaluate(subject, dataset, PLAIN)

    with pytest.raises(PassingError, match="already being done by process"):
        evaluate(subject, dataset, PLAIN, progress=again)
    evaluate(subject, dataset, PLAIN)  # the lock is gone with the one who held it


# --- wrong or damaged images -----------------------------------------------------------


def repaint(dataset: Dataset, index: int) -> bytes:
    path = dataset.files[index].image
    before = path.read_bytes()
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    return before


def test_a_changed_image_is_noticed_and_its_counts_forgotten(
    root: Path, subject: Subject, dataset: Dataset
) -> None:
    good, _ = evaluate(subject, dataset, PLAIN)
    before = repaint(dataset, 1)
    with pytest.raises(SegmodelsError, match="not those that were registered"):
        evaluate(subject, dataset, PLAIN)
    assert not scratch_of(root, good.key).exists()
    dataset.files[1].image.write_bytes(before)
    again, record = evaluate(subject, dataset, PLAIN)
    assert record["resumed_at"] == 0
    assert again == good


def test_an_image_changed_between_two_attempts(
    root: Path, subject: Subject, dataset: Dataset
) -> None:
    before = repaint(dataset, 0)
    interrupt(subject, dataset, 2)
    dataset.files[0].image.write_bytes(before)
    with pytest.raises(SegmodelsError, match="not those that were registered"):
        evaluate(subject, dataset, PLAIN)
    assert evaluate(subject, dataset, PLAIN)[1]["resumed_at"] == 0


@pytest.mark.parametrize("shard", [None, (0, 2)])
@pytest.mark.parametrize("repainted", [1, 2])
def test_the_images_of_a_part_are_compared_too(
    root: Path,
    subject: Subject,
    dataset: Dataset,
    repainted: int,
    shard: tuple[int, int] | None,
) -> None:
    """And those that were not seen, since evidence names the fingerprint of the whole split."""
    good, _ = evaluate(subject, dataset, PLAIN, limit=2, shard=shard)
    before = repaint(dataset, repainted)
    with pytest.raises(SegmodelsError, match="not those that were registered"):
        evaluate(subject, dataset, PLAIN, limit=2, shard=shard)
    assert not list((root / ".cache" / "evaluations").glob("*.jsonl"))
    dataset.files[repainted].image.write_bytes(before)
    again, record = evaluate(subject, dataset, PLAIN, limit=2, shard=shard)
    assert (again, record["resumed_at"]) == (good, 0)


def test_a_part_is_compared_where_no_survey_is_left(
    root: Path, subject: Subject, dataset: Dataset
) -> None:
    shutil.rmtree(root / ".cache" / "surveys")
    evaluate(subject, dataset, PLAIN, limit=1)
    stale = dataclasses.replace(subject, fingerprint="00" * 32)
    with pytest.raises(SegmodelsError, match="not those that were registered"):
        evaluate(stale, dataset, PLAIN, limit=1)


def test_a_damaged_image_is_named_and_finished_work_is_kept(
    subject: Subject, dataset: Dataset
) -> None:
    path = dataset.files[2].image
    before = path.read_bytes()
    path.write_bytes(before[: len(before) // 2])
    with pytest.raises(SegmodelsError, match=path.name):
        evaluate(subject, dataset, PLAIN)
    path.write_bytes(before)
    _, record = evaluate(subject, dataset, PLAIN)
    assert record["resumed_at"] == 2


def test_one_image_alone(subject: Subject, dataset: Dataset) -> None:
    (pending,) = ImageCounter(subject, PLAIN, 8).begin([stream.prepared(dataset.read(0), None)])
    line = pending.result()
    assert sum(line.counts.counts) == dataset.read(0).label.size


@pytest.mark.parametrize("wrong", ["label", "prediction"])
def test_values_out_of_range_name_the_image(
    subject: Subject, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    sample = dataset.read(1)
    if wrong == "label":
        sample = dataclasses.replace(sample, label=np.full_like(sample.label, 9))
    else:
        wrong_labels = torch.full(sample.label.shape, 8, dtype=torch.uint8)
        prediction = Prediction(wrong_labels, torch.tensor(True))
        monkeypatch.setattr(image_counter, "predict_many", lambda *_: [prediction])
    (pending,) = ImageCounter(subject, PLAIN, 8).begin([stream.prepared(sample, None)])
    with pytest.raises(SegmodelsError, match=f"image '00001': {wrong} holds"):
        pending.result()


# --- dealt out to several processes ------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_shards_merge_to_the_bytes_of_one_process(
    root: Path, subject: Subject, dataset: Dataset, tmp_path: Path, number: int
) -> None:
    whole, _ = evaluate(subject, dataset, PLAIN)
    parts = []
    for index in range(number):
        told: list[tuple[int, int]] = []
        part, record = evaluate(
            subject,
            dataset,
            PLAIN,
            progress=lambda *numbers, told=told: told.append(numbers),
            shard=(index, number),
        )
        mine = range(index, 3, number)
        assert told == [(done, len(mine)) for done in range(1, len(mine) + 1)]
        assert part.images == whole.images[index::number]
        assert (record["images"], record["shard"]) == (len(mine), f"{index}/{number}")
        assert not part.complete or number == 1
        parts.append(part)
    merged = merge_evidence(reversed(parts))
    assert written(tmp_path / "merged", merged) == written(tmp_path / "whole", whole)
    assert not list((root / ".cache" / "evaluations").glob("*.jsonl"))


def test_a_stopped_shard_is_taken_up_again(subject: Subject, dataset: Dataset) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(subject, dataset, PLAIN, progress=stop, shard=(0, 2))
    whole, record = evaluate(subject, dataset, PLAIN)
    assert record["resumed_at"] == 0  # the whole and each shard have a scratch file of their own
    part, record = evaluate(subject, dataset, PLAIN, shard=(0, 2))
    assert record["resumed_at"] == 1
    assert part.images == whole.images[::2]


def test_the_scratch_file_is_read_once(
    subject: Subject, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[Any, ...]] = []
    real = module.read_lines
    monkeypatch.setattr(module, "read_lines", lambda *given: read.append(given) or real(*given))
    evaluate(subject, dataset, PLAIN)
    assert len(read) == 1


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for processes, workers in ((1, 8), (2, 4), (16, 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        assert environment.cores() == workers
