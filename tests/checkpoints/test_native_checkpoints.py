"""Our own format: round trip, same bytes for same models, and what happens to broken files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
import torch

from segmodels.checkpoints import load_checkpoint, save_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.preprocessing import IMAGENET


@pytest.mark.parametrize(
    "name",
    [
        "depict_sa_vit_nano_patch8",
        "espnet_p2_q3",
        "segformer_nano",
        "segmenter_vit_nano_patch8_mask",
        "unet",
    ],
)
def test_round_trip_gives_identical_logits(tmp_path, images, name) -> None:
    torch.manual_seed(0)
    model = create_model(name, num_classes=6)
    model(images)  # moves the BatchNorm statistics away from their initial values
    model.eval()
    digest = save_checkpoint(model, tmp_path / "deep" / "model")
    loaded = load_checkpoint(tmp_path / "deep" / "model")
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))
    assert loaded.config == model.config
    assert loaded.preprocessing == model.preprocessing
    assert not loaded.training
    weights = (tmp_path / "deep" / "model" / "model.safetensors").read_bytes()
    assert digest == hashlib.sha256(weights).hexdigest()


def test_the_description_comes_back(saved) -> None:
    model, folder = saved
    for path in (folder, folder / "model.safetensors", folder / "model.json"):
        loaded = load_checkpoint(path)
        assert loaded.class_names == model.class_names
        assert loaded.preprocessing == IMAGENET
    description = json.loads((folder / "model.json").read_text())
    assert description["metadata"] == {"seed": 0}


def test_equal_models_give_equal_bytes(saved, tmp_path) -> None:
    _, folder = saved
    save_checkpoint(load_checkpoint(folder), tmp_path / "again", metadata={"seed": 0})
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["again", "model"]


def test_saving_again_replaces(saved) -> None:
    model, folder = saved
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    save_checkpoint(model, folder)
    key, first = next(iter(model.named_parameters()))
    assert torch.equal(load_checkpoint(folder).state_dict()[key], first)


def test_nothing_is_left_behind_by_a_failed_save(saved, tmp_path) -> None:
    model, folder = saved
    before = (folder / "model.json").read_bytes()
    with pytest.raises(SegmodelsError, match="metadata must be plain JSON"):
        save_checkpoint(model, folder, metadata={"when": object()})
    assert (folder / "model.json").read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_only_models_with_a_name_can_be_saved(tmp_path) -> None:
    with pytest.raises(SegmodelsError, match="create_model"):
        save_checkpoint(SegModel(ModelConfig(2)), tmp_path / "model")


def test_a_file_is_no_folder(saved, tmp_path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SegmodelsError, match="is a file"):
        save_checkpoint(saved[0], tmp_path / "taken")


def test_an_impossible_device_is_told(saved) -> None:
    with pytest.raises(SegmodelsError, match="cannot be moved to device 'nonsense'"):
        load_checkpoint(saved[1], device="nonsense")


def test_weights_of_another_save_are_refused(saved, tmp_path) -> None:
    model, folder = saved
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    save_checkpoint(model, tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(SegmodelsError, match="from another save"):
        load_checkpoint(folder)


def test_a_cut_file_is_refused(saved) -> None:
    _, folder = saved
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(SegmodelsError, match=r"model\.safetensors has sha256 .* cut short"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"format 'segmodels' version 2"),
        ({"config": {}}, r"'config' must hold the model's name"),
        ({"config": {"name": "nonsense"}}, r"cannot be built: Unknown model 'nonsense'"),
        ({"config": {"name": "unet", "depth": 3}}, r"no argument 'depth'"),
        ({"config": {"name": "unet", "width": "wide"}}, r"cannot be built"),
        ({"config": {"name": "unet", "decoder": "x"}}, r"no argument 'decoder'"),
        (
            {"config": {"name": "mit_b0", "norm_eps": -1.0}},
            r"'norm_eps': expected a number above 0",
        ),
        ({"config": {"name": "mit_b0", "drop_path": 2.0}}, r"'drop_path': expected a share"),
        ({"activation": "relu"}, r"model\.json: the field 'activation' is not known here"),
        ({"class_names": ["a", "b"]}, r"'class_names' must hold 5 names"),
        ({"class_names": "abcde"}, r"'class_names' must hold 5 names"),
        ({"preprocessing": {"channels": "RGB"}}, r"lacks the field 'mean'"),
    ],
)
def test_a_changed_description_is_refused(saved, change, message) -> None:
    _, folder = saved
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**description, **change}))
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"format": "segmodels", "version": 1}'])
def test_a_broken_description_is_refused(saved, text) -> None:
    _, folder = saved
    (folder / "model.json").write_text(text)
    with pytest.raises(SegmodelsError, match=r"model\.json"):
        load_checkpoint(folder)


def test_loading_waits_for_no_compiler(saved) -> None:
    """Which PyTorch imports, for seconds, once something is drawn on the device 'meta'."""
    _, folder = saved
    code = (
        "import sys; from segmodels.checkpoints import load_checkpoint; "
        f"load_checkpoint({str(folder)!r}); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
