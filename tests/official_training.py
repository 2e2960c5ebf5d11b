"""The first steps of official training codes, taken by our own step from the same weights.

Nothing here trains: the network is filled by our loaders, the recipe is a file of `params/recipes`
shortened to the steps of the stored run, and each step is that of every training.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import yaml
from torch import Tensor

from segmodels.checkpoints import load_checkpoint
from segmodels.checkpoints.mmseg import auxiliary_as_list, network_of
from segmodels.checkpoints.mmseg_backbones import resnet, swin, vit
from segmodels.checkpoints.mmseg_config import Described
from segmodels.checkpoints.mmseg_file import File
from segmodels.models import class_of
from segmodels.training.job import Job
from segmodels.training.loss import Loss
from segmodels.training.network import first_network
from segmodels.training.optimizer import FACTOR, build_optimizer, set_learning_rates
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe
from segmodels.training.step import Step

RECIPES = Path(__file__).resolve().parent.parent / "params" / "recipes"

#: Recipes by the beginning of a case's name; the first that fits counts.
NAMES = {
    "segmenter": "segmenter-tiny-ade20k",
    "depict": "depict-tiny-ade20k",
    "segformer": "segformer-b0-ade20k",
    "upernet": "upernet-swin-tiny-ade20k",
    "setr_naive": "setr-naive-ade20k",
    "setr_mla": "setr-mla-ade20k",
    "setr": "setr-pup-ade20k",
    "pspnet": "resnet50-cityscapes-40k",
    "fcn": "resnet50-cityscapes-40k",
    "deeplabv3plus": "resnet50-cityscapes-40k",
}

#: Networks whose lists of parameters are stored, likewise.
NETWORKS = {
    "segmenter_t16_linear": "segmenter_vit_tiny_patch16_linear",
    "segmenter_t16": "segmenter_vit_tiny_patch16_mask",
    "segmenter_deit": "segmenter_deit_tiny_distilled_patch16_mask",
    "depict_sa": "depict_sa_vit_tiny_patch16",
    "depict_ca": "depict_ca_vit_tiny_patch16",
    "segformer_b0_mmseg": None,  # another head, which is no network here
    "segformer_b0": "segformer_b0",
    "upernet_swin_t": "upernet_swin_tiny",
    "setr_naive": "setr_naive",
    "setr_pup": "setr_pup",
    "setr_mla": "setr_mla",
    "pspnet_r50": "pspnet_resnet50",
    "fcn_r50": "fcn_resnet50",
    "deeplabv3plus_r50": "deeplabv3plus_resnet50",
}

#: What renames tensors of mmsegmentation, by a name that is in one backbone alone.
RENAMED = {
    "backbone.cls_token": vit.renamed,
    "backbone.patch_embed.projection.weight": swin.renamed,
    "backbone.stem.0.weight": resnet.renamed,
}

#: Tensors of official networks that ours lack because nothing ever reads or moves them.
INERT = ("decode_head.conv_seg.weight", "decode_head.conv_seg.bias")

Tensors = dict[str, Tensor]


def recipe_name(case: str) -> str:
    """The recipe of ours that a stored run or list was made by."""
    return next(ours for begin, ours in NAMES.items() if case.startswith(begin))


def network_name(case: str) -> str | None:
    """Our network of a stored list of parameters, if it is one of ours."""
    return next((ours for begin, ours in NETWORKS.items() if case.startswith(begin)), None)


def official_keys(names: Iterable[str]) -> dict[str, str]:
    """Official names of parameters by ours."""
    listed = list(names)
    marks = [rename for mark, rename in RENAMED.items() if mark in listed]
    numbered = {name: torch.full((4,), index) for index, name in enumerate(listed)}
    ours = marks[0](auxiliary_as_list(numbered)) if marks else numbered
    return {name: listed[int(tensor[0])] for name, tensor in ours.items()}


class Names:
    """Where the values of our tensors stand in the official ones.

    A tensor may be split, joined, transposed or reordered on its way to us, so numbers that count
    all official values are sent through the same loader as the weights.
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], meta: dict[str, Any]) -> None:
        self.shapes, self.first, counted, self.total = shapes, {}, {}, 0
        for key, shape in shapes.items():
            size = torch.Size(shape).numel()
            self.first[key] = self.total
            # From 1: the zeros that a loader may add are then none of these.
            counted[key] = torch.arange(self.total + 1, self.total + size + 1).reshape(shape)
            self.total += size
        self.places = _renamed(counted, meta)

    def official(self, ours: Tensors) -> Tensors:
        """Our tensors under official names and in official shapes; those that are there whole."""
        flat = torch.full((self.total,), torch.nan, dtype=torch.float64)
        for name, tensor in ours.items():
            if name in self.places:
                places = self.places[name].flatten()
                flat[places[places > 0] - 1] = tensor.detach().double().flatten()[places > 0]
        found = {key: self._cut(flat, key) for key in self.shapes}
        return {key: tensor for key, tensor in found.items() if not tensor.isnan().any()}

    def _cut(self, flat: Tensor, key: str) -> Tensor:
        start, shape = self.first[key], self.shapes[key]
        return flat[start : start + torch.Size(shape).numel()].reshape(shape)


def _renamed(tensors: Tensors, meta: dict[str, Any]) -> Tensors:
    if "backbone.patch_embed1.proj.weight" in tensors or "encoder.pos_embed" in tensors:
        return tensors  # these networks have the official names here
    path, listed = Path("counted"), auxiliary_as_list(tensors)
    _, ours = network_of(path, listed).read(File(path, listed, Described(path, meta)))
    return ours


class OfficialRun:
    """Ours, from the start weights of one stored run of official code.

    Args:
        reference: `training.py` of the vectors.
        case: what it loaded.
        folder: for the checkpoint file.
        precision: `single` or `double`.
    """

    def __init__(self, reference: Any, case: dict[str, Any], folder: Path, precision: str) -> None:
        self.reference, self.case = reference, case
        self.start: Tensors = reference.build_state_dict(case)
        shapes = {key: tuple(tensor.shape) for key, tensor in self.start.items()}
        self.names = Names(shapes, case.get("meta", {}))
        loaded = load_checkpoint(_checkpoint(case, self.start, folder))
        self.job = _job(case, loaded.config)
        self.model = first_network(self.job)
        self.model.load_state_dict(loaded.state_dict())
        self.dtype = torch.float64 if precision == "double" else torch.float32
        self.model.to(self.dtype)
        self.optimizer = build_optimizer(self.model, self.job.recipe)

    def report(self) -> dict[str, Any]:
        """What `compare` of the reference module takes."""
        weight = torch.ones(self.model.num_classes)
        loss = Loss(weight, self.job.recipe.loss_mean)
        step = Step(self.model, self.optimizer, loss, self.job.recipe)
        terms, rates, first = [], [], {}
        for number in range(self.case["steps"]):
            images, labels = self.reference.build_batch(self.case, number)
            set_learning_rates(self.optimizer, self.job.schedule, number)
            terms.append(step(images.to(self.dtype), labels).losses.tolist())
            rates.append(self._rates())
            if number == 0:
                first = {n: p.grad.clone() for n, p in self._parameters() if p.grad is not None}
        moved = self.names.official(dict(self.model.state_dict()))
        return {
            "losses": [sum(values) for values in terms],
            "lrs": rates,
            "loss_terms": {
                "decode": [values[0] for values in terms],
                "aux": [sum(values[1:]) for values in terms],
            },
            "state_dict": {**{k: self.start[k] for k in INERT if k in self.start}, **moved},
            "buffers": self._buffers(),
            "grad0": self.names.official(first),
        }

    def _parameters(self) -> list[tuple[str, torch.nn.Parameter]]:
        return list(self.model.named_parameters())

    def _rates(self) -> dict[str, float]:
        groups = self.optimizer.param_groups
        return {f"{group[FACTOR]:g}": group["lr"] for group in groups}

    def _buffers(self) -> dict[str, Tensors]:
        found: dict[str, Tensors] = {}
        for name, parameter in self._parameters():
            for kind, value in self.optimizer.state[parameter].items():
                if kind in self.case["buffer_kinds"]:
                    found.setdefault(kind, {})[name] = value
        return {kind: self.names.official(ours) for kind, ours in found.items()}


def _checkpoint(case: dict[str, Any], tensors: Tensors, folder: Path) -> Path:
    """The start weights as the official code would have saved them."""
    if "encoder.pos_embed" not in tensors:
        torch.save({"state_dict": tensors, "meta": case.get("meta", {})}, folder / "start.pth")
        return folder / "start.pth"
    torch.save({"model": tensors}, folder / "checkpoint.pth")
    (folder / "variant.yml").write_text(yaml.safe_dump({"net_kwargs": _variant(case, tensors)}))
    return folder


def _variant(case: dict[str, Any], tensors: Tensors) -> dict[str, Any]:
    width, _, patch, _ = tensors["encoder.patch_embed.proj.weight"].shape
    decoder: dict[str, Any] = {"name": case["recipe"]["decoder"]}
    if "decoder.mask_norm.weight" in tensors:
        is_depict = "decoder.proj_dec.weight" not in tensors
        decoder["n_heads"] = 3 if is_depict else width // 64
    return {
        "image_size": case["recipe"]["image_size"],
        "patch_size": patch,
        "d_model": width,
        "n_heads": width // 64,
        "normalization": "deit" if "encoder.dist_token" in tensors else "vit",
        "decoder": decoder,
    }


class _Images:
    """All that a step asks of a data set."""

    def __init__(self, classes: int) -> None:
        self.class_names = tuple(map(str, range(classes)))

    def __len__(self) -> int:
        return 1


def _job(case: dict[str, Any], config: dict[str, Any]) -> Job:
    decided = ("name", "num_classes", "image_size", *class_of(config["name"]).Config.RATES.values())
    crop = config.get("image_size", case["batches"]["shape"][-2:])
    return Job(
        run=case["case"],
        model=config["name"],
        recipe=recipe_of(case, config).replace(crop=tuple(crop)),
        seed=0,
        train=_Images(case["n_cls"]),  # type: ignore[arg-type]
        val=SimpleNamespace(),  # type: ignore[arg-type]
        fingerprint="",
        pixels={},
        overrides={name: value for name, value in config.items() if name not in decided},
    )


def recipe_of(case: dict[str, Any], config: dict[str, Any]) -> Recipe:
    """The recipe of our files, with the few steps of the case and without dropout."""
    own, rates = case["recipe"], class_of(config["name"]).Config.RATES
    given = load_recipe(recipe_name(case["case"]), RECIPES)
    fields = {name: getattr(given, name) for name in given.model_fields_set}
    lr = own.get("lr") or own["optimizer_config"]["optimizer"]["lr"]
    fields |= {"steps": _steps(own), "epochs": None, "initial": None, "lr": lr}
    fields |= {"warmup": _warmup(own), **dict.fromkeys(rates, 0)}
    if config.get("auxiliary") is False:
        fields.pop("auxiliary_weight", None)
    if not fields["warmup"]:
        fields = {name: value for name, value in fields.items() if not name.startswith("warmup")}
    return Recipe(**fields)


def _steps(own: dict[str, Any]) -> int:
    ends = [piece["end"] for piece in own.get("param_scheduler", ())]
    steps: int = own.get("iter_max") or own.get("max_iters") or max(ends)
    return steps


def _warmup(own: dict[str, Any]) -> int:
    pieces = own.get("param_scheduler", ())
    ends = [piece["end"] for piece in pieces if piece["type"] == "LinearLR"]
    warmup: int = own.get("warmup_iters") or sum(ends)
    return warmup
