"""Fixtures every test may use: a clean environment, the mirror, a project of its own."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

# Before torch is imported, as our commands do it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The tests share the cores by files already; and a sum split over threads is rounded as it falls.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import yaml
from hypothesis import settings

if TYPE_CHECKING:
    from toy_board import Board

# What is started in the background by a shell ignores Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent
MIRROR = os.environ.get("SEGMODELS_MIRROR")  # read before `clean_environment` hides it

# Machines that share their cores miss deadlines for no reason of ours.
settings.register_profile("segmodels", deadline=None)
settings.load_profile("segmodels")


#: The longest files, which begin first: one that begins last leaves the other cores idle.
LONGEST = (
    *("flows/test_reproduce_server.py", "models/test_every_kind.py", "test_end_to_end.py"),
    *("models/test_every_export.py", "models/test_every_model.py", "training/test_processes.py"),
    *("training/test_official_training.py", "training/test_loop.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order is otherwise as it was."""
    places = {REPOSITORY / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests decides their outcome."""
    for name in list(os.environ):
        if name.startswith(("SEGMODELS_", "MLFLOW_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_open() -> Iterator[None]:
    """What a file of tests leaves open is charged to it, and not to whatever runs next.

    What survives is modules and shared servers: looked at once, or each file would pay for all
    that was imported before it.
    """
    yield
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """What was set aside can be taken apart at the end."""
    gc.unfreeze()


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A made-up project with one claim, to which a test adds evidence."""
    from toy_board import Board

    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    return Board(tmp_path)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with reference vectors, released weights and dataset archives."""
    if not MIRROR:
        pytest.skip("SEGMODELS_MIRROR is not set")
    folder = Path(MIRROR).expanduser().resolve()
    assert folder.is_dir(), f"SEGMODELS_MIRROR={MIRROR} is not a folder"
    return folder


@pytest.fixture(scope="session")
def reference(mirror: Path) -> ModuleType:
    """The module that rebuilds checkpoints and compares outputs; ``cases`` is their folder."""
    path = mirror / "reference" / "reference.py"
    if not path.is_file():
        pytest.skip(f"no reference vectors at {path}")
    spec = importlib.util.spec_from_file_location("segmodels_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.cases = path.parent / "cases"  # type: ignore[attr-defined]
    return module


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root with this repository's params, a tiny `shapes`, and a cache of its own."""
    root = tmp_path / "project"
    shutil.copytree(REPOSITORY / "params", root / "params")
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "cache"))
    images = {"train": 4, "val": 2, "test": 3}
    change_yaml(
        root / "params" / "datasets.yaml",
        lambda entries: entries["shapes"].update(
            settings={"seed": 0, **images},
            splits={split: {"images": number} for split, number in images.items()},
        ),
    )
    return root


def change_yaml(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let `change` edit the content of a YAML file in place."""
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture
def edit_yaml() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """``change_yaml`` for tests."""
    return change_yaml
