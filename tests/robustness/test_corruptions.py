from __future__ import annotations

import colorsys
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from segmodels.datasets.shapes import draw_scene
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.robustness.corruptions import CORRUPTIONS, corrupt, noise, replay

NOISE = ("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise")
NAMES = sorted(CORRUPTIONS)
RANDOM = [name for name in NAMES if CORRUPTIONS[name].draw]
#: What changes from severity to severity is not how much, or chance changes more.
UNEVEN = {"fog", "frost", "glass_blur", "saturate", "snow"}
SEVERITIES = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def scene():
    return draw_scene(0, "train", 0).image


@pytest.fixture(scope="module")
def grey():
    """Large and of one grey level, far from both ends: what noise is measured on."""
    return np.full((300, 300, 3), 128, dtype=np.uint8)


def distance(one, other):
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


# All corruptions alike


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(96, 128), (31, 17), (1, 1), (3, 200)])
def test_shape_and_type_are_kept_and_the_image_is_not_touched(name, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = image.copy()
    image.setflags(write=False)  # decoded images are read-only
    for severity in SEVERITIES:
        found = corrupt(image, name, severity)
        assert (found.shape, found.dtype) == (image.shape, np.uint8)
        assert not np.shares_memory(found, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", NAMES)
def test_equal_arguments_give_equal_pixels_whatever_the_memory_layout(name, scene):
    np.random.seed(1)  # the global generator must not matter
    one = corrupt(scene, name, 3, seed=5, key="a")
    np.random.seed(2)
    mirrored = np.ascontiguousarray(scene[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(corrupt(mirrored, name, 3, seed=5, key="a"), one)


@pytest.mark.parametrize("name", RANDOM)
def test_seed_and_key_change_what_is_random(name, scene):
    found = [
        corrupt(scene, name, 3, seed, key).tobytes()
        for seed, key in ((0, ""), (1, ""), (0, "a"), (0, "b"), (1, "a"))
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", NOISE)
def test_seed_key_and_severity_change_the_noise(name, grey):
    noises = [
        corrupt(grey, name, 3, seed, key).tobytes()
        for seed, key in ((0, ""), (1, ""), (0, "a"), (0, "b"), (1, "a"))
    ]
    assert len(set(noises)) == len(noises)
    mild, strong = (corrupt(grey, name, severity).ravel() for severity in (2, 3))
    assert abs(np.corrcoef(mild, strong)[0, 1]) < 0.02


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(RANDOM)))
def test_without_chance_seed_and_key_change_nothing(name, scene):
    np.testing.assert_array_equal(corrupt(scene, name, 3), corrupt(scene, name, 3, 9, "b"))


@pytest.mark.parametrize("name", sorted(set(NAMES) - UNEVEN))
def test_a_higher_severity_disturbs_more(name, scene):
    found = [distance(corrupt(scene, name, severity), scene) for severity in SEVERITIES]
    assert found == sorted(found)
    assert found[0] > 0.5
    assert found[-1] > 1.2 * found[0]


def test_bad_arguments_are_named(scene):
    with pytest.raises(
        UnknownNameError, match=r"corruption 'gausian_noise'. Did you mean 'gaussian_"
    ):
        corrupt(scene, "gausian_noise", 1)
    for severity in (0, 6, 2.5, -1):
        with pytest.raises(
            SegmodelsError,
            match=f"'severity': expected .* at least 1 and at most 5, found {severity}",
        ):
            corrupt(scene, "contrast", severity)
    with pytest.raises(SegmodelsError, match=r"'seed': expected .* at least 0, found -1"):
        corrupt(scene, "contrast", 1, seed=-1)
    bounds = "at least 0 and at most 9223372036854775807, found 1180591620717411303424"
    with pytest.raises(SegmodelsError, match=f"'seed': expected a whole number of {bounds}"):
        corrupt(scene, "contrast", 1, seed=2**70)
    for image in (scene.astype(float), scene[..., 0], scene[..., :2]):
        with pytest.raises(
            SegmodelsError, match=r"'image': expected an image, uint8 \(H, W, 3\), .*, found"
        ):
            corrupt(image, "contrast", 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "contrst"}, "corruption 'contrst'. Did you mean 'contrast'"),
        ({"name": 3}, "'name': expected text, found 3"),
        ({"severity": 0}, "'severity': expected .* at least 1 and at most 5, found 0"),
        ({"severity": -1}, "'severity': expected .* at least 1 and at most 5, found -1"),
        ({"severity": 9}, "'severity': expected .* at least 1 and at most 5, found 9"),
        ({"image": np.zeros((4, 5, 3))}, r"'image': expected an image, .*, found float64 \(4, 5"),
        ({"variant": "hendriks"}, "variant .*'hendriks'. Did you mean 'hendrycks'"),
        ({"drawn": 3.0}, "'drawn': expected None, as contrast leaves nothing to chance, found 3.0"),
        (
            {"name": "motion_blur"},
            r"'drawn': expected the draws of motion_blur, as `corruption_of\('motion_blur', "
            r"'imagecorruptions'\).draw` makes them, found None",
        ),
    ],
)
def test_bad_arguments_of_a_replay_are_named(scene, wrong, message):
    right = {"image": scene, "name": "contrast", "severity": 1, "drawn": None}
    with pytest.raises(SegmodelsError, match=message):
        replay(**{**right, **wrong})
    image = Image.fromarray(scene)
    np.testing.assert_array_equal(
        replay(**{**right, "image": image}), corrupt(scene, "contrast", 1)
    )


def test_variants_are_named(scene):
    with pytest.raises(UnknownNameError, match=r"variant .*'hendriks'. Did you mean 'hendrycks'"):
        corrupt(scene, "contrast", 1, variant="hendriks")
    with pytest.raises(SegmodelsError, match="'textures' is of frost, and snow has none"):
        corrupt(scene, "snow", 1, textures="photographs")
    stored = corrupt(scene, "contrast", 2, variant="imagecorruptions_then_jpeg85")
    assert 0 < distance(stored, corrupt(scene, "contrast", 2)) < 8


# Noise against the table of ImageNet-C


def spread(image):
    return float(image.astype(float).std() / 255)


@pytest.mark.parametrize(("severity", "std"), [(1, 0.08), (2, 0.12), (3, 0.18)])
def test_gaussian_noise(grey, severity, std):
    found = corrupt(grey, "gaussian_noise", severity)
    assert spread(found) == pytest.approx(std, rel=0.02)
    assert found.mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize(("severity", "rate"), [(1, 60), (3, 12), (4, 5)])
def test_shot_noise(severity, rate):
    level = 25  # so dark that photons hardly ever reach the upper end at these rates
    image = np.full((300, 300, 3), level, dtype=np.uint8)
    found = corrupt(image, "shot_noise", severity).astype(float) / 255
    assert found.mean() == pytest.approx(level / 255, rel=0.03)
    assert found.std() == pytest.approx(np.sqrt(level / 255 / rate), rel=0.03)
    photons = np.unique(found) * rate
    np.testing.assert_allclose(photons, photons.round(), atol=rate / 255 + 1e-9)


@pytest.mark.parametrize("rate", [60, 3])
def test_small_tables_of_photons_say_what_the_large_one_says(rate, monkeypatch):
    """For all that 16 bits can be, from the darkest to the brightest."""
    drawn = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    monkeypatch.setattr(noise, "bits", lambda *_: drawn)
    large = noise._photons_by_bits(rate)
    for level in (0, 1, 25, 128, 255):
        found = noise._photons(np.full(drawn.shape, level, np.uint8), rate, None)
        np.testing.assert_array_equal(found.ravel(), large[level])
    assert found.max() > rate + 3.9 * rate**0.5


@pytest.mark.parametrize(
    ("severity", "amount"), list(zip(SEVERITIES, (3, 6, 9, 17, 27), strict=True))
)
def test_impulse_noise(grey, severity, amount):
    found = corrupt(grey, "impulse_noise", severity)
    assert set(np.unique(found)) == {0, 128, 255}
    assert (found != 128).mean() == pytest.approx(amount / 100, rel=0.03)
    assert (found == 255).sum() / (found != 128).sum() == pytest.approx(0.5, abs=0.02)
    one, other = (found[..., channel] != 128 for channel in (0, 1))
    assert (one & other).mean() == pytest.approx((amount / 100) ** 2, rel=0.2)  # independent


@pytest.mark.parametrize("level", [60, 120])
def test_speckle_noise_grows_with_the_grey_level(level):
    image = np.full((300, 300, 3), level, dtype=np.uint8)
    found = corrupt(image, "speckle_noise", 1)
    assert spread(found) == pytest.approx(0.15 * level / 255, rel=0.03)
    black = np.zeros((8, 8, 3), dtype=np.uint8)
    assert not corrupt(black, "speckle_noise", 5).any()


# What published evidence rests on


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("gaussian_noise", "908a1c3d7501"),
        ("contrast", "6dbc07d7293e"),
        ("jpeg_compression", "7a267fd2bccb"),
    ],
)
def test_published_evidence_was_counted_on_these_pixels(name, digest):
    """Where this fails, evidence under these corruptions must be counted again."""
    down, across = np.mgrid[0:64, 0:80]
    image = np.stack([3 * down, 2 * across + down, 255 - 3 * across % 256], axis=2)
    image = image.astype(np.uint8)
    found = b"".join(corrupt(image, name, level, 0, "k").tobytes() for level in (1, 3, 5))
    assert hashlib.sha256(found).hexdigest().startswith(digest)


# The others against a second formulation


@pytest.mark.parametrize(("severity", "factor"), [(1, 0.4), (3, 0.2), (5, 0.05)])
def test_contrast(scene, severity, factor):
    found = corrupt(scene, "contrast", severity).astype(float)
    for channel in range(3):
        mean = scene[..., channel].mean()
        expected = np.floor(mean * (1 - factor) + scene[..., channel] * factor + 1e-6)
        assert np.abs(found[..., channel] - expected).max() <= 1


@pytest.mark.parametrize(("severity", "shift"), [(1, 0.1), (3, 0.3), (5, 0.5)])
def test_brightness(scene, severity, shift):
    small = np.ascontiguousarray(scene[::7, ::7])
    found = corrupt(small, "brightness", severity)
    for pixel, got in zip(small.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + shift, 1))
        assert np.abs(np.array(expected) * 255 - got).max() < 1.1


@pytest.mark.parametrize(("severity", "quality"), [(1, 25), (3, 15), (5, 7)])
def test_jpeg_is_pillows_own(scene, severity, quality):
    stream = io.BytesIO()
    Image.fromarray(scene).save(stream, format="jpeg", quality=quality)
    expected = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    np.testing.assert_array_equal(corrupt(scene, "jpeg_compression", severity), expected)


def test_pixelate_at_a_quarter_repeats_block_means(scene):
    image = scene[:88, :64]
    found = corrupt(image, "pixelate", 5).astype(float)
    means = image.reshape(22, 4, 16, 4, 3).mean(axis=(1, 3))
    expected = means.repeat(4, axis=0).repeat(4, axis=1)
    assert np.abs(found - expected).max() <= 1  # Pillow rounds after rows and after columns


@pytest.mark.parametrize(("severity", "scale"), [(1, 0.6), (2, 0.5), (3, 0.4), (4, 0.3)])
def test_pixelate_leaves_this_many_values(severity, scale):
    ramp = np.broadcast_to(np.arange(0, 200, 2, dtype=np.uint8)[:, None], (100, 100))
    found = corrupt(
        np.ascontiguousarray(np.stack([ramp, ramp.T, ramp], axis=2)), "pixelate", severity
    )
    assert len(np.unique(found[:, 0, 0])) == len(np.unique(found[0, :, 1])) == int(100 * scale)


@pytest.mark.parametrize(("severity", "sigma"), list(zip(SEVERITIES, (1, 2, 3, 4, 6), strict=True)))
def test_gaussian_blur_is_a_sum_of_neighbours(severity, sigma):
    image = draw_scene(0, "train", 1).image[:20, :24]
    reach = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    padded = np.pad(image / 255, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    rows = sum(w * padded[i : i + 20] for i, w in enumerate(weights))
    expected = sum(w * rows[:, i : i + 24] for i, w in enumerate(weights))
    found = corrupt(image, "gaussian_blur", severity)
    assert np.abs(found - np.floor(expected * 255 + 1e-6)).max() <= 1
