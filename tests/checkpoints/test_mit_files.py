"""MiT encoders after ImageNet, as NVlabs and Hugging Face hold them."""

from __future__ import annotations

import json
import re

import pytest
import torch
from imagenet_networks import CLASSES
from safetensors.torch import save_file
from torch import Tensor, nn

from segmodels.checkpoints import load_backbone, load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import IMAGENET


def mit_state(model: nn.Module) -> dict[str, Tensor]:
    return {key.removeprefix("backbone."): value for key, value in model.state_dict().items()}


def test_mit_as_nvlabs_released_it(tmp_path, mit, pixels) -> None:
    state = mit_state(mit)
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save(state, tmp_path / "mit_b0.pth")
    torch.save(wrapped, tmp_path / "parallel.pth")
    torch.save({"state_dict": state}, tmp_path / "wrapped.pth")
    for path in tmp_path.iterdir():
        model = load_checkpoint(path)
        assert model.config == mit.config
        assert model.preprocessing == IMAGENET
        with torch.inference_mode():
            assert torch.equal(model.classify(pixels), mit.classify(pixels))


@torch.no_grad()
def test_mit_classifies_as_published(mit, pixels) -> None:
    """Mean over the last map first, then the head."""
    last = mit.backbone(pixels)[-1]
    expected = mit.head(last.mean((2, 3)))
    torch.testing.assert_close(mit.classify(pixels), expected, rtol=0, atol=1e-5)
    dense = mit.forward_lowres(pixels)
    assert dense.shape == (2, CLASSES, 2, 2)
    torch.testing.assert_close(dense[..., 1, 0], mit.head(last[..., 1, 0]), rtol=0, atol=1e-5)
    with pytest.raises(SegmodelsError, match="at least 29 pixels"):
        mit.classify(pixels[..., :20, :20])


def test_a_mit_of_the_reference_vectors(reference, load_case, tmp_path) -> None:
    case = load_case("segformer_b0_ade150")
    path = reference.save_mit_backbone(case, tmp_path / "mit_b0.pth")
    model = load_checkpoint(path)
    assert (model.config["name"], model.num_classes) == ("mit_b0", 1000)
    assert sum(p.numel() for p in model.parameters()) == 3_319_392 + 257_000
    file = torch.load(path, weights_only=True)
    ours = mit_state(model)
    assert ours.keys() == file.keys()
    assert all(torch.equal(ours[key], value) for key, value in file.items())


HUGGING_FACE = (
    (r"backbone\.patch_embed(\d)\.norm", r"segformer.encoder.patch_embeddings.\1.layer_norm"),
    (r"backbone\.patch_embed(\d)", r"segformer.encoder.patch_embeddings.\1"),
    (r"backbone\.block(\d)", r"segformer.encoder.block.\1"),
    (r"backbone\.norm(\d)", r"segformer.encoder.layer_norm.\1"),
    (r"\.norm(\d)", r".layer_norm_\1"),
    (r"\.attn\.norm", ".attention.self.layer_norm"),
    (r"\.attn\.q", ".attention.self.query"),
    (r"\.attn\.sr", ".attention.self.sr"),
    (r"\.attn\.proj", ".attention.output.dense"),
    (r"\.mlp\.fc", ".mlp.dense"),
    (r"^head", "classifier"),
)
STAGE = r"(embeddings|block|layer_norm)\.(\d)"


def hugging_face_state(model: nn.Module) -> dict[str, Tensor]:
    """A MiT under Hugging Face's names: stages from 0, key and value apart."""
    state = {}
    for key, value in model.state_dict().items():
        name = key
        for ours, theirs in HUGGING_FACE:
            name = re.sub(ours, theirs, name)
        name = re.sub(
            r"(embeddings|block|layer_norm)\.(\d)",
            lambda m: f"{m[1]}.{int(m[2]) - 1}",
            name,
            count=1,
        )
        halves = value.chunk(2) if ".attn.kv." in name else (value,)
        for half, word in zip(halves, ("key", "value"), strict=False):
            state[name.replace(".attn.kv.", f".attention.self.{word}.")] = half.clone()
    return state


def test_a_mit_as_hugging_face_holds_it(tmp_path, mit, pixels) -> None:
    labels = {str(index): f"class {index}" for index in range(CLASSES)}
    config = {"model_type": "segformer", "id2label": labels}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(hugging_face_state(mit), tmp_path / "model.safetensors")
    model = load_checkpoint(tmp_path, layer_norm_eps="original")
    assert model.config == mit.config
    assert model.class_names == tuple(labels.values())
    with torch.inference_mode():
        assert torch.equal(model.classify(pixels), mit.classify(pixels))
    assert load_checkpoint(tmp_path).config["norm_eps"] == 1e-5
    encoder = create_model("segformer_b0", 5, depths=(1, 2, 1, 1))
    assert load_backbone(encoder, tmp_path).unused == ("head.bias", "head.weight")
