"""A network as an ONNX file, for runtimes without PyTorch. Needs the extra ``onnx``."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from segmodels.core.files import atomic_path
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel


def export_onnx(model: SegModel, path: str | Path, size: tuple[int, int], batch: int = 1) -> Path:
    """Write ``images`` (batch, 3, H, W) → ``logits`` (batch, num_classes, H, W) for one size.

    The size is fixed: position tables and windows are laid out for it. The file's metadata
    carry ``config``, ``preprocessing`` and ``class_names`` as JSON, so that whoever runs it
    knows what to feed and what comes out. The model is left as it was.

    Raises:
        SegmodelsError: the extra is not installed, the size does not suit the model, or the model
            has a part that no other runtime knows.
        OSError: the exporter has no room for its temporary files.
    """
    if model.only_in_pytorch:
        name = type(model).__name__
        raise SegmodelsError(f"{name} cannot become an ONNX file: {model.only_in_pytorch}.")
    images = torch.zeros(batch, 3, *size)
    model.check(images)
    training, device = model.training, next(model.parameters()).device
    try:
        program = torch.onnx.export(
            model.eval(),
            (images.to(device),),
            input_names=["images"],
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        raise (_refused(error) or error) from error
    except ModuleNotFoundError as error:
        raise SegmodelsError(
            f"ONNX files need {error.name!r}. Run: pip install 'segmodels[onnx]'."
        ) from error
    finally:
        model.train(training)
    assert program is not None
    for name, value in _meaning(model).items():
        program.model.metadata_props[name] = json.dumps(value)
    with atomic_path(Path(path)) as part:
        program.save(part)
    return Path(path)


def _refused(error: BaseException | None) -> OSError | None:
    """What the operating system refused, in the chain of causes of the exporter's error."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _meaning(model: SegModel) -> dict[str, object]:
    preprocessing = model.preprocessing
    return {
        "config": model.config,
        "preprocessing": None if preprocessing is None else preprocessing.to_dict(),
        "class_names": model.class_names,
    }
