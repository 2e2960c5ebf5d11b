"""Released weights from servers that misbehave, fetched by the stage that fetches them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stage_project
from http_server import Manners, Server, serving
from stage_project import Project, next_of

from segmodels.core.exits import DONE, ERROR, PASSING

pytestmark = pytest.mark.faults

STAGE = "weights published"
#: No pause between two tries.
CODE = "from segmodels.assets import retries\nretries._BACKOFF = 0.0\n"


@pytest.fixture
def from_server(computed: tuple[Project, dict[str, Path]]) -> Iterator[tuple[Project, Server]]:
    """The project before its weights are here, and the server of the large file."""
    project, saved = computed
    mirror = project.root.parent / "mirror"
    stage_project.put(project, saved[STAGE])
    with (
        serving((mirror / "model.safetensors").read_bytes()) as large,
        serving((mirror / "model.json").read_bytes()) as small,
    ):
        listed = project.root / "params/weights.yaml"
        text = listed.read_text().replace("http://127.0.0.1:9/a", large.url)
        listed.write_text(text.replace("http://127.0.0.1:9/b", small.url))
        yield Project(project.root, {**project.environment, "SEGMODELS_MIRROR": ""}), large


def drops(manners: Manners) -> None:
    """Every answer ends after a tenth of the file; what came is kept."""
    manners.breaks = [len(manners.content) // 10] * 9


def drops_now_and_then(manners: Manners) -> None:
    manners.breaks = [len(manners.content) // 10] * 3


def other_bytes(manners: Manners) -> None:
    manners.content = manners.content[:-1] + b"?"


def other_length(manners: Manners) -> None:
    manners.ranges, manners.length = False, len(manners.content) + 100


def redirects_for_ever(manners: Manners) -> None:
    manners.moved = ("/a.bin",)


def is_slow(manners: Manners) -> None:
    manners.pause = 0.01


def refuses_at_first(manners: Manners) -> None:
    manners.statuses, manners.retry_after = [503, 429, 503], "1"


def lost_it(manners: Manners) -> None:
    manners.statuses = [404] * 99


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        (drops, PASSING, "the next try goes on from there"),
        (drops_now_and_then, DONE, ""),
        (is_slow, DONE, ""),
        (refuses_at_first, DONE, ""),
        (other_bytes, ERROR, "sha256"),
        (other_length, PASSING, "a.bin"),
        (redirects_for_ever, ERROR, "redirect"),
        (lost_it, ERROR, "404"),
    ],
)
def test_a_server_that(
    computed: tuple[Project, dict[str, Path]],
    from_server: tuple[Project, Server],
    how: object,
    code: int,
    words: str,
) -> None:
    project, server = from_server
    assert callable(how)
    usual = Manners(server.manners.content)
    how(server.manners)
    ended, error = project.run(STAGE, CODE)
    assert ended == code, error
    assert "Traceback" not in error
    said = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(said) == (ended != DONE), error
    assert words in "".join(said)
    server.manners = usual
    project.done(STAGE)  # a server that is well again
    assert how is not drops or server.sent < 1.1 * len(usual.content)
    folder = Path("weights/released/published")
    after = computed[1][next_of(STAGE)] / folder
    found = {path.name: path.read_bytes() for path in (project.root / folder).iterdir()}
    assert found == {path.name: path.read_bytes() for path in after.iterdir()}
