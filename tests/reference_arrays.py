"""Small arrays as text, for reference files that git can hold."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent / "reference"


def pack(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON."""
    data = zlib.compress(np.ascontiguousarray(array).tobytes(), 9)
    text = base64.b64encode(data).decode()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "zlib": text}


def unpack(fields: dict[str, Any]) -> np.ndarray:
    """The array that `pack` wrote."""
    data = zlib.decompress(base64.b64decode(fields["zlib"]))
    return np.frombuffer(data, dtype=fields["dtype"]).reshape(fields["shape"])


def load(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The record of a reference file, and the arrays in it by name."""
    record = json.loads((FOLDER / name).read_text())
    return record, {name: unpack(fields) for name, fields in record.pop("arrays").items()}
