"""Tries every fault of docs/faults.md so many times and writes what came of it.

    python benchmarks/faults.py [--repeats 40] [--only NAME ...]
                                [--json reports/bench/faults.json] [--page docs/faults.md]
    python benchmarks/faults.py --render    # the page again from its record

Each row of the page names its tests; they are run with `SEGMODELS_FAULTS` repeats, slow ones too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from segmodels.core.environment import machine
from segmodels.core.files import read_json, write_json, write_text

RECORD, PAGE = Path("reports/bench/faults.json"), Path("docs/faults.md")


@dataclass(frozen=True)
class Fault:
    """A row of the page.

    Attributes:
        name: for `--only` and the record.
        fault: what happens.
        promise: what is true afterwards.
        tests: where it is really done: files, or functions in them.
    """

    name: str
    fault: str
    promise: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "kills",
        "`kill -9` of a stage at random moments, also while it takes up; of a download of weights "
        "or a dataset, too",
        "run again, it ends as if nothing had been, to the byte",
        ("tests/faults/test_random_kills.py::test_a_killed_stage_ends_as_if_nothing_had_been",),
    ),
    Fault(
        "training-kills",
        "`kill -9` at every step, weight update and file operation of a training",
        "the same weights, curve and batches, bit by bit",
        ("tests/training/test_killed.py::test_kills_at_every_place",),
    ),
    Fault(
        "download-kills",
        "`kill -9` or Ctrl-C in a download of several parts",
        "what came is kept; only the rest is asked for",
        (
            "tests/assets/test_download.py::test_kill_9_loses_moments",
            "tests/assets/test_download.py::test_ctrl_c_ends_all_connections",
        ),
    ),
    Fault(
        "worker-kills",
        "`kill -9` of a worker of an engine, or of the one who deals out",
        "its piece is done again; no worker stays behind; Ctrl-C is one line",
        (
            "tests/engines/test_opening.py::test_a_killed_workers_piece_is_done_again",
            "tests/engines/test_opening.py::test_processes_end_with_their_caller",
        ),
    ),
    Fault(
        "twice",
        "two of any stage at the same moment",
        "one makes it, the other takes it or says who is at it; the end is that of one",
        ("tests/faults/test_at_the_same_time.py::test_two_of_a_stage",),
    ),
    Fault(
        "disk",
        "a disk that becomes full while something is fetched, drawn, trained, counted or rendered",
        "one line, or it goes on without a snapshot; with room it ends as if nothing had been",
        ("tests/faults/test_full_disk.py::test_a_full_disk",),
    ),
    Fault(
        "database",
        "MLflow's database that is full, or cut short",
        "one warning; the stage ends well, and the next board completes what is missing",
        (
            "tests/flows/test_tracking.py::test_a_database_that_fails_is_one_line",
            "tests/flows/test_tracking.py::test_a_run_cut_short_is_completed",
            "tests/flows/test_tracking.py::test_a_board_cut_short_is_completed",
        ),
    ),
    Fault(
        "places",
        "read-only folders, a disk without a byte, a folder that was deleted",
        "every command and stage is one line and changes nothing",
        ("tests/flows/test_refusing_places.py::test_a_refusal_is_one_line",),
    ),
    Fault(
        "servers",
        "a server that drops connections, is slow, refuses, sends other bytes or another length, "
        "redirects for ever",
        "the right bytes, or one line; what came is kept",
        ("tests/faults/test_bad_servers.py::test_a_server_that",),
    ),
    Fault(
        "mlflow",
        "MLflow that cannot be reached",
        "one warning a stage, nothing else; the next board catches up",
        ("tests/flows/test_tracking.py::test_an_unreachable_server_costs_one_warning",),
    ),
    Fault(
        "mlflow-killed",
        "an MLflow server that is killed after a run was made there",
        "one warning; the stage ends well, and the next board catches up",
        ("tests/flows/test_mlflow_stops.py::test_a_server_killed_in_the_middle_of_a_stage",),
    ),
    Fault(
        "mlflow-silent",
        "an MLflow server that takes a question and never answers",
        "one warning once two questions were given 20 seconds each "
        "(`MLFLOW_HTTP_REQUEST_TIMEOUT`); the stage ends well, and the next board catches up",
        (
            "tests/flows/test_mlflow_stops.py::test_a_server_that_never_answers",
            "tests/flows/test_mlflow_stops.py::test_a_training_beside_a_server_that_never_answers",
        ),
    ),
    Fault(
        "mlflow-login",
        "an MLflow server, or its database, that refuses user and password",
        "one warning at once, which names address and setting; the stage ends well, and the next "
        "board catches up; `flows.servers up` starts nothing",
        (
            "tests/flows/test_mlflow_stops.py::test_a_login_that_is_refused",
            "tests/flows/test_database_refuses.py",
        ),
    ),
    Fault(
        "cache",
        "DVC's cache on a disk that becomes full",
        "an error that names the disk; what the stage wrote stays; with room it goes on",
        ("tests/flows/test_storage_faults.py::test_a_full_cache",),
    ),
    Fault(
        "remotes",
        "a DVC remote that is full, read-only, gone, or a server that stops in the middle",
        "a push is an error, a pull is known to have failed; "
        "nothing here is lost; with the remote it goes on",
        (
            "tests/flows/test_storage_faults.py::test_a_remote_that_takes_nothing",
            "tests/flows/test_storage_faults.py::test_a_remote_that_vanished",
            "tests/flows/test_storage_faults.py::test_a_server_that_stops_at_a_push",
            "tests/flows/test_storage_faults.py::test_a_server_that_stops_at_a_pull",
        ),
    ),
    Fault(
        "exchange",
        "workers that exchange through a DVC remote that is dead at the start or dies in between",
        "the stage is run and kept, the flow fails and says why; tried again, with `retries` or by "
        "another flow, what was run is handed on and runs nowhere again",
        (
            "tests/flows/test_exchange_faults.py::test_a_remote_that_does_not_answer",
            "tests/flows/test_exchange_faults.py::test_a_remote_that_stops_before_a_pull",
            "tests/flows/test_exchange_faults.py::test_a_flow_says_it_and_the_next_one_hands_on",
        ),
    ),
    Fault(
        "prefect",
        "a Prefect server that does not answer when a flow begins",
        "one line that names its address, exit code 75",
        ("tests/flows/test_schedule.py::test_a_server_that_does_not_answer_is_one_line",),
    ),
    Fault(
        "prefect-killed",
        "a Prefect server that is killed in the middle of a flow",
        "the stages that run end and are kept; one line that names its address, exit code 75; "
        "the next flow goes on from there",
        ("tests/flows/test_prefect_dies.py::test_a_server_killed_in_the_middle_of_a_flow",),
    ),
    Fault(
        "sigterm",
        "SIGTERM to a flow, as a batch system sends it",
        "the flow ends with exit code 143, and so does the Prefect server that it started",
        ("tests/flows/test_termination.py",),
    ),
    Fault(
        "turns",
        "a Prefect server that does not answer, or forgets, while a worker has its turn",
        "the turn is renewed or taken again; who lost it is told",
        ("tests/flows/test_turns.py",),
    ),
    Fault(
        "clock",
        "a clock of which every reading is another, years apart",
        "the same bytes",
        ("tests/faults/test_clock_jumps.py::test_a_clock_that_jumps",),
    ),
    Fault(
        "memory",
        "memory that ends somewhere in a stage",
        "one line that says so, or the process is ended inside PyTorch, or waits for a thread that "
        "could not begin; with memory it ends as if nothing had been",
        ("tests/faults/test_little_memory.py::test_memory_that_ends",),
    ),
    Fault(
        "loaders",
        "a process that loads images for a training dies",
        "the training says so in one line",
        ("tests/training/test_loader.py::test_a_process_that_is_killed_is_an_error",),
    ),
    Fault(
        "nan",
        "weights, scores or pixels that are not finite",
        "an error that names the file or the image; no label is made of them",
        ("tests/evaluation/test_finite.py",),
    ),
)


def tried(fault: Fault, repeats: int) -> dict[str, Any]:
    """Run the tests of a row; how many of them passed, and what did not."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        words = ["-q", "-n", "0", "-m", "", f"--junit-xml={file.name}", "--timeout", "7200"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *words, *fault.tests],
            env={**os.environ, "SEGMODELS_FAULTS": str(repeats)},
            check=False,
        )
        cases = list(ElementTree.parse(file.name).iter("testcase"))
    missed = {kind: [_name(one) for one in cases if one.find(kind) is not None] for kind in KINDS}
    wrong = missed["failure"] + missed["error"]
    repeated = any(name.startswith("tests/faults/") for name in fault.tests)
    return {
        "cases": len(cases) - len(missed["skipped"]),
        "repeats": repeats if repeated and fault.name != "servers" else 1,
        "failed": wrong,
        "skipped": missed["skipped"],
    }


KINDS = ("failure", "error", "skipped")


def _name(case: ElementTree.Element) -> str:
    return f"{case.get('classname')}::{case.get('name')}"


HEAD = """# Faults

<!-- Written by `python benchmarks/faults.py` from its record. Do not edit. -->

What happens to the work when something goes wrong, what is promised then, and the test that really
does it. The quick ones are in every test run (`pytest -m "faults and not slow"`: them alone);
`SEGMODELS_FAULTS=40 pytest -m faults tests/faults` tries each forty times, at other moments
(`SEGMODELS_FAULTS_SEED` begins with another seed; a failure names its own).
[interruptions.md](interruptions.md) says what is taken up from where.

| what happens | what is promised | test | tried | result |
| --- | --- | --- | --- | --- |
"""

TAIL = """
What may differ after a kill, and is left out of the comparison: times, memory and the place of
taking up in records; a record whose writer was killed behind its evidence, which is not made up;
times of files in the surveys of decoded images; lock files; random names and times in MLflow's
database.

`python benchmarks/faults.py` wrote [the record](../reports/bench/faults.json) on one machine
({device}, {cores} cores, Python {python}).
"""


def render(record: dict[str, Any]) -> str:
    """The page as Markdown."""
    lines = [_line(fault, record["faults"].get(fault.name)) for fault in FAULTS]
    return HEAD + "\n".join(lines) + "\n" + TAIL.format(**record)


def _line(fault: Fault, told: dict[str, Any] | None) -> str:
    tests = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in fault.tests)
    if told is None:
        often, result = "not yet", ""
    else:
        times = f", {told['repeats']} times each" if told["repeats"] > 1 else ""
        left = f", {len(told['skipped'])} skipped there" if told["skipped"] else ""
        often = f"{told['cases']} cases{times}{left}"
        result = "all passed" if not told["failed"] else f"failed: {', '.join(told['failed'])}"
    return f"| {fault.fault} | {fault.promise} | {tests} | {often} | {result} |"


def measure(options: argparse.Namespace) -> None:
    """Try the faults; the record is written after each of them."""
    about = {name: value for name, value in machine("cpu").items() if name != "platform"}
    known = read_json(options.json)["faults"] if options.json.is_file() else {}
    for fault in FAULTS:
        if not options.only or fault.name in options.only:
            known[fault.name] = tried(fault, options.repeats)
            write_json(options.json, {**about, "faults": known})


def main(arguments: Sequence[str] | None = None) -> None:
    """Try and write the record and the page, or only the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--only", nargs="*", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--json", type=Path, default=RECORD)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args(arguments)
    if not options.render:
        measure(options)
    write_text(options.page, render(read_json(options.json)))


if __name__ == "__main__":
    main()
