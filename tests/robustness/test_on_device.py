"""Corruptions of tensors against those of arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_gpu import DEVICE, paper_gpu
from PIL import Image

import segmodels as sm
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.robustness import on_device
from segmodels.robustness.corruptions import CORRUPTIONS, VARIANTS, corrupt
from segmodels.robustness.corruptions.frost import FILES
from segmodels.robustness.on_device import APPLIED, corrupt_tensor

#: Corruptions that a variant defines in its own way, by what tells them from the usual ones.
VARIED = [(name, variant) for name, one in CORRUPTIONS.items() for variant in one.variants]


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
    for part in (image, image[:, :20], image[:5, :3], image[:1, :1]):
        tensor = torch.from_numpy(part.copy())
        found = corrupt_tensor(tensor, name, severity, 4, "k")
        apart = np.abs(found.numpy().astype(int) - corrupt(part, name, severity, 4, "k"))
        assert apart.max() <= 1
        assert found.dtype == torch.uint8
        assert torch.equal(tensor, torch.from_numpy(part))


def differences(part, *arguments, **definition):
    """Grey levels between a tensor's corruption and an array's."""
    found = sm.corrupt_tensor(torch.from_numpy(part.copy()), *arguments, **definition)
    assert found.dtype == torch.uint8
    return np.abs(found.numpy().astype(int) - corrupt(part, *arguments, **definition))


@pytest.mark.parametrize(("name", "variant"), VARIED)
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_variants_of_tensors_are_those_of_arrays(image, name, variant, severity):
    for part in (image, image[:, :20], image[:5, :3], image[:1, :1]):
        assert differences(part, name, severity, 4, "k", variant=variant).max() <= 1


@pytest.mark.parametrize("name", ["pixelate", "fog", "frost", "elastic_transform"])
def test_variants_of_tensors_are_not_the_usual_ones(image, name):
    tensor = torch.from_numpy(image)
    usual, other = (corrupt_tensor(tensor, name, 1, variant=one) for one in VARIANTS[:2])
    assert (usual.int() - other.int()).abs().max() > 2


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("variant", ["imagecorruptions", "hendrycks"])
def test_pixelate_reduces_columns_before_rows_whichever_pillow(severity, variant):
    """Tensors are averaged by arithmetic of ours, arrays by Pillow."""
    for shape in ((240, 37, 3), (37, 240, 3), (50, 61, 3)):
        image = np.random.default_rng(severity).integers(0, 256, shape, dtype=np.uint8)
        assert differences(image, "pixelate", severity, variant=variant).max() == 0


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.endswith("jpeg85")])
@pytest.mark.parametrize("name", ["brightness", "zoom_blur", "jpeg_compression"])
def test_what_is_stored_as_jpeg_is_equal_to_the_bit(image, name, variant):
    assert differences(image, name, 3, variant=variant).max() == 0
    assert np.any(corrupt(image, name, 3) != corrupt(image, name, 3, variant=variant))


@pytest.mark.parametrize("variant", ["imagecorruptions", "hendrycks"])
def test_tensors_are_frosted_from_photographs(image, tmp_path, variant):
    for index, name in enumerate(FILES):
        levels = np.random.default_rng(index).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / name)
    for textures in (tmp_path, str(tmp_path)):
        given = {"variant": variant, "textures": textures}
        assert differences(image, "frost", 3, 1, "k", **given).max() <= 1
    drawn = corrupt(image, "frost", 3, 1, "k", variant=variant)
    assert np.any(drawn != corrupt(image, "frost", 3, 1, "k", **given))


def test_each_function_of_the_processor_stands_for_one_corruption():
    functions = [one.apply for one in CORRUPTIONS.values()]
    assert len({*functions}) == len(functions)


@pytest.mark.parametrize("name", ["motion_blur", "snow", "zoom_blur", "fog", "frost", "pixelate"])
def test_variants_are_computed_where_the_image_is(image, name, monkeypatch):
    monkeypatch.setattr(on_device.corruptions, "corrupt", None)
    corrupt_tensor(torch.from_numpy(image), name, 3, variant="hendrycks")


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


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("pixelate", {"variant": "hendryks"}),
        ("pixelate", {"variant": 3}),
        ("fog", {"textures": "anywhere"}),
        ("frost", {"textures": "nowhere/at/all"}),
        ("frost", {"textures": 3}),
    ],
)
def test_wrong_definitions_are_told_as_for_arrays(image, name, definition):
    with pytest.raises(SegmodelsError) as expected:
        corrupt(image, name, 1, **definition)
    with pytest.raises(type(expected.value)) as found:
        corrupt_tensor(torch.from_numpy(image), name, 1, **definition)
    assert str(found.value) == str(expected.value)
