"""Reference vectors of the official implementations, and small checkpoints to break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import yaml

from segmodels.checkpoints import save_checkpoint
from segmodels.models import create_model
from segmodels.models.base import SegModel


@pytest.fixture
def load_case(mirror: Path, reference: ModuleType) -> Callable[[str], dict[str, Any]]:
    """One reference case by name."""
    return lambda name: reference.load_case(mirror / "reference" / "cases" / f"{name}.json")


@pytest.fixture
def images() -> torch.Tensor:
    """Two normalised images of an awkward size."""
    return torch.randn(2, 3, 45, 70, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[SegModel, Path]:
    """A small model and the folder it was saved to in our own format."""
    torch.manual_seed(0)
    model = create_model("segformer_nano", num_classes=5).eval()
    model.class_names = ("a", "b", "c", "d", "e")
    save_checkpoint(model, tmp_path / "model", metadata={"seed": 0})
    return model, tmp_path / "model"


def variant_of(model: SegModel, **decoder: Any) -> dict[str, Any]:
    """The variant.yml that Segmenter's training would leave for a model."""
    config = model.config
    net = {
        "image_size": tuple(config["image_size"]),
        "patch_size": config["patch_size"],
        "d_model": config["width"],
        "n_heads": config["heads"],
        "n_layers": config["layers"],
        "normalization": "deit" if config["distilled"] else "vit",
        "distilled": config["distilled"],
        "dropout": 0.0,
        "drop_path_rate": 0.1,
        "n_cls": config["num_classes"],
        "decoder": decoder,
    }
    return {"net_kwargs": net, "dataset_kwargs": {"crop_size": config["image_size"][0]}}


def write_segmenter(model: SegModel, folder: Path, **decoder: Any) -> Path:
    """A training folder of Segmenter or DEPICT with the weights of our model."""
    folder.mkdir()
    snapshot = {"model": model.state_dict(), "optimizer": {"state": {}}, "epoch": 1}
    torch.save(snapshot, folder / "checkpoint.pth")
    (folder / "variant.yml").write_text(yaml.dump(variant_of(model, **decoder)))
    return folder


@pytest.fixture
def write_folder() -> Callable[..., Path]:
    """``write_segmenter`` for tests."""
    return write_segmenter


@pytest.fixture
def pixels() -> torch.Tensor:
    """Two normalised images for which the small ImageNet networks are made."""
    from imagenet_networks import SIDE  # here and below, because it imports timm

    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, SIDE, SIDE, generator=generator)


@pytest.fixture
def vit() -> torch.nn.Module:
    """timm's ViT-Tiny with two blocks."""
    from imagenet_networks import of_timm

    return of_timm("vit_tiny_patch16_224")


@pytest.fixture
def mit() -> SegModel:
    """Our MiT-B0, shallower in all stages but the second."""
    from imagenet_networks import CLASSES, randomised

    model = create_model("mit_b0", CLASSES, depths=(1, 2, 1, 1))
    randomised(model)
    return model
