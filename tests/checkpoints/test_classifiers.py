"""What all files of ImageNet networks share: bombs, cuts, missing heads, saving, sizes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from imagenet_networks import SIDE, jax_arrays, randomised
from safetensors.torch import save_file

from segmodels.checkpoints import load_checkpoint, save_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model


class _Bomb:
    """What an attacker pickles: code that runs when the file is opened."""

    def __reduce__(self):
        return (open, ("exploded.txt", "w"))


def test_code_in_any_of_the_files_is_not_run(tmp_path, monkeypatch, vit) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = jax_arrays(vit, heads=3)
    np.savez(tmp_path / "bomb.npz", **arrays, bomb=np.array([_Bomb()], dtype=object))
    state = {**vit.state_dict(), "patch_embed1.proj.weight": torch.zeros(1)}
    torch.save({**state, "bomb": _Bomb()}, tmp_path / "bomb.pth")
    buffer = io.BytesIO()
    torch.save({**state, "bomb": _Bomb()}, buffer)
    (tmp_path / "bomb.safetensors").write_bytes(buffer.getvalue())
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "config.json").write_text('{"architecture": "vit_tiny_patch16_224"}')
    (tmp_path / "bomb.pth").replace(folder / "pytorch_model.bin")
    for name, message in {
        "bomb.npz": "Python objects besides numbers.*could run code",
        "hub": "could run code",
        "bomb.safetensors": "could run code",  # told by its content, not by its name
    }.items():
        with pytest.raises(SegmodelsError, match=message):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "exploded.txt").exists()


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
def test_a_cut_file_is_refused(tmp_path, vit, keep, suffix) -> None:
    path = tmp_path / f"cut{suffix}"
    if suffix == ".npz":
        np.savez(path, **jax_arrays(vit, heads=3))
    elif suffix == ".pth":
        torch.save(vit.state_dict(), path)
    else:
        save_file(vit.state_dict(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SegmodelsError, match=r"cut\.(npz|safetensors|pth).*Download it again"):
        load_checkpoint(path)


def test_an_encoder_without_its_head_predicts_nothing(tmp_path, mit, vit) -> None:
    for network in (mit, vit):
        state = network.state_dict()
        names = {key: key.removeprefix("backbone.") for key in state if "head." not in key}
        torch.save({name: state[key] for key, name in names.items()}, tmp_path / "encoder.pth")
        with pytest.raises(SegmodelsError, match=r"without its ImageNet head.*load_backbone"):
            load_checkpoint(tmp_path / "encoder.pth")


@pytest.mark.parametrize("name", ["mit_b0", "vit_tiny_patch16", "deit_tiny_distilled_patch16"])
def test_classifiers_are_saved_and_loaded(tmp_path, pixels, name) -> None:
    sizes = {"depths": (1, 1, 1, 1)} if name == "mit_b0" else {"layers": 2, "image_size": SIDE}
    model: Any = randomised(create_model(name, num_classes=5, **sizes))
    model.class_names = tuple("abcde")
    save_checkpoint(model, tmp_path / "saved")
    loaded: Any = load_checkpoint(tmp_path / "saved")
    assert (loaded.config, loaded.class_names) == (model.config, model.class_names)
    with torch.inference_mode():
        assert torch.equal(loaded.classify(pixels), model.classify(pixels))
        assert torch.equal(loaded(pixels), model(pixels))


def test_a_second_head_is_refused() -> None:
    with pytest.raises(SegmodelsError, match="imagenet_classes"):
        create_model("vit_tiny_patch16", imagenet_classes=1000)


def test_classifiers_of_the_paper_sizes() -> None:
    """Parameters of the published networks, 1000 classes at 224 pixels (as timm counts them)."""
    counts = {
        "vit_tiny_patch16": 5_717_416,
        "vit_small_patch32": 22_878_952,
        "vit_base_patch16": 86_567_656,
        "vit_large_patch32": 306_535_400,
        "deit_tiny_distilled_patch16": 5_910_800,
        "deit_base_distilled_patch16": 87_338_192,
        "mit_b0": 3_319_392 + 257_000,
        "mit_b5": 81_443_008 + 513_000,
    }
    for name, expected in counts.items():
        with torch.device("meta"):
            model = create_model(name, num_classes=1000)
        assert sum(p.numel() for p in model.parameters()) == expected
