"""What orchestration costs on top of the work: DVC, Prefect, MLflow, and the start of each stage.

    python benchmarks/orchestration.py --runs 10 100 400 --json reports/bench/orchestration.json

- `dvc repro` where there is nothing to do, in clones of this checkout with so many runs active: a
  training and an evaluation each, and the stages of the boards. What they would have made is made
  up, so that the preparation takes minutes, not days. The floor is the start of `dvc` itself.
- Stages that do nothing, by `dvc repro` and by the flow `reproduce` under a server of its own. The
  difference, for each stage, is what Prefect costs.
- The board in MLflow: all its runs into an empty database, and once more where all is known.
- Each stage until it knows that its name is unknown: the start of Python and all that it imports.

Seconds are medians on the wall, and of the processor time of the command, which other work on the
machine lengthens less. The record holds the load of the machine before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from segmodels.core.environment import machine

ROOT = Path(__file__).resolve().parents[1]

#: Makes up the outputs of all stages but those whose outputs are in git, and has DVC note them.
MAKE_UP = """
from pathlib import Path
from dvc.repo import Repo
repo = Repo(".")
for stage in repo.index.stages:
    for out in stage.outs:
        path = Path(out.fs_path)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.write_text(path.name)
            else:
                path.mkdir()
                (path / "content").write_text(path.name)
repo.commit(force=True)
print(sum(1 for _ in repo.index.stages))
"""

LOG_BOARD = """
import time
from flows import tracking
from segmodels.leaderboard import rows_here
rows = rows_here()
for _ in range(2):
    start = time.perf_counter()
    tracking.log_leaderboard(rows)
    print(time.perf_counter() - start)
from mlflow import MlflowClient
client = MlflowClient()
place = client.get_experiment_by_name(tracking.EXPERIMENT)
print(len(client.search_runs([place.experiment_id], max_results=5000)))
"""

STAGES = {
    "resolve": [],
    "download": ["x"],
    "prepare": ["x"],
    "weights": ["x"],
    "train": ["x"],
    "evaluate": ["x", "x"],
    "labels": ["x", "x"],
    "robustness": ["x", "x"],
}


def clone(folder: Path) -> Path:
    """This checkout as it is committed, in a folder of its own."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def run(folder: Path, *command: str, check: bool = True, **settings: str) -> str:
    """What a Python module printed, run in a checkout with its own code."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SEGMODELS_", "PREFECT_"))}
    environment = {**kept, "PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1", **settings}
    done = subprocess.run(
        [sys.executable, "-P", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=None if check else subprocess.DEVNULL,
        text=True,
        check=check,
    )
    return done.stdout


Seconds = dict[str, float]


def seconds(what: Callable[[], object], times: int = 5) -> Seconds:
    """Median seconds of a call that waits for child processes: on the wall, and of their work."""
    wall, work = [], []
    for _ in range(times):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        what()
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"wall": round(statistics.median(wall), 2), "work": round(statistics.median(work), 2)}


def nothing_to_do(number: int, parent: Path) -> dict[str, Any]:
    """`dvc repro` with so many runs, all of them up to date."""
    folder = clone(parent / f"runs-{number}")
    base = yaml.safe_load((folder / "params/runs/shapes-segmenter-nano.yaml").read_text())
    names = [f"bench-{i:04}" for i in range(number)]
    for i, name in enumerate(names):
        entry = {**base, "seed": i, "protocols": ["shapes-ss"], "robustness": []}
        (folder / f"params/runs/{name}.yaml").write_text(json.dumps(entry))
    (folder / "params/suites/bench.yaml").write_text(json.dumps({"title": "t", "runs": names}))
    run(folder, "-m", "segmodels", "suite", "bench")
    run(folder, "-m", "flows.stages", "resolve")
    stages = int(run(folder, "-c", MAKE_UP).split()[-1])
    said = run(folder, "-m", "dvc", "repro")
    assert "Data and pipelines are up to date" in said, said
    found = {"stages": stages, **seconds(lambda: run(folder, "-m", "dvc", "repro"))}
    shutil.rmtree(folder)
    return found


def flow_against_dvc(number: int, parent: Path) -> dict[str, Any]:
    """Stages that do nothing: the flow beside `dvc repro`, one at a time."""
    folder = clone(parent / "flow")
    stage = {"matrix": {"x": list(range(number))}, "cmd": "echo > made-${item.x}"}
    one = {**stage, "outs": ["made-${item.x}"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"nothing": one}}))
    home = {"PREFECT_HOME": str(parent / "prefect"), "PREFECT_LOGGING_LEVEL": "ERROR"}
    port = ("--prefect-port", "4797", "--mlflow-port", "4798")
    run(folder, "-m", "flows.servers", "up", *port, **home)
    try:
        api = {**home, "PREFECT_API_URL": "http://127.0.0.1:4797/api"}
        force = ("-m", "flows.reproduce", "--jobs", "1", "--force")
        bare = seconds(lambda: run(folder, "-m", "dvc", "repro", "--force"), 3)
        flow = seconds(lambda: run(folder, *force, **api), 3)
        idle = seconds(lambda: run(folder, *force[:-1], **api), 3)
    finally:
        run(folder, "-m", "flows.servers", "down", **home)
    return {
        "stages": number,
        "dvc repro": bare,
        "flow": flow,
        "flow, nothing to do": idle,
        "flow, wall for each stage": round((flow["wall"] - idle["wall"]) / number, 2),
        "dvc repro, wall for each stage": round(bare["wall"] / number, 2),
    }


def board_in_mlflow(parent: Path) -> dict[str, Any]:
    """All runs of the board into an empty database of MLflow, and again."""
    folder = clone(parent / "mlflow")
    first, again, runs = run(folder, "-c", LOG_BOARD).split()[-3:]
    return {
        "runs": int(runs),
        "empty database": round(float(first), 2),
        "all known": round(float(again), 2),
        "milliseconds a run": round(1000 * float(first) / int(runs), 1),
    }


def starts() -> dict[str, Seconds]:
    """Each stage until it has refused a name."""
    bare = {"python": seconds(lambda: run(ROOT, "-c", "pass"))}
    return bare | {
        stage: seconds(
            lambda command=("-m", "flows.stages", stage, *names): run(ROOT, *command, check=False)
        )
        for stage, names in STAGES.items()
    }


def main() -> None:
    """Measure, print and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 400])
    parser.add_argument("--stages", type=int, default=8)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found: dict[str, Any] = {"machine": machine("cpu"), "unit": "seconds"}
    found["load"] = {"before": round(os.getloadavg()[0], 2)}
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        found["start of a stage"] = starts()
        found["dvc, start"] = seconds(lambda: run(ROOT, "-m", "dvc", "--version"))
        for number in chosen.runs:
            found[f"dvc repro, nothing to do, {number} runs"] = nothing_to_do(number, parent)
        found["flow"] = flow_against_dvc(chosen.stages, parent)
        found["mlflow"] = board_in_mlflow(parent)
    found["load"]["after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(found, indent=1))
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
