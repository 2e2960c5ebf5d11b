"""Write ``small_networks.json``: logits of authors' code for networks without released files here.

Not run by the tests. It needs the files that ``AUTHORS`` names, each as a module of that name
(DDRNet's SyncBatchNorm replaced by BatchNorm2d, BiSeNet's and CBT's helpers beside them):

    PYTHONPATH=tests:path/to/them python tests/reference/make_small_networks.py

Weights are drawn by the names that the tensors have here. Both networks look at an image, and
modules that hold tensors of the same shapes are paired in the order in which they are called.
Everything runs in double precision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reference_weights import images, sampled
from small_networks import CASES, CBT_NAME, GRID, NARROW, drawn, tokens
from torch import Tensor, nn

from segmodels.models import create_model

#: By our name: where the authors' code was read.
AUTHORS = {
    "enet_davidtvs": "github.com/davidtvs/PyTorch-ENet: models/enet.py as auth_enet",
    "dabnet": "github.com/Reagan1311/DABNet: model/DABNet.py as auth_dabnet",
    "ddrnet23_slim": "github.com/ydhongHIT/DDRNet: segmentation/DDRNet_23_slim.py as auth_ddrnet",
    "bisenet_resnet18": "github.com/ycszen/TorchSeg: model/bisenet/…R18/network.py as auth_bisenet",
    "gscnn": "github.com/nv-tlabs/GSCNN: network/gscnn.py as auth_gscnn, with the widths of "
    "trunk and shape stream divided by 8 and the edges left on the processor",
}
#: The same, of CBT's decoder alone.
CBT = "github.com/QishuaiWen/CBSA: segm of CBSA_semantic_segmentation"


def authors(name: str, classes: int) -> nn.Module:
    """The authors' network."""
    if name == "enet_davidtvs":
        from auth_enet import ENet

        return ENet(classes)
    if name == "dabnet":
        from auth_dabnet import DABNet

        return DABNet(classes)
    if name == "ddrnet23_slim":
        from auth_ddrnet import BasicBlock, DualResNet

        return DualResNet(
            BasicBlock, [2, 2, 2, 2], num_classes=classes, planes=32, spp_planes=128, head_planes=64
        )
    if name == "gscnn":
        from auth_gscnn import GSCNN

        return GSCNN(classes)
    from auth_bisenet import BiSeNet

    return BiSeNet(classes, False, None)


def called(network: nn.Module, image: Tensor) -> list[nn.Module]:
    """Modules that hold tensors of their own, in the order of their calls."""
    found: list[nn.Module] = []
    own = [m for m in network.modules() if list(m.parameters(recurse=False))]
    hooks = [m.register_forward_pre_hook(lambda m, _: found.append(m)) for m in own]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return found


def shape(module: nn.Module) -> Any:
    """What tells modules apart."""
    name = type(module).__name__.replace("GatedSpatial", "")  # a convolution, and a gate inside it
    return (
        name,
        getattr(module, "beside", False),
        [tuple(p.shape) for p in module.parameters(recurse=False)],
    )


def copied(ours: nn.Module, theirs: nn.Module, image: Tensor) -> None:
    """Give the authors' network our weights."""
    for name, module in (*ours.named_modules(), *theirs.named_modules()):
        module.beside = name.endswith(("shortcut", "proj_conv"))  # GSCNN's are called first
    waiting = called(ours, image)
    for module in called(theirs, image):
        place = next(i for i, one in enumerate(waiting) if shape(one) == shape(module))
        _, unknown = module.load_state_dict(waiting.pop(place).state_dict(), strict=False)
        assert not unknown, unknown
    assert not waiting, waiting


def logits(name: str, classes: int, sizes: list[tuple[int, int]]) -> dict[str, list[float]]:
    """Sampled values of the authors' output at each size."""
    ours: Callable[[Tensor], Tensor] = drawn(create_model(name, classes, **NARROW.get(name, {})))
    theirs = authors(name, classes).double().eval()
    first = torch.from_numpy(images((1, 3, *sizes[0]))).double()
    copied(ours, theirs, first)  # type: ignore[arg-type]
    found = {}
    for height, width in sizes:
        image = torch.from_numpy(images((1, 3, height, width))).double()
        with torch.no_grad():
            whole = theirs(image)
            whole = whole[0] if name == "gscnn" else whole
        found[f"{height}x{width}"] = [float(f"{one:.6g}") for one in sampled(whole.numpy())[:40]]
    return found


def decoded() -> list[float]:
    """Sampled scores of CBT's decoder for the tokens of a square grid; 150 classes are fixed."""
    from segm.model.decoder import MaskTransformer

    ours = drawn(create_model(CBT_NAME, 150))
    theirs = MaskTransformer(150, 16, 3, 3, ours.config["width"], 0.0)
    theirs.load_state_dict(ours.get_submodule("decoder").state_dict())
    with torch.no_grad():
        masks = theirs.double().eval()(tokens(ours.config["width"]), (16 * GRID, 16 * GRID))
    return [float(f"{one:.6g}") for one in sampled(masks.numpy())[:40]]


def main() -> None:
    """Write the file."""
    found: dict[str, Any] = {name: logits(name, *CASES[name]) for name in AUTHORS}
    found[CBT_NAME] = decoded()
    names = " ".join(authors("enet_davidtvs", 12).state_dict())
    found["names"] = hashlib.sha256(names.encode()).hexdigest()
    text = json.dumps(found).replace(', "', ',\n"')
    Path(__file__).with_name("small_networks.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
