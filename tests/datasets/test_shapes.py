from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from segmodels.assets.entries import load_dataset_entries
from segmodels.core.files import combine
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.reading.base import VOID
from segmodels.datasets.shapes import Shapes, draw_scene
from segmodels.errors import SegmodelsError

# The first scenes of every split, on every machine. Another value here means another dataset:
# raise DATASETS and write the new fingerprints into params/datasets.yaml.
FIRST = {
    "train": "82367c0e0329fa60",
    "val": "beab00be6c06df49",
    "test": "318a10c619bb82d7",
}


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(0, "val", index) for index in range(32)]


@pytest.mark.parametrize("split", FIRST)
def test_the_first_scenes_are_the_same_everywhere(split):
    drawn = [draw_scene(0, split, index) for index in range(3)]
    assert combine((scene.name, sample_digest(scene)) for scene in drawn)[:16] == FIRST[split]


def test_a_whole_split_has_the_registered_fingerprint(scenes):
    registered = load_dataset_entries()["shapes"].splits["val"]
    assert registered.images == len(scenes)
    found = combine((scene.name, sample_digest(scene)) for scene in scenes)
    assert found == registered.fingerprint


def test_seed_split_and_number_decide_a_scene():
    def drawn(*arguments):
        return sample_digest(draw_scene(*arguments))

    assert drawn(0, "val", 1) == drawn(0, "val", 1)
    variants = [drawn(0, "val", 1), drawn(1, "val", 1), drawn(0, "test", 1), drawn(0, "val", 2)]
    assert len(set(variants)) == 4


def test_scenes_are_what_they_promise(scenes):
    for scene in scenes:
        assert scene.image.dtype == scene.label.dtype == np.uint8
        assert scene.image.shape == (*scene.label.shape, 3)
        values = set(np.unique(scene.label)) - {VOID}
        assert values <= set(range(len(Shapes.class_names)))
    assert len({scene.label.shape for scene in scenes}) == 4


def test_every_class_occurs_and_some_pixels_are_void(scenes):
    pixels = Counter()
    for scene in scenes:
        pixels.update(dict(zip(*np.unique(scene.label, return_counts=True), strict=True)))
    assert set(pixels) == {*range(len(Shapes.class_names)), VOID}
    with_void = sum((scene.label == VOID).any() for scene in scenes)
    assert 0.15 < with_void / len(scenes) < 0.6
    assert pixels[VOID] / sum(pixels.values()) < 0.1


def test_poles_are_thin_and_pebbles_small(scenes):
    def thickness(mask):
        """Half the largest number of pixels one can walk inwards from the border."""
        steps = 0
        while mask.any():
            inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1]
            mask, steps = inner & mask[1:-1, :-2] & mask[1:-1, 2:], steps + 1
        return steps

    poles = [scene.label == 6 for scene in scenes if (scene.label == 6).any()]
    assert len(poles) > 5
    # Two poles may cross, which is thicker in one spot.
    assert np.median([thickness(mask) for mask in poles]) <= 2
    pebbles = [np.count_nonzero(scene.label == 7) for scene in scenes]
    assert 0 < np.median(pebbles) < 200


def test_colour_alone_does_not_tell_the_class(scenes):
    """The nearest mean colour is right for some pixels and wrong for many."""
    image = np.concatenate([scene.image.reshape(-1, 3) for scene in scenes]).astype(float)
    label = np.concatenate([scene.label.ravel() for scene in scenes])
    means = np.array([image[label == c].mean(axis=0) for c in range(8)])
    nearest = ((image[::17, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.15 < (nearest == label[::17]).mean() < 0.75


def test_prepared_scenes_are_the_drawn_ones(project):
    found = prepare_dataset("shapes")
    assert {split: about["images"] for split, about in found["splits"].items()} == {
        "train": 4,
        "val": 2,
        "test": 3,
    }
    for index, sample in enumerate(open_dataset("shapes", "test")):
        scene = draw_scene(0, "test", index)
        assert sample.name == scene.name == f"{index:05d}"
        assert sample_digest(sample) == sample_digest(scene)


@pytest.mark.parametrize(
    "settings",
    [{"trian": 3}, {"train": 0}, {"val": -1}, {"test": 1.5}, {"seed": "0"}, {"train": True}],
)
def test_a_wrong_setting_is_named(project, edit_yaml, settings):
    path = project / "params" / "datasets.yaml"
    edit_yaml(path, lambda entries: entries["shapes"]["settings"].update(settings))
    (name,) = settings
    with pytest.raises(SegmodelsError, match=f"datasets.yaml, dataset 'shapes': setting {name}="):
        prepare_dataset("shapes")
    assert not (project / "data" / "shapes").exists()
