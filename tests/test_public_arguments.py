"""Public functions check their arguments: whatever comes in, the one that is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
import torch
from PIL import Image

import segmodels as sm
from segmodels.claims import load_claim, load_claims
from segmodels.evidence import read_evidence
from segmodels.metrics import mean_accuracy, pixel_accuracy
from segmodels.protocols import load_protocols
from segmodels.runs import load_run, load_suite

#: What people hand over by mistake, of every type there is.
ODD: dict[str, Any] = {
    "None": None,
    "text": "5",
    "long text": "x" * 5000,
    "null": "a\0b",
    "half a letter": "\ud800",
    "bytes": b"5",
    "float": 5.0,
    "nan": float("nan"),
    "infinity": float("inf"),
    "true": True,
    "negative": -1,
    "huge": 10**30,
    "complex": 1j,
    "list": [],
    "ragged": [[1], [1, 2]],
    "nested": [[1.5]],
    "dict": {"a": 1},
    "set": {1},
    "path": Path("nowhere/at/all"),
    "object": object(),
    "class": int,
    "slice": slice(None),
    "array of nothing": np.zeros((0, 0), np.uint8),
    "array of no dimension": np.array(3),
    "array of floats": np.full((4, 4), np.nan),
    "array of text": np.array(["a"]),
    "array of objects": np.array([None]),
    "grey": np.zeros((8, 8), np.uint8),
    "image without rows": np.zeros((0, 8, 3), np.uint8),
    "channels first": np.zeros((3, 8, 8), np.uint8),
    "16 bits": np.zeros((8, 8, 3), np.uint16),
    "negative counts": np.full((2, 2), -1),
    "unsigned counts": np.full((2, 2), 2**64 - 1, np.uint64),
    "Pillow": Image.new("RGB", (8, 8)),
    "palette": Image.new("P", (8, 8)),
    "tensor": torch.zeros(3, 8, 8),
    "tensor of no dimension": torch.tensor(3.5),
    "tensor of integers": torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
    "tensor with gradient": torch.zeros(2, 2, requires_grad=True),
    "meta tensor": torch.zeros(2, 2, dtype=torch.int64, device="meta"),
    "device": torch.device("cpu"),
    "type": torch.float32,
    "network": torch.nn.Linear(1, 1),
}


pytestmark = pytest.mark.fuzz

PIXELS = {"mean": [0, 0, 0], "std": [1, 1, 1], "range": 1, "channels": "RGB"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def own_small() -> Any:
    """A network that carries its preprocessing, and is quick."""
    return sm.own_model(torch.nn.Conv2d(3, 5, 1), num_classes=5, preprocessing=PIXELS)


def right(root: Path) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Public functions, each with arguments of which one at a time is exchanged."""
    model = sm.create_model("segformer_nano", 5).eval()
    plain = sm.load_protocol("plain")
    image = np.zeros((64, 64, 3), np.uint8)
    maps = np.zeros((4, 4), np.int64)
    views = [(torch.zeros(1, 3, 64, 64), None)]
    counts = {"counts": np.eye(3, dtype=np.int64)}
    corruption = {
        "name": "frost",
        "severity": 1,
        "seed": 0,
        "key": "",
        "variant": "imagecorruptions",
        "textures": None,
    }
    checkpoint = root.parent / "mirror"
    return {
        "predict": (sm.predict, {"model": model, "image": image, "protocol": plain}),
        "predict_views": (
            sm.predict_views,
            {"model": model, "views": views, "size": (64, 64), "protocol": plain},
        ),
        "network": (model, {"images": torch.zeros(1, 3, 64, 64)}),
        "forward_lowres": (model.forward_lowres, {"images": torch.zeros(1, 3, 64, 64)}),
        "evaluate": (
            sm.evaluate,
            {
                "model": model,
                "dataset": "shapes",
                "protocol": plain,
                "split": "val",
                "preprocessing": PIXELS,
                "device": "cpu",
                "limit": 1,
                "progress": False,
            },
        ),
        "score": (sm.score, {"evidence": None, "protocol": plain}),
        "load_dataset": (sm.load_dataset, {"dataset": "shapes", "split": "val"}),
        "own_model": (
            sm.own_model,
            {
                "network": torch.nn.Conv2d(3, 5, 1),
                "num_classes": 5,
                "preprocessing": PIXELS,
                "image_size": (64, 64),
                "weights": None,
                "overrides": None,
            },
        ),
        "write_evidence": (sm.write_evidence, {"folder": root / "new", "evidence": None}),
        "confusion_matrix": (
            sm.confusion_matrix,
            {"label": maps, "prediction": maps, "num_classes": 5, "ignore_index": 255},
        ),
        "mean_iou": (sm.mean_iou, counts),
        "pixel_accuracy": (pixel_accuracy, counts),
        "mean_accuracy": (mean_accuracy, counts),
        "corrupt": (sm.corrupt, {"image": image, **corruption}),
        "corrupt_tensor": (
            sm.corrupt_tensor,
            {"image": torch.zeros(8, 8, 3, dtype=torch.uint8), **corruption},
        ),
        "attack": (
            sm.attack,
            {
                "model": own_small(),
                "image": image,
                "label": np.zeros((64, 64), np.uint8),
                "protocol": plain,
                "name": "pgd",
                "epsilon": 1,
                "key": "",
                "step": 1,
                "steps": 1,
                "losses": ["cross_entropy"],
                "start": "random",
                "seed": 0,
            },
        ),
        "create_model": (
            sm.create_model,
            {
                "name": "segformer_nano",
                "num_classes": 5,
                "widths": (8, 8, 16, 16),
                "drop_path": 0.0,
            },
        ),
        "segmenter": (
            sm.create_model,
            {
                "name": "segmenter_vit_nano_patch8_mask",
                "num_classes": 5,
                "image_size": 64,
                "width": 96,
            },
        ),
        "list_models": (sm.list_models, {"pattern": "*"}),
        "load_checkpoint": (
            sm.load_checkpoint,
            {"path": checkpoint, "device": "cpu", "layer_norm_eps": "original"},
        ),
        "load_backbone": (sm.load_backbone, {"model": model, "path": checkpoint}),
        "save_checkpoint": (
            sm.save_checkpoint,
            {"model": model, "folder": root / "saved", "metadata": {}},
        ),
        "load_protocol": (sm.load_protocol, {"name": "plain", "path": None}),
        "load_protocols": (load_protocols, {"path": None}),
        "load_claims": (load_claims, {"folder": None}),
        "load_claim": (load_claim, {"claim_id": "none"}),
        "load_run": (load_run, {"name": "tiny"}),
        "load_suite": (load_suite, {"name": "quick"}),
        "read_evidence": (read_evidence, {"path": root / "none.json"}),
    }


PAIRS = [
    (function, argument)
    for function, arguments in {
        "predict": ("model", "image", "protocol"),
        "predict_views": ("model", "views", "size", "protocol"),
        "network": ("images",),
        "forward_lowres": ("images",),
        "evaluate": (
            *("model", "dataset", "protocol", "split"),
            *("preprocessing", "device", "limit", "progress"),
        ),
        "score": ("evidence",),
        "load_dataset": ("dataset", "split"),
        "own_model": (
            *("network", "num_classes", "preprocessing", "image_size", "weights", "overrides"),
        ),
        "write_evidence": ("evidence",),
        "confusion_matrix": ("label", "prediction", "num_classes", "ignore_index"),
        "mean_iou": ("counts",),
        "pixel_accuracy": ("counts",),
        "mean_accuracy": ("counts",),
        "corrupt": ("image", "name", "severity", "seed", "key", "variant", "textures"),
        "corrupt_tensor": ("image", "name", "severity", "seed", "key", "variant", "textures"),
        "attack": (
            *("model", "image", "label", "protocol", "name", "epsilon"),
            *("key", "step", "steps", "losses", "start", "seed"),
        ),
        "create_model": ("name", "num_classes", "widths", "drop_path"),
        "segmenter": ("name", "num_classes", "image_size", "width"),
        "list_models": ("pattern",),
        "load_checkpoint": ("path", "device", "layer_norm_eps"),
        "load_backbone": ("model", "path"),
        "save_checkpoint": ("model", "folder", "metadata"),
        "load_protocol": ("name", "path"),
        "load_protocols": ("path",),
        "load_claims": ("folder",),
        "load_claim": ("claim_id",),
        "load_run": ("name",),
        "load_suite": ("name",),
        "read_evidence": ("path",),
    }.items()
    for argument in arguments
]


@pytest.mark.parametrize(("function", "argument"), PAIRS)
def test_an_argument_of_any_type_works_or_is_named(
    root: Path, function: str, argument: str
) -> None:
    call, given = right(root)[function]
    lines: dict[str, str] = {}
    for what, value in ODD.items():
        try:
            call(**{**given, argument: value})
        except sm.SegmodelsError as error:
            lines[what] = str(error)
        except Exception as error:
            pytest.fail(f"{function}({argument}={what}): {type(error).__name__}: {error}")
    assert len(lines) > len(ODD) // 2
    assert not [what for what, line in lines.items() if "\n" in line or len(line) > 7000]
    for what in ("object", "class", "slice", "complex"):
        assert argument in lines[what], lines[what]


def test_a_run_is_no_way_to_other_files(root: Path) -> None:
    with pytest.raises(sm.SegmodelsError, match="Unknown run"):
        load_run("../protocols")


def test_images_of_pillow_and_views_of_arrays_are_images(root: Path) -> None:
    model = sm.create_model("segformer_nano", 5).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    plain = sm.load_protocol("plain")
    expected = sm.predict(model, pixels, plain)
    assert np.array_equal(sm.predict(model, Image.fromarray(pixels), plain), expected)  # type: ignore[arg-type]
    mirrored = pixels[:, ::-1].copy()[:, ::-1]  # of negative strides
    assert np.array_equal(sm.predict(model, mirrored, plain), expected)
    noise = sm.corrupt(pixels, "gaussian_noise", 2)
    assert np.array_equal(sm.corrupt(Image.fromarray(pixels), "gaussian_noise", 2), noise)  # type: ignore[arg-type]
    with pytest.raises(sm.SegmodelsError, match=r"image.convert\('RGB'\)"):
        sm.predict(model, Image.new("L", (64, 64)), plain)  # type: ignore[arg-type]


def test_a_mask_is_never_left_out_of_account(root: Path) -> None:
    maps = np.ma.masked_array(np.zeros((4, 4), np.uint8), mask=True)
    plain = np.zeros((4, 4), np.uint8)
    for pair in ((maps, plain), (plain, maps)):
        with pytest.raises(sm.SegmodelsError, match=r"without a mask.*filled\(255\)"):
            sm.confusion_matrix(*pair, 5)
    with pytest.raises(sm.SegmodelsError, match="without a mask"):
        sm.mean_iou(np.ma.masked_array(np.eye(3, dtype=int), mask=False))
    image = np.ma.masked_array(np.zeros((4, 4, 3), np.uint8), mask=True)
    with pytest.raises(sm.SegmodelsError, match=r"'image': .* no mask, found .*filled\(0\)"):
        sm.corrupt(image, "fog", 1)


def test_numbers_of_numpy_and_torch_are_numbers(root: Path) -> None:
    maps = np.zeros((4, 4), np.uint8)
    for five in (np.int64(5), np.array(5), torch.tensor(5)):
        assert sm.confusion_matrix(maps, maps, five).shape == (5, 5)  # type: ignore[arg-type]
    assert sm.mean_iou(torch.eye(3, dtype=torch.int64)) == 1.0  # type: ignore[arg-type]


IMAGES: dict[str, tuple[torch.Tensor, str]] = {
    "no image": (torch.zeros(0, 3, 64, 64), "at least one image"),
    "doubles": (torch.zeros(1, 3, 64, 64, dtype=torch.float64), "torch.float32, as the weights"),
    "halves": (torch.zeros(1, 3, 64, 64, dtype=torch.float16), "torch.float32, as the weights"),
    "elsewhere": (torch.zeros(1, 3, 64, 64, device="meta"), "a tensor on cpu"),
    "sparse": (torch.zeros(1, 3, 64, 64).to_sparse(), "a dense tensor"),
    "small": (torch.zeros(1, 3, 4, 4), "at least 13 pixels"),
    "four channels": (torch.zeros(1, 4, 64, 64), r"\(B, 3, H, W\)"),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_images_that_a_network_cannot_digest_are_refused(kind: str) -> None:
    images, expected = IMAGES[kind]
    model = sm.create_model("segformer_nano", 5).eval()
    for compute in (model, model.forward_lowres):
        with pytest.raises(sm.SegmodelsError, match=expected):
            compute(images)


def test_images_of_the_weights_type_and_autocast_are_digested() -> None:
    model = sm.create_model("segformer_nano", 5).eval().double()
    images = torch.zeros(1, 3, 64, 64)
    assert model.forward_lowres(images.double()).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert model.float().forward_lowres(images.bfloat16()).shape == (1, 5, 16, 16)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    net = torch.nn.Conv2d(3, 5, 1)
    with pytest.raises(sm.SegmodelsError, match=r"none.model\.json: No such file"):
        sm.own_model(net, num_classes=5, preprocessing=PIXELS, weights=tmp_path / "none")
