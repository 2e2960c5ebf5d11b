"""The pictures of docs/tour.md: real servers, a real suite, headless Chromium.

    python docs/pictures.py             # all of them, 20 minutes; SEGMODELS_MIRROR saves downloads
    python docs/pictures.py --check     # take them again, compare with those that are there

In a clone in a temporary folder the servers are brought up and the flow `reproduce` runs over
the suite `camvid`: released networks, and two that are trained from scratch. A picture is taken
when its page shows the words it is about, and refused when it never does. With `--check` nothing
is written: each must have the same size in pixels and its words. Pixels may differ.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
PREFECT, MLFLOW = 4410, 5410
SUITE = "camvid"
PATIENCE_SECONDS = 5400.0


@dataclass(frozen=True)
class Picture:
    """A page and what must be seen on it.

    Attributes:
        name: of the file in docs/pictures.
        address: of the page; `{run}`, `{form}` and others stand for what a server calls them.
        words: that the page shows.
        clicks: labels of buttons, tabs or links that are clicked first, one after the other.
        size: pixels, width and height.
        script: run in the page before the picture is taken.
    """

    name: str
    address: str
    words: tuple[str, ...]
    clicks: tuple[str, ...] = ()
    size: tuple[int, int] = (1280, 720)
    script: str = ""


#: While the flow runs.
RUNNING = (
    Picture(
        "prefect-limit",
        "{prefect}/concurrency-limits?tab=Global",
        ("Active Slots", "gpu"),
    ),
)

#: When it has ended.
ENDED = (
    Picture("prefect-deployments", "{prefect}/deployments", ("reproduce", "watch", "Schedules")),
    Picture(
        "prefect-form", "{prefect}/deployments/deployment/{form}/run", ("Ids of params/claims",)
    ),
    Picture("prefect-run", "{prefect}/runs/flow-run/{run}", ("Completed", "Task Runs")),
    Picture("prefect-table", "{prefect}/artifacts/artifact/{table}", ("evaluate@camvid-espnet",)),
    Picture(
        "mlflow-runs",
        "{mlflow}/#/experiments/{board}/runs?viewStateShareKey=leaderboard",
        ("claimed_mIoU", "verified_mIoU", "gap"),
    ),
    Picture(
        "mlflow-compare",
        "{mlflow}/#/compare-runs?runs={claims}&experiments=[%22{board}%22]",
        ("Comparing", "claimed_mIoU"),
    ),
    Picture(
        "mlflow-curves",
        "{mlflow}/#/experiments/{training}/runs/{trained}/model-metrics",
        ("gradient_norm",),
    ),
    Picture("mlflow-registry", "{mlflow}/#/models", ("espnet_p2_q8-camvid",)),
    Picture("board", "{local}/leaderboard.html", ("segmodels", "65.6")),
    Picture("board-claim", "{local}/claims/cgnet_m3n21_camvid.html", ("65.6",)),
    Picture(
        "board-robustness",
        "{local}/claims/espnet_p2_q8_camvid.html",
        ("fog",),
        script="[...document.querySelectorAll('h2')].find("
        "one => one.textContent.includes('disturbed')).scrollIntoView()",
    ),
)


def run(folder: Path, *command: str, **settings: str) -> str:
    """What a Python module printed, run in a checkout with its own code."""
    environment = {**os.environ, "PYTHONPATH": str(folder), **settings}
    done = subprocess.run(
        [sys.executable, "-P", "-m", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def asked(path: str, **body: Any) -> Any:
    """What Prefect's server answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PREFECT}/api/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@contextmanager
def servers() -> Iterator[Path]:
    """A clone whose suite is active, with the servers up; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "segmodels"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        run(folder, "segmodels", "suite", SUITE)
        settings = {"PREFECT_HOME": str(Path(name) / "prefect")}
        ports = ("--prefect-port", str(PREFECT), "--mlflow-port", str(MLFLOW))
        run(folder, "flows.servers", "up", *ports, **settings)
        try:
            yield folder
        finally:
            run(folder, "flows.servers", "down", **settings)


def begin() -> str:
    """Start the flow under a GPU limit of one; the id of its run."""
    asked("v2/concurrency_limits/", name="gpu", limit=1)
    deployments = {one["name"]: one["id"] for one in asked("deployments/filter")}
    path = f"deployments/{deployments['reproduce']}/create_flow_run"
    created: str = asked(path, parameters={"jobs": 3}, state={"type": "SCHEDULED"})["id"]
    return created


def until(what: str, ready: Any) -> Any:
    """What `ready` gives as soon as it gives something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := ready()):
        if time.monotonic() > end:
            raise SystemExit(f"{what} never came")
        time.sleep(1.0)
    return found


def gpu_is_held() -> bool:
    """Whether a stage runs a network, so that the next one waits."""
    limits = asked("v2/concurrency_limits/filter")
    return any(one["name"] == "gpu" and one["active_slots"] for one in limits)


def has_ended(flow_run: str) -> bool:
    """Whether the flow is through (SystemExit if it failed)."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PREFECT}/api/flow_runs/{flow_run}") as answer:
        state = json.load(answer)["state"]
    if state["type"] in ("FAILED", "CRASHED", "CANCELLED"):
        raise SystemExit(f"the flow ended as {state['type']}: {state['message']}")
    return bool(state["type"] == "COMPLETED")


def names(folder: Path, flow_run: str) -> dict[str, str]:
    """What servers call that which the pictures are of."""
    os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{MLFLOW}"
    from mlflow import MlflowClient

    client = MlflowClient()
    board = client.get_experiment_by_name("segmodels").experiment_id
    training = client.get_experiment_by_name("segmodels-training").experiment_id
    found = client.search_runs([board], "tags.metric = 'mIoU' and metrics.claimed_mIoU > 0")
    claims = json.dumps([one.info.run_id for one in found], separators=(",", ":"))
    deployments = {one["name"]: one["id"] for one in asked("deployments/filter")}
    tables = asked("artifacts/filter", artifacts={"flow_run_id": {"any_": [flow_run]}})
    return {
        "prefect": f"http://127.0.0.1:{PREFECT}",
        "mlflow": f"http://127.0.0.1:{MLFLOW}",
        "local": (folder / "reports/local").as_uri(),
        "run": flow_run,
        "form": deployments["verify-claim"],
        "table": next(one["id"] for one in tables if one["type"] == "table"),
        "board": board,
        "training": training,
        "trained": client.search_runs([training])[0].info.run_id,
        "claims": claims.replace('"', "%22"),
    }


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium, the one that is installed."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))))
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


def take(chromium: Any, picture: Picture, known: Mapping[str, str]) -> bytes:
    """A page as WebP, once its words are to be seen."""
    width, height = picture.size
    page = chromium.new_page(viewport={"width": width, "height": height})
    page.goto(picture.address.format_map(known), wait_until="commit")
    end = time.monotonic() + 90.0
    while lost := [word for word in picture.words if word not in page.inner_text("body")]:
        if time.monotonic() > end:
            raise SystemExit(f"{picture.name}: the page never showed {lost}: {page.url}")
        page.wait_for_timeout(500)
    page.wait_for_timeout(3000)  # drawings follow the words
    page.keyboard.press("Escape")  # advice that MLflow lays over the page, and beside it
    page.wait_for_timeout(1000)
    for button in page.get_by_role("button", name="Close", exact=True).all():
        button.click(force=True)
    if picture.script:
        page.evaluate(picture.script)
    page.wait_for_timeout(1000)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    data = io.BytesIO()
    shot.save(data, "WEBP", quality=35, method=6)
    return data.getvalue()


def differs(picture: Picture, data: bytes) -> str:
    """How a picture differs from the one that is there; empty if it does not."""
    path = FOLDER / f"{picture.name}.webp"
    if not path.is_file():
        return f"{path}: missing"
    with Image.open(path) as before, Image.open(io.BytesIO(data)) as now:
        if before.size != now.size:
            return f"{path}: {before.size} pixels, now {now.size}"
    return ""


def main() -> None:
    """Take all pictures; write them, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    taken: dict[Picture, bytes] = {}
    with servers() as folder, browser() as chromium:
        flow_run = begin()
        until("a stage that holds the GPU", gpu_is_held)
        known = {"prefect": f"http://127.0.0.1:{PREFECT}"}
        taken |= {picture: take(chromium, picture, known) for picture in RUNNING}
        until("the end of the flow", lambda: has_ended(flow_run))
        known = names(folder, flow_run)
        taken |= {picture: take(chromium, picture, known) for picture in ENDED}
    wrong = [found for picture, data in taken.items() if (found := differs(picture, data))]
    if check:
        raise SystemExit("\n".join(wrong) or 0)
    FOLDER.mkdir(exist_ok=True)
    for picture, data in taken.items():
        (FOLDER / f"{picture.name}.webp").write_bytes(data)


if __name__ == "__main__":
    main()
