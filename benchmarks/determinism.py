"""Which settings of a machine change labels, and how many: the same networks again and again.

    python benchmarks/determinism.py [--images 8] [--python OTHER ...] [--add]
                                     [--json reports/bench/determinism.json]
    python benchmarks/determinism.py --render    # the page again from its record

Every variant predicts the same images in a process of its own; its labels are compared with those
of the first one, pixel by pixel. `--python` names interpreters of other environments with the same
packages. Needs weights and data of the runs: `segmodels suite quick camvid && dvc repro`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segmodels.core.environment import machine
from segmodels.core.files import read_json, write_json, write_text
from segmodels.datasets.opening import open_dataset
from segmodels.engines.processes import ProcessEngine
from segmodels.evaluation.predict import predict_many
from segmodels.evaluation.windows import Batching
from segmodels.evidence import evidence_files, read_evidence
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run
from segmodels.steps import subject_of

#: Run, its protocol, and what of it is replaced: the second looks through overlapping windows.
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "camvid-espnet": ("espnet-camvid", {}),
    "shapes-depict-nano": ("shapes-ss", {"window": 48, "stride": 32}),
}
#: What PyTorch can be told to use, up to what the processor has.
VECTORS = ("default", "avx2", "avx512")
RECORD, PAGE = Path("reports/bench/determinism.json"), Path("docs/determinism.md")


@dataclass(frozen=True)
class Variant:
    """What is other than in the first one.

    Attributes:
        group: what it belongs to on the page.
        title: in words.
        settings: of the environment.
        windows: inputs in one forward pass.
        workers: processes that the images are dealt out to; 0 for none but the one.
        python: interpreter, if another.
    """

    group: str
    title: str
    settings: dict[str, str] = field(default_factory=dict)
    windows: int = 1
    workers: int = 0
    python: str = ""


FIRST = Variant("first", "one thread, one input at a time, one process")


def variants() -> Iterator[Variant]:
    """All that are tried by one interpreter."""
    yield Variant("again", "nothing changed")
    for number in (2, 4):
        yield Variant("threads", f"`OMP_NUM_THREADS={number}`", {"OMP_NUM_THREADS": str(number)})
    for number in range(2, 9):
        yield Variant("batch", f"{number} inputs in a forward pass", windows=number)
    for number in (1, 2, 4):
        yield Variant("workers", f"dealt out to {number} processes", workers=number)
    for name in VECTORS[: VECTORS.index(torch.backends.cpu.get_cpu_capability().lower()) + 1]:
        yield Variant("aten", f"`ATEN_CPU_CAPABILITY={name}`", {"ATEN_CPU_CAPABILITY": name})
    for name in ("SSE41", "AVX2", "AVX512_CORE"):
        yield Variant("onednn", f"`ONEDNN_MAX_CPU_ISA={name}`", {"ONEDNN_MAX_CPU_ISA": name})


def others(pythons: Sequence[str]) -> Iterator[Variant]:
    """The same by other interpreters."""
    for path in pythons:
        yield Variant("python", _version_of(path), python=path)


def _version_of(path: str) -> str:
    told = subprocess.run([path, "--version"], check=True, capture_output=True, text=True)
    return told.stdout.strip()


def protocol_of(name: str) -> Protocol:
    """What a run is looked at through."""
    protocol, replaced = RUNS[name]
    return load_protocol(protocol).replace(**replaced)


def labels_of(piece: tuple[str, int, int]) -> list[list[int]]:
    """The labels of one image of a run, as an engine deals it out."""
    run, place, windows = piece
    return predicted(run, [place], windows)[0].tolist()


def predicted(name: str, places: Sequence[int], windows: int) -> list[np.ndarray]:
    """Labels of some images, uint8 (H, W) each."""
    run, protocol = load_run(name), protocol_of(name)
    subject, dataset = subject_of(run), open_dataset(run.dataset, run.split)
    found = []
    for place in places:
        image = dataset.read(place).image
        (one,) = predict_many(subject.model, [image], protocol, Batching(windows, windows))
        found.append(one.labels.numpy().astype(np.uint8))
    return found


def chosen(name: str, images: int) -> list[int]:
    """Places of images, spread over the split."""
    run = load_run(name)
    length = len(open_dataset(run.dataset, run.split))
    return list(range(0, length, max(1, length // images)))[:images]


def child(order: dict[str, Any]) -> None:
    """Predict as a variant says and write labels and what the machine is."""
    import determinism  # workers import what they do by its name

    found = {}
    for name in RUNS:
        places = chosen(name, order["images"])
        if order["workers"]:
            engine = ProcessEngine(order["workers"])
            pieces = [(name, place, order["windows"]) for place in places]
            dealt = dict(engine.results(determinism.labels_of, pieces))
            engine.close()
            labels = [np.array(dealt[place], np.uint8) for place in range(len(places))]
        else:
            labels = predicted(name, places, order["windows"])
        found |= {f"{name}/{place:04}": one for place, one in zip(places, labels, strict=True)}
    np.savez(order["out"], **found)  # type: ignore[arg-type]
    about = {
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": sys.version.split()[0],
    }
    Path(order["out"]).with_suffix(".json").write_text(json.dumps(about))


def run_variant(variant: Variant, images: int, folder: Path) -> tuple[dict[str, Any], Path]:
    """Have a process do it; what it was, and where its labels are."""
    out = folder / "labels.npz"
    order = {"out": str(out), "images": images, **vars(variant)}
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **variant.settings}
    words = [variant.python or sys.executable, __file__, "--child", json.dumps(order)]
    subprocess.run(words, env=environment, check=True)
    return read_json(out.with_suffix(".json")), out


def compared(path: Path, first: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Labels that are other than those of the first variant, by run."""
    told: dict[str, dict[str, Any]] = {}
    with np.load(path) as found:
        for name in RUNS:
            images = [image for image in first if image.startswith(f"{name}/")]
            moved = sum(int((found[image] != first[image]).sum()) for image in images)
            digest = hashlib.sha256(b"".join(found[image].tobytes() for image in images))
            told[name] = {"labels": moved, "digest": digest.hexdigest()[:16]}
    return told


def measure(images: int, tried: Iterable[Variant]) -> dict[str, Any]:
    """The whole record of some variants."""
    rows = []
    with tempfile.TemporaryDirectory() as kept:
        about, path = run_variant(FIRST, images, Path(kept))
        with np.load(path) as loaded:
            first = dict(loaded)
        for variant in (FIRST, *tried):
            if variant is not FIRST:
                about, path = run_variant(variant, images, Path(kept))
            row = {"group": variant.group, "title": variant.title, **about}
            rows.append({**row, "runs": compared(path, first)})
            print(rows[-1], flush=True)
    rows += published()
    sizes = {
        name: [one.size for key, one in first.items() if key.startswith(f"{name}/")]
        for name in RUNS
    }
    runs = {
        name: {
            "images": len(of),
            "labels": sum(of),
            "protocol": RUNS[name][0],
            "replaced": RUNS[name][1],
            "weights": subject_of(load_run(name)).weights,
        }
        for name, of in sizes.items()
    }
    return {**machine("cpu"), "runs": runs, "rows": rows}


def published() -> list[dict[str, Any]]:
    """How far counts that this machine made of whole splits lie from the published ones."""
    told: dict[str, dict[str, Any]] = {}
    for name in RUNS:
        inference = protocol_of(name).inference
        ours, theirs = (
            {file.stem: file for file in evidence_files(Path(folder) / name)}
            for folder in ("reports/local/evidence", "reports/evidence")
        )
        for key in ours.keys() & theirs.keys():
            here, there = read_evidence(ours[key]), read_evidence(theirs[key])
            identity = here.identity
            if (identity.inference, identity.precision) == (inference, "fp32"):
                moved = int(np.abs(here.matrices() - there.matrices()).sum()) // 2
                told[name] = {"labels": moved, "of": int(there.matrices().sum())}
    title = "published counts of whole splits, of a processor that is not on record"
    row = {"group": "published", "title": title, "vectors": "unknown", "runs": told}
    return [row] if told else []


HEAD = """# Determinism

<!-- Written by `python benchmarks/determinism.py` from its record. Do not edit. -->
"""

OPENING = """The same weights and the same images, predicted in other ways on one machine. A row
says how many labels are other than those of the first way: 0 means that all of them are equal, and
so every count and metric. Scores, of which labels are the largest, are not compared."""

WHY = {
    "again": "Nothing is drawn and nothing depends on time.",
    "threads": """Work is split over threads; where a library splits a sum, it is rounded as the
parts fall. An evaluation gives PyTorch one thread, whatever is set: these rows are of `sm.predict`,
which takes as many as it may. PyTorch begins no more threads than there are cores.""",
    "batch": """A matrix product of another shape may be done by another kernel, which adds up in
another order: scores can then differ in their last bits, and a label where two classes are that
close. Evidence is counted with one input at a time on a processor.""",
    "workers": "Each process predicts whole images in the same way, and counts are integers.",
    "aten": """Kernels of PyTorch for other vector instructions add up in vectors of another
length. The instructions are noted with an evaluation that is taken up: counting goes on only on a
processor of the same ones.""",
    "onednn": """The same for the convolutions and products that oneDNN does. What the processor
lacks is not used, whatever is asked for.""",
    "published": """Evidence in git was counted on other machines. Counts tell at least how many
labels are others; a tie between two classes falls as the last bits of their scores do.""",
    "python": "Python orders nothing that is added up; the packages are the same.",
}

TITLES = {
    "again": "The same once more",
    "threads": "Threads",
    "batch": "Inputs in a forward pass",
    "workers": "Processes",
    "aten": "Vector instructions of PyTorch",
    "onednn": "Vector instructions of oneDNN",
    "published": "Published evidence",
    "python": "Python",
}

LACKING = {
    "published": "Not measured: none is of these weights and protocols.",
    "python": "Not measured: no other interpreter with these packages was given (`--python`).",
}


def render(record: dict[str, Any]) -> str:
    """The page as Markdown."""
    parts = [HEAD + "\n" + _prose(OPENING), _about(record)]
    for group, title in TITLES.items():
        rows = [row for row in record["rows"] if row["group"] == group]
        told = _table(record, rows) if rows else LACKING[group]
        parts.append(f"## {title}\n\n{_prose(WHY[group])}\n\n{told}")
    return "\n\n".join([*parts, _how(record)]) + "\n"


def _about(record: dict[str, Any]) -> str:
    lines = [
        f"- `{name}` under `{of['protocol']}`"
        + "".join(f", {field} {value}" for field, value in of["replaced"].items())
        + f": {of['images']} images, {of['labels']:,} labels"
        for name, of in record["runs"].items()
    ]
    first = record["rows"][0]
    return "\n".join(lines) + f"\n\nFirst: {first['title']}, {first['vectors']}."


def _table(record: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    names = list(record["runs"])
    lines: list[Sequence[Any]] = [
        ["", "vectors", *(f"labels of `{name}`" for name in names)],
        ["---"] * (2 + len(names)),
    ]
    lines += [
        [row["title"], row["vectors"], *(_labels(row["runs"].get(name)) for name in names)]
        for row in rows
    ]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _labels(of_run: dict[str, Any] | None) -> str:
    if of_run is None:
        return "none"
    more = f" of {of_run['of']:,}" if "of" in of_run else ""
    return f"{of_run['labels']:,}{more}"


HOW = """`python benchmarks/determinism.py` wrote
[the record](../reports/bench/determinism.json), with a digest of the labels of every row, on one
machine ({device}, {cores} cores, Python {python}; {software}). Other processors, other versions and
GPUs may differ by more: that is not measured here."""


def _how(record: dict[str, Any]) -> str:
    software = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    return f"## How it was measured\n\n{_prose(HOW.format(**record, software=software))}"


def _prose(text: str) -> str:
    joined = " ".join(text.split())
    return textwrap.fill(joined, 100, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    """Measure and write the record and the page, or only the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--python", nargs="*", default=[], help="other interpreters")
    parser.add_argument("--json", type=Path, default=RECORD)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--add", action="store_true", help="add other interpreters to the record")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    if not options.render:
        tried = [*([] if options.add else variants()), *others(options.python)]
        record = measure(options.images, tried)
        if options.add:
            before = read_json(options.json)
            if before["rows"][0] != record["rows"][0]:
                raise SystemExit(f"{options.json} is of other images, or of another machine")
            record = {**before, "rows": before["rows"] + record["rows"][1:]}
        write_json(options.json, record)
    write_text(options.page, render(read_json(options.json)))


if __name__ == "__main__":
    main()
