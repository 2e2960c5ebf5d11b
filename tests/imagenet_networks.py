"""Small ImageNet networks of timm and ours, and how their files are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from segmodels.checkpoints import load_checkpoint

CLASSES = 11
SIDE = 64


def randomised(model: nn.Module) -> nn.Module:
    """Every tensor away from its initial value, so that none can hide."""
    generator = torch.Generator().manual_seed(3)
    for value in model.state_dict().values():
        value.copy_(0.2 * torch.randn(value.shape, generator=generator) + value)
    return model.eval()


def of_timm(name: str, **arguments: Any) -> nn.Module:
    sizes = {"depth": 2, "img_size": SIDE, "num_classes": CLASSES, **arguments}
    model: nn.Module = timm.create_model(name, **sizes)
    return randomised(model)


def assert_same(path: Path, expected: nn.Module, pixels: Tensor) -> Any:
    """Logits of the file through load_checkpoint, and of the network it came from."""
    model = load_checkpoint(path)
    with torch.inference_mode():
        torch.testing.assert_close(model.classify(pixels), expected(pixels), rtol=0, atol=1e-5)
    assert not model.training
    count = sum(p.numel() for p in expected.parameters())
    assert sum(p.numel() for p in model.parameters()) == count
    return model


def jax_arrays(network: Any, heads: int, prefix: str = "") -> dict[str, np.ndarray]:
    """timm's ViT under the names and axes of Google's files."""
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    width = state["cls_token"].shape[-1]
    arrays = {
        "cls": state["cls_token"],
        "Transformer/posembed_input/pos_embedding": state["pos_embed"],
        "embedding/kernel": state["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": state["patch_embed.proj.bias"],
        "head/kernel": state["head.weight"].T,
        "head/bias": state["head.bias"],
        "Transformer/encoder_norm/scale": state["norm.weight"],
        "Transformer/encoder_norm/bias": state["norm.bias"],
    }
    for index in range(len(network.blocks)):
        ours, theirs = f"blocks.{index}", f"Transformer/encoderblock_{index}"
        attention = f"{theirs}/MultiHeadDotProductAttention_1"
        fused, bias = state[f"{ours}.attn.qkv.weight"], state[f"{ours}.attn.qkv.bias"]
        for part, weight, offset in zip(
            ("query", "key", "value"), np.split(fused, 3), np.split(bias, 3), strict=True
        ):
            arrays[f"{attention}/{part}/kernel"] = weight.T.reshape(width, heads, -1)
            arrays[f"{attention}/{part}/bias"] = offset.reshape(heads, -1)
        out = state[f"{ours}.attn.proj.weight"].T
        arrays[f"{attention}/out/kernel"] = out.reshape(heads, -1, width)
        arrays[f"{attention}/out/bias"] = state[f"{ours}.attn.proj.bias"]
        for number, dense in (("fc1", "Dense_0"), ("fc2", "Dense_1")):
            arrays[f"{theirs}/MlpBlock_3/{dense}/kernel"] = state[f"{ours}.mlp.{number}.weight"].T
            arrays[f"{theirs}/MlpBlock_3/{dense}/bias"] = state[f"{ours}.mlp.{number}.bias"]
        for number, norm in (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2")):
            arrays[f"{theirs}/{norm}/scale"] = state[f"{ours}.{number}.weight"]
            arrays[f"{theirs}/{norm}/bias"] = state[f"{ours}.{number}.bias"]
    return {prefix + name: array for name, array in arrays.items()}
