"""Write ``counts.json.xz``: what the evaluator counts on small networks (``counted_networks.py``).

Not run by the tests. Run it when labels or counts are meant to change, together with raising
``EVALUATOR``; it takes a few minutes on one core. With names of networks it counts these and
keeps the others as they are stored:

    PYTHONPATH=tests python tests/reference/make_counts.py [network ...]

Pixels are unsure whose label changes when the network's logits are disturbed by ``NOISE`` of their
deviation, in any of ``DRAWS`` draws. How much float32 really rounds is measured beside it, against
the same network in float64, and must be ``SAFETY`` times less.
"""

from __future__ import annotations

import copy
import json
import lzma
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from counted_networks import CLASSES, NETWORKS, PROTOCOLS, counts, network, protocol, scene
from reference_arrays import FOLDER
from torch import Tensor

from segmodels.evaluation.predict import predict_many
from segmodels.evaluation.views import image_views
from segmodels.models.base import SegModel
from segmodels.versions import EVALUATOR

STORED = FOLDER / "counts.json.xz"
NOISE, DRAWS, SAFETY = 1e-3, 24, 30

#: Share of an image's pixels that may be unsure.
MOST = 0.02


def lowres(model: SegModel) -> Tensor:
    """Logits (outputs, h, w) of the first image, fed whole."""
    ((view, _),) = image_views(model, scene("whole").image, protocol("whole"))
    with torch.inference_mode():
        return model.forward_lowres(view)[0]


def offsets(name: str) -> list[float]:
    """What makes every output win somewhere: minus its mean, to 1/64."""
    mean = lowres(network(name)).mean(dim=(1, 2))
    return [float(one) for one in np.round(-mean.numpy() * 64) / 64]


def sure(name: str) -> tuple[list[float], dict[str, list[int]]]:
    """Offsets, and the unsure pixels: other offsets where those leave too many unsure."""
    shift = offsets(name)
    apart = float(lowres(network(name, shift)).std()) / 16
    for more in range(16):
        moved = (one + more * output * apart for output, one in enumerate(shift))
        tried = [round(one * 64) / 64 for one in moved]
        found = unsure(name, tried)
        if all(len(places) < MOST * scene(kind).label.size for kind, places in found.items()):
            return tried, found
    raise SystemExit(f"{name}: too many pixels are unsure.")


def rounding(model: SegModel) -> float:
    """The largest difference of logits between float32 and float64."""
    ((view, _),) = image_views(model, scene("whole").image, protocol("whole"))
    with torch.inference_mode():
        single = type(model).forward_lowres(model, view)
        double = copy.deepcopy(model).double()
        exact = type(model).forward_lowres(double, view.double())
    return float((single - exact).abs().max())


def disturbed(model: SegModel, random: torch.Generator) -> Callable[[Tensor], Tensor]:
    """`forward_lowres` of a network, with noise."""
    whole, size = model.forward_lowres, NOISE * float(lowres(model).std())

    def forward(images: Tensor) -> Tensor:
        logits = whole(images)
        return logits + size * torch.randn(logits.shape, generator=random)

    return forward


def unsure(name: str, shift: list[float]) -> dict[str, list[int]]:
    """By kind of protocol, the pixels that a little noise gives another label."""
    plain, noisy = network(name, shift), network(name, shift)
    random = torch.Generator().manual_seed(0)
    noisy.forward_lowres = disturbed(plain, random)  # type: ignore[method-assign]
    found = {}
    for kind in PROTOCOLS:
        image, how = scene(kind).image, protocol(kind)
        (labels,) = (one.labels for one in predict_many(plain, [image], how))
        draws = [predict_many(noisy, [image], how)[0].labels for _ in range(DRAWS)]
        moved = torch.stack([one != labels for one in draws]).any(dim=0)
        found[kind] = torch.nonzero(moved.flatten()).flatten().tolist()
    return found


def counted(name: str) -> tuple[list[float], list[str]]:
    """Offsets of a network, and its cases as text."""
    shift, places_by_kind = sure(name)
    lines = []
    rounded = rounding(network(name)) / float(lowres(network(name, shift)).std())
    assert rounded * SAFETY < NOISE, f"{name}: float32 rounds by {rounded:.1e}"
    for kind, places in places_by_kind.items():
        found = counts(network(name, shift), kind, places)
        case = {"network": name, "protocol": kind, "unsure": places, "counts": found}
        lines.append(json.dumps(case))
        winners = np.reshape(found, (CLASSES, CLASSES)).sum(axis=0)
        print(name, kind, f"rounds {rounded:.0e}, {len(places)} unsure, wins {winners}")
    return shift, lines


def as_stored() -> dict[str, Any]:
    """The file as it is."""
    return dict(json.loads(lzma.decompress(STORED.read_bytes())))


def stored(name: str) -> tuple[list[float], list[str]]:
    """The same from the file as it is."""
    content = as_stored()
    cases = [json.dumps(case) for case in content["cases"] if case["network"] == name]
    return content["offsets"][name], cases


def main(asked: list[str]) -> None:
    """Write the file, one case a line."""
    torch.set_num_threads(1)
    kept = as_stored()["offsets"] if asked else ()
    found = {
        name: stored(name) if name in kept and name not in asked else counted(name)
        for name in NETWORKS
        if not asked or name in asked or name in kept
    }
    shifts = {name: shift for name, (shift, _) in found.items()}
    body = ",\n".join(line for _, lines in found.values() for line in lines)
    head = f'"evaluator": {EVALUATOR},\n"offsets": {json.dumps(shifts)}'
    text = f'{{{head},\n"cases": [\n{body}\n]}}\n'
    STORED.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(sys.argv[1:])
