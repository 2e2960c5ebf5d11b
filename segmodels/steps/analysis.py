"""Pictures of what a network of a run, or one with other weights, looks at and knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from segmodels.analysis.attention import attention, attention_layers
from segmodels.analysis.attention_report import write_attention
from segmodels.analysis.embeddings import embeddings
from segmodels.analysis.embeddings_report import write_embeddings
from segmodels.analysis.inputs import analysed_input, of_one_size, shown
from segmodels.analysis.receptive_field import receptive_fields
from segmodels.analysis.receptive_field_report import write_receptive_fields
from segmodels.analysis.report import Report
from segmodels.checkpoints import load_checkpoint
from segmodels.core import paths
from segmodels.core.arguments import whole
from segmodels.core.arrays import Pixels
from segmodels.core.files import check_writable, digest
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.pictures import read_rgb
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evaluation.drawn import spread
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import Run, load_run, run_names
from segmodels.steps.from_python import find_checkpoint
from segmodels.steps.inputs import ensure_inputs
from segmodels.steps.loading import subject_of
from segmodels.steps.options import USUAL, Options
from segmodels.steps.weights import released_files, weights_digest

#: Of a network that is of no run: whole images as they are.
_WHOLE = "whole-ss"

#: Kinds that show a single image.
_OF_ONE = ("attention",)

#: Queries of attention where none are asked for: the middle of the image.
_MIDDLE = ((0.5, 0.5),)


@dataclass(frozen=True)
class Asked:
    """What is analysed.

    Attributes:
        what: a run, an entry of `params/weights.yaml`, or the path of a checkpoint.
        images: files of different names, of attention one; none for a run's own, evenly spread
            over its split.
        protocol: how images become inputs; "" for the first of the run, or whole images.
        number: of a run's own images; None for 4, of attention for 1.
        patches: that attention is asked about, places from 0 to 1 from above and from the left.
        folder: of the files; None for `reports/local/analysis/WHAT`.
        options: of which device and progress are used.
    """

    what: str
    images: Sequence[Path] = ()
    protocol: str = ""
    number: int | None = None
    patches: Sequence[tuple[float, float]] = _MIDDLE
    folder: Path | None = None
    options: Options = field(default=USUAL)


@dataclass(frozen=True)
class _Ready:
    """A network with its inputs by the names of their images, and where files go."""

    model: SegModel
    inputs: dict[str, Tensor]
    report: Report
    patches: Sequence[tuple[float, float]]

    def picture(self, pixels: Tensor) -> Pixels:
        """What an input shows."""
        assert self.model.preprocessing is not None
        return shown(pixels, self.model.preprocessing)


def analyse(kind: str, asked: Asked) -> list[Path]:
    """Draw one kind of picture of a network, with the numbers behind it.

    Args:
        kind: a key of `KINDS`.
        asked: what of.

    Returns:
        the files, PNG first.

    Raises:
        UnknownNameError: no such kind, run, weights or protocol.
        SegmodelsError: the network has nothing of the kind, something is missing, several images
            are asked for where one is shown, or two have the same name.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of analysis", kind, KINDS)
    _check_images(kind, asked)
    return KINDS[kind](_prepared(kind, asked))


def _number(kind: str, asked: Asked) -> int:
    """Of a run's own images."""
    usual = 1 if kind in _OF_ONE else 4
    return whole("number", usual if asked.number is None else asked.number, least=1)


def _check_images(kind: str, asked: Asked) -> None:
    """That all images which a report would list are those that its numbers are of."""
    number = len(asked.images) or _number(kind, asked)
    if kind in _OF_ONE and number > 1:
        raise SegmodelsError(
            f"{kind} shows one image, and {number} are asked for. Name one, and call it again for "
            f"each of the others with a folder of its own (--out)."
        )
    seen: dict[str, Path] = {}
    for path in asked.images:
        if path.name in seen:
            raise SegmodelsError(
                f"{seen[path.name]} and {path}: reports list images by their names, and both are "
                f"{path.name!r}. Name each image once, or rename one of them."
            )
        seen[path.name] = path


def _receptive_field(ready: _Ready) -> list[Path]:
    """Of images of several sizes the middle that all have is looked at."""
    inputs = of_one_size(list(ready.inputs.values()))
    fields = receptive_fields(ready.model, inputs)
    return write_receptive_fields(fields, ready.picture(inputs[0]), ready.report)


def _attention(ready: _Ready) -> list[Path]:
    attention_layers(ready.model)
    (pixels,) = ready.inputs.values()
    found = attention(ready.model, pixels, ready.patches)
    return write_attention(found, ready.picture(pixels), ready.report)


def _embeddings(ready: _Ready) -> list[Path]:
    found = [embeddings(ready.model, one, image) for image, one in ready.inputs.items()]
    return write_embeddings(found, ready.report)


#: By name.
KINDS: dict[str, Callable[[_Ready], list[Path]]] = {
    "receptive-field": _receptive_field,
    "attention": _attention,
    "embeddings": _embeddings,
}


def _prepared(kind: str, asked: Asked) -> _Ready:
    model, weights, images, protocol = _found(asked, _number(kind, asked))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(asked.what).name)
    folder = asked.folder or paths.local() / "analysis" / name
    check_writable(folder / kind)
    inputs = {image: analysed_input(model, pixels, protocol) for image, pixels in images.items()}
    about = {
        "kind": kind,
        "network": dict(model.config),
        "weights": weights,
        "inference": protocol.inference_fp32,
        "images": {image: digest(pixels.tolist()) for image, pixels in images.items()},
        "inputs": [list(one.shape[-2:]) for one in inputs.values()],
        "class_names": list(model.class_names or ()),
    }
    return _Ready(model, inputs, Report(folder, kind, about), asked.patches)


def _own_images(run: Run, number: int) -> dict[str, Pixels]:
    dataset = open_dataset(run.dataset, run.split)
    samples = (dataset.read(place) for place in spread(len(dataset), number))
    return {sample.name: sample.image for sample in samples}


def _found(asked: Asked, number: int) -> tuple[SegModel, str, dict[str, Pixels], Protocol]:
    """Network, digest of its weights, images by name (of a run so many), and protocol."""
    images = {path.name: read_rgb(path) for path in asked.images}
    if asked.what in run_names():
        run = load_run(asked.what)
        ensure_inputs(run, asked.options)
        subject = subject_of(run, asked.options.device)
        protocol = load_protocol(asked.protocol or run.protocols[0])
        images = images or _own_images(run, number)
        return subject.model, subject.weights, images, protocol
    if not images:
        raise SegmodelsError(f"{asked.what!r} is no run, so name images of it: --image FILE.")
    path, origin = find_checkpoint(asked.what)
    model = load_checkpoint(path, device=asked.options.device)
    weights = weights_digest(path, released_files(origin.get("released")))
    return model, weights, images, load_protocol(asked.protocol or _WHOLE)
