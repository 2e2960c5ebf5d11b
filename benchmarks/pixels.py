"""How much each choice between a file and a network moves pixels, and a mIoU.

    python benchmarks/pixels.py [--every 8] [--ade20k FOLDER] [--runs RUN ...]
                                [--json reports/bench/pixels.json] [--page docs/pixels.md]
    python benchmarks/pixels.py --render    # the page again from its record

Pixels: images of the CamVid test split (every Nth) and of an ADE20K folder, seen through each
library, order and arithmetic, against what the papers' code does. Models: the CamVid test split
under the run's protocol with one field replaced, everything else the same; labels that move, the
mIoU, and the paired interval of its difference. Runs need their weights and data:
`segmodels suite camvid && dvc repro`.
"""

from __future__ import annotations

import argparse
import io
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from segmodels.core.environment import machine
from segmodels.core.files import combine, read_json, write_json, write_text
from segmodels.datasets.described import described_split
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.datasets.registry import dataset_kind
from segmodels.doctor.count_changes import label_changes
from segmodels.evaluation.evaluate import evaluate
from segmodels.evaluation.resize import resize
from segmodels.evaluation.views import network_input
from segmodels.evidence import Evidence
from segmodels.metrics.intervals import over, paired_interval
from segmodels.metrics.scores import score
from segmodels.models.preprocessing import HALF, IMAGENET, IMAGENET_ROUNDED, Preprocessing
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.steps import subject_of
from segmodels.verdicts.rules import load_rules

LIBRARIES = ("opencv-float", "pillow", "torch")
ARITHMETIC = ("fused", "rescaled")
FACTORS = (0.5, 0.75, 1.5, 2.0)
#: Run, its protocol, and the short sides it is seen at; None for the protocol's own.
RUNS: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "camvid-segformer-half": ("camvid-half", (None,)),
    "camvid-unet-half": ("camvid-half", (None,)),
    "camvid-espnet": ("camvid-whole", (270, 540)),
}
#: EXIF's number of the tag that says how a photograph is turned, and a quarter turn.
ORIENTATION, QUARTER_TURN = 0x0112, 6
RECORD, PAGE = Path("reports/bench/pixels.json"), Path("docs/pixels.md")


@dataclass
class Difference:
    """What becomes of grey levels: values that differ by half a level or more, mean, largest."""

    values: int = 0
    differing: int = 0
    total: float = 0.0
    largest: float = 0.0
    by: list[float] = field(default_factory=list)

    def add(self, one: Any, other: Any) -> None:
        """Compare two images of one size."""
        apart = np.abs(np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64))
        self.values += apart.size
        self.differing += int((apart >= 0.5).sum())
        self.total += float(apart.sum())
        self.largest = max(self.largest, float(apart.max()))

    def to_dict(self) -> dict[str, float]:
        """Share in percent, and grey levels."""
        return {
            "differing_percent": round(100 * self.differing / self.values, 4),
            "mean": round(self.total / self.values, 5),
            "largest": round(self.largest, 4),
        }


def resized(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    """Every library against OpenCV on uint8, at every factor."""
    for factor in FACTORS:
        found = {library: Difference() for library in LIBRARIES}
        for sample in samples:
            size = [int(side * factor + 0.5) for side in sample.image.shape[:2]]
            usual = resize(sample.image, *size)
            for library, difference in found.items():
                difference.add(_grey(sample, size, library), usual)
        for library, difference in found.items():
            yield {"factor": factor, "library": library, **difference.to_dict()}


def _grey(sample: Sample, size: Sequence[int], library: str) -> Any:
    """Grey levels after one library; normalised first and brought back for `opencv-float`."""
    how = Protocol(
        name="one", version=1, title="one", resize_fixed=tuple(size), resize_library=library
    )
    if library != "opencv-float":
        return resize(sample.image, *size, how.resize_library)
    values = network_input(IMAGENET, sample.image, how, 1.0)
    return values.astype(np.float64) * IMAGENET.std + IMAGENET.mean


def normalized(kind: Preprocessing) -> Iterator[dict[str, Any]]:
    """Every arithmetic against `plain` on all 256 values, differences in units of the input."""
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    plain = kind.apply(every).astype(np.float64)
    ways = {way: kind.apply(every, way) for way in ARITHMETIC}
    for way, found in {"mmcv": _as_mmcv(kind, every), **ways}.items():
        apart = np.abs(found - plain)
        share = round(100 * float((apart > 0).mean()), 2)
        yield {"way": way, "differing_percent": share, "largest": float(f"{apart.max():.2g}")}


def _as_mmcv(kind: Preprocessing, image: Any) -> Any:
    """Subtract in float32, multiply by the inverse in float64, round."""
    centred = image.astype(np.float32) - np.float32(kind.mean)
    inverse = 1 / np.float32(kind.std).astype(np.float64)
    return (centred.astype(np.float64) * inverse).astype(np.float32)


def decoded(dataset: Dataset, chosen: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Pillow against OpenCV: the files as they are, and the same images as JPEG."""
    ways: dict[str, Callable[[bytes], bytes]] = {"as published": bytes, "as JPEG": _as_jpeg}
    found = {way: Difference() for way in ways}
    kinds = set()
    for index in chosen:
        data = dataset.files[index].image.read_bytes()
        kinds.add(Image.open(io.BytesIO(data)).format)
        for way, change in ways.items():
            found[way].add(_pillow(change(data)), _opencv(change(data)))
    for way, difference in found.items():
        files = "/".join(sorted(map(str, kinds))) if way == "as published" else "JPEG, quality 75"
        yield {"files": files, **difference.to_dict()}


def _as_jpeg(data: bytes, exif: Image.Exif | None = None) -> bytes:
    sink = io.BytesIO()
    extra = {} if exif is None else {"exif": exif}
    Image.open(io.BytesIO(data)).convert("RGB").save(sink, "JPEG", quality=75, **extra)
    return sink.getvalue()


def _pillow(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _opencv(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def turned(dataset: Dataset) -> dict[str, list[int]]:
    """Sizes that both read from a photograph whose EXIF data ask for a quarter turn."""
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    data = _as_jpeg(dataset.files[0].image.read_bytes(), exif)
    return {"pillow": [*_pillow(data).shape[:2]], "opencv": [*_opencv(data).shape[:2]]}


def pixels(name: str, dataset: Dataset, chosen: Sequence[int]) -> dict[str, Any]:
    """All that is said of the images of one dataset."""
    samples = [dataset.read(index) for index in chosen]
    return {
        "images": len(samples),
        "of": f"{dataset.name} {dataset.split}",
        "fingerprint": combine((sample.name, sample_digest(sample)) for sample in samples),
        "title": name,
        "resize": list(resized(samples)),
        "decoders": list(decoded(dataset, chosen)),
    }


def models(runs: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Every run under its protocol with one field replaced."""
    for name in runs:
        protocol_name, sizes = RUNS[name]
        run, protocol = load_run(name), load_protocol(protocol_name)
        subject, dataset = subject_of(run), open_dataset(run.dataset, run.split)
        about = {
            "run": name,
            "weights": subject.weights,
            "dataset": f"{run.dataset} {run.split}",
            "fingerprint": described_split(run.dataset, run.split)["fingerprint"],
            "protocol": protocol.name,
        }
        for short in sizes:
            usual = protocol if short is None else protocol.replace(resize_short=short)

            def count(changed: Protocol) -> Evidence:
                return evaluate(subject, dataset, changed)[0]  # noqa: B023

            yield {**about, "resize_short": usual.resize_short, **_moved(usual, count)}


def _moved(usual: Protocol, count: Callable[[Protocol], Evidence]) -> dict[str, Any]:
    """What becomes of a number when one field is another."""
    base, rule, rows = count(usual), load_rules().interval, []
    fields = [("resize_library", library) for library in LIBRARIES]
    for name, value in (*fields, *(("normalize", way) for way in ARITHMETIC)):
        other = count(usual.replace(**{name: value}))
        change = score(other, usual).miou - score(base, usual).miou
        moved = label_changes(base, other)
        interval = paired_interval(other, base, usual, rule)
        row = {"field": name, "value": value, "evidence": other.key}
        row["labels_percent"] = round(100 * moved.pixels / moved.of, 4)
        row |= {"change": round(change, 4), "interval": [round(end, 4) for end in interval]}
        rows.append(row)
        print(usual.name, usual.resize_short, row, flush=True)
    miou = round(score(base, usual).miou, 4)
    told = {"confidence": rule.confidence, "interval": f"one over {over([base], rule)}"}
    return {"evidence": base.key, "miou": miou, **told, "rows": rows}


HEAD = """# Pixels

<!-- Written by `python benchmarks/pixels.py` from reports/bench/pixels.json. Do not edit. -->
"""

#: Paragraphs of the page, wrapped when they are written.
OPENING = """Between a file and a network stand a decoder, a resize and a normalisation. Ports of
one paper use different ones, and few say which. Here each is that of the papers or the port
where a protocol says so: resize and padding are mmcv's, or Pillow's, bit for bit, and the
normalisation is that of mmcv and of both processors of `transformers`
(`tests/evaluation/test_pixels.py` compares with stored values). This page says how much each
choice moves."""

RESIZE = """Against `opencv` (uint8, not antialiased), which mmcv and so all the papers' code
takes. A value differs if it is half a grey level or more away; mean and largest are grey levels
of 255. `opencv-float` is the other order: normalised before it is resized, as ESPNet's
Cityscapes script does. Its values are not rounded to grey levels, and that is all the
difference. `pillow` and `torch` antialias when they shrink; enlarging, they differ by rounding
alone."""

NORMALIZE = """All 256 values in all channels against `plain`, `(x - mean) / std` in float32.
mmcv multiplies by 1/std in float64 instead, which rounds to the same float32 for every pixel,
mean and deviation (`Preprocessing.apply` says why), so the papers' protocols say `plain`.
`fused` and `rescaled` are the processors of `transformers` with torchvision and with Pillow.
Differences are in units of the network's input, which runs from about -2 to 2."""

DECODER = """Pillow, which reads all files here, against OpenCV, which mmcv reads with. Each
brings a JPEG library of its own."""

TURNED = """One trap remains: OpenCV turns a photograph as its EXIF data ask, Pillow leaves it as
it lies, and nobody turns the label map. Of one frame with a quarter turn noted, Pillow read
{pillow} and OpenCV {opencv} pixels."""

MODELS = """Three networks on {datasets}, images of 360x480, that never saw another resize than
OpenCV's. The two trained here see half of that, as in training. ESPNet takes images as they are;
here it sees three quarters and one and a half times their size, where no paper has a number.
Every row replaces one field of the protocol and nothing else; points are of mIoU, the interval
is the paired {interval}. An interval that holds 0 says that these images cannot tell
the two apart."""

HOW = """`python benchmarks/pixels.py` wrote [the record](../reports/bench/pixels.json), with the
digests of images and weights and the evidence key of every number. Software: {software}."""


def render(record: dict[str, Any]) -> str:
    """The page as Markdown."""
    opening = HEAD + "\n" + _prose(OPENING)
    parts = [opening, _resize_part(record), _normalize_part(record), _decoder_part(record)]
    software = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    how = "## How it was measured\n\n" + _prose(HOW.format(software=software))
    return "\n\n".join([*parts, _model_part(record), how]) + "\n"


def _prose(text: str) -> str:
    joined = " ".join(text.split())
    return textwrap.fill(joined, 100, break_long_words=False, break_on_hyphens=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _resize_part(record: dict[str, Any]) -> str:
    rows = [
        [one["title"], row["factor"], f"`{row['library']}`", *_difference(row)]
        for one in record["pixels"]
        for row in one["resize"]
    ]
    head = ("images", "factor", "library", "values that differ", "mean", "largest")
    return f"## Resize\n\n{_prose(RESIZE)}\n\n{_table(head, rows)}"


def _difference(row: dict[str, float]) -> list[str]:
    return [f"{row['differing_percent']:.2f} %", f"{row['mean']:.3f}", f"{row['largest']:.1f}"]


def _normalize_part(record: dict[str, Any]) -> str:
    rows = [
        [
            f"`{name}`",
            f"`{row['way']}`",
            f"{row['differing_percent']:.0f} %",
            f"{row['largest']:.2g}",
        ]
        for name, ways in record["normalize"].items()
        for row in ways
    ]
    head = ("statistics", "arithmetic", "values that differ", "largest difference")
    return f"## Normalisation\n\n{_prose(NORMALIZE)}\n\n{_table(head, rows)}"


def _decoder_part(record: dict[str, Any]) -> str:
    rows = [
        [one["title"], row["files"], *_difference(row)]
        for one in record["pixels"]
        for row in one["decoders"]
    ]
    head = ("images", "files", "values that differ", "mean", "largest")
    sizes = {name: "x".join(map(str, size)) for name, size in record["turned"].items()}
    told = _prose(TURNED.format(**sizes))
    return f"## Decoder\n\n{_prose(DECODER)}\n\n{_table(head, rows)}\n\n{told}"


def _model_part(record: dict[str, Any]) -> str:
    rows = [_model_row(one, row) for one in record["models"] for row in one["rows"]]
    head = ("run", "short side", "mIoU", "instead", "labels that move", "points", "95 % interval")
    datasets = ", ".join(sorted({one["dataset"] for one in record["models"]}))
    how = {one.get("interval", "bootstrap over images") for one in record["models"]}
    told = _prose(MODELS.format(datasets=datasets, interval=", ".join(sorted(how))))
    return f"## What it does to a number\n\n{told}\n\n{_table(head, rows)}"


def _model_row(one: dict[str, Any], row: dict[str, Any]) -> list[Any]:
    change, low, high = map(_points, (row["change"], *row["interval"]))
    moved = [f"{row['labels_percent']:.2f} %", change, f"{low} to {high}"]
    shown = [f"`{one['run']}`", one["resize_short"], f"{one['miou']:.2f}", f"`{row['value']}`"]
    return [*shown, *moved]


def _points(value: float) -> str:
    """With its sign, and without one if it is nothing."""
    rounded = round(value, 2)
    return f"{rounded:+.2f}" if rounded else "0.00"


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The whole record."""
    camvid = open_dataset("camvid", "test")
    chosen = range(0, len(camvid), options.every)
    parts = [pixels(f"CamVid test, every {options.every}th", camvid, chosen)]
    if options.ade20k:
        kind = dataset_kind("ade20k")
        ade = kind(options.ade20k, "val")
        parts.append(pixels(f"ADE20K val, {len(ade)} images", ade, range(len(ade))))
    kinds = {"IMAGENET": IMAGENET, "IMAGENET_ROUNDED": IMAGENET_ROUNDED, "HALF": HALF}
    about = machine("cpu")
    return {
        "device": about["device"],
        "packages": about["packages"],
        "pixels": parts,
        "normalize": {name: list(normalized(kind)) for name, kind in kinds.items()},
        "turned": turned(camvid),
        "models": list(models(options.runs)),
    }


def main() -> None:
    """Measure and write the record and the page, or only the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--ade20k", type=Path, help="a folder with ADE20K's layout")
    parser.add_argument("--runs", nargs="*", default=list(RUNS), choices=RUNS)
    parser.add_argument("--json", type=Path, default=RECORD)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    if not options.render:
        write_json(options.json, measure(options))
    write_text(options.page, render(read_json(options.json)))


if __name__ == "__main__":
    main()
