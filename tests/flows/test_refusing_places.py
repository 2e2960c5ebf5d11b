"""Every command and every stage where nothing can be written or the folder is gone: one line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import refusing_places
import small_project
from refusing_places import COMMANDS, HOW, STAGES, lines
from warm import warm

from segmodels.core.files import sha256_of_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes rights away as Linux does")

CASES = [
    (how, stage, line)
    for how in HOW
    for stage, text in ((False, COMMANDS), (True, STAGES))
    for line in lines(text)
]


def contents(root: Path) -> dict[str, str]:
    """What must be the same afterwards, by its sha256."""
    kept = [path for name in ("params", "reports", "weights") for path in (root / name).rglob("*")]
    return {str(path): sha256_of_file(path) for path in kept if path.is_file() and path.suffix}


#: Prepares, trains and counts: nothing of the project is missing afterwards.
COMPUTE = """
from flows import stages
from segmodels import cli
for words in (["prepare", "shapes"], ["weights", "published"], ["train", "tiny"]):
    assert stages.main(words) == 0
assert cli.main(["evaluate", "published"]) == 0
"""
WALK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from refusing_places import walk
walk(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Any, ...], Any]:
    """What each command line said, in a project that was computed before; nothing changed it."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        root = small_project.enter(tmp_path_factory.mktemp("refusing") / "project", patch)
        code, _, error = warm().start(COMPUTE, [], root, os.environ).finish()
        assert code == 0, error
        before = contents(root)
        rights = {path: path.stat().st_mode for path in (root, *root.rglob("*"))}
        for path in rights:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            for how in HOW:
                words = [how, str(root), str(Path(refusing_places.__file__).parent)]
                code, out, error = warm().start(WALK, words, root, os.environ).finish()
                assert code == 0, error
                found += [json.loads(line) for line in out.splitlines()]
        finally:
            for path, mode in rights.items():
                path.chmod(mode)
    assert contents(root).items() >= before.items()
    return {(one["how"], one["stage"], one["line"]): one for one in found}


@pytest.mark.faults
@pytest.mark.parametrize(("how", "stage", "line"), CASES)
def test_a_refusal_is_one_line(
    told: dict[tuple[Any, ...], Any], how: str, stage: bool, line: str
) -> None:
    one = told[how, stage, line]
    said = [text for text in one["error"].splitlines() if text.startswith("error: ")]
    assert one["code"] in (0, 1), one
    assert "Traceback" not in one["error"], one["error"]
    if one["code"] == 0 or line == "doctor":
        assert said == [] or "folder no longer exists" in said[0]
    else:
        assert len(said) == 1, one["error"]
        assert one["error"].rstrip().endswith(said[0])
    if how == "deleted":
        assert said == ["error: The current folder no longer exists; change into another."]
