"""Which tensors are the weights: prefixes of wrappers, averaged sets, types of numbers, parts."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from test_mit_files import hugging_face_state
from torch import Tensor

from segmodels.checkpoints import load_checkpoint
from segmodels.checkpoints.states import tensors_of
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel


@pytest.fixture
def model() -> SegModel:
    torch.manual_seed(0)
    return create_model("segformer_nano", num_classes=5).eval()


def same(path: Path, model: SegModel, images: Tensor) -> None:
    with torch.inference_mode():
        assert torch.equal(load_checkpoint(path)(images), model(images))


def prefixed(model: SegModel, prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in model.state_dict().items()}


WRAPPERS = (
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "model.",
    "net.",
    "model._orig_mod.",
    "model.module.",
    "_forward_module.model.",
    "_fsdp_wrapped_module.",
    "ema_model.module.",
)


@pytest.mark.parametrize("prefix", WRAPPERS)
@pytest.mark.parametrize("key", ["state_dict", "model", None])
def test_the_words_of_wrappers_are_dropped(tmp_path, model, images, prefix, key) -> None:
    state = prefixed(model, prefix)
    torch.save(state if key is None else {"meta": {}, key: state}, tmp_path / "a.pth")
    same(tmp_path / "a.pth", model, images)


@pytest.mark.parametrize("word", ["_orig_mod", "module", "_fsdp_wrapped_module"])
def test_a_part_may_be_wrapped_alone(tmp_path, model, images, word) -> None:
    state = {
        key.replace("backbone.", f"backbone.{word}."): value
        for key, value in model.state_dict().items()
    }
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    same(tmp_path / "a.pth", model, images)


@pytest.mark.parametrize(
    ("name", "buffer"),
    [
        ("criterion.pos_weight", torch.ones(5)),
        ("loss_fn.weight", torch.ones(5)),
        ("val_iou.confmat", torch.zeros(5, 5, dtype=torch.int64)),
        ("train_metrics.accuracy.tp", torch.zeros(5, dtype=torch.int64)),
    ],
)
def test_buffers_of_losses_and_measures_are_left_out(tmp_path, model, images, name, buffer) -> None:
    """As Lightning saves them beside the network."""
    state = {**prefixed(model, "model."), name: buffer}
    torch.save({"state_dict": state, "hyper_parameters": {"lr": 0.1}}, tmp_path / "a.ckpt")
    same(tmp_path / "a.ckpt", model, images)


def test_other_things_beside_the_network_are_named(tmp_path, model) -> None:
    """They might change what it computes."""
    torch.save({**prefixed(model, "model."), "pixel.mean": torch.ones(3)}, tmp_path / "a.ckpt")
    with pytest.raises(SegmodelsError, match=r"the file holds model\.backbone, .*pixel\.mean"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_an_unknown_prefix_is_shown(tmp_path, model) -> None:
    torch.save({"meta": {}, "state_dict": prefixed(model, "student_a.")}, tmp_path / "a.pth")
    with pytest.raises(SegmodelsError, match=r"the file holds student_a\.backbone, "):
        load_checkpoint(tmp_path / "a.pth")


SETS = (
    ("state_dict", "state_dict_ema"),
    ("model", "model_ema"),
    ("model", "ema"),
    ("state_dict", "ema_state_dict"),
    ("model", "swa_model"),
    ("student", "teacher"),
    ("state_dict", "model"),
    ("generator", "model_ema"),
)


@pytest.mark.parametrize("keys", SETS)
def test_two_sets_of_weights_are_refused_by_name(tmp_path, model, keys) -> None:
    content: dict[str, Any] = {"epoch": 3, "optimizer": {"state": {0: {"exp": torch.ones(1)}}}}
    content |= {key: model.state_dict() for key in keys}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(SegmodelsError, match="2 sets of weights") as caught:
        load_checkpoint(tmp_path / "a.pth")
    assert all(repr(key) in str(caught.value) for key in keys)
    assert "Save the one that is meant alone" in str(caught.value)


def test_averaged_weights_of_a_callback_are_seen(tmp_path, model) -> None:
    content = {
        "state_dict": prefixed(model, "model."),
        "callbacks": {"EMACallback": {"ema_state_dict": model.state_dict()}},
    }
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(SegmodelsError, match=r"callbacks\.EMACallback\.ema_state_dict"):
        load_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.parametrize("prefix", ["model_ema.", "ema_model.module.", "ema_", "teacher."])
def test_two_sets_in_one_state_dict_are_refused(tmp_path, model, prefix) -> None:
    """As Lightning, DINO and the hook of mmcv leave them."""
    raw = prefixed(model, "model.") if prefix != "ema_" else model.state_dict()
    averaged = {
        prefix + (key.replace(".", "_") if prefix == "ema_" else key): value
        for key, value in model.state_dict().items()
    }
    torch.save({"meta": {}, "state_dict": {**raw, **averaged}}, tmp_path / "a.pth")
    with pytest.raises(SegmodelsError, match=rf"two sets .* averaged tensors \({prefix}"):
        load_checkpoint(tmp_path / "a.pth")


def test_one_tensor_under_two_names_is_refused(tmp_path, model) -> None:
    state = {**model.state_dict(), **prefixed(model, "module.")}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(SegmodelsError, match=r"same tensor under two names"):
        load_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema"])
def test_averaged_weights_alone_are_the_weights(tmp_path, model, images, key) -> None:
    """With the counter that torchvision's training and mmengine's hook put among them."""
    averaged = {**prefixed(model, "module."), "n_averaged": torch.tensor(7)}
    torch.save({key: averaged, "epoch": 3, "ema_decay": 0.99}, tmp_path / "a.pth")
    same(tmp_path / "a.pth", model, images)


def test_mmengine_swaps_both_sets_on_saving(tmp_path, model, images) -> None:
    last = {f"module.{key}": torch.zeros_like(value) for key, value in model.state_dict().items()}
    content = {
        "meta": {},
        "message_hub": {},
        "state_dict": model.state_dict(),
        "ema_state_dict": {**last, "steps": torch.tensor(3)},
    }
    torch.save(content, tmp_path / "iter_10.pth")
    same(tmp_path / "iter_10.pth", model, images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(tmp_path, model, dtype) -> None:
    state = {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth").state_dict()
    for key, value in state.items():
        assert loaded[key].dtype in (torch.float32, torch.int64)
        assert torch.equal(loaded[key], value.to(loaded[key].dtype))


def no_weights() -> dict[str, Tensor]:
    values = torch.arange(5)
    kinds = ("int8", "uint8", "int16", "int32", "int64", "bool", "complex64", "float8_e4m3fn")
    found = {kind: values.to(getattr(torch, kind)) for kind in kinds}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are deprecated, files hold them still
        found["qint8"] = torch.quantize_per_tensor(values.float(), 0.1, 0, torch.qint8)
    found["sparse"] = values.float().to_sparse()
    found["meta"] = values.float().to("meta")
    return found


@pytest.mark.parametrize("kind", no_weights())
@pytest.mark.filterwarnings("ignore")
def test_numbers_that_are_no_weights_are_refused_by_name(tmp_path, model, kind) -> None:
    name = "decode_head.linear_pred.bias"
    state = {**model.state_dict(), name: no_weights()[kind]}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(SegmodelsError, match=rf"tensor '{name}' .*{kind}"):
        load_checkpoint(tmp_path / "a.pth")
    state["decode_head.linear_fuse.bn.num_batches_tracked"] = torch.tensor(True)
    state[name] = torch.zeros(5)
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(SegmodelsError, match=r"num_batches_tracked' holds bool"):
        load_checkpoint(tmp_path / "a.pth")


def test_our_own_format_is_held_to_the_same(saved) -> None:
    import hashlib

    from safetensors.torch import load_file

    _, folder = saved
    tensors = load_file(folder / "model.safetensors")
    tensors["decode_head.linear_pred.bias"] = torch.zeros(5, dtype=torch.int8)
    save_file(tensors, folder / "model.safetensors")
    description = json.loads((folder / "model.json").read_text())
    data = (folder / "model.safetensors").read_bytes()
    description["weights_sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(SegmodelsError, match=r"linear_pred\.bias' holds int8"):
        load_checkpoint(folder)


def test_what_is_no_tensor_is_named(tmp_path) -> None:
    for value, kind in (
        ({"x": 3}, "a int"),
        ({3: torch.ones(1)}, "holds 3"),
        ([], "not a mapping"),
    ):
        with pytest.raises(SegmodelsError, match=kind):
            tensors_of(tmp_path / "a.pth", value)


@pytest.fixture(params=["safetensors", "bin"])
def parts(request, tmp_path, mit) -> Path:
    """A folder of Hugging Face with its weights in two files and an index."""
    state, suffix = hugging_face_state(mit), request.param
    keys, whole = sorted(state), {"safetensors": "model", "bin": "pytorch_model"}[suffix]
    folder: Path = tmp_path / "hub"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "segformer"}')
    listed = {}
    for number, names in enumerate((keys[:40], keys[40:]), 1):
        file = f"{whole}-0000{number}-of-00002.{suffix}"
        part = {key: state[key] for key in names}
        save_file(part, folder / file) if suffix == "safetensors" else torch.save(
            part, folder / file
        )
        listed |= dict.fromkeys(names, file)
    index = folder / f"{whole}.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": listed}))
    return index


def test_weights_in_several_files(parts, mit, pixels) -> None:
    for place in (parts, parts.parent, parts.parent / "config.json"):
        model: Any = load_checkpoint(place, layer_norm_eps="original")
        with torch.inference_mode():
            assert torch.equal(model.classify(pixels), mit.classify(pixels))


def test_one_part_alone_is_refused(parts) -> None:
    part = next(path for path in parts.parent.iterdir() if "00002-of" in path.name)
    with pytest.raises(SegmodelsError, match=rf"one of several files .*{parts.name}"):
        load_checkpoint(part)


def test_a_missing_part_is_named(parts) -> None:
    part = next(path for path in parts.parent.iterdir() if "00002-of" in path.name)
    part.unlink()
    with pytest.raises(SegmodelsError, match=rf"{part.name} is missing; .* 2 files"):
        load_checkpoint(parts)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../other.safetensors", "a file in the same folder"),
        ("/etc/passwd", "a file in the same folder"),
        ("sub/a.bin", "a file in the same folder"),
        ("..\\a.bin", "a file in the same folder"),
        (".hidden.bin", "a file in the same folder"),
        (3, "the file 3; it must be the name"),
        ("model-00003-of-00002.bin", "is missing"),
    ],
)
def test_an_index_names_files_of_its_folder(parts, name, message) -> None:
    index = json.loads(parts.read_text())
    index["weight_map"][next(iter(index["weight_map"]))] = name
    parts.write_text(json.dumps(index))
    with pytest.raises(SegmodelsError, match=message):
        load_checkpoint(parts)


@pytest.mark.parametrize("weight_map", [None, [], {}, "model.safetensors"])
def test_an_index_that_lists_nothing_is_refused(parts, weight_map) -> None:
    parts.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(SegmodelsError, match="'weight_map' must say which file"):
        load_checkpoint(parts)


def test_parts_of_different_saves_are_refused(parts) -> None:
    index = json.loads(parts.read_text())
    first, *_, last = index["weight_map"]
    moved = {**index["weight_map"], first: index["weight_map"][last]}
    parts.write_text(json.dumps({"weight_map": moved}))
    with pytest.raises(SegmodelsError, match="of different saves"):
        load_checkpoint(parts)
    moved = {key: file for key, file in index["weight_map"].items() if key != first}
    parts.write_text(json.dumps({"weight_map": moved}))
    with pytest.raises(SegmodelsError, match=r"also holds .*of different saves"):
        load_checkpoint(parts)


def test_an_adapter_is_not_left_out_in_silence(parts) -> None:
    (parts.parent / "adapter_config.json").write_text("{}")
    with pytest.raises(SegmodelsError, match=r"adapter \(LoRA\)"):
        load_checkpoint(parts.parent)
