"""Corruptions of tensors against those of arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_gpu import DEVICE, paper_gpu

from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.robustness.corruptions import CORRUPTIONS, corrupt
from segmodels.robustness.on_device import APPLIED, corrupt_tensor


@pytest.fixture(scope="module")
def image():
    """Smooth, with an edge, an even part and every grey level."""
    down, across = np.mgrid[0:61, 0:83]
    levels = np.stack([3 * down, 2 * across + down, 200 - across], axis=2) % 256
    levels[20:50, 30:70] = (255, 255, 254)
    return levels.astype(np.uint8)


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_tensors_are_corrupted_as_arrays_are(image, name, severity):
    for part in (image, image[:5, :3], image[:1, :1]):
        tensor = torch.from_numpy(part.copy())
        found = corrupt_tensor(tensor, name, severity, 4, "k")
        apart = np.abs(found.numpy().astype(int) - corrupt(part, name, severity, 4, "k"))
        assert apart.max() <= 1
        assert found.dtype == torch.uint8
        assert torch.equal(tensor, torch.from_numpy(part))


@pytest.mark.parametrize("name", sorted(APPLIED))
def test_a_gpu_is_left_only_to_fetch_draws_and_tables(image, name):
    """All operands lie on it, and Python never waits for what it computes."""
    expected = corrupt_tensor(torch.from_numpy(image), name, 3)
    with paper_gpu() as gpu:
        tensor = torch.from_numpy(image).to(DEVICE)
        found = corrupt_tensor(tensor, name, 3)
        assert found.is_cuda
        assert set(gpu.waits) <= {"from the processor"}
        assert torch.equal(found.cpu(), expected)


def test_wrong_arguments_are_named(image):
    tensor = torch.from_numpy(image)
    for wrong in (image, tensor.float(), tensor[..., 0], tensor[:0]):
        with pytest.raises(SegmodelsError, match=r"'image': expected a tensor, uint8 \(H, W, 3\)"):
            corrupt_tensor(wrong, "contrast", 1)
    with pytest.raises(UnknownNameError, match="Did you mean 'contrast'"):
        corrupt_tensor(tensor, "contrst", 1)
    with pytest.raises(SegmodelsError, match=r"'severity': .* found 6"):
        corrupt_tensor(tensor, "contrast", 6)
