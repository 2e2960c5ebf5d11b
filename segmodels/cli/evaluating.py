"""`segmodels evaluate` and `segmodels train`."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext

from segmodels.cli.common import SKIP, Add, device_option, force_option, relative
from segmodels.cli.progress import curve, progress
from segmodels.errors import SegmodelsError


def add(commands: Add) -> None:
    """Add both."""
    evaluate = commands("evaluate", _evaluate, "evaluate a run under each of its protocols")
    evaluate.add_argument("run")
    evaluate.add_argument("--protocol", help="only this one of its protocols")
    shard = "count part I (from 0) of N only; torchrun says so by itself"
    evaluate.add_argument("--shard", metavar="I/N", help=shard)
    less = "of the network; all but fp32 are compared with fp32, which is evaluated first"
    ways = ("fp32", "bf16", "fp32-compiled", "bf16-compiled")
    evaluate.add_argument("--precision", choices=ways, help=less)
    kept = "keep the label maps in labels/RUN/PROTOCOL"
    evaluate.add_argument("--keep-labels", action="store_true", help=kept)
    evaluate.add_argument("--skip-unreadable", action="store_true", help=SKIP)
    device_option(evaluate)
    force_option(evaluate)
    training = commands("train", _train, "train the weights of a run")
    training.add_argument("run")
    device_option(training)
    shared = "fsdp: the processes of torchrun share out weights, gradients and moments"
    training.add_argument("--sharding", choices=("none", "fsdp"), default="none", help=shared)
    plan = "say what it needs (memory, speed by a short probe, hours), and train nothing"
    training.add_argument("--plan", action="store_true", help=plan)
    job = "print a job that trains it with torchrun, and train nothing"
    training.add_argument("--job", choices=("slurm", "kubernetes"), help=job)
    training.add_argument("--nodes", type=_count, default=1, help="machines of the job or plan")
    gpus = "processes on each machine, one GPU each"
    training.add_argument("--gpus", type=_count, default=1, help=gpus)
    hours = "after which the job may be ended"
    training.add_argument("--hours", type=_count, help=hours)
    training.add_argument("--image", default="", help="container image of a Kubernetes job")


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return number


def _evaluate(chosen: argparse.Namespace) -> int:
    from segmodels import steps
    from segmodels.core.locks import only_one
    from segmodels.core.settings import cache_dir
    from segmodels.datasets.copies import skip_unreadable
    from segmodels.errors import UnknownNameError
    from segmodels.evaluation.shards import shard_file
    from segmodels.metrics.precision_effect import effect_sentence
    from segmodels.runs.run import load_run
    from segmodels.steps.verify import evaluated_protocol
    from segmodels.verdicts.shortcomings import skipped_sentence

    run = load_run(chosen.run)
    if chosen.protocol and chosen.protocol not in run.protocols:
        raise UnknownNameError(f"protocol of run {run.name}", chosen.protocol, run.protocols)
    shard, device = shard_of(chosen.shard), own_device(chosen.device)
    lock = cache_dir() / f"bring-{run.name}.lock"
    with nullcontext() if shard is None else only_one(lock, f"bringing {run.name}", wait=True):
        if chosen.skip_unreadable:
            skip_unreadable(run.dataset)
        # The first of several processes does it; the others find it done.
        steps.ensure_inputs(run, steps.Options(device, progress, curve))
    watch = progress if shard is None or shard[0] == 0 else None
    asked = [chosen.protocol] if chosen.protocol else run.distinct_protocols()
    options = steps.Options(
        device=device,
        progress=watch,
        force=chosen.force,
        precision=chosen.precision,
        keep_maps=chosen.keep_labels,
        shard=shard,
    )
    for protocol in (evaluated_protocol(run, name) for name in asked):
        found = steps.evaluate_run(run.name, protocol, options)
        if found.shard is not None:
            path = relative(shard_file(found.key, found.shard))
            print(f"{run.name}, {protocol}: shard {found.shard} waits for the others in {path}")
            continue
        for name, scores in steps.scores_of(run, found).items():
            print(f"{run.name}, {name}: mIoU {scores['mIoU']} (evidence {found.key})")
        if found.skipped:
            print(f"  {skipped_sentence(found)} The result is partial.")
        for entry in (found.effect or {}).get("scores", ()):
            print(f"  {effect_sentence(found, entry)}")
    return 0


def shard_of(named: str | None) -> tuple[int, int] | None:
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


def own_device(device: str) -> str:
    """With torchrun, every process of a machine has a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if device == "cuda" and local is not None else device


def _train(chosen: argparse.Namespace) -> int:
    from segmodels import steps
    from segmodels.runs.run import load_run

    if chosen.plan or chosen.job:
        return _ahead(chosen)
    steps.ensure_dataset(load_run(chosen.run).dataset, progress)
    device, sharded = own_device(chosen.device), chosen.sharding == "fsdp"
    print(steps.train_run(chosen.run, steps.Options(device, curve=curve, sharded=sharded)))
    return 0


def _ahead(chosen: argparse.Namespace) -> int:
    """What a training would need, or the job that would do it."""
    from segmodels.runs.run import load_run
    from segmodels.steps.planning import plan
    from segmodels.training.launch import Launch

    sharded, count = chosen.sharding == "fsdp", chosen.nodes * chosen.gpus
    if sharded and count == 1:
        raise SegmodelsError(
            "weights can be shared out over several processes: say how many with --gpus or "
            "--nodes, or leave out --sharding."
        )
    if chosen.plan:
        for line in plan(chosen.run, own_device(chosen.device), count, sharded):
            print(line)
    if chosen.job:
        name = load_run(chosen.run).name
        launch = Launch(name, chosen.nodes, chosen.gpus, chosen.hours, chosen.image, sharded)
        print(launch.slurm() if chosen.job == "slurm" else launch.kubernetes(), end="")
    return 0
