"""Several disturbances in one pass: the bytes of each alone, every image decoded once."""

from __future__ import annotations

import dataclasses
import json
import resource
from pathlib import Path
from typing import Any

import pytest
import small_project
import torch

from segmodels import steps
from segmodels.datasets import Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.evaluation import image_counter, together
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.resume import scratch_file
from segmodels.evaluation.subject import Subject, identify
from segmodels.evaluation.together import count_together
from segmodels.models import create_model
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.suite import stressed

PLAIN = Protocol(name="plain", version=1, title="plain")
CONDITIONS = [
    {"corruption": name, "severity": severity, "seed": 0}
    for name in ("gaussian_noise", "fog")
    for severity in (1, 4)
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        small_project.enter(tmp_path_factory.mktemp("together") / "project", patch)
        steps.prepare("shapes")
        return open_dataset("shapes", "test")


@pytest.fixture
def subjects(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    model = create_model("segformer_nano", 8).eval()
    about = json.loads((dataset.root.parents[1] / "reports/local/datasets/shapes.json").read_text())
    clean = Subject(model, "ab" * 32, {"made": "up"}, about["splits"]["test"]["fingerprint"])
    return [stressed(clean, condition) for condition in CONDITIONS]


def alone(subject: Subject, dataset: Dataset, protocol: Protocol = PLAIN) -> str:
    """The scratch file of a subject that is counted alone."""
    text = ""

    def keep(evidence: Any, record: Any) -> Any:
        nonlocal text
        text = scratch_file(evidence.key).read_text()
        return evidence

    evaluate(subject, dataset, protocol, finish=keep)
    return text


def scratches(subjects: list[Subject], dataset: Dataset, protocol: Protocol = PLAIN) -> list[str]:
    keys = [identify(one, dataset, protocol).key for one in subjects]
    return [scratch_file(key).read_text() for key in keys]


@pytest.fixture
def decoded(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Places of the images that are decoded."""
    found, read = list[int](), type(dataset).read

    def noted(self: Dataset, place: int) -> Any:
        found.append(place)
        return read(self, place)

    monkeypatch.setattr(type(dataset), "read", noted)
    return found


@pytest.fixture
def expected(subjects: list[Subject], dataset: Dataset, decoded: list[int]) -> list[str]:
    """What each subject counts alone; what was decoded for it is not noted."""
    found = [alone(one, dataset) for one in subjects]
    decoded.clear()
    return found


def counted(subjects: list[Subject], dataset: Dataset) -> list[str]:
    """What they count together, which is told image by image."""
    told: list[tuple[int, int]] = []
    count_together(subjects, dataset, PLAIN, lambda *numbers: told.append(numbers))
    assert told == [(number, 12) for number in range(1, 13)]
    return scratches(subjects, dataset)


def test_each_is_counted_as_alone_and_images_are_decoded_once(
    subjects: list[Subject],
    dataset: Dataset,
    decoded: list[int],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert counted(subjects, dataset) == expected
    assert sorted(decoded) == [0, 1, 2]

    monkeypatch.setattr(together, "cores", lambda: 5)  # memory for other numbers of workers
    count_together(subjects, dataset, PLAIN)
    assert scratches(subjects, dataset) == expected


def test_more_than_fit_into_a_pass_are_counted_as_alone_in_several(
    subjects: list[Subject],
    dataset: Dataset,
    decoded: list[int],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (12, 4096))  # three subjects
    assert counted(subjects, dataset) == expected
    assert sorted(decoded) == [0, 0, 1, 1, 2, 2]


def test_a_pass_has_an_end_where_files_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {1: 1, 256: 64, 1024: 256, 1 << 20: 256, resource.RLIM_INFINITY: 256}
    for limit, number in expected.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert together._at_once() == number


def test_labels_are_resized_as_alone(subjects: list[Subject], dataset: Dataset) -> None:
    protocol = PLAIN.replace(resize_fixed=(40, 56), labels_resized=True)
    expected = [alone(one, dataset, protocol) for one in subjects]
    count_together(subjects, dataset, protocol)
    assert scratches(subjects, dataset, protocol) == expected
    assert len({*expected}) == len(subjects)


def test_what_was_killed_goes_on_and_only_what_is_missing_is_counted(
    subjects: list[Subject], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [alone(one, dataset) for one in subjects]

    def killed(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_together(subjects, dataset, PLAIN, killed)
    lines = [len(text.splitlines()) - 1 for text in scratches(subjects, dataset)]
    assert sorted(lines) == [1, 1, 2, 2]
    begun, begin = [], image_counter.ImageCounter.begin

    def counted(self: Any, batch: Any) -> Any:
        begun.extend(batch)
        return begin(self, batch)

    monkeypatch.setattr(image_counter.ImageCounter, "begin", counted)
    count_together(subjects, dataset, PLAIN)
    assert len(begun) == 12 - 6
    assert scratches(subjects, dataset) == expected
    evidence, record = evaluate(subjects[1], dataset, PLAIN)
    assert record["resumed_at"] == 3
    assert [one.image for one in evidence.images] == [files.name for files in dataset.files]


def test_a_damaged_image_is_named(
    subjects: list[Subject], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = type(dataset).read

    def broken(self: Dataset, place: int) -> Any:
        if place == 1:
            raise ValueError("torn")
        return read(self, place)

    monkeypatch.setattr(type(dataset), "read", broken)
    with pytest.raises(ValueError, match="torn"):
        count_together(subjects, dataset, PLAIN)
    assert all(len(text.splitlines()) == 2 for text in scratches(subjects, dataset))


def test_every_other_image_is_counted_as_among_all(
    subjects: list[Subject], dataset: Dataset
) -> None:
    some = [
        dataclasses.replace(one, condition={**condition, "every": 2})
        for one, condition in zip(subjects, CONDITIONS, strict=True)
    ]
    expected = [alone(one, dataset) for one in some]
    told: list[tuple[int, int]] = []
    count_together(some, dataset, PLAIN, lambda *numbers: told.append(numbers))
    assert scratches(some, dataset) == expected
    assert told[-1] == (len(some) * 2, len(some) * 2)
    for one, all_of_it in zip(some, subjects, strict=True):
        part, record = evaluate(one, dataset, PLAIN)
        whole, _ = evaluate(all_of_it, dataset, PLAIN)
        assert list(part.images) == list(whole.images)[::2]
        assert (part.key != whole.key, record["resumed_at"], part.complete) == (True, 2, False)
