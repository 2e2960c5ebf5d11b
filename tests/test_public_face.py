"""The names that tests, notebooks and other people rely on, each with its shapes and types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_project
import torch

import segmodels as sm


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def test_import_is_light() -> None:
    code = "import sys, segmodels as sm; dir(sm); sm.__version__; sm.list_models('segformer*')"
    check = "assert not {'torch', 'numpy', 'yaml', 'cv2', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)


def test_names() -> None:
    assert dir(sm) == sorted(sm.__all__)
    for name in sm.__all__:
        assert getattr(sm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'predcit'"):
        sm.predcit  # noqa: B018
    assert sm.__version__


def test_list_models() -> None:
    assert sm.list_models() == sorted(sm.list_models())
    assert sm.list_models("segformer_b?") == [f"segformer_b{n}" for n in range(6)]
    known = sm.list_models()
    for name in (
        "segmenter_vit_tiny_patch16_mask",
        "segmenter_vit_large_patch16_linear",
        "segmenter_deit_tiny_distilled_patch16_mask",
        "depict_sa_vit_large_patch16",
        "depict_ca_vit_small_patch16",
        "unet",
        "espnet_p2_q8",
    ):
        assert name in known


def test_create_model() -> None:
    model = sm.create_model("segmenter_vit_tiny_patch16_mask", num_classes=150, image_size=512)
    assert model.training
    assert model.num_classes == 150
    with torch.inference_mode():
        logits = model.eval()(torch.randn(2, 3, 50, 70))
    assert logits.shape == (2, 150, 50, 70)
    assert logits.dtype == torch.float32
    with pytest.raises(sm.SegmodelsError, match="Did you mean 'segformer_b0'"):
        sm.create_model("segfromer_b0")


def test_load_checkpoint(root: Path) -> None:
    mirror = root.parent / "mirror"
    for path in (mirror, str(mirror), mirror / "model.safetensors"):
        model = sm.load_checkpoint(path)
        assert not model.training
        assert model.num_classes == 8
    with pytest.raises(sm.SegmodelsError, match="no checkpoint at"):
        sm.load_checkpoint(root / "nothing")


def test_save_checkpoint(tmp_path: Path) -> None:
    model = sm.create_model("segformer_nano", 3)
    assert len(sm.save_checkpoint(model, tmp_path / "a")) == 64
    again = sm.load_checkpoint(tmp_path / "a").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())


def test_protocols(root: Path) -> None:
    protocol = sm.load_protocol("views")
    assert isinstance(protocol, sm.Protocol)
    other = protocol.replace(window=96, stride=64)
    assert (other.window, other.stride, protocol.window) == (96, 64, None)
    with pytest.raises(ValueError, match="frozen"):
        protocol.window = 3  # type: ignore[misc]
    with pytest.raises(sm.SegmodelsError, match="Did you mean 'plain'"):
        sm.load_protocol("plian")


def test_predict(root: Path) -> None:
    model = sm.create_model("segformer_nano", 5).eval()
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    for protocol in (
        sm.load_protocol("plain"),
        sm.load_protocol("views"),
        sm.load_protocol("plain").replace(window=48, stride=32, enlarge=True),
    ):
        labels = sm.predict(model, image, protocol)
        assert labels.shape == (60, 90)
        assert labels.dtype == np.uint8
        assert labels.max() < 5
    by_name = sm.predict(model, image, "plain")
    np.testing.assert_array_equal(by_name, sm.predict(model, image, sm.load_protocol("plain")))


def test_predict_views(root: Path) -> None:
    model = sm.create_model("segformer_nano", 5).eval()
    view = torch.randn(1, 3, 48, 64)
    probs = sm.predict_views(
        model,
        [(view, None), (view.flip(-1), "horizontal")],
        size=(60, 90),
        protocol=sm.load_protocol("plain"),
    )
    assert probs.shape == (5, 60, 90)
    assert probs.dtype == torch.float32
    torch.testing.assert_close(probs.sum(0), torch.ones(60, 90))


def test_confusion_matrix_and_mean_iou() -> None:
    label = np.array([[0, 0, 1], [1, 255, 2]], dtype=np.uint8)
    prediction = np.array([[0, 1, 1], [1, 0, 0]], dtype=np.uint8)
    counts = sm.confusion_matrix(label, prediction, 4)
    assert counts.shape == (4, 4)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert sm.mean_iou(counts) == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)  # class 3 never occurs
    assert sm.confusion_matrix(label, prediction, 4, ignore_index=255).sum() == 5


def test_corrupt() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    one, same = (sm.corrupt(image, "gaussian_noise", severity=3, seed=0) for _ in range(2))
    other = sm.corrupt(image, "gaussian_noise", severity=3, seed=1)
    assert one.dtype == np.uint8
    assert one.shape == image.shape
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    with pytest.raises(sm.SegmodelsError, match="severity"):
        sm.corrupt(image, "gaussian_noise", severity=6)
