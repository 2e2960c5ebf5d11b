"""Write ``imagemagick.json``: motion blur and snow of the generator of ImageNet-C.

Not run by the tests. It needs that generator (github.com/hendrycks/robustness, 8190fe3:
ImageNet-C/imagenet_c/imagenet_c/corruptions.py) and what it blurs with, ImageMagick 6 and wand,
beside numpy 1, scipy, scikit-image, OpenCV 4 and Pillow:

    PYTHONPATH=tests python tests/reference/make_imagemagick.py path/to/corruptions.py

Stand-ins are needed for two modules that later versions dropped, none of which these two
corruptions use. Snow is of 224x224 pixels there and of no other size; a part of it is kept.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from imagemagick_images import CASES, PART, SEED, scene
from PIL import Image
from reference_arrays import FOLDER, pack


def generator(path: Path) -> Any:
    """The module at a path."""
    for name, attributes in (
        ("pkg_resources", {"resource_filename": None}),
        ("scipy.ndimage.interpolation", {"map_coordinates": None}),
    ):
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(attributes)
    spec = importlib.util.spec_from_file_location("generator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Corrupt, and write."""
    import cv2
    import scipy
    from wand.version import MAGICK_VERSION

    theirs, arrays = generator(Path(sys.argv[1])), {}
    for name, size in CASES:
        for severity in (1, 2, 3, 4, 5):
            np.random.seed(SEED)
            found = getattr(theirs, name)(Image.fromarray(scene(*size)), severity)
            kept = np.uint8(found)[PART] if name == "snow" else np.uint8(found)
            arrays[f"{name} {'x'.join(map(str, size))} {severity}"] = pack(kept)
    about = SimpleNamespace(numpy=np, opencv=cv2, scipy=scipy)
    versions = {name: module.__version__ for name, module in vars(about).items()}
    record = {
        "source": "github.com/hendrycks/robustness 8190fe3, imagenet_c/corruptions.py",
        "versions": {"imagemagick": MAGICK_VERSION, **versions},
        "arrays": arrays,
    }
    (FOLDER / "imagemagick.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
