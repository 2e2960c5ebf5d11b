"""What holds for every corruption, on images of any size."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segmodels.robustness.corruptions import (
    CORRUPTIONS,
    VARIANTS,
    corrupt,
    corruption_of,
    generator,
    replay,
    resampling,
)

names = st.sampled_from(sorted(CORRUPTIONS))
sides = st.one_of(st.integers(1, 12), st.integers(1, 90))


@settings(max_examples=150, deadline=None)
@given(name=names, severity=st.integers(1, 5), height=sides, width=sides, seed=st.integers(0, 99))
def test_any_size_is_corrupted_and_left_as_it_was(name, severity, height, width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = image.copy()
    image.setflags(write=False)
    found = corrupt(image, name, severity, seed, "a")
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert found.flags.writeable
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(corrupt(image, name, severity, seed, "a"), found)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_the_largest_image_is_corrupted_within_four_gibibytes(name):
    """8192 by 8192 pixels; each in a process of its own, whose memory the system counts."""
    code = f"""
import resource, numpy as np
from segmodels.robustness.corruptions import corrupt
row = np.arange(8192 * 3, dtype=np.uint32) * 7919 >> 4
image = (row ^ np.arange(8192, dtype=np.uint32)[:, None]).astype(np.uint8).reshape(8192, 8192, 3)
before = image.copy()
found = corrupt(image, {name!r}, 5, key="a")
assert (found.shape, found.dtype) == (image.shape, np.uint8)
assert (image == before).all() and (found != image).any()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < 4 * 2**20  # kibibytes


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
@settings(max_examples=4, deadline=None)
@given(severity=st.integers(1, 5), side=sides)
def test_what_comes_out_is_an_array_of_its_own(name, variant, severity, side):
    """Whatever is written to it changes neither the image nor what comes out next."""
    image = np.random.default_rng(side).integers(0, 256, (side, 9, 3), dtype=np.uint8)
    found = corrupt(image, name, severity, variant=variant)
    before, first = image.copy(), found.copy()
    found ^= 255
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(corrupt(image, name, severity, variant=variant), first)


MOVING = {"elastic_transform", "glass_blur", "motion_blur"}
EVEN = sorted(n for n, kind in CORRUPTIONS.items() if kind.draw is None or n in MOVING)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(EVEN), severity=st.integers(1, 5), level=st.integers(0, 255))
def test_even_images_stay_even(name, severity, level):
    """To a level, which float64 may lose; nothing is seen of edges, nor of the strips inside."""
    found = corrupt(np.full((140, 211, 3), level, np.uint8), name, severity).astype(int)
    assert (np.abs(found - found[0, 0]) <= 1).all()


@settings(max_examples=60, deadline=None)
@given(height=sides, width=sides, colours=st.integers(1, 256), seed=st.integers(0, 99))
def test_contrast_has_the_mean_that_is_added_up_pixel_by_pixel(height, width, colours, seed):
    """Whichever way it is found: where colours are few, its last bits decide."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = np.where(image < 256 - colours, 256 - colours, image).astype(np.uint8)
    total = np.zeros(3)
    for pixel in image.reshape(-1, 3) / 255.0:
        total += pixel
    mean = total / (height * width)
    for severity, factor in enumerate((0.4, 0.3, 0.2, 0.1, 0.05), 1):
        pulled = (image / 255.0 - mean) * factor + mean
        expected = (np.clip(pulled, 0, 1) * 255).astype(np.uint8)
        np.testing.assert_array_equal(corrupt(image, "contrast", severity), expected)


def test_nothing_else_decides_what_comes_out(monkeypatch):
    """Neither threads, nor global generators, nor what was corrupted before."""
    image = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    alone = {name: corrupt(image, name, 4, 1, "k") for name in CORRUPTIONS}
    np.random.seed(3)
    torch.manual_seed(3)
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(4)
    cv2.setNumThreads(4)
    try:
        with ThreadPoolExecutor(4) as pool:
            tasks = {n: pool.submit(corrupt, image, n, 4, 1, "k") for n in reversed(CORRUPTIONS)}
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    for name, found in alone.items():
        np.testing.assert_array_equal(tasks[name].result(), found, err_msg=name)


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_a_replay_of_its_draws_is_the_corruption(name):
    image = np.random.default_rng(1).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    for variant in VARIANTS[:2]:
        kind = corruption_of(name, variant)
        random = generator(name, 2, 7, "key")
        drawn = kind.draw and kind.draw(image, kind.levels[1], random)
        expected = corrupt(image, name, 2, 7, "key", variant=variant)
        np.testing.assert_array_equal(replay(image, name, 2, drawn, variant), expected)


@pytest.mark.parametrize("name", ["zoom_blur", "snow", "elastic_transform"])
def test_pytorch_stands_in_for_an_opencv_that_is_not_exact(name, monkeypatch):
    image = np.random.default_rng(2).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    first = corrupt(image, name, 3)
    monkeypatch.setattr(resampling, "_opencv_is_exact", lambda: False)
    apart = np.abs(corrupt(image, name, 3).astype(int) - first)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


def test_a_large_image_is_a_small_one_where_nothing_is_random():
    """Strips of a large image meet without a seam."""
    image = np.random.default_rng(3).integers(0, 256, (700, 350, 3), dtype=np.uint8)
    for name in ("gaussian_blur", "defocus_blur", "brightness", "saturate"):
        part = corrupt(np.ascontiguousarray(image[250:450]), name, 3)
        apart = np.abs(part[30:-30].astype(int) - corrupt(image, name, 3)[280:420])
        assert apart.max() <= 1, name
        assert (apart > 0).mean() < 1e-3, name
