"""What suites will cost before they begin: downloads, what is missing, and trainings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segmodels.assets.added import is_added
from segmodels.assets.entries import load_dataset_entry, load_weights_entries
from segmodels.assets.fetch import archives_at_hand
from segmodels.assets.remote_file import RemoteFile
from segmodels.core import paths
from segmodels.core.files import canonical_json
from segmodels.datasets.registration import registered
from segmodels.runs.run import Run
from segmodels.runs.suite import load_suite
from segmodels.steps.planning import cost, duration


def suite_plan(suites: Sequence[str], device: str) -> Iterator[str]:
    """Lines that say what suites need; neither images nor weights have to be here.

    Trainings that differ in their seed cost the same and are probed once.

    Args:
        suites: names in `params/suites`.
        device: on which the trainings are probed, and would go one after the other.

    Raises:
        UnknownNameError: no such suite; the message suggests the nearest.
        SegmodelsError: a network cannot be made or run.
    """
    runs = list({run.name: run for suite in suites for run in load_suite(suite)}.values())
    trainings = [run for run in runs if run.recipe]
    evaluations = sum(len(run.evaluations()) for run in runs)
    stressed = sum(len(run.robustness) for run in runs)
    yield (
        f"{', '.join(suites)}: {len(runs)} runs, {len(trainings)} of them trainings; "
        f"{evaluations} evaluations, {stressed} robustness suites"
    )
    yield from (_dataset_line(name) for name in sorted({run.dataset for run in runs}))
    yield from _weights_lines(runs)
    yield from _training_lines(trainings, device)


def _dataset_line(name: str) -> str:
    entry = load_dataset_entry(name)
    if entry.own or registered(name) is not None or archives_at_hand(entry, paths.downloads(name)):
        return f"{name}: here"
    if entry.state != "ok":
        return f"{name}: missing, it is {entry.state}: {entry.reason}"
    return f"{name}: {_to_fetch(entry.archives)}" if entry.archives else f"{name}: drawn"


def _to_fetch(files: Sequence[RemoteFile]) -> str:
    if not files or any(file.bytes is None for file in files):
        return "to be fetched, size not known"
    return f"{sum(file.bytes or 0 for file in files) / 1e6:.0f} MB to fetch"


def _weights_lines(runs: Sequence[Run]) -> Iterator[str]:
    entries = load_weights_entries()
    wanted = {name: entries[name] for run in runs for name in (run.weights, run.initial) if name}
    missing = {n: e for n, e in wanted.items() if e.state != "ok" and not is_added(e)}
    here = [n for n in wanted if n not in missing and paths.released_weights(n).exists()]
    others = len(wanted) - len(missing) - len(here)
    if wanted:
        yield f"weights: {len(here)} here, {others} to fetch, {len(missing)} missing"
    for name, entry in sorted(missing.items()):
        blocked = [run.name for run in runs if name in (run.weights, run.initial)]
        yield f"  {name} is {entry.state}: {entry.reason}; blocks {', '.join(blocked)}"


def _training_lines(trainings: Sequence[Run], device: str) -> Iterator[str]:
    groups: dict[str, list[Run]] = {}
    for run in trainings:
        key = canonical_json([run.model, run.overrides, run.recipe, run.dataset])
        groups.setdefault(key, []).append(run)
    hours, unknown = 0.0, 0
    for first, *others in groups.values():
        needed, number = cost(first, device), 1 + len(others)
        hours += number * (needed.hours or 0.0)
        unknown += number if needed.hours is None else 0
        fits = {None: "", True: ", fits", False: f", more than {device} has"}[needed.fits]
        time = f"not measured, because {needed.why}"
        if needed.hours is not None:
            time = f"about {duration(needed.hours)} each"
        yield (
            f"  {number} x {first.recipe}, {first.model}: {needed.memory / 2**20:.0f} MiB{fits}; "
            f"{time}"
        )
    if trainings:
        besides = f" and {unknown} that were not measured" if unknown else ""
        yield f"trainings: about {duration(hours)} of one {device}{besides}; no validation counted"
