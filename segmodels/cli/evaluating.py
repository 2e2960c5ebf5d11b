"""`segmodels evaluate` and `segmodels train`."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from segmodels.cli.common import (
    SKIP,
    Add,
    count,
    device_option,
    engine_of,
    engine_options,
    force_option,
    relative,
)
from segmodels.cli.progress import curve, progress
from segmodels.core.environment import own_device
from segmodels.errors import SegmodelsError

if TYPE_CHECKING:
    from segmodels.engines.engine import Engine
    from segmodels.runs.run import Run
    from segmodels.steps.options import Options


def add(commands: Add) -> None:
    """Add both."""
    evaluate = commands("evaluate", _evaluate, "evaluate a run under each of its protocols")
    evaluate.add_argument("run", help="of params/runs; `segmodels list runs` lists them")
    evaluate.add_argument("--protocol", help="only this one of its protocols")
    shard = "count part I (from 0) of N only; torchrun says so by itself"
    evaluate.add_argument("--shard", metavar="I/N", help=shard)
    less = "of the network; all but fp32 are compared with fp32, which is evaluated first"
    ways = ("fp32", "bf16", "fp32-compiled", "bf16-compiled")
    evaluate.add_argument("--precision", choices=ways, help=less)
    kept = "keep the label maps in labels/RUN/PROTOCOL"
    evaluate.add_argument("--keep-labels", action="store_true", help=kept)
    evaluate.add_argument("--skip-unreadable", action="store_true", help=SKIP)
    stress = "instead, count it under a robustness suite of params/robustness.yaml"
    evaluate.add_argument("--suite", metavar="SUITE", help=stress)
    engine_options(evaluate)
    device_option(evaluate)
    force_option(evaluate)
    training = commands("train", _train, "train the weights of a run")
    training.add_argument("run", help="of params/runs, with a recipe")
    device_option(training)
    shared = "fsdp: the processes of torchrun share out weights, gradients and moments"
    training.add_argument("--sharding", choices=("none", "fsdp"), default="none", help=shared)
    plan = "say what it needs (memory, speed by a short probe, hours), and train nothing"
    training.add_argument("--plan", action="store_true", help=plan)
    job = "print a job that trains it with torchrun, and train nothing"
    training.add_argument("--job", choices=("slurm", "kubernetes"), help=job)
    training.add_argument("--nodes", type=count, default=1, help="machines of the job or plan")
    gpus = "processes on each machine, one GPU each"
    training.add_argument("--gpus", type=count, default=1, help=gpus)
    hours = "after which the job may be ended"
    training.add_argument("--hours", type=count, help=hours)
    training.add_argument("--image", default="", help="container image of a Kubernetes job")


def _evaluate(chosen: argparse.Namespace) -> int:
    from segmodels.errors import UnknownNameError
    from segmodels.runs.run import load_run

    run = load_run(chosen.run)
    if chosen.protocol and chosen.protocol not in run.protocols:
        raise UnknownNameError(f"protocol of run {run.name}", chosen.protocol, run.protocols)
    if chosen.shard and chosen.engine:
        raise SegmodelsError("--shard counts one part, --engine all of them: name one of the two")
    with engine_of(chosen) as engine:
        shard = None if engine else shard_of(chosen.shard)
        _bring(run, chosen, together=shard is not None or engine is not None)
        if engine is not None and not engine.leads:
            engine.serve()
            return 0
        options = _options(chosen, shard, engine)
        if chosen.suite:
            _stress(run, chosen, options)
        else:
            _count_all(run, chosen.protocol, options)
    return 0


def _bring(run: Run, chosen: argparse.Namespace, *, together: bool) -> None:
    """Fetch, prepare and train what the run lacks; of several processes the first does it."""
    from segmodels import steps
    from segmodels.core.locks import only_one
    from segmodels.core.settings import cache_dir
    from segmodels.datasets.copies import skip_unreadable

    lock = cache_dir() / f"bring-{run.name}.lock"
    with only_one(lock, f"bringing {run.name}", wait=True) if together else nullcontext():
        if chosen.skip_unreadable:
            skip_unreadable(run.dataset)
        if os.environ.get("WORLD_SIZE", "1") != "1":
            steps.ensure_dataset(run.dataset, progress)
            _check_trained(run)
        # The first of several processes does it; the others find it done.
        steps.ensure_inputs(run, steps.Options(own_device(chosen.device), progress, curve))


def _check_trained(run: Run) -> None:
    """One process of several cannot train: all would have to, and they wait here."""
    from segmodels import steps

    if run.recipe and not steps.trained_as_asked(run):
        raise SegmodelsError(
            f"the weights of run {run.name!r} are not trained yet: first "
            f"torchrun … -m segmodels.cli train {run.name}"
        )


def _options(
    chosen: argparse.Namespace, shard: tuple[int, int] | None, engine: Engine | None
) -> Options:
    from segmodels import steps

    return steps.Options(
        device=chosen.device if engine else own_device(chosen.device),
        progress=progress if shard is None or shard[0] == 0 else None,
        force=chosen.force,
        precision=chosen.precision,
        keep_maps=chosen.keep_labels,
        shard=shard,
        engine=engine,
        shards=chosen.shards,
    )


def _count_all(run: Run, protocol: str | None, options: Options) -> None:
    from segmodels import steps
    from segmodels.evaluation.shards import shard_file
    from segmodels.metrics.precision_effect import effect_sentence
    from segmodels.steps.verify import evaluated_protocol
    from segmodels.verdicts.shortcomings import skipped_sentence

    asked = [protocol] if protocol else run.distinct_protocols()
    for name in (evaluated_protocol(run, one) for one in asked):
        found = steps.evaluate_run(run.name, name, options)
        if found.shard is not None:
            path = relative(shard_file(found.key, found.shard))
            print(f"{run.name}, {name}: shard {found.shard} waits for the others in {path}")
            continue
        for scored, scores in steps.scores_of(run, found).items():
            print(f"{run.name}, {scored}: mIoU {scores['mIoU']} (evidence {found.key})")
        if found.skipped:
            print(f"  {skipped_sentence(found)} The result is partial.")
        for entry in (found.effect or {}).get("scores", ()):
            print(f"  {effect_sentence(found, entry)}")


def _stress(run: Run, chosen: argparse.Namespace, options: Options) -> None:
    from segmodels import steps
    from segmodels.protocols.reading import load_protocol
    from segmodels.steps.robustness import scores_of_suite

    for option in ("protocol", "precision", "keep_labels", "shard", "shards"):
        if getattr(chosen, option):
            raise SegmodelsError(
                f"--{option.replace('_', '-')} does not go with --suite: a suite is counted under "
                f"the run's first protocol, one condition after the other or one to a worker."
            )
    found = steps.stress_run(run.name, chosen.suite, options)
    scores = scores_of_suite(found, load_protocol(run.protocols[0]))
    for condition, miou in scores["mIoU"].items():
        print(f"{run.name}, {condition}: mIoU {miou}")
    print(f"{run.name}, mean of {chosen.suite}: mIoU {scores['mean_mIoU']}")


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
