"""Write ``edgenets.json``: logits of EdgeNets' own networks, which the tests compare with.

Not run by the tests. It needs the authors' code (github.com/sacmehta/EdgeNets at 2b232d3):

    PYTHONPATH=tests:path/to/EdgeNets python tests/reference/make_edgenets.py

Weights are drawn by the names that the tensors have there, and everything runs in double precision.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import torch
from model.segmentation.dicenet import DiCENetSegmentation
from model.segmentation.espnetv2 import ESPNetv2Segmentation
from reference_weights import images, sampled, tensor

#: By our name: the authors' class, the scale, the classes, and sizes of images.
CASES = {
    "espnetv2_s0_5": (ESPNetv2Segmentation, 0.5, 21, [(64, 64), (96, 160)]),
    "dicenet_s0_2": (DiCENetSegmentation, 0.2, 20, [(224, 224), (96, 256), (256, 480)]),
}


def main() -> None:
    """Write the file."""
    found = {}
    for name, (kind, scale, classes, sizes) in CASES.items():
        arguments = SimpleNamespace(s=scale, model_width=224, model_height=224)
        model = kind(arguments, classes=classes, dataset="pascal")
        shapes = {key: value.shape for key, value in model.state_dict().items()}
        model.load_state_dict({k: torch.from_numpy(tensor(k, s)) for k, s in shapes.items()})
        model.double().eval()
        logits = {}
        for height, width in sizes:
            drawn = torch.from_numpy(images((1, 3, height, width))).double()
            with torch.no_grad():
                values = sampled(model(drawn).numpy())
            logits[f"{height}x{width}"] = [float(f"{value:.6g}") for value in values[:40]]
        found[name] = {"classes": classes, "tensors": len(shapes), "logits": logits}
    text = json.dumps(found, indent=1).replace("\n    ", " ").replace("\n   ]", "]")
    Path(__file__).with_name("edgenets.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
