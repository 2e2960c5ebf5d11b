"""Write ``tta_mmseg.json``: test-time augmentation as ``--tta`` of mmsegmentation 1.2.2 does it.

Not run by the tests. It needs what ``make_mmseg.py`` needs:

    PYTHONPATH=tests python tests/reference/make_tta.py

Sizes: what mmcv resizes images of many sizes to by a factor. Probabilities: those of a small
network of that script, over the transforms of the published config, merged by `SegTTAModel`.
"""

from __future__ import annotations

import json
from typing import Any

import mmcv
import mmseg
import numpy as np
import torch
from make_mmseg import CASES, CONFIGS, FOLDER, build
from mmcv.transforms import Compose, Resize
from mmengine.config import Config
from mmseg.models.segmentors.seg_tta import SegTTAModel
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.utils import register_all_modules
from reference_weights import photograph, sampled

NETWORK = "fcn_mobilenetv2"
SIZE = (50, 67)
FACTORS = (0.5, 0.75, 1.25, 1.5, 1.75)


def sizes() -> list[list[float]]:
    """Height, width, factor, and the height and width that mmcv makes of them."""
    draw, found = np.random.default_rng(0), []
    for _ in range(60):
        height, width = (int(side) for side in draw.integers(20, 200, 2))
        factor = FACTORS[int(draw.integers(len(FACTORS)))]
        image = np.zeros((height, width, 3), dtype=np.uint8)
        resized = Resize(scale_factor=factor, keep_ratio=True)({"img": image})["img"]
        found.append([height, width, factor, *resized.shape[:2]])
    return found


def probabilities() -> np.ndarray[Any, Any]:
    """Averaged probabilities (1, classes, H, W)."""
    path, overrides, _ = CASES[NETWORK]
    model, config = build(path, overrides)
    model.data_preprocessor = MODELS.build(config.model.data_preprocessor)
    views = _views()
    with torch.no_grad():
        samples = []
        for inputs, sample in zip(views["inputs"], views["data_samples"], strict=True):
            # The network's tests feed it double precision; the preprocessor gives single.
            data = model.data_preprocessor({"inputs": [inputs], "data_samples": [sample]}, False)
            metas = [one.metainfo for one in data["data_samples"]]
            logits = model.encode_decode(data["inputs"].double(), metas)
            samples.append(model.postprocess_result(logits, data["data_samples"])[0])
    kept = torch.stack([one.seg_logits.data.softmax(dim=0) for one in samples]).mean(dim=0)
    merged = SegTTAModel.merge_preds(_Merging(model), [samples])[0]
    found = merged.pred_sem_seg.data[0]
    assert torch.equal(found, kept.argmax(dim=0)), "this is not what it merges"
    return kept[None].numpy()


class _Merging:
    """What `merge_preds` looks at."""

    def __init__(self, module: Any) -> None:
        self.module = module


def _views() -> dict[str, Any]:
    base = Config.fromfile(CONFIGS / "_base_" / "datasets" / "ade20k.py")
    augment = base.tta_pipeline[1]
    augment["transforms"][2] = [{"type": "PackSegInputs"}]  # without annotations
    del augment["transforms"][3]
    image = np.ascontiguousarray(photograph(*SIZE)[:, :, ::-1])  # mmcv reads BGR
    first = {"img": image, "img_shape": SIZE, "ori_shape": SIZE, "img_path": ""}
    found: dict[str, Any] = Compose([TRANSFORMS.build(augment)])(first)
    return found


def main() -> None:
    """Write the file."""
    values = probabilities()
    assert values.std(axis=(2, 3)).mean() > 0.01, "the result hardly depends on the image"
    case = {
        "versions": {"mmsegmentation": mmseg.__version__, "mmcv": mmcv.__version__},
        "network": NETWORK,
        "size": SIZE,
        "sizes": sizes(),
        "probabilities": [float(f"{v:.9g}") for v in sampled(values)],
    }
    text = json.dumps(case, separators=(",", ":")).replace("],[", "],\n[")
    (FOLDER / "tta_mmseg.json").write_text(text + "\n")
    print(f"{len(text)} bytes")


if __name__ == "__main__":
    register_all_modules()
    main()
