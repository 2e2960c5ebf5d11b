from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from segmodels.errors import SegmodelsError
from segmodels.evaluation.subject import Subject
from segmodels.models import create_model
from segmodels.robustness import suite as suites
from segmodels.robustness.corruptions import corrupt, frost, replay
from segmodels.robustness.corruptions.frost import FILES
from segmodels.robustness.corruptions.frost_textures import drawn_textures
from segmodels.robustness.suite import load_stress_suite, stressed


def alike(grey, step, axis):
    """Correlation of grey levels at a distance."""
    one = grey[step:] if axis == 0 else grey[:, step:]
    other = grey[:-step] if axis == 0 else grey[:, :-step]
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_textures_have_the_statistics_of_the_photographs(mirror):
    path = mirror / "reference" / "corruptions" / "cases" / "frost_texture_stats.json"
    if not path.is_file():
        pytest.skip(f"no statistics of the photographs at {path}")
    stored = json.loads(path.read_text())["textures"]
    for name, texture in zip(FILES, drawn_textures(), strict=True):
        wanted, x = stored[name], texture.astype(float)
        grey = x.mean(axis=2)
        assert texture.shape == (wanted["height"], wanted["width"], 3)
        np.testing.assert_allclose(x.mean(axis=(0, 1)), wanted["mean_rgb"], atol=2.5)
        np.testing.assert_allclose(x.std(axis=(0, 1)), wanted["std_rgb"], rtol=0.1)
        correlations = np.corrcoef(x.reshape(-1, 3).T)[[0, 1, 0], [1, 2, 2]]
        np.testing.assert_allclose(correlations, wanted["channel_corr_rg_gb_rb"], atol=0.06)
        assert (x[..., 0] > x[..., 2]).mean() < 0.08
        for axis in (0, 1):
            assert 0.7 < alike(grey, 1, axis) < 0.92
            assert 0.4 < alike(grey, 8, axis) < 0.72
            assert 0.15 < alike(grey, 64, axis) < 0.5
        gradient = np.sqrt((np.diff(grey, axis=1) ** 2).mean())
        assert gradient == pytest.approx(wanted["gradient_rms_xy"][0], rel=0.25)
        z = (grey - grey.mean()) / grey.std()
        skew, kurtosis = wanted["skew_kurt_grey"]
        assert (z**3).mean() == pytest.approx(skew, abs=0.35)
        assert (z**4).mean() == pytest.approx(kurtosis, abs=1)


def test_two_of_five_textures_are_the_same():
    textures = drawn_textures()
    assert textures[1] is textures[2]
    assert len({one.tobytes() for one in textures}) == 4


@pytest.mark.parametrize(
    ("severity", "image", "texture"),
    [(1, 1.0, 0.4), (2, 0.8, 0.6), (3, 0.7, 0.7), (4, 0.65, 0.7), (5, 0.6, 0.75)],
)
def test_a_given_texture_is_mixed_by_the_published_weights(severity, image, texture):
    random = np.random.default_rng(0)
    x, t = random.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    expected = np.clip(image * x.astype(float) + texture * t, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(replay(x, "frost", severity, t), expected)


def test_photographs_in_a_folder_are_taken_instead(tmp_path):
    black = np.zeros((30, 40, 3), np.uint8)
    for index, name in enumerate(FILES):
        Image.new("RGB", (64, 48), (10 * index + 100, 50, 20)).save(tmp_path / name, quality=100)
    levels = {
        int(corrupt(black, "frost", 5, seed, textures=tmp_path)[0, 0, 0]) for seed in range(25)
    }
    assert len(levels) == 5
    assert min(levels) == pytest.approx(75, abs=2)
    again = corrupt(black, "frost", 5, 3, textures=str(tmp_path))
    np.testing.assert_array_equal(again, corrupt(black, "frost", 5, 3, textures=tmp_path))
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert frost.digest_of(tmp_path / "copy") == frost.digest_of(tmp_path)  # content, not place
    (tmp_path / "frost4.jpg").unlink()
    with pytest.raises(SegmodelsError, match=r"expected frost1.png, .* found no frost4.jpg"):
        corrupt(black, "frost", 5, textures=tmp_path)


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index, name in enumerate(FILES):
        Image.new("RGB", (64, 48), (10 * index + 100, 50, 20)).save(folder / name, quality=100)
    return folder


def replaced(photographs):
    """Others in their place, of a later date."""
    for name in FILES:
        path = photographs / name
        later = path.stat().st_mtime_ns + 10**9
        Image.new("RGB", (64, 48), (200, 50, 20)).save(path, quality=100)
        os.utime(path, ns=(later, later))


def test_photographs_that_were_replaced_are_read_again(tmp_path, photographs):
    black, digest = np.zeros((30, 40, 3), np.uint8), frost.digest_of(photographs)
    clean = Subject(create_model("segformer_nano", 4), "ab" * 32, {}, "cd" * 32)
    suite = suite_of(tmp_path, photographs, "[frost]")
    disturb = stressed(clean, *suite.conditions, suite.photographs).disturb
    assert disturb("image", black).max() < 110
    replaced(photographs)
    assert corrupt(black, "frost", 5, textures=photographs).max() == pytest.approx(150, abs=2)
    assert frost.digest_of(photographs) != digest
    with pytest.raises(SegmodelsError, match=f"photographs with the digest {digest}, found"):
        disturb("image", black)


def test_photographs_that_are_no_images_are_told_at_once(tmp_path, photographs):
    whole = (photographs / "frost3.png").read_bytes()
    for content in (b"this is text", b"", whole[: len(whole) // 2]):
        (photographs / "frost3.png").write_bytes(content)
        told = r"frost3.png: cannot be decoded \(no image, or a damaged one\). Bring this photo"
        with pytest.raises(SegmodelsError, match=f"argument 'textures': .*{told}"):
            corrupt(np.zeros((4, 5, 3), np.uint8), "frost", 1, textures=photographs)
        with pytest.raises(SegmodelsError, match=f"suite 's': field 'textures': .*{told}"):
            suite_of(tmp_path, photographs)
        with pytest.raises(SegmodelsError, match=f"textures of frost: .*{told}"):
            frost.digest_of(photographs)


def suite_of(tmp_path, textures, corruptions="[frost, fog]"):
    text = f"s: {{title: t, corruptions: {corruptions}, severities: [5], textures: {textures}}}\n"
    (tmp_path / "robustness.yaml").write_text(text)
    return load_stress_suite("s", tmp_path / "robustness.yaml")


def test_a_suite_names_photographs_by_their_content(tmp_path, photographs, monkeypatch):
    suite = suite_of(tmp_path, photographs)
    frosted, fogged = suite.conditions
    assert frosted["textures"] == frost.digest_of(photographs)
    assert "textures" not in fogged
    monkeypatch.setattr(suites, "project_root", lambda: tmp_path)
    assert suite_of(tmp_path, "photographs").conditions == suite.conditions

    clean = Subject(create_model("segformer_nano", 4), "ab" * 32, {}, "cd" * 32)
    disturb = stressed(clean, frosted, suite.photographs).disturb
    black = np.zeros((30, 40, 3), np.uint8)
    expected = corrupt(black, "frost", 5, 0, "image", textures=photographs)
    np.testing.assert_array_equal(disturb("image", black), expected)
    assert not np.array_equal(expected, corrupt(black, "frost", 5, 0, "image"))
    with pytest.raises(SegmodelsError, match=r"'textures': expected .* found no folder of them"):
        stressed(clean, frosted)
    (photographs / "frost1.png").write_bytes((photographs / "frost2.png").read_bytes())
    with pytest.raises(SegmodelsError, match="expected photographs with the digest"):
        stressed(clean, frosted, photographs)


def test_photographs_that_are_not_there_are_told_at_once(tmp_path, photographs):
    with pytest.raises(
        SegmodelsError, match=r"suite 's': field 'textures': .*found no such folder"
    ):
        suite_of(tmp_path, tmp_path / "nowhere")
    (photographs / "frost5.jpg").unlink()
    with pytest.raises(SegmodelsError, match=r"'textures': .*expected frost1.png.*no frost5.jpg"):
        suite_of(tmp_path, photographs)
    with pytest.raises(SegmodelsError, match="'textures' is for frost, which is not among"):
        suite_of(tmp_path, photographs, "[fog]")
