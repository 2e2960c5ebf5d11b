"""How weights and inputs of the stored references come about; numpy alone, from names and seeds.

Both sides use it: the script that ran the other implementation, and the tests that rebuild its
checkpoint files. Every tensor is drawn from the CRC of its name, so order does not matter.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SAMPLES = 100


def tensor(name: str, shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """One tensor of a state dict: float32, or int64 zeros for counters and indices.

    Layers keep the scale of what passes through, norms do something, variances are positive.
    """
    if is_counter(name):
        return np.zeros(shape, dtype=np.int64)
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    last = name.rpartition(".")[2]
    if last == "running_var":
        values = 1 + 0.3 * np.abs(z)
    elif last.endswith(("pos_embed", "token", "cls_emb", "bias_table")):
        values = 0.3 * z
    elif name.endswith("gamma.scale"):  # a factor that starts at 0
        values = 0.5 + 0.1 * z
    elif len(shape) > 1:
        values = z * (2 / np.prod(shape[1:])) ** 0.5
    else:
        values = 0.1 * z + (last == "weight")
    return np.asarray(values, dtype=np.float32)


def is_counter(name: str) -> bool:
    """Whether a tensor holds no weights but is computed or counted."""
    return name.endswith(("num_batches_tracked", "relative_position_index"))


def images(shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Normalised images (B, 3, H, W), float32."""
    noise = np.random.default_rng(list(shape)).standard_normal(tuple(shape))
    return noise.astype(np.float32)


def photograph(height: int, width: int) -> np.ndarray[Any, Any]:
    """Waves under noise, uint8 (height, width, 3): neighbours are alike, every rounding occurs."""
    rows, columns, channels = np.mgrid[:height, :width, :3]
    waves = 90 * np.sin(rows / 5 + channels) * np.cos(columns / 7 - channels) + 128
    noise = np.random.default_rng(0).normal(0, 25, waves.shape)
    return (waves + noise).clip(0, 255).astype(np.uint8)


def sampled(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The stored positions of an output (B, classes, H, W), drawn from its shape."""
    picks = np.random.default_rng(list(logits.shape)).integers(0, logits.size, SAMPLES)
    values: np.ndarray[Any, Any] = logits.reshape(-1)[picks]
    return values


def state_dict(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray[Any, Any]]:
    """All tensors of a case."""
    return {name: tensor(name, shape) for name, shape in shapes.items()}
