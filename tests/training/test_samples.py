"""The picture beside the curve: the same few images at each look, with what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.base import Sample
from segmodels.evaluation.figure import row_of
from segmodels.training import samples as module
from segmodels.training.job import Job
from segmodels.training.processes import Processes
from segmodels.training.recipe import Recipe
from segmodels.training.samples import Samples, looked_at

RECIPE = Recipe(name="r", title="", steps=4, batch=2, crop=(32, 32), lr=1e-3, validate_images=6)
PALETTE = ((10, 20, 30), (200, 100, 50))


class Images:
    """A validation split of eight images."""

    palette = PALETTE

    def __len__(self) -> int:
        return 8


@pytest.fixture
def job() -> Job:
    images: Any = Images()
    return Job("r", "unet", RECIPE, 0, images, images, "", {})


def sample(number: int, size: tuple[int, int] = (6, 9)) -> Sample:
    random = np.random.default_rng(number)
    label = random.integers(0, 2, size, dtype=np.uint8)
    label[0, 0] = VOID
    return Sample(str(number), random.integers(0, 256, (*size, 3), dtype=np.uint8), label)


def shown(samples: Samples) -> Iterator[Pixels]:
    """The rows of the picture."""
    with Image.open(samples.path) as file:
        picture = np.asarray(file.convert("RGB"))
    height = len(picture) // len(samples.places)
    yield from (picture[start : start + height] for start in range(0, len(picture), height))


def test_some_of_the_images_that_are_looked_at(job: Job, tmp_path: Path) -> None:
    samples = Samples.of(job, tmp_path / "r.png")
    assert list(looked_at(job)) == [0, 1, 2, 3, 4, 5]
    assert samples.places == {0, 2, 5}
    for _ in range(2):  # at each look anew
        for place in looked_at(job):
            samples.keep(place, sample(place), sample(10 + place).label)
        samples.draw()
        for place, row in zip((0, 2, 5), shown(samples), strict=True):
            expected = row_of(sample(place), sample(10 + place).label, PALETTE)
            assert np.array_equal(row[: len(expected)], expected)
    assert tuple(expected[0, 18 + 12]) == (0, 0, 0)  # void, in the truth and in the prediction


def test_the_first_process_shows_some_of_its_own(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "r.png"
    assert Samples.of(job, path, Processes(0, 2)).places == {0, 2, 4}
    others = Samples.of(job, path, Processes(1, 2))
    others.keep(1, sample(1), sample(1).label)
    others.draw()
    assert not path.exists()


def test_large_images_are_shown_small(job: Job, tmp_path: Path) -> None:
    samples = Samples.of(job, tmp_path / "r.png")
    large = sample(0, (1000, 500))
    samples.keep(0, large, large.label)
    samples.draw()
    with Image.open(samples.path) as picture:
        width, height = picture.size
    assert (height, width) == (384 + 6, 4 * (192 + 6))


def test_a_picture_that_cannot_be_written_ends_no_training(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = Samples.of(job, tmp_path / "r.png")
    samples.path.write_bytes(b"of the look before")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Path, "replace", full)
    samples.keep(0, sample(0), sample(0).label)
    samples.draw()
    told = f"note: {samples.path}: No space left on device. The training goes on without a picture"
    assert capsys.readouterr().err.startswith(told)
    assert not samples.path.exists()
