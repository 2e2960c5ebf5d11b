"""Networks as ONNX files: another runtime gives the same labels (a file of its own, for a core)."""

from __future__ import annotations

import pytest
import torch
from shrunk import FAMILIES, build, images, patient

from segmodels.errors import SegmodelsError


@pytest.mark.parametrize("family", patient(FAMILIES))
@pytest.mark.filterwarnings("ignore")  # the exporter's own
@torch.no_grad()
def test_an_onnx_runtime_says_the_same(tmp_path, family) -> None:
    runtime = pytest.importorskip("onnxruntime")
    from segmodels.checkpoints.onnx import export_onnx

    variant, (batch, _, height, width) = build(family).eval(), images().shape
    if family == "gscnn":
        with pytest.raises(
            SegmodelsError, match="cannot become an ONNX file: it runs OpenCV's Canny"
        ):
            export_onnx(variant, tmp_path / "model.onnx", (height, width), batch=batch)
        return
    assert not variant.only_in_pytorch
    path = export_onnx(variant, tmp_path / "model.onnx", (height, width), batch=batch)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images().numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), variant(images()), rtol=1e-3, atol=1e-3)
