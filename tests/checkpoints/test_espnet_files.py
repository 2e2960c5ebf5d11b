"""The released ESPNet files, both decoders."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from camvid_street import share_right
from PIL import Image

from segmodels.checkpoints import load_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.preprocessing import ESPNET_CAMVID, ESPNET_CITYSCAPES

FILES = {
    "espnet_p_2_q_8_camvid.pth": ("espnet_p2_q8", 12, 354_517, "b1"),
    "espnet_p_2_q_3.pth": ("espnet_p2_q3", 20, 202_649, "stem"),
    "espnet_p_2_q_5.pth": ("espnet_p2_q5", 20, 267_417, "stem"),
    "espnet_p_2_q_8.pth": ("espnet_p2_q8", 20, 364_569, "stem"),
}


@pytest.mark.parametrize("file", FILES)
def test_released_files_load_strictly(mirror, file) -> None:
    model = load_checkpoint(mirror / "checkpoints" / "espnet" / file)
    name, classes, parameters, skip = FILES[file]
    assert (model.config["name"], model.num_classes) == (name, classes)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model.config["skip"] == skip
    assert not model.training
    assert model.preprocessing == (ESPNET_CAMVID if skip == "b1" else ESPNET_CITYSCAPES)
    assert model.class_names is not None
    assert (len(model.class_names), model.class_names[0].lower()) in ((12, "sky"), (20, "road"))


def test_camvid_weights_see_the_street(mirror) -> None:
    """Three test images: wrong channels, scaling or decoder would fall far below."""
    model = load_checkpoint(mirror / "checkpoints" / "espnet" / "espnet_p_2_q_8_camvid.pth")
    assert model.preprocessing is not None
    assert model.class_names is not None
    assert model.class_names[0] == "Sky"
    assert share_right(mirror, model, model.preprocessing) > 0.85


def test_cityscapes_weights_see_the_street(mirror) -> None:
    """One small image of Frankfurt; with CamVid's statistics it would be 74 %, in RGB 1 %."""
    model = load_checkpoint(mirror / "checkpoints" / "espnet" / "espnet_p_2_q_8.pth")
    folder = mirror / "datasets" / "samples" / "cityscapes"
    name = "val/frankfurt/frankfurt_000000_000294"
    picture = Image.open(folder / "leftImg8bit" / f"{name}_leftImg8bit.png").convert("RGB")
    label = np.asarray(Image.open(folder / "gtFine" / f"{name}_gtFine_labelTrainIds.png"))
    assert model.preprocessing is not None
    image = cv2.resize(np.asarray(picture), (1024, 512))
    pixels = torch.from_numpy(model.preprocessing.apply(image)).permute(2, 0, 1)
    with torch.inference_mode():
        predicted = model(pixels[None])[0].argmax(0).numpy().astype(np.uint8)
    rows, columns = label.shape
    predicted = cv2.resize(predicted, (columns, rows), interpolation=cv2.INTER_NEAREST)
    assert (predicted == label)[label != 255].mean() > 0.85


def test_a_data_parallel_prefix_is_dropped(tmp_path) -> None:
    torch.manual_seed(0)
    model = create_model("espnet_p2_q3", num_classes=6, p=1, q=1).eval()
    wrapped = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save(wrapped, tmp_path / "wrapped.pth")
    loaded = load_checkpoint(tmp_path / "wrapped.pth")
    images = torch.randn(1, 3, 24, 40)
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))


def test_a_third_decoder_is_refused(tmp_path) -> None:
    state = create_model("espnet_p2_q3", num_classes=6).state_dict()
    state["conv.conv.weight"] = torch.zeros(6, 40, 3, 3)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(SegmodelsError, match=r"reads 40 channels.*22 or 25"):
        load_checkpoint(tmp_path / "odd.pth")
