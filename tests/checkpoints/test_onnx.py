"""Compilers and other runtimes: the same numbers as the network run by PyTorch itself."""

from __future__ import annotations

import builtins
import errno
import json

import numpy as np
import pytest
import torch

from segmodels import cli
from segmodels.checkpoints import save_checkpoint
from segmodels.checkpoints.onnx import export_onnx
from segmodels.errors import SegmodelsError
from segmodels.models import create_model


@pytest.fixture
def model():
    torch.manual_seed(0)
    return create_model("segformer_nano", num_classes=5)


@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_the_command_writes_a_file_that_explains_itself(tmp_path, capsys, model) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model.class_names = ("a", "b", "c", "d", "e")
    save_checkpoint(model, tmp_path / "model")
    target = tmp_path / "model.onnx"
    code = cli.main(["export", str(tmp_path / "model"), str(target), "--size", "45", "70"])
    assert code == 0, capsys.readouterr()
    session = runtime.InferenceSession(target, providers=["CPUExecutionProvider"])
    meaning = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}
    assert meaning["config"]["name"] == "segformer_nano"
    assert meaning["class_names"] == ["a", "b", "c", "d", "e"]
    assert meaning["preprocessing"]["channels"] == "RGB"
    images = np.random.default_rng(0).standard_normal((1, 3, 45, 70)).astype(np.float32)
    with torch.inference_mode():
        expected = model.eval()(torch.from_numpy(images)).numpy()
    (logits,) = session.run(["logits"], {"images": images})
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


def test_a_full_disk_below_the_exporter_is_told_as_such(tmp_path, monkeypatch, model) -> None:
    """It writes temporary files, and wraps what it meets there in an error of its own."""

    def refuse(*_: object, **__: object) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
        except OSError as error:
            raise torch.onnx.OnnxExporterError("Failed to export") from error

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(OSError, match="No space left on device"):
        export_onnx(model, tmp_path / "a.onnx", (64, 64))


def test_without_the_extra_the_way_to_it_is_told(tmp_path, monkeypatch, model) -> None:
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.partition(".")[0] in ("onnx", "onnxscript", "onnx_ir"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SegmodelsError, match=r"pip install 'segmodels\[onnx\]'"):
        export_onnx(model, tmp_path / "model.onnx", (64, 64))
    assert list(tmp_path.iterdir()) == []
    assert model.training


def test_a_size_the_network_cannot_digest_is_told(tmp_path, model) -> None:
    with pytest.raises(SegmodelsError, match="at least 13 pixels"):
        export_onnx(model, tmp_path / "model.onnx", (8, 64))
