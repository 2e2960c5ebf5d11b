"""Batches are the same bytes whoever loads them, and wherever a training is taken up."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from segmodels.datasets.reading.base import Dataset, Files
from segmodels.errors import SegmodelsError
from segmodels.models.preprocessing import IMAGENET
from segmodels.training import loader as module
from segmodels.training.augmentation import Augmentation
from segmodels.training.loader import Feed, Reader
from segmodels.training.order import Order

IMAGES = 5

# Three processes on two cores are asked for on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


class Noise(Dataset):
    name = "noise"
    splits = ("train",)
    class_names = ("a", "b", "c")
    palette = ((0, 0, 0),) * 3

    @classmethod
    def prepare(cls, entry, downloads, folder):
        raise NotImplementedError

    def list_files(self):
        return [
            Files(str(i), self.root / f"{i}.png", self.root / f"{i}-label.png")
            for i in range(IMAGES)
        ]


@pytest.fixture
def dataset(tmp_path: Path) -> Noise:
    random = np.random.default_rng(0)
    for index in range(IMAGES):
        size = (30 + index, 40)
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(
            tmp_path / f"{index}.png"
        )
        Image.fromarray(random.integers(0, 3, size, dtype=np.uint8)).save(
            tmp_path / f"{index}-label.png"
        )
    return Noise(tmp_path, "train")


def feed_of(dataset: Noise, seed: int = 0) -> Feed:
    return Feed(dataset, Augmentation(IMAGENET, (24, 24)), Order(IMAGES, 3, seed))


def batches(feed: Feed, start: int = 0, stop: int = 6) -> list[bytes]:
    found = []
    for images, labels in feed.batches(start, stop):
        assert (images.shape, images.dtype) == ((3, 3, 24, 24), torch.float32)
        assert (labels.shape, labels.dtype) == ((3, 24, 24), torch.int64)
        found.append(images.numpy().tobytes() + labels.numpy().tobytes())
    return found


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_processes_changes_no_byte(dataset, monkeypatch, workers):
    cv2.resize(np.zeros((500, 500, 3), np.uint8), (900, 900))  # its threads are not forked
    alone = batches(feed_of(dataset))
    assert len(set(alone)) == 6
    monkeypatch.setenv("SEGMODELS_WORKERS", str(workers))
    assert batches(feed_of(dataset)) == alone
    assert batches(feed_of(dataset), 4, 6) == alone[4:]


def test_what_a_process_needs_can_be_sent_to_it(dataset):
    """As it is where processes are not forked: some systems, and Python 3.14."""
    here = feed_of(dataset)._loader(0, 1).dataset
    there = pickle.loads(pickle.dumps(here))
    turn = Order(IMAGES, 3, 0).at(0)[0]
    for one, other in zip(here[turn], there[turn], strict=True):
        np.testing.assert_array_equal(one, other)


def test_taken_up_at_a_step(dataset):
    whole = batches(feed_of(dataset))
    for start in range(7):
        assert batches(feed_of(dataset), start) == whole[start:]


def test_by_hand(dataset):
    """A batch is its turns, each augmented with its own chance."""
    feed = feed_of(dataset, seed=4)
    images, labels = next(feed.batches(3, 4))
    for place, turn in enumerate(feed.order.at(3)):
        sample = dataset.read(turn.index)
        pixels, label = feed.augment(sample.image, sample.label, turn.random(4))
        np.testing.assert_array_equal(images[place], pixels)
        np.testing.assert_array_equal(labels[place], label)


def test_seeds_differ_and_leave_the_trainings_own_chance_alone(dataset):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, other = batches(feed_of(dataset)), batches(feed_of(dataset, seed=1))
    assert not set(one) & set(other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_file_is_named(dataset, monkeypatch, workers):
    monkeypatch.setenv("SEGMODELS_WORKERS", str(workers))
    (dataset.root / "3.png").write_bytes(b"no picture")
    with pytest.raises(SegmodelsError, match=r"3\.png: cannot be decoded") as caught:
        batches(feed_of(dataset))
    assert "Traceback" not in str(caught.value)


class _Deadly(Augmentation):
    def __call__(self, image, label, random):
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.faults
def test_a_process_that_is_killed_is_an_error(dataset, monkeypatch):
    monkeypatch.setenv("SEGMODELS_WORKERS", "1")
    feed = Feed(dataset, _Deadly(IMAGENET, (24, 24)), Order(IMAGES, 3, 0))
    with pytest.raises(SegmodelsError, match=r"images of noise ended .*SEGMODELS_WORKERS to less"):
        list(feed.batches(0, 2))


def test_processes_end_with_the_loop(dataset, monkeypatch):
    monkeypatch.setenv("SEGMODELS_WORKERS", "2")
    stream = feed_of(dataset).batches(0, 100)
    next(stream)
    assert len(multiprocessing.active_children()) == 2
    stream.close()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("wrong", ["-1", "two", "1.5"])
def test_a_number_of_processes_that_is_none(dataset, monkeypatch, wrong):
    monkeypatch.setenv("SEGMODELS_WORKERS", wrong)
    with pytest.raises(SegmodelsError, match=r"SEGMODELS_WORKERS=.* is no number of processes"):
        batches(feed_of(dataset))


def test_processes_by_default(dataset, monkeypatch):
    asked = []

    def loader(*_, num_workers, pin_memory, **__):
        asked.append((num_workers, pin_memory))
        return []

    monkeypatch.setattr(module, "DataLoader", loader)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    for device in ("cpu", "cuda"):
        feed = Feed(dataset, Augmentation(IMAGENET, (24, 24)), Order(IMAGES, 3, 0), device)
        assert list(feed.batches(0, 1)) == []
    assert asked == [(0, False), (8, True)]


# Keeping what was decoded


def test_what_fits_is_decoded_once(dataset, monkeypatch):
    decoded = []
    real = Noise.read

    def spy(self, index):
        decoded.append(index)
        return real(self, index)

    monkeypatch.setattr(Noise, "read", spy)
    bytes_of = [(30 + index) * 40 * 4 for index in range(IMAGES)]
    reader = Reader(dataset, bytes_of[2] + bytes_of[0])
    for index in (2, 4, 0, 1, 2, 4, 0, 1):
        assert reader.read(index).name == str(index)
    assert decoded == [2, 4, 0, 1, 4, 1]  # 4 and 1 found no room
    assert reader.left == 0
