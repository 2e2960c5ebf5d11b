"""The steps from a name to evidence, each complete in itself and without any server.

`dvc repro`, the Prefect flow and the command line all call these functions, which is why
they give the same evidence keys and the same numbers.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from segmodels import layout
from segmodels.assets import load_dataset_entry, load_weights_entry
from segmodels.checkpoints import load_checkpoint
from segmodels.datasets import (
    Dataset,
    data_folder,
    dataset_kind,
    described_split,
    description,
    description_path,
    open_dataset,
    prepare_dataset,
    skipped_in,
)
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.folder import POINTER, write_pointer
from segmodels.datasets.registration import registered
from segmodels.effect import measure_effect
from segmodels.errors import SegmodelsError
from segmodels.evaluate import Progress, Subject, evaluate, identify
from segmodels.evidence import Evidence, read_evidence, write_evidence
from segmodels.fetch import fetch_archives, fetch_weights
from segmodels.files import digest, read_json, sha256_of_file, write_json
from segmodels.labelmaps import is_whole
from segmodels.picture import draw_picture
from segmodels.protocols import Precision, Protocol, load_protocol
from segmodels.recipes import load_recipe
from segmodels.rules import load_rules
from segmodels.runs import Run, load_run
from segmodels.scores import score
from segmodels.settings import cache_dir, images_at_once, project_root
from segmodels.sharded import evaluate_shard
from segmodels.stress import Condition, load_stress_suite, stressed
from segmodels.train import Job, train
from segmodels.train import Progress as TrainProgress


def download(dataset: str) -> Path:
    """Fetch the archives of a dataset, or note which copy is used; returns the folder."""
    if copy := registered(dataset):
        write_pointer(layout.downloads(dataset) / POINTER, copy)
        return layout.downloads(dataset)
    return fetch_archives(load_dataset_entry(dataset), layout.downloads(dataset))


def prepare(dataset: str, progress: Progress | None = None) -> dict[str, Any]:
    """Make `data/<dataset>` from its archives (or from nothing) and describe its content."""
    dataset_kind(dataset)
    archives = layout.downloads(dataset) if load_dataset_entry(dataset).archives else None
    return prepare_dataset(dataset, archives, progress)


def fetch_released(weights: str) -> Path:
    """Fetch a released checkpoint and open it once, so that a damaged file is found here.

    Returns:
        its folder.
    """
    entry = load_weights_entry(weights)
    folder = fetch_weights(entry, layout.released_weights(weights))
    model = load_checkpoint(weights_path(folder))
    _check_model(folder, model.config["name"], entry.model)
    return folder


def train_run(run_name: str, device: str = "cpu", progress: TrainProgress | None = None) -> Path:
    """Train the weights of a run; returns their folder."""
    run = load_run(run_name)
    folder = layout.trained_weights(run.name)
    record = train(_job(run, device), folder, layout.curve(run.name), progress)
    write_json(layout.record(run.name, "train"), record)
    return folder


def _job(run: Run, device: str) -> Job:
    if run.recipe is None:
        raise SegmodelsError(f"run {run.name!r} uses released weights; there is nothing to train.")
    about = described_split(run.dataset, "train")
    return Job(
        run=run.name,
        model=run.model,
        recipe=load_recipe(run.recipe),
        seed=run.seed,
        train=open_dataset(run.dataset, "train"),
        val=open_dataset(run.dataset, "val"),
        fingerprint=about["fingerprint"],
        pixels=about["pixels"],
        overrides=run.overrides,
        device=device,
    )


def trained_as_asked(run: Run) -> bool:
    """Whether the weights in a run's folder are what training it now would give."""
    path = layout.trained_weights(run.name) / "model.json"
    made = read_json(path).get("metadata", {}) if path.is_file() else {}
    asked = _job(run, "cpu").provenance
    # A field that a later version of recipes added is no reason to train again; TRAINER is.
    recipe, before = asked.pop("recipe"), made.get("recipe", {})
    shared = (recipe.keys() & before.keys()) - {"name", "title"}
    same = all(recipe[name] == before[name] for name in shared)
    return same and {name: made.get(name) for name in asked} == asked


def evaluate_run(
    run_name: str,
    protocol_name: str,
    device: str = "cpu",
    progress: Progress | None = None,
    force: bool = False,
    precision: Precision | None = None,
    keep: bool = False,
) -> Evidence:
    """Count a run's split under a protocol and write evidence, metrics, record and picture.

    Evidence that exists anywhere in the project under the same key is taken over, not computed
    again, unless forced. The folder of the run and protocol ends up holding this evidence alone.

    Args:
        run_name: in `params/runs`.
        protocol_name: one of the run's.
        device: where the network runs.
        progress: told after every image.
        force: count although the evidence is here.
        precision: another one than the protocol's; results then lie in folders and files
            named `<protocol>-<precision>`. What is measured in less than fp32 is measured in
            fp32 first, unless that is here, and says what the difference is.
        keep: keep the label maps too, in `labels/<run>/<protocol>`.
    """
    run, protocol = load_run(run_name), protocol_in(protocol_name, precision)
    dataset, subject = open_dataset(run.dataset, run.split), subject_of(run, device)
    if _lacks_fp32(subject, dataset, protocol):
        evaluate_run(run_name, protocol_name, device, progress, precision="fp32")
    maps = layout.maps(run.name, protocol.name) if keep else None
    evidence = _known_or_new(run, subject, dataset, protocol, progress, force, maps)
    return _keep(run, subject, dataset, protocol, evidence)


def keep_maps(
    run_name: str, protocol_name: str, device: str = "cpu", progress: Progress | None = None
) -> Path:
    """Keep the label maps behind evidence that is here; they must give its counts.

    Returns:
        their folder.

    Raises:
        SegmodelsError: there is no such evidence, or it was counted on a machine whose
            arithmetic gives other labels; then count it again here.
    """
    run, protocol = load_run(run_name), load_protocol(protocol_name)
    dataset, subject = open_dataset(run.dataset, run.split), subject_of(run, device)
    known, folder = _known(subject, dataset, protocol), layout.maps(run.name, protocol.name)
    again = f"segmodels evaluate {run.name} --protocol {protocol.name}"
    if known is None:
        raise SegmodelsError(f"run {run.name!r} has no evidence under {protocol.name!r}: {again}")
    found, _ = evaluate(subject, dataset, protocol, progress=progress, maps=folder)
    if found.images != known.images:
        shutil.rmtree(folder)
        raise SegmodelsError(
            f"the labels of run {run.name!r} on {device} do not give the counts of evidence "
            f"{known.key}, which was counted elsewhere. Count it here: {again} --force"
        )
    return folder


def evaluate_run_shard(
    run_name: str,
    protocol_name: str,
    shard: tuple[int, int],
    device: str = "cpu",
    progress: Progress | None = None,
    force: bool = False,
    precision: Precision | None = None,
    keep: bool = False,
) -> Evidence:
    """`evaluate_run` as one of several processes, `shard` being `(index, number)`.

    Returns:
        the whole evidence from the process that was last and wrote everything, or that found
        it written; its own shard from every other.
    """
    run, protocol = load_run(run_name), protocol_in(protocol_name, precision)
    dataset, subject = open_dataset(run.dataset, run.split), subject_of(run, device)
    if _lacks_fp32(subject, dataset, protocol):  # who ends last here also ended last in fp32
        evaluate_run_shard(run_name, protocol_name, shard, device, progress, precision="fp32")
    maps = layout.maps(run.name, protocol.name) if keep else None
    known = None if force else _known(subject, dataset, protocol, maps)
    if known is not None:
        # One of us is enough to write it down, and two would be in each other's way.
        return _keep(run, subject, dataset, protocol, known) if shard[0] == 0 else known

    def finish(evidence: Evidence, record: dict[str, Any]) -> Evidence:
        write_json(layout.record(run.name, protocol.name), record)
        return _keep(run, subject, dataset, protocol, evidence)

    return evaluate_shard(subject, dataset, protocol, shard, finish, progress, force, maps)


def protocol_in(name: str, precision: Precision | None) -> Protocol:
    """A protocol by name, in another precision if asked, which its own name then tells."""
    protocol = load_protocol(name)
    if precision in (None, protocol.precision):
        return protocol
    return protocol.replace(name=f"{name}-{precision}", precision=precision)


def _keep(
    run: Run, subject: Subject, dataset: Dataset, protocol: Protocol, evidence: Evidence
) -> Evidence:
    if protocol.precision != "fp32":
        evidence = _with_effect(run, subject, dataset, protocol, evidence)
    replace_evidence(layout.evidence() / run.name / protocol.name, [evidence])
    write_json(layout.metrics(run.name, protocol.name), scores_of(run, evidence))
    draw_picture(subject.model, dataset, protocol, layout.figure(run.name, protocol.name))
    return evidence


def _lacks_fp32(subject: Subject, dataset: Dataset, protocol: Protocol) -> bool:
    reduced = protocol.precision != "fp32"
    return reduced and _known(subject, dataset, protocol.replace(precision="fp32")) is None


def _with_effect(
    run: Run, subject: Subject, dataset: Dataset, protocol: Protocol, evidence: Evidence
) -> Evidence:
    full = _known(subject, dataset, protocol.replace(precision="fp32"))
    if full is None:  # shards on machines that share no folder
        own = protocol.name in run.protocols
        name = protocol.name if own else protocol.name.removesuffix(f"-{protocol.precision}")
        raise SegmodelsError(
            f"evidence {evidence.key} of run {run.name!r} is in {protocol.precision}, and the same "
            f"in fp32 is not here to compare with. First: segmodels evaluate {run.name} "
            f"--protocol {name} --precision fp32"
        )
    judged, settings = _of_inference(run, evidence), load_rules().bootstrap
    return dataclasses.replace(evidence, effect=measure_effect(evidence, full, judged, settings))


def stress_run(
    run_name: str,
    suite_name: str,
    device: str = "cpu",
    progress: Progress | None = None,
    force: bool = False,
) -> list[Evidence]:
    """Count a run under every condition of a robustness suite, by its first protocol.

    What a killed attempt had finished waits in the cache, and is not counted again even if forced.
    """
    run, suite = load_run(run_name), load_stress_suite(suite_name)
    protocol = load_protocol(run.protocols[0])
    dataset, clean = open_dataset(run.dataset, run.split), subject_of(run, device)
    done, found = cache_dir() / "stress" / f"{run.name}-{suite.name}", []
    for condition in suite.conditions:
        subject = stressed(clean, condition)
        evidence = _known(subject, dataset, protocol, folder=done)
        if evidence is None:
            evidence = _known_or_new(run, subject, dataset, protocol, None, force)
            write_evidence(done, evidence)
        found.append(evidence)
        if progress:
            progress(len(found), len(suite.conditions))
    what = f"robustness-{suite.name}"
    replace_evidence(layout.evidence() / run.name / what, found)
    scores = {_label(e.identity.condition): _percent(score(e, protocol).miou) for e in found}
    mean = float(np.mean([value for value in scores.values() if value is not None]))
    write_json(layout.metrics(run.name, what), {"mean_mIoU": round(mean, 4), "mIoU": scores})
    shutil.rmtree(done)
    return found


def subject_of(run: Run, device: str = "cpu") -> Subject:
    """The model of a run with its weights, ready to be evaluated.

    Raises:
        SegmodelsError: weights or dataset are not there yet, or are those of another model.
    """
    folder = project_root() / run.weights_folder
    if not folder.is_dir():
        step = "fetch" if run.weights else "train"
        raise SegmodelsError(
            f"{folder}: the weights of run {run.name!r} are not there; {step} them first "
            f"(dvc repro, or segmodels evaluate {run.name})."
        )
    path = weights_path(folder)
    model = load_checkpoint(path, device=device)
    _check_model(path, model.config["name"], run.model)
    if run.weights:
        origin: dict[str, Any] = {"released": run.weights}
    elif not trained_as_asked(run):
        raise SegmodelsError(
            f"{path}: trained by another recipe, seed or dataset than run {run.name!r} names now; "
            f"train it again (dvc repro, or segmodels train {run.name})."
        )
    else:
        origin = {"trained": run.name, "recipe": run.recipe, "seed": run.seed}
        if lost := sum(len(skipped_in(run.dataset, split)) for split in ("train", "val")):
            origin["skipped_images"] = lost
    fingerprint = described_split(run.dataset, run.split)["fingerprint"]
    return Subject(model, weights_digest(path), origin, fingerprint, images=images_at_once())


def weights_path(folder: Path) -> Path:
    """What `load_checkpoint` opens: the only file of the folder, or the folder."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return files[0] if len(files) == 1 else folder


def weights_digest(path: Path) -> str:
    """Identity of weights: SHA-256 of the file, of `model.safetensors` for our own format, or
    of the digests of all files where a format needs several.
    """
    if path.is_file():
        return sha256_of_file(path)
    own = path / "model.safetensors"
    if own.is_file():
        return sha256_of_file(own)
    return digest({file.name: sha256_of_file(file) for file in sorted(path.iterdir())})


def bring_data(dataset: str, progress: Progress | None = None) -> None:
    """Fetch and prepare a dataset unless it is there and as `params/datasets.yaml` says."""
    if data_folder(dataset).is_dir() and description_path(dataset).is_file():
        try:
            check_expected(load_dataset_entry(dataset), description(dataset))
        except SegmodelsError:  # prepared before the entry was changed
            pass
        else:
            return
    if load_dataset_entry(dataset).archives and not registered(dataset):
        download(dataset)
    prepare(dataset, progress)


def bring(
    run: Run,
    device: str = "cpu",
    progress: TrainProgress | None = None,
    decoding: Progress | None = None,
) -> None:
    """Fetch, prepare and train whatever the run still lacks."""
    bring_data(run.dataset, decoding)
    if run.weights:
        fetch_released(run.weights)
    elif not trained_as_asked(run):
        train_run(run.name, device, progress)


def find_key(key: str, folder: Path | None = None) -> Path | None:
    """Where complete evidence of a key lies in a folder, or in this project, if anywhere."""
    return next(iter(sorted((folder or layout.evidence()).rglob(f"{key}.json"))), None)


def replace_evidence(folder: Path, found: Iterable[Evidence]) -> None:
    """Make `folder` hold exactly this evidence; what it held before goes last."""
    kept = {path for evidence in found for path in _written(folder, evidence)}
    for path in set(folder.iterdir()) - kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _written(folder: Path, evidence: Evidence) -> list[Path]:
    path = write_evidence(folder, evidence)
    return [path, path.with_suffix(".counts.jsonl")]


def _known_or_new(
    run: Run,
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    progress: Progress | None,
    force: bool,
    maps: Path | None = None,
) -> Evidence:
    known = None if force else _known(subject, dataset, protocol, maps)
    if known is not None:
        return known
    evidence, record = evaluate(subject, dataset, protocol, progress=progress, maps=maps)
    if subject.condition is None:
        write_json(layout.record(run.name, protocol.name), record)
    return evidence


def _known(
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    maps: Path | None = None,
    folder: Path | None = None,
) -> Evidence | None:
    """Evidence that is here already, and its label maps if they are asked for."""
    key = identify(subject, dataset, protocol).key
    path = find_key(key, folder) if maps is None or is_whole(maps, key) else None
    evidence = None if path is None else read_evidence(path)
    same = evidence is not None and evidence.weights_origin == subject.origin
    return evidence if same else None


def scores_of(run: Run, evidence: Evidence) -> dict[str, dict[str, float | None]]:
    """Scores under every protocol of the run that this evidence answers.

    Evidence in a precision that was asked for, but that no protocol of the run has, is scored
    as those in fp32 are.
    """
    protocols = _of_inference(run, evidence)
    same = [p for p in protocols if p.precision == evidence.identity.precision]
    answered = same or [p for p in protocols if p.precision == "fp32"]
    return {p.name: _scores(evidence, p) for p in answered}


def _of_inference(run: Run, evidence: Evidence) -> list[Protocol]:
    protocols = map(load_protocol, run.protocols)
    return [p for p in protocols if p.inference_fp32 == evidence.identity.inference]


def _scores(evidence: Evidence, protocol: Protocol) -> dict[str, float | None]:
    found = score(evidence, protocol)
    return {
        "mIoU": _percent(found.miou),
        "pixel_accuracy": _percent(found.pixel_accuracy),
        "mean_accuracy": _percent(found.mean_accuracy),
    }


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def _label(condition: Condition | None) -> str:
    return "-".join(str(value) for key, value in (condition or {}).items() if key != "seed")


def _check_model(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise SegmodelsError(f"{path}: holds {found}, but {expected} was asked for.")
