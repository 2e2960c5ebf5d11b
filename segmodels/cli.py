"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from segmodels.errors import SegmodelsError

if TYPE_CHECKING:
    from tqdm import tqdm

    from segmodels.evidence import Evidence
    from segmodels.leaderboard import Row

Command = Callable[[argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 is success, 1 an error told in one line, 2 wrong usage."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see flows/stages.py
    chosen = _parser().parse_args(arguments)
    try:
        command: Command = chosen.command
        code = command(chosen)
        sys.stdout.flush()  # a reader that went away is noticed here, not at exit
        return code
    except SegmodelsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output went away: `segmodels list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stopped; finished work is kept and taken up next time", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segmodels", description="Published semantic-segmentation results, checked."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    listing = add("list", _list, "list models, datasets, protocols, claims, runs or suites")
    listing.add_argument("what", nargs="?", default="models", choices=_LISTS)
    listing.add_argument("--match", default="*", help="only names that match, e.g. 'segformer*'")
    add("show", _show, "show a claim, protocol, run, dataset, weights entry or model").add_argument(
        "name"
    )
    claims = add("claims", _claims_validate, "check the claims files")
    claims.add_subparsers(metavar="ACTION").add_parser(
        "validate", help="every field, and every name a claim uses"
    )
    verify = add("verify", _verify, "check a published claim: fetch, evaluate or count, judge")
    verify.add_argument("claim")
    _device(verify)
    _force(verify)
    evaluate = add("evaluate", _evaluate, "evaluate a run under each of its protocols")
    _evaluate_options(evaluate)
    evidence = add("evidence", _evidence_check, "check evidence, or merge its shards")
    _evidence_actions(evidence)
    training = add("train", _train, "train the weights of a run")
    training.add_argument("run")
    _device(training)
    add("doctor", _doctor, "check that this machine is ready")
    suite = add("suite", _suite, "choose what `dvc repro` rebuilds (no name: show it)")
    suite.add_argument("names", nargs="*", metavar="NAME")
    suite.add_argument("--check", action="store_true", help="only say whether it is up to date")
    add("leaderboard", _leaderboard, "judge all evidence again and render the leaderboard")
    _costs(add)
    add("catalogue", _catalogue, "write docs/models.md: what models are, hold and cost")
    add("protocols", _protocols, "write docs/protocols.md: which paper measures how")
    export = add("export", _export, "write a checkpoint as an ONNX file (extra: onnx)")
    export.add_argument("checkpoint", type=Path, help="file or folder, any known format")
    export.add_argument("onnx", type=Path, help="file to write")
    export.add_argument("--size", type=int, nargs=2, default=(512, 512), metavar=("H", "W"))
    return parser


def _costs(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    bench = add("bench", _bench, "count parameters and operations of models, or take their time")
    bench.add_argument("pattern", help="model names, e.g. 'segformer*'")
    sides = "side of the square input, or HxW (pixels)"
    bench.add_argument("--size", default="512", metavar="SIZE", help=sides)
    timing = "take the time instead, as this entry of params/efficiency.yaml says"
    bench.add_argument("--latency", metavar="NAME", help=timing)
    _device(bench)
    efficiency = add("efficiency", _efficiency, "count what claims say about networks")
    asked = "JSON list of other counts: model, overrides, convention, height, width"
    efficiency.add_argument("--wanted", type=Path, metavar="FILE", help=asked)


def _evaluate_options(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("run")
    evaluate.add_argument("--protocol", help="only this one of its protocols")
    shard = "count part I (from 0) of N only; torchrun says so by itself"
    evaluate.add_argument("--shard", metavar="I/N", help=shard)
    less = "of the network; bf16 is compared with fp32, which is evaluated first if it is not here"
    evaluate.add_argument("--precision", choices=("fp32", "bf16"), help=less)
    kept = "keep the label maps in labels/RUN/PROTOCOL"
    evaluate.add_argument("--keep-labels", action="store_true", help=kept)
    _device(evaluate)
    _force(evaluate)


def _evidence_actions(evidence: argparse.ArgumentParser) -> None:
    actions = evidence.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="hashes, cells, and pixels against the labels")
    check.add_argument("files", nargs="*", type=Path, help="files or folders (default: all)")
    kept = "count the label maps in and below this folder instead, e.g. labels/RUN/PROTOCOL"
    check.add_argument("--labels", type=Path, metavar="FOLDER", help=kept)
    check.add_argument("--by", metavar="NAME", help="keep it as evidence of this third party")
    check.add_argument("--url", default="", help="where the third party published it")
    check.set_defaults(command=_evidence_check)
    merge = actions.add_parser("merge", help="make the whole of all shards")
    merge.add_argument("folder", type=Path, help="where to write, e.g. reports/evidence/RUN/NAME")
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="<key>.json of a shard")
    merge.add_argument("--labels", type=Path, metavar="FOLDER", help="merge the label maps to it")
    merge.set_defaults(command=_evidence_merge)


def _device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, …")


def _force(parser: argparse.ArgumentParser) -> None:
    text = "count again although the evidence is here"
    parser.add_argument("--force", action="store_true", help=text)


_LISTS = ("models", "datasets", "protocols", "claims", "runs", "suites", "weights")


def _names(what: str) -> list[str]:
    from segmodels import assets, claims, protocols, runs
    from segmodels.models import list_models

    known: dict[str, Callable[[], list[str]]] = {
        "models": list_models,
        "datasets": lambda: sorted(assets.load_dataset_entries()),
        "protocols": lambda: sorted(protocols.load_protocols()),
        "claims": lambda: sorted({**claims.load_claims(), **claims.load_statements()}),
        "runs": runs.run_names,
        "suites": runs.suite_names,
        "weights": lambda: sorted(assets.load_weights_entries()),
    }
    return known[what]()


def _list(chosen: argparse.Namespace) -> int:
    import fnmatch

    names = fnmatch.filter(_names(chosen.what), chosen.match)
    if not names:
        raise SegmodelsError(f"No {chosen.what} match {chosen.match!r}.")
    print("\n".join(names))
    return 0


def _show(chosen: argparse.Namespace) -> int:
    from dataclasses import asdict

    from segmodels import assets, claims, protocols, runs
    from segmodels.errors import UnknownNameError
    from segmodels.models.registry import MODELS

    published = {**claims.load_claims(), **claims.load_statements()}.get(chosen.name)
    found = {
        "protocol": protocols.load_protocols().get(chosen.name),
        "run": runs.load_run(chosen.name) if chosen.name in runs.run_names() else None,
        "dataset": assets.load_dataset_entries().get(chosen.name),
        "weights": assets.load_weights_entries().get(chosen.name),
        "model": MODELS.get(chosen.name),
    }
    shown = {kind: asdict(entry) for kind, entry in found.items() if entry is not None}
    if published is not None:
        shown["claim"] = published.model_dump(mode="json", exclude_defaults=True)
    if not shown:
        raise UnknownNameError("name", chosen.name, (n for what in _LISTS for n in _names(what)))
    print(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
    return 0


def _claims_validate(chosen: argparse.Namespace) -> int:
    from segmodels.claims import load_claims, load_statements
    from segmodels.validation import problems

    del chosen
    found = problems()
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    if found:
        return 1
    print(f"{len(load_claims())} claims and {len(load_statements())} statements, all good")
    return 0


def _verify(chosen: argparse.Namespace) -> int:
    from segmodels.verify import verify

    row = verify(chosen.claim, chosen.device, _progress, chosen.force)
    print(f"{row.claim}: {_compared(row)}")
    if row.interval:
        print(f"  95 % interval over images {row.interval[0]:.2f} to {row.interval[1]:.2f}")
    if row.kind == "claim":
        print(f"  protocol {row.protocol or 'not stated'}, {row.level or 'nothing measured'}")
    if row.evidence_file:
        print(f"  evidence reports/{row.evidence_file}")
    if row.verdict == "blocked":
        _print_missing(chosen.claim)
    elif row.reason:
        print(f"  {row.reason}")
    return 0


def _compared(row: Row) -> str:
    if row.claimed is None:
        return row.verdict
    verified = "not verified" if row.verified is None else f"verified {row.verified:.2f}"
    return f"{row.metric} claimed {row.claimed:.{row.decimals}f}, {verified}: {row.verdict}"


def _print_missing(claim: str) -> None:
    from segmodels.claims import load_claim
    from segmodels.missing import instructions

    for line in instructions(load_claim(claim)):
        print(f"  {line}")


def _evaluate(chosen: argparse.Namespace) -> int:
    from segmodels import steps
    from segmodels.effect import effect_sentence
    from segmodels.errors import UnknownNameError
    from segmodels.locks import only_one
    from segmodels.runs import load_run
    from segmodels.settings import cache_dir
    from segmodels.sharded import shard_file
    from segmodels.verify import evaluated_protocol

    run = load_run(chosen.run)
    if chosen.protocol and chosen.protocol not in run.protocols:
        raise UnknownNameError(f"protocol of run {run.name}", chosen.protocol, run.protocols)
    shard, device = _shard(chosen.shard), _own_device(chosen.device)
    lock = cache_dir() / f"bring-{run.name}.lock"
    with nullcontext() if shard is None else only_one(lock, f"bringing {run.name}", wait=True):
        steps.bring(run, device, _curve)  # the first of several; the others find it done
    watch = _progress if shard is None or shard[0] == 0 else None
    asked = [chosen.protocol] if chosen.protocol else run.distinct_protocols()
    how: tuple[Any, ...] = (device, watch, chosen.force, chosen.precision, chosen.keep_labels)
    for protocol in (evaluated_protocol(run, name) for name in asked):
        if shard is None:
            found = steps.evaluate_run(run.name, protocol, *how)
        else:
            found = steps.evaluate_run_shard(run.name, protocol, shard, *how)
        if found.shard is not None:
            path = _relative(shard_file(found.key, found.shard))
            print(f"{run.name}, {protocol}: shard {found.shard} waits for the others in {path}")
            continue
        for name, scores in steps.scores_of(run, found).items():
            print(f"{run.name}, {name}: mIoU {scores['mIoU']} (evidence {found.key})")
        for entry in (found.effect or {}).get("scores", ()):
            print(f"  {effect_sentence(found, entry)}")
    return 0


def _shard(named: str | None) -> tuple[int, int] | None:
    """`--shard`, or what torchrun tells this process; None when it is alone."""
    ranks = os.environ.get("WORLD_SIZE", "1")
    if named is None and ranks == "1":
        return None
    text = named or f"{os.environ.get('RANK')}/{ranks}"
    index, _, number = text.partition("/")
    if not (index.isdecimal() and number.isdecimal() and int(index) < int(number)):
        raise SegmodelsError(
            f"there is no shard {text!r}: the first of two is 0/2, the second 1/2."
        )
    return int(index), int(number)


def _own_device(device: str) -> str:
    """With torchrun, every process of a machine has a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if device == "cuda" and local is not None else device


def _evidence_check(chosen: argparse.Namespace) -> int:
    return _check_labels(chosen) if chosen.labels else _check_files(chosen)


def _check_labels(chosen: argparse.Namespace) -> int:
    from segmodels import layout
    from segmodels.datasets import open_dataset
    from segmodels.evidence import read_evidence
    from segmodels.labelmaps import check_maps, evidence_of, map_folders

    folders, wrong = map_folders(chosen.labels), 0
    if not folders:
        raise SegmodelsError(f"{chosen.labels}: no label maps here (no manifest.json).")
    for folder in folders:
        try:
            file = _find_key(evidence_of(folder), chosen.files or [layout.evidence()])
            if file is None:
                raise SegmodelsError(f"{folder}: evidence {evidence_of(folder)} is not here.")
            evidence = read_evidence(file)
            dataset = open_dataset(evidence.identity.dataset, evidence.identity.split)
            number = check_maps(folder, evidence, dataset)
        except SegmodelsError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
            continue
        print(f"{_relative(folder)}: ok, {number} maps give the counts of {evidence.key}")
    return 1 if wrong else 0


def _find_key(key: str, places: list[Path]) -> Path | None:
    from segmodels.evidence import evidence_files

    files = (f for p in places for f in (evidence_files(p) if p.is_dir() else [p]))
    return next((file for file in files if file.stem == key), None)


def _check_files(chosen: argparse.Namespace) -> int:
    from segmodels import layout
    from segmodels.evidence import check_evidence, evidence_files, registered_pixels
    from segmodels.third_party import admit

    descriptions = layout.reports() / "datasets"
    asked = chosen.files or [layout.evidence()]
    paths = [p for path in asked for p in (evidence_files(path) if path.is_dir() else [path])]
    if not paths:
        raise SegmodelsError(f"{asked[0]}: no evidence here.")
    wrong = 0
    for path in paths:
        try:
            evidence = check_evidence(path, descriptions)
            effect = _checked_effect(evidence, [*paths, layout.evidence()])
        except SegmodelsError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
            continue
        if chosen.by:
            copy = admit(path, layout.evidence(), descriptions, chosen.by, chosen.url)
            print(f"{path}: kept as {_relative(copy)}")
        known = registered_pixels(evidence, descriptions) is not None
        pixels = "pixels as in the labels" if known else "labels not here to compare with"
        print(f"{_relative(path)}: ok, {len(evidence.images)} images, {pixels}{effect}")
    return 1 if wrong else 0


def _checked_effect(evidence: Evidence, places: list[Path]) -> str:
    """What to say about an effect; nothing about evidence in fp32."""
    from segmodels.effect import check_effect, full_precision
    from segmodels.evidence import read_evidence

    if evidence.identity.precision == "fp32":
        return ""
    wanted = full_precision(evidence.identity).key
    full = _find_key(wanted, places)
    if evidence.effect is None:
        return f", effect of {evidence.identity.precision} not measured"
    if full is None:
        return f", fp32 evidence {wanted} not here to compare with"
    check_effect(evidence, read_evidence(full))
    return f", effect as against {wanted}"


def _evidence_merge(chosen: argparse.Namespace) -> int:
    from segmodels.evidence import read_evidence, write_evidence
    from segmodels.shards import merge_evidence

    whole = merge_evidence(map(read_evidence, chosen.files))
    if chosen.labels:
        from segmodels.labelmaps import merge_maps
        from segmodels.sharded import shard_maps

        merge_maps([shard_maps(file) for file in chosen.files], chosen.labels, whole)
    print(_relative(write_evidence(chosen.folder, whole)))
    return 0


def _train(chosen: argparse.Namespace) -> int:
    from segmodels import steps
    from segmodels.runs import load_run

    steps.bring_data(load_run(chosen.run).dataset)
    print(steps.train_run(chosen.run, chosen.device, _curve))
    return 0


def _doctor(chosen: argparse.Namespace) -> int:
    from segmodels.doctor import examine

    del chosen
    findings = examine()
    for finding in findings:
        print(f"{finding.level:5} {finding.subject}: {finding.text}")
    return 1 if any(finding.level == "bad" for finding in findings) else 0


def _suite(chosen: argparse.Namespace) -> int:
    from segmodels.files import read_yaml
    from segmodels.runs import activate, check_active, suite_names
    from segmodels.settings import project_root

    if chosen.check:
        check_active()
    elif chosen.names:
        activate(chosen.names)
    active = read_yaml(project_root() / "params" / "active.yaml")
    print(f"active: {', '.join(active['suites'])} (known: {', '.join(suite_names())})")
    print("\n".join(f"  {run}" for run in active["runs"]))
    return 0


def _leaderboard(chosen: argparse.Namespace) -> int:
    from segmodels import layout
    from segmodels.leaderboard import write_leaderboard

    del chosen
    for path in write_leaderboard(layout.evidence(), layout.reports()):
        print(_relative(path))
    return 0


def _bench(chosen: argparse.Namespace) -> int:
    from segmodels.efficiency import cost
    from segmodels.errors import UnknownNameError
    from segmodels.models import list_models

    names = list_models(chosen.pattern)
    if not names:
        raise UnknownNameError("model", chosen.pattern, list_models())
    size = _sides(chosen.size)
    if chosen.latency:
        return _bench_latency(names, chosen.latency, chosen.device, size)
    for name in names:
        found = cost(name, image_size=size)
        print(f"{name}: {found.parameters / 1e6:.2f} M parameters, {found.macs / 1e9:.2f} GMAC")
    return 0


def _sides(text: str) -> tuple[int, int]:
    """Height and width of `--size`."""
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise SegmodelsError(f"there is no size {text!r}: give a side (512) or HxW (1024x2048).")
    return int(sides[0]), int(sides[-1])


def _bench_latency(names: list[str], protocol: str, device: str, size: tuple[int, int]) -> int:
    from segmodels.efficiency.latency import load_latency_protocol, write_latency
    from segmodels.efficiency.stopwatch import measure_latency

    entry = load_latency_protocol(protocol)
    for name in names:
        record = measure_latency(name, entry, device, size)
        milliseconds = f"{record.median * 1e3:.1f} ms"
        print(
            f"{name}: {record.images_per_second:.2f} images/s ({milliseconds}) on {record.device}"
        )
        print(f"  {_relative(write_latency(record))}")
    return 0


def _efficiency(chosen: argparse.Namespace) -> int:
    from segmodels.costs import count_wanted
    from segmodels.efficiency.counter import count
    from segmodels.efficiency.record import read_wanted, write_measured

    asked = chosen.wanted and read_wanted(chosen.wanted)
    print(_relative(write_measured(count(asked)) if asked else count_wanted()))
    return 0


def _catalogue(chosen: argparse.Namespace) -> int:
    from segmodels.catalogue import load_families, render

    del chosen
    return _write_page("models", render(load_families()))


def _protocols(chosen: argparse.Namespace) -> int:
    from segmodels.protocol_page import render
    from segmodels.protocols import load_protocols

    del chosen
    return _write_page("protocols", render(load_protocols()))


def _write_page(name: str, text: str) -> int:
    from segmodels.files import write_text
    from segmodels.settings import project_root

    path = project_root() / "docs" / f"{name}.md"
    write_text(path, text)
    print(_relative(path))
    return 0


def _export(chosen: argparse.Namespace) -> int:
    from segmodels.checkpoints import load_checkpoint
    from segmodels.export import export_onnx

    model = load_checkpoint(chosen.checkpoint)
    print(_relative(export_onnx(model, chosen.onnx, tuple(chosen.size))))
    return 0


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


class _Progress:
    """A bar with the time that is left; where nobody watches, one line at the end."""

    def __init__(self) -> None:
        self.bar: tqdm[NoReturn] | None = None

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self._draw(done, total)
        elif done == total:
            print(f"{done}/{total} images", file=sys.stderr)

    def _draw(self, done: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None:  # what an earlier attempt finished says nothing about speed
            self.bar = tqdm(total=total, initial=done - 1, unit=" images", leave=True)
        self.bar.update()
        if done == total:
            self.bar.close()
            self.bar = None


_progress = _Progress()


def _curve(point: dict[str, float], steps: int) -> None:
    print(f"step {point['step']:.0f}/{steps}: mIoU {point['val_miou']:.2f}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
