from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.shapes import Shapes, draw_scene
from segmodels.errors import SegmodelsError
from segmodels.evaluation.figure import colour, draw_picture, error, evidence_of_picture


def labels(place, sample):
    """What a network says that gets a tenth of the pixels wrong."""
    wrong = np.random.default_rng(place).random(sample.label.shape) < 0.1
    return np.where(wrong, (sample.label + 1) % 8, sample.label % 8).astype(np.uint8)


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_colours_follow_the_palette_and_the_rest_is_black():
    labels = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    found = colour(labels, ((1, 2, 3), (4, 5, 6)))
    assert found.tolist() == [[[1, 2, 3], [4, 5, 6], [0, 0, 0], [0, 0, 0]]]


def test_errors_are_red_right_pixels_grey_and_void_black():
    labels = np.array([[0, 1, 255, 255]], dtype=np.uint8)
    right, wrong, *unknown = error(labels, np.array([[0, 0, 1, 255]], dtype=np.uint8))[0].tolist()
    assert (right, wrong) == ([228, 228, 222], [196, 52, 40])
    assert unknown == [[0, 0, 0], [0, 0, 0]]


def test_a_row_is_image_truth_prediction_and_error(project, tmp_path):
    prepare_dataset("shapes")
    path = tmp_path / "new" / "picture.png"
    draw_picture(open_dataset("shapes", "test"), labels, path, evidence="ab" * 8)
    drawn = read(path)
    scenes = [draw_scene(0, "test", index) for index in range(3)]
    assert drawn.shape[0] == sum(scene.label.shape[0] + 6 for scene in scenes)
    assert drawn.shape[1] == max(4 * (scene.label.shape[1] + 6) for scene in scenes)
    top = 0
    for scene in scenes:
        height, width = scene.label.shape
        row = drawn[top : top + height]
        truth = row[:, width + 6 : 2 * width + 6]
        prediction = row[:, 2 * (width + 6) : 3 * width + 12]
        wrong = row[:, 3 * (width + 6) : 4 * width + 18]
        np.testing.assert_array_equal(row[:, :width], scene.image)
        np.testing.assert_array_equal(truth, colour(scene.label, Shapes.palette))
        np.testing.assert_array_equal((prediction == 0).all(axis=2), scene.label == 255)
        differs = (prediction != truth).any(axis=2)
        np.testing.assert_array_equal((wrong == (196, 52, 40)).all(axis=2), differs)
        top += height + 6
    assert list(path.parent.iterdir()) == [path]
    assert evidence_of_picture(path) == "ab" * 8


@pytest.mark.parametrize(("number", "rows"), [(1, 1), (2, 2), (99, 3)])
def test_no_more_rows_than_images(project, tmp_path, number, rows):
    prepare_dataset("shapes")
    heights = [draw_scene(0, "test", index).label.shape[0] + 6 for index in range(3)]
    expected = {1: heights[0], 2: heights[0] + heights[2], 3: sum(heights)}[rows]
    draw_picture(open_dataset("shapes", "test"), labels, tmp_path / "p.png", number)
    assert len(read(tmp_path / "p.png")) == expected


def test_a_failing_prediction_keeps_the_old_picture(project, tmp_path):
    prepare_dataset("shapes")
    path = tmp_path / "p.png"
    path.write_bytes(b"old")
    dataset = open_dataset("shapes", "test")
    dataset.files[0].label.unlink()
    with pytest.raises(SegmodelsError, match="missing"):
        draw_picture(dataset, labels, path)
    assert path.read_bytes() == b"old"
    assert evidence_of_picture(path) is None
    assert evidence_of_picture(tmp_path / "nothing.png") is None
