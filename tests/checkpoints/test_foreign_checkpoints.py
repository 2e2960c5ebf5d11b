"""Segmenter, DEPICT and SegFormer files: variants the reference vectors lack, and broken ones."""

from __future__ import annotations

import json

import pytest
import torch

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model

MASK = {"name": "mask_transformer", "n_layers": 2, "dropout": 0.1, "drop_path_rate": 0.0}
TINY = {"image_size": 64, "layers": 2}
CASES = {
    "segmenter_vit_tiny_patch16_linear": ({"name": "linear"}, TINY),
    "segmenter_vit_small_patch32_mask": ({**MASK, "n_layers": 1}, {**TINY, "decoder_layers": 1}),
    "segmenter_deit_tiny_distilled_patch16_linear": ({"name": "linear"}, TINY),
    "depict_sa_vit_tiny_patch16": (
        {"name": "mask_transformer", "n_layers": 2, "n_heads": 6, "dropout": 0.0},
        {**TINY, "decoder_layers": 2, "decoder_heads": 6, "decoder_dim_head": 50},
    ),
    "depict_ca_vit_tiny_patch16": (
        {"name": "mask_transformer", "n_layers": 6, "n_heads": 3, "dropout": 0.0},
        {**TINY, "decoder_layers": 6},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_official_folders_of_every_kind(tmp_path, images, write_folder, name) -> None:
    decoder, overrides = CASES[name]
    torch.manual_seed(0)
    model = create_model(name, num_classes=7, **overrides).eval()
    folder = write_folder(model, tmp_path / "folder", **decoder)
    for path in (folder, folder / "checkpoint.pth"):
        loaded = load_checkpoint(path)
        assert loaded.config["name"] == name
        assert loaded.preprocessing == model.preprocessing
        with torch.inference_mode():
            assert torch.equal(loaded(images), model(images))


def test_a_custom_segformer_loads_from_both_layouts(tmp_path, images) -> None:
    """Sizes come from the tensors, not from a list of names."""
    torch.manual_seed(0)
    model = create_model("segformer_b0", 4, depths=(1, 2, 1, 1), decoder_width=32).eval()
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"meta": {"CLASSES": None}, "state_dict": state}, tmp_path / "custom.pth")
    loaded = load_checkpoint(tmp_path / "custom.pth")
    assert loaded.class_names is None
    assert loaded.config == model.config
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))


@pytest.fixture
def folder(tmp_path, write_folder):
    model = create_model("depict_sa_vit_nano_patch8", num_classes=4)
    return write_folder(model, tmp_path / "folder", name="mask_transformer", n_heads=2)


def test_a_missing_variant_is_named(folder) -> None:
    (folder / "variant.yml").unlink()
    with pytest.raises(SegmodelsError, match=r"variant\.yml is missing.*beside checkpoint\.pth"):
        load_checkpoint(folder / "checkpoint.pth")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n_heads: 2", "n_head: 2", r"decoder\.n_head is not known here.*'n_heads'"),
        ("n_heads: 2", "n_layers: 2", r"decoder\.n_heads must be a positive number, got None"),
        ("n_heads: 2", "n_heads: true", r"decoder\.n_heads must be a positive number, got True"),
        ("n_heads: 2", "n_heads: 2\n    mode: ca", r"decoder\.mode is 'ca'.*those of 'sa'"),
        ("n_heads: 2", "n_heads: 2\n    dim_head: 48", r"decoder\.dim_head is not known here"),
        ("n_heads: 2", "n_heads: 2\n    dropout: low", r"decoder\.dropout must be a number from 0"),
        ("drop_path_rate: 0.1", "drop_path_rate: 1.5", r"net_kwargs\.drop_path_rate must be a num"),
        ("n_heads: 2", "n_heads: 7", r"does not fit 'depict_sa.*decoder\.net\.layers\.0\.fn\.proj"),
        ("n_heads: 3", "n_heads: 5", r"width 96 does not divide by 5 heads"),
        ("net_kwargs:", "net:", r"lacks the section 'net_kwargs'"),
        ("normalization: vit", "normalization: raw", r"must be one of vit, deit, got 'raw'"),
        ("- 64", "- wide", r"image_size is no size"),
        ("- 64\n  - 64", "- 128\n  - 128", r"encoder\.pos_embed is \(1, 65, 96\) instead of"),
        ("patch_size: 8", "patch_size: 16", r"net_kwargs\.patch_size is 16.*those of 8"),
        ("d_model: 96", "d_model: 192", r"net_kwargs\.d_model is 192.*another training"),
        ("n_layers: 4", "n_layers: 12", r"net_kwargs\.n_layers is 12"),
        ("n_cls: 4", "n_cls: 150", r"net_kwargs\.n_cls is 150.*those of 4"),
        ("distilled: false", "distilled: true", r"net_kwargs\.distilled is True"),
        ("name: mask_transformer", "name: linear", r"decoder\.name is 'linear'"),
        ("dropout: 0.0", "activation: relu", r"net_kwargs\.activation is not known here"),
        ("n_cls: 4", "n_cls: !!python/object/apply:os.getcwd []", r"not plain YAML"),
    ],
)
def test_a_wrong_variant_is_named(folder, old, new, message) -> None:
    path = folder / "variant.yml"
    assert old in path.read_text().replace("    - 64", "  - 64")
    path.write_text(path.read_text().replace("    - 64", "  - 64").replace(old, new))
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(folder)


def test_heads_of_a_mask_decoder_are_used_where_they_are_said(tmp_path, write_folder) -> None:
    model = create_model("segmenter_vit_tiny_patch16_mask", num_classes=4, **TINY)
    folder = write_folder(model, tmp_path / "a", **MASK, n_heads=6)
    assert load_checkpoint(folder).config["decoder_heads"] == 6
    odd = write_folder(model, tmp_path / "b", **MASK, n_head=6)
    with pytest.raises(SegmodelsError, match=r"decoder\.n_head is not known.*'n_heads'"):
        load_checkpoint(odd)
    short = write_folder(model, tmp_path / "c", **{**MASK, "n_layers": 1})
    with pytest.raises(SegmodelsError, match=r"decoder\.n_layers is 1.*those of 2"):
        load_checkpoint(short)


def test_differences_are_counted_and_named(folder) -> None:
    snapshot = torch.load(folder / "checkpoint.pth", weights_only=True)
    for index in range(4):
        del snapshot["model"][f"encoder.blocks.{index}.mlp.fc1.bias"]
    snapshot["model"]["encoder.norm.bias"] = torch.zeros(97)
    snapshot["model"]["encoder.extra"] = torch.zeros(1)
    torch.save(snapshot, folder / "checkpoint.pth")
    with pytest.raises(SegmodelsError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "4 missing (encoder.blocks.0.mlp.fc1.bias, " in message
    assert "1 unexpected (encoder.extra)" in message
    assert "1 misshapen (encoder.norm.bias is (97,) instead of (96,))" in message
    assert "checkpoint.pth" in message
    assert "SEGMODELS_DEBUG" not in message  # nothing is left out


def test_every_tensor_that_does_not_fit_is_named(folder) -> None:
    """More than a line holds: all of them stand behind the traceback."""
    snapshot = torch.load(folder / "checkpoint.pth", weights_only=True)
    lost = [name for name in snapshot["model"] if ".mlp." in name]
    for name in lost:
        del snapshot["model"][name]
    snapshot["model"]["encoder.norm.bias"] = torch.zeros(97)
    torch.save(snapshot, folder / "checkpoint.pth")
    with pytest.raises(SegmodelsError, match=r"…\); .* SEGMODELS_DEBUG=1 shows all of") as caught:
        load_checkpoint(folder)
    first, second = caught.value.__notes__
    assert first.splitlines() == [f"missing: {name}" for name in lost]
    assert second == "misshapen: encoder.norm.bias is (97,) instead of (96,)"


class _Bomb:
    """What an attacker pickles: code that runs when the file is opened."""

    def __reduce__(self):
        return (open, ("exploded.txt", "w"))


def test_code_in_a_file_is_not_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": _Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(SegmodelsError, match="could run code"):
        load_checkpoint(tmp_path / "bomb.pth")
    assert not (tmp_path / "exploded.txt").exists()


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_cut_torch_file_is_refused(tmp_path, keep, legacy) -> None:
    path = tmp_path / "espnet.pth"
    state = create_model("espnet_p2_q3", num_classes=6).state_dict()
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(SegmodelsError, match=r"espnet\.pth cannot be read.*cut short"):
        load_checkpoint(path)


def test_what_is_no_checkpoint_is_described(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.pth").touch()
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in {
        "": r"holds empty\.pth, list\.pth, notes\.txt",
        "notes.txt": "5 bytes",
        "empty.pth": "0 bytes",
        "other.pth": "the file holds weights",
        "list.pth": "no state dict",
        "nowhere": "There is no checkpoint at",
    }.items():
        with pytest.raises(SegmodelsError, match=message):
            load_checkpoint(tmp_path / name)


def test_broken_hugging_face_folders_are_named(tmp_path) -> None:
    config = {"model_type": "segformer", "hidden_sizes": [16, 32, 48, 64]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SegmodelsError, match=r"none of model\.safetensors and pytorch_model\.bin"):
        load_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(SegmodelsError, match=r"not a whole safetensors file"):
        load_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"x": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(SegmodelsError, match=r"config\.json lacks the field 'depths'"):
        load_checkpoint(tmp_path)


def test_layer_norm_eps_is_a_choice(tmp_path) -> None:
    with pytest.raises(SegmodelsError, match="'hugging_face' or 'original'"):
        load_checkpoint(tmp_path, layer_norm_eps="mine")  # type: ignore[arg-type]
