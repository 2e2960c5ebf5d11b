"""What config.json and preprocessor_config.json say wins; what is not understood is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from test_mit_files import hugging_face_state

from segmodels.checkpoints import load_backbone, load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import HALF, IMAGENET, Preprocessing

#: As transformers writes it for the small network below.
CONFIG: dict[str, Any] = {
    "architectures": ["SegformerForSemanticSegmentation"],
    "attention_probs_dropout_prob": 0.0,
    "classifier_dropout_prob": 0.1,
    "decoder_hidden_size": 64,
    "depths": [1, 1, 1, 1],
    "downsampling_rates": [1, 4, 8, 16],
    "drop_path_rate": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_sizes": [16, 32, 48, 64],
    "id2label": {str(index): name for index, name in enumerate("abcde")},
    "image_size": 224,
    "initializer_range": 0.02,
    "label2id": {name: index for index, name in enumerate("abcde")},
    "layer_norm_eps": 1e-06,
    "mlp_ratios": [4, 4, 4, 4],
    "model_type": "segformer",
    "num_attention_heads": [1, 2, 3, 4],
    "num_channels": 3,
    "num_encoder_blocks": 4,
    "patch_sizes": [7, 3, 3, 3],
    "reshape_last_stage": True,
    "semantic_loss_ignore_index": 255,
    "sr_ratios": [4, 2, 1, 1],
    "strides": [4, 2, 2, 2],
    "torch_dtype": "float32",
    "transformers_version": "4.52.0",
}
#: As transformers writes it for SegFormer.
PROCESSOR: dict[str, Any] = {
    "do_normalize": True,
    "do_reduce_labels": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "SegformerImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 512, "width": 512},
}


def theirs() -> dict[str, torch.Tensor]:
    """The small SegFormer of ours under their names."""
    torch.manual_seed(0)
    state = hugging_face_state(create_model("segformer_nano", num_classes=5))
    names = (
        ("decode_head.linear_fuse.conv.", "decode_head.linear_fuse."),
        ("decode_head.linear_fuse.bn.", "decode_head.batch_norm."),
        ("decode_head.linear_pred.", "decode_head.classifier."),
        *((f"decode_head.linear_c{n + 1}.", f"decode_head.linear_c.{n}.") for n in range(4)),
    )
    for ours, other in names:
        state = {key.replace(ours, other): value for key, value in state.items()}
    return state


@pytest.fixture
def folder(tmp_path) -> Path:
    path: Path = tmp_path / "hub"
    path.mkdir()
    save_file(theirs(), path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


def write(path: Path, values: Any, **changes: Any) -> None:
    path.write_text(json.dumps({**values, **changes}))


def test_a_folder_as_it_is_published_loads(folder, images) -> None:
    write(folder / "preprocessor_config.json", PROCESSOR)
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=5).eval()
    loaded = load_checkpoint(folder, layer_norm_eps="original")
    assert loaded.preprocessing == IMAGENET
    assert loaded.class_names == tuple("abcde")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), model(images))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("hidden_act", "gelu_new", "'gelu'"),
        ("hidden_act", "relu", "'gelu'"),
        ("hidden_act", None, "'gelu'"),
        ("strides", [4, 2, 2, 1], r"\[4, 2, 2, 2\]"),
        ("patch_sizes", [7, 3, 3, 5], r"\[7, 3, 3, 3\]"),
        ("num_channels", 4, "has 3"),
        ("num_encoder_blocks", 3, "has 4"),
        ("reshape_last_stage", False, "has True"),
        ("layer_norm_eps", 1e-3, "1e-06"),
        ("mlp_ratios", [4, 4, 4, 2], r"\[4, 4, 4, 4\]"),
        ("num_labels", 7, "5 classes"),
        ("id2label", {"0": "a"}, "5 classes"),
        ("id2label", {str(index + 1): "a" for index in range(5)}, "numbered from 0"),
        ("depths", 3, "4 positive whole numbers"),
        ("depths", [1, 1, True, 1], "4 positive whole numbers"),
        ("num_attention_heads", [1, 2, 3], "4 positive whole numbers"),
        ("decoder_hidden_size", "wide", "positive whole number"),
        ("architectures", ["UperNetForSemanticSegmentation"], "SegformerForSemantic"),
        ("quantization_config", {"bits": 8}, "None"),
        ("auto_map", {"AutoModel": "mine.Model"}, "None"),
        ("hidden_activation", "relu", r"not known here.*Did you mean .*'hidden_act'"),
        ("use_relative_position", True, "not known here"),
    ],
)
def test_a_stated_value_is_used_or_refused_by_name(folder, name, value, expected) -> None:
    write(folder / "config.json", CONFIG, **{name: value})
    with pytest.raises(SegmodelsError, match=rf"config\.json: .*'{name}'.*{expected}"):
        load_checkpoint(folder)


def test_sizes_that_the_tensors_contradict_are_refused(folder) -> None:
    for name, value in (("hidden_sizes", [16, 32, 48, 128]), ("depths", [1, 1, 1, 2])):
        write(folder / "config.json", CONFIG, **{name: value})
        with pytest.raises(SegmodelsError, match=r"does not fit .*Tensors: "):
            load_checkpoint(folder)


def test_heads_are_those_of_the_file(folder, tmp_path, mit) -> None:
    """No tensor shows them, neither in a SegFormer nor in a bare encoder."""
    write(folder / "config.json", CONFIG, num_attention_heads=[1, 1, 1, 1])
    assert load_checkpoint(folder).config["heads"] == [1, 1, 1, 1]
    bare = tmp_path / "mit"
    bare.mkdir()
    save_file(hugging_face_state(mit), bare / "model.safetensors")
    write(bare / "config.json", {"model_type": "segformer", "num_attention_heads": [1, 1, 5, 8]})
    assert load_checkpoint(bare).config["heads"] == [1, 1, 5, 8]
    with pytest.raises(SegmodelsError, match=r"\[1, 1, 5, 8\] attention heads.*\[1, 2, 5, 8\]"):
        load_backbone(create_model("segformer_b0", 5, depths=(1, 2, 1, 1)), bare)


def test_an_eps_that_is_no_original_is_not_called_so(folder) -> None:
    write(folder / "config.json", CONFIG, layer_norm_eps=1e-5)
    assert load_checkpoint(folder).config["norm_eps"] == 1e-5
    with pytest.raises(SegmodelsError, match=r"'layer_norm_eps'.*layer_norm_eps='original'"):
        load_checkpoint(folder, layer_norm_eps="original")


PIXELS: list[tuple[dict[str, Any], Preprocessing]] = [
    ({}, IMAGENET),
    ({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}, HALF),
    ({"image_mean": 0.5, "image_std": 0.5}, HALF),
    ({"image_mean": None, "image_std": None}, IMAGENET),
    ({"do_normalize": False}, Preprocessing("RGB", (0, 0, 0), (255, 255, 255))),
    ({"do_normalize": False, "do_rescale": False}, Preprocessing("RGB", (0, 0, 0), (1, 1, 1))),
    (
        {"do_rescale": False, "image_mean": [1, 2, 3], "image_std": [4, 5, 6]},
        Preprocessing("RGB", (1, 2, 3), (4, 5, 6)),
    ),
    (
        {"rescale_factor": 0.5, "image_mean": [1, 2, 3], "image_std": [4, 5, 6]},
        Preprocessing("RGB", (2, 4, 6), (8, 10, 12)),
    ),
    ({"image_mean": [-0.1, 0.0, 1e-1]}, Preprocessing("RGB", (-25.5, 0, 25.5), IMAGENET.std)),
    ({"do_resize": False, "size": 640, "do_center_crop": False}, IMAGENET),
]


@pytest.mark.parametrize(("changes", "expected"), PIXELS)
@pytest.mark.parametrize("file", ["preprocessor_config.json", "processor_config.json"])
def test_pixels_are_those_of_the_processor(folder, changes, expected, file) -> None:
    values = {**PROCESSOR, **changes}
    nested = {"image_processor": values, "processor_class": "Any"}
    write(folder / file, values if file.startswith("pre") else nested)
    assert load_checkpoint(folder).preprocessing == expected


def test_a_processor_without_a_name_must_say_everything(folder) -> None:
    path = folder / "preprocessor_config.json"
    write(path, {"do_rescale": True, "do_normalize": False})
    assert load_checkpoint(folder).preprocessing == PIXELS[4][1]
    for values in ({}, {"do_normalize": True}, {"image_mean": [0.5] * 3}):
        write(path, values)
        with pytest.raises(SegmodelsError, match=r"lacks the field 'image_(mean|std)'"):
            load_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image_processor_type", "MaskFormerImageProcessor", "known here are SegformerImage"),
        ("feature_extractor_type", "ViTFeatureExtractor", "known here are SegformerImage"),
        ("do_normalize", "yes", "true or false"),
        ("do_rescale", 1, "true or false"),
        ("rescale_factor", 0, "positive number"),
        ("rescale_factor", "1/255", "positive number"),
        ("image_mean", [0.5, 0.5], "3 numbers"),
        ("image_mean", [0.5, 0.5, "x"], "3 numbers"),
        ("image_std", [0.5, 0.5, 0.0], "positive numbers"),
        ("image_std", [0.5, 0.5, -0.5], "positive numbers"),
        ("do_flip_channel_order", True, "not done here"),
        ("do_center_crop", True, "not done here"),
        ("do_pad", True, "not done here"),
        ("do_normalise", False, r"not known here.*'do_normalize'"),
        ("offset", True, "not known here"),
    ],
)
def test_pixels_that_are_not_understood_are_refused(folder, name, value, message) -> None:
    write(folder / "preprocessor_config.json", PROCESSOR, **{name: value})
    with pytest.raises(SegmodelsError, match=rf"preprocessor_config\.json: .*'{name}'.*{message}"):
        load_checkpoint(folder)


def test_two_processors_must_agree(folder) -> None:
    write(folder / "preprocessor_config.json", PROCESSOR)
    write(folder / "processor_config.json", {"image_processor": PROCESSOR})
    assert load_checkpoint(folder).preprocessing == IMAGENET
    write(
        folder / "processor_config.json", {"image_processor": {**PROCESSOR, "do_normalize": False}}
    )
    with pytest.raises(SegmodelsError, match="describe different pixels"):
        load_checkpoint(folder)


def test_a_bare_encoder_has_pixels_too(tmp_path, mit) -> None:
    save_file(hugging_face_state(mit), tmp_path / "model.safetensors")
    write(tmp_path / "config.json", {"model_type": "segformer"})
    write(
        tmp_path / "preprocessor_config.json", PROCESSOR, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    assert load_checkpoint(tmp_path).preprocessing == HALF
    write(tmp_path / "config.json", {"model_type": "segformer", "hidden_act": "relu"})
    with pytest.raises(SegmodelsError, match="'hidden_act'"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["do_rescale", "do_normalize"])
def test_a_switch_that_is_null_is_no_default(folder, name) -> None:
    """Versions of `transformers` differ over what null means there."""
    write(folder / "preprocessor_config.json", PROCESSOR, **{name: None})
    with pytest.raises(SegmodelsError, match=rf"'{name}' must be true or false, got None"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "name", ["Preprocessor_Config.json", "preprocessor_config (1).json", "processor_config.JSON"]
)
def test_a_misnamed_processor_is_named(folder, name) -> None:
    write(folder / name, PROCESSOR)
    with pytest.raises(SegmodelsError, match=r"not read under this name; rename it to (pre)?proc"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["transformers.js_config", "gradient_checkpointing", "use_cache"])
def test_what_programs_add_to_a_config_changes_nothing(folder, name) -> None:
    write(folder / "config.json", CONFIG, **{name: True})
    assert load_checkpoint(folder).class_names == tuple("abcde")


def test_a_byte_order_mark_is_no_fault(folder) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8-sig")
    assert load_checkpoint(folder).class_names == tuple("abcde")


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"is empty \(0 bytes\), not the settings"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12\n",
            "is a pointer of Git LFS .*not the settings of 12 bytes",
        ),
        ("<?xml version='1.0'?><!DOCTYPE html><title>Log in</title>", "is a web page titled 'Log"),
        ('{"do_normalize": true, "do_normalize": false}', ".*'do_normalize' stands there twice"),
        ("do_normalize: true", "is not valid JSON"),
    ],
)
def test_what_lies_in_place_of_a_description_is_told(folder, file, text, message) -> None:
    (folder / file).write_text(text)
    with pytest.raises(SegmodelsError, match=rf"{file} {message}"):
        load_checkpoint(folder)


#: Networks of `transformers` whose folders look alike, and what their config.json says of itself.
OTHERS: dict[str, dict[str, Any]] = {
    "upernet": {
        "architectures": ["UperNetForSemanticSegmentation"],
        "auxiliary_channels": 256,
        "backbone_config": {"depths": [2, 2, 6, 2], "embed_dim": 96, "model_type": "swin"},
        "hidden_size": 512,
        "pool_scales": [1, 2, 3, 6],
        "use_auxiliary_head": True,
    },
    "mask2former": {
        "architectures": ["Mask2FormerForUniversalSegmentation"],
        "backbone_config": {"model_type": "swin", "window_size": 12},
        "mask_feature_size": 256,
        "num_queries": 100,
    },
    "maskformer": {"architectures": ["MaskFormerForInstanceSegmentation"], "fpn_feature_size": 256},
    "dpt": {
        "architectures": ["DPTForSemanticSegmentation"],
        "hidden_size": 1024,
        "neck_hidden_sizes": [256, 512, 1024, 1024],
        "readout_type": "project",
    },
    "beit": {
        "architectures": ["BeitForSemanticSegmentation"],
        "hidden_size": 768,
        "out_indices": [3, 5, 7, 11],
        "use_relative_position_bias": True,
    },
    "mobilevit": {"architectures": ["MobileViTForSemanticSegmentation"], "output_stride": 16},
    "vit": {"architectures": ["ViTForImageClassification"], "hidden_size": 768},
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_networks_of_transformers_are_refused_by_name(tmp_path, kind) -> None:
    write(tmp_path / "config.json", {"model_type": kind, "num_channels": 3}, **OTHERS[kind])
    write(tmp_path / "preprocessor_config.json", {**PROCESSOR, "image_processor_type": "Other"})
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(SegmodelsError, match=f"no checkpoint .*config.json describes '{kind}'"):
        load_checkpoint(tmp_path)
    with pytest.raises(SegmodelsError, match=f"config.json .*describes '{kind}'"):
        load_checkpoint(tmp_path / "model.safetensors")
