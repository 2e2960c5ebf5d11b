"""Write ``pixels.json``: what mmcv, mmsegmentation, Pillow and `transformers` make of pixels.

Not run by the tests. It needs mmcv 2.1 (mmcv-lite with an empty ``mmcv._ext`` will do),
mmsegmentation 1.2.2, transformers 5 and torchvision:

    PYTHONPATH=tests python tests/reference/make_pixels.py

What each of them makes of a small image is stored in full, as bytes of row-major arrays. mmcv
works on BGR, ours on RGB, so images are turned on the way.
"""

from __future__ import annotations

import base64
import json
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmseg.models import SegDataPreProcessor
from PIL import Image
from reference_weights import photograph
from transformers import SegformerImageProcessor, SegformerImageProcessorPil

FILE = Path(__file__).with_name("pixels.json")
SIZE = (19, 27)
#: Height and width to resize to: shrunk, enlarged, doubled, halved, one side only, tiny.
SIZES = [(14, 20), (28, 31), (38, 54), (9, 13), (19, 10), (1, 3)]
#: Sizes of images, mmcv's (long, short) to keep the ratio in, where rounding decides.
RESCALED = [((19, 27), (68, 17)), ((27, 19), (68, 17)), ((19, 27), (20, 19)), ((20, 30), (41, 13))]
STATISTICS = {
    "IMAGENET": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "IMAGENET_ROUNDED": ((123.68, 116.28, 103.53), (58.4, 57.12, 57.38)),
    "HALF": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
}
PACKAGES = (
    "mmcv-lite",
    "mmsegmentation",
    "opencv-python-headless",
    "pillow",
    "transformers",
    "torchvision",
)


def every_value() -> np.ndarray[Any, Any]:
    """All 256 values in all channels, (16, 16, 3)."""
    return np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


def packed(array: Any) -> dict[str, Any]:
    """An array as text."""
    given = np.ascontiguousarray(array)
    coded = base64.b64encode(zlib.compress(given.tobytes(), 9)).decode()
    return {"shape": given.shape, "dtype": str(given.dtype), "bytes": coded}


def turned(array: Any) -> Any:
    """RGB to BGR and back."""
    return np.ascontiguousarray(array[..., ::-1])


def normalized(image: Any, name: str) -> Any:
    """As mmsegmentation 0.x calls mmcv: statistics in float32, image in BGR."""
    mean, std = (np.array(numbers, dtype=np.float32) for numbers in STATISTICS[name])
    return mmcv.imnormalize(turned(image), mean, std, to_rgb=True)


def preprocessed(image: Any, name: str) -> Any:
    """As mmsegmentation 1.x does it, on tensors in BGR."""
    mean, std = STATISTICS[name]
    tensor = torch.from_numpy(turned(image).transpose(2, 0, 1).copy())
    processor = SegDataPreProcessor(mean, std, bgr_to_rgb=True)
    inputs = processor({"inputs": [tensor]}, training=False)["inputs"]
    return inputs[0].numpy().transpose(1, 2, 0)


def processed(processor: Any, image: Any) -> Any:
    """What a processor of `transformers` gives a network, (H, W, 3)."""
    return processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)


def reference() -> dict[str, Any]:
    """Everything that is compared."""
    image = photograph(*SIZE)
    fixed = {"size": {"height": 14, "width": 20}}
    return {
        "versions": {name: version(name) for name in PACKAGES},
        "mmcv.imresize": [packed(turned(mmcv.imresize(turned(image), s[::-1]))) for s in SIZES],
        "mmcv.imresize, float32": [
            packed(mmcv.imresize(image.astype(np.float32), s[::-1])) for s in SIZES[:2]
        ],
        "mmcv.imrescale": [
            {"size": size, "scale": scale, **packed(mmcv.imrescale(photograph(*size), scale))}
            for size, scale in RESCALED
        ],
        "mmcv.imresize_to_multiple": packed(
            mmcv.imresize_to_multiple(mmcv.imrescale(image, (68, 25)), 16, scale_factor=1)
        ),
        "mmcv.imnormalize": {n: packed(normalized(every_value(), n)) for n in STATISTICS},
        "mmseg.SegDataPreProcessor": {"IMAGENET": packed(preprocessed(every_value(), "IMAGENET"))},
        "mmcv.impad_to_multiple": packed(
            mmcv.impad_to_multiple(normalized(image, "IMAGENET"), 16, pad_val=0)
        ),
        "pillow": [
            packed(Image.fromarray(image).resize(s[::-1], Image.Resampling.BILINEAR)) for s in SIZES
        ],
        "transformers": {
            "fused": packed(processed(SegformerImageProcessor(do_resize=False), every_value())),
            "rescaled": packed(
                processed(SegformerImageProcessorPil(do_resize=False), every_value())
            ),
            "torchvision, resized": packed(processed(SegformerImageProcessor(**fixed), image)),
            "pillow, resized": packed(processed(SegformerImageProcessorPil(**fixed), image)),
        },
    }


if __name__ == "__main__":
    text = json.dumps(reference(), separators=(",", ":")).replace(',"', ',\n"')
    FILE.write_text(text + "\n")
    print(f"{FILE.name}: {len(text)} bytes")
