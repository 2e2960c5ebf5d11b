"""What a kill, a full disk or a second process leaves of an evaluation: everything counted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_project
from PIL import Image

from segmodels import cli, steps
from segmodels.core import locks, paths
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.shapes import Shapes
from segmodels.errors import SegmodelsError
from segmodels.evaluation import image_counter as counting
from segmodels.evaluation.figure import colour, evidence_of_picture
from segmodels.evaluation.label_maps import read_map
from segmodels.evidence import Evidence
from segmodels.runs.run import load_run
from segmodels.steps import evaluation, stored, weights


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    return root


def evaluated(**options: Any) -> Evidence:
    return steps.evaluate_run("published", "plain", steps.Options(**options))


def resumed_at() -> int:
    return int(json.loads(paths.record("published", "plain").read_text())["resumed_at"])


def scratch_files(root: Path) -> list[Path]:
    return [path for path in (root / ".cache/evaluations").rglob("*.*") if path.suffix == ".jsonl"]


def results(root: Path) -> dict[str, bytes]:
    folders = [root / "reports/local" / name for name in ("evidence", "metrics", "figures")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Fills the disk below a folder."""
    real = Path.write_bytes

    def fill(folder: Path) -> None:
        def write_bytes(path: Path, data: bytes) -> int:
            if path.is_relative_to(folder):
                raise OSError(28, "No space left on device")
            return real(path, data)

        monkeypatch.setattr(Path, "write_bytes", write_bytes)

    return fill


def make_room(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.undo()
    small_project.enter(root, monkeypatch)


# --- between counting and the disk ----------------------------------------------------------


def test_killed_before_the_evidence_was_written(root: Path) -> None:
    """As `kill -9`, a power cut or the kernel's out-of-memory killer do it."""
    code = (
        "import os, signal\n"
        "from segmodels import steps\n"
        "from segmodels.steps import evaluation\n"
        "evaluation.replace_evidence = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "steps.evaluate_run('published', 'plain')\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not paths.evidence().exists()
    evaluated()
    assert resumed_at() == 3
    assert not scratch_files(root)


@pytest.mark.parametrize("full", ["evidence", "metrics"])
def test_a_full_disk_is_one_line_and_loses_nothing(
    root: Path,
    fill: Callable[[Path], None],
    full: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(root / "reports/local" / full)
    for _ in range(2):
        assert cli.main(["evaluate", "published", "--force"]) == 1
        (line,) = (one for one in capsys.readouterr().err.splitlines() if "images" not in one)
        assert line.startswith(f"error: {root / 'reports/local' / full}")
        assert line.endswith("No space left on device.")
    make_room(monkeypatch, root)
    if full == "metrics":  # the evidence is here: what is missing is completed, nothing is counted
        monkeypatch.setattr(stored, "evaluate", lambda *_, **__: pytest.fail("counted"))
        evaluated()
        assert paths.metrics("published", "plain").is_file()
    else:
        evaluated(force=True)
        assert resumed_at() == 3
    assert not scratch_files(root)


def test_a_condition_of_a_suite_is_kept_until_it_waits_for_the_others(
    root: Path, fill: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / ".cache/stress")
    with pytest.raises(SegmodelsError, match="No space left on device"):
        steps.stress_run("published", "quick")
    assert len(scratch_files(root)) == 1
    make_room(monkeypatch, root)
    steps.stress_run("published", "quick")
    assert not scratch_files(root)


def test_a_shard_is_kept_until_it_waits_for_the_others(
    root: Path, fill: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / ".cache/evaluations")
    with pytest.raises(SegmodelsError, match="No space left on device"):
        steps.evaluate_run("published", "plain", steps.Options(shard=(0, 2)))
    assert len(scratch_files(root)) == 1
    make_room(monkeypatch, root)
    part = steps.evaluate_run("published", "plain", steps.Options(shard=(0, 2)))
    (record,) = (root / ".cache/evaluations" / part.key).rglob("record.json")
    assert json.loads(record.read_text())["resumed_at"] == 2
    assert not [path for path in scratch_files(root) if "counts" not in path.name]


def test_shards_stay_until_the_whole_is_written(
    root: Path, fill: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.evaluate_run("published", "plain", steps.Options(shard=(0, 2)))
    fill(root / "reports/local/evidence")
    with pytest.raises(SegmodelsError, match="No space left on device"):
        steps.evaluate_run("published", "plain", steps.Options(shard=(1, 2)))
    make_room(monkeypatch, root)
    monkeypatch.setattr("segmodels.evaluation.shards.evaluate", None)
    assert steps.evaluate_run("published", "plain", steps.Options(shard=(1, 2))).complete


@pytest.mark.parametrize("what", ["evidence", "metrics", "figures", "records"])
def test_whether_results_can_be_written_is_asked_first(
    root: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "reports/local" / what).write_text("where a folder should be")
    monkeypatch.setattr(stored, "evaluate", lambda *_, **__: pytest.fail("counted"))
    monkeypatch.setattr(
        "segmodels.evaluation.shards.evaluate", lambda *_, **__: pytest.fail("counted")
    )
    for evaluate in (
        evaluated,
        lambda: steps.evaluate_run("published", "plain", steps.Options(shard=(0, 2))),
    ):
        with pytest.raises(SegmodelsError, match=f"reports/local/{what}/.*: Not a directory"):
            evaluate()
    if what in ("evidence", "metrics"):
        with pytest.raises(SegmodelsError, match=f"reports/local/{what}/.*: Not a directory"):
            steps.stress_run("published", "quick")


# --- the figure ------------------------------------------------------------------------------


def shown(path: Path, widths: int = 6) -> list[np.ndarray]:
    """The predictions that a figure shows, in the colours of their classes."""
    panels, top = [], 0
    with Image.open(path) as picture:
        drawn = np.asarray(picture)
    for sample in open_dataset("shapes", "test"):
        height, width = sample.label.shape
        left = 2 * (width + widths)
        panels.append(drawn[top : top + height, left : left + width])
        top += height + widths
    return panels


def test_figure_and_evidence_show_the_same_labels(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn from what was counted: the network is asked once per image."""
    asked, real = [], counting.predict_many

    def predict_many(model: Any, images: Any, *rest: Any) -> Any:
        asked.extend(images)
        return real(model, images, *rest)

    monkeypatch.setattr(counting, "predict_many", predict_many)
    evidence = evaluated(keep_maps=True)
    assert len(asked) == 3
    figure = paths.figure("published", "plain")
    assert evidence_of_picture(figure) == evidence.key
    for sample, panel in zip(open_dataset("shapes", "test"), shown(figure), strict=True):
        labels = read_map(paths.maps("published", "plain") / f"{sample.name}.png")
        expected = np.where(sample.label == 255, 255, labels)
        np.testing.assert_array_equal(panel, colour(expected, Shapes.palette))
    assert not list((root / ".cache/evaluations").glob("*.drawn"))
    before = results(root)
    evaluated(keep_maps=True)
    assert len(asked) == 3  # the figure is here: nothing is computed
    figure.unlink()
    evaluated(keep_maps=True)
    assert len(asked) == 6  # it is drawn by the path that counts
    assert results(root) == before


def test_a_figure_of_other_evidence_is_drawn_again(root: Path) -> None:
    evaluated()
    figure = paths.figure("published", "plain")
    before = figure.read_bytes()
    with Image.open(figure) as picture:
        picture.save(figure, "PNG")  # as earlier versions drew it: it does not say whose it is
    evaluated()
    assert figure.read_bytes() == before


def test_a_figure_that_cannot_be_drawn_loses_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluated()
    before = results(root)

    def full(*_: Any, **__: Any) -> None:
        raise SegmodelsError("the memory is full")

    paths.figure("published", "plain").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "draw_picture", full)
        with pytest.raises(SegmodelsError, match="the memory is full"):
            evaluated(force=True)
    assert {**before, "reports/local/figures/published-plain.png": b""} == {
        **results(root),
        "reports/local/figures/published-plain.png": b"",
    }
    assert not scratch_files(root)  # force would take it up
    monkeypatch.setattr(stored, "evaluate", lambda *_, **__: pytest.fail("counted again"))
    monkeypatch.setattr(counting, "predict_many", lambda *_, **__: pytest.fail("computed"))
    assert evaluated() == whole
    assert results(root) == before


@pytest.mark.parametrize("damage", ["lost", "half", "another", "unlike"])
def test_labels_that_are_not_those_counted_are_computed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    evaluated()
    before = results(root)
    real = evaluation.draw_picture

    def damaged(*arguments: Any, **options: Any) -> None:
        (folder,) = (root / ".cache/evaluations").glob("*.drawn")
        path = folder / "1.png"
        if damage == "lost":
            path.unlink()
        elif damage == "half":
            path.write_bytes(path.read_bytes()[:40])
        elif damage == "another":
            path.write_bytes((folder / "0.png").read_bytes())
        else:
            labels = read_map(path).copy()
            labels[0, 0] ^= 1
            Image.fromarray(labels).save(path)
        real(*arguments, **options)

    paths.figure("published", "plain").unlink()
    monkeypatch.setattr(evaluation, "draw_picture", damaged)
    evaluated(force=True)
    assert results(root) == before


def test_labels_of_a_figure_survive_a_kill_and_shards(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluated(progress=stop)
    asked, real = [], counting.predict_many
    monkeypatch.setattr(
        counting, "predict_many", lambda *given: asked.append(given) or real(*given)
    )
    evaluated()
    assert len(asked) == 1  # the third image
    alone = results(root)
    for index in range(2):
        steps.evaluate_run("published", "plain", steps.Options(shard=(index, 2), force=True))
    assert len(asked) == 1 + 3
    assert results(root) == alone


# --- two at once ------------------------------------------------------------------------------


class Meeting:
    """The first of two waits in the middle of its work until the second waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits, self.begun, self.told = threading.Event(), threading.Event(), []
        monkeypatch.setattr(locks, "_QUIET", 0.0)
        monkeypatch.setattr(locks, "note", self._note)

    def _note(self, text: str) -> None:
        self.told.append(text)
        self.waits.set()

    def progress(self, *_: Any) -> None:
        self.begun.set()
        assert self.waits.wait(60)

    def run(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(first)
            assert self.begun.wait(60)
            other = pool.submit(second)
            return one.result(), other.result()


@pytest.mark.parametrize("force", [False, True])
def test_the_second_takes_what_the_first_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    meeting, counted, real = Meeting(monkeypatch), [], stored.evaluate
    monkeypatch.setattr(
        stored, "evaluate", lambda *given, **more: counted.append(1) or real(*given, **more)
    )
    if force:
        evaluated()
        counted.clear()
    one, other = meeting.run(
        lambda: evaluated(force=force, progress=meeting.progress), lambda: evaluated(force=force)
    )
    assert (one, len(counted)) == (other, 1)
    assert meeting.told[0].startswith(f"evaluation {one.key} is already being done by process")
    evaluated(force=True)
    assert len(counted) == 2


def test_the_second_counts_what_the_first_did_not_finish(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Meeting(monkeypatch)

    def stop(*_: Any) -> None:
        meeting.progress()
        raise KeyboardInterrupt

    def first() -> None:
        with pytest.raises(KeyboardInterrupt):
            evaluated(progress=stop)

    _, evidence = meeting.run(first, evaluated)
    assert evidence.complete
    assert resumed_at() == 1


@pytest.mark.parametrize("force", [False, True])
def test_the_second_suite_takes_what_the_first_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    meeting, counted, real = Meeting(monkeypatch), [], stored.evaluate
    monkeypatch.setattr(
        stored, "evaluate", lambda *given, **more: counted.append(1) or real(*given, **more)
    )

    def suite(progress: Any = None) -> list[Evidence]:
        return steps.stress_run("published", "quick", steps.Options(progress=progress, force=force))

    one, other = meeting.run(lambda: suite(meeting.progress), suite)
    assert (one, len(counted)) == (other, 2)


def test_the_second_takes_what_the_first_trains(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, trained, real = Meeting(monkeypatch), [], weights.train

    def train(*given: Any) -> Any:
        trained.append(given)
        return real(*given)

    monkeypatch.setattr(weights, "train", train)
    folders = meeting.run(
        lambda: steps.train_run("tiny", steps.Options(curve=meeting.progress)),
        lambda: steps.train_run("tiny"),
    )
    assert set(folders) == {paths.trained_weights("tiny")}
    assert len(trained) == 1
    steps.train_run("tiny")
    assert len(trained) == 2


def test_whether_weights_can_be_written_is_asked_first(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "reports/local/curves").write_text("where a folder should be")
    monkeypatch.setattr(weights, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(SegmodelsError, match=r"reports/local/curves/tiny\.csv: Not a directory"):
        steps.train_run("tiny")


def test_two_writers_of_one_folder_take_turns(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each deletes what the other has just written."""
    folder, evidence = paths.evidence() / "published" / "plain", evaluated()
    meeting, real = Meeting(monkeypatch), stored.write_evidence

    def slow(*given: Any) -> Path:
        path = real(*given)
        if not meeting.begun.is_set():
            meeting.progress()
        return path

    monkeypatch.setattr(stored, "write_evidence", slow)

    def write() -> None:
        steps.replace_evidence(folder, [evidence])

    meeting.run(write, write)
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{evidence.key}.counts.jsonl",
        f"{evidence.key}.json",
    ]


# --- temporaries of killed writers -----------------------------------------------------------


_HALF = """
import os, signal, sys
from pathlib import Path
from segmodels.core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_swept_up(root: Path) -> None:
    evaluated()
    before = results(root)
    (head,) = (paths.evidence() / "published" / "plain").glob("*.json")
    for path in (head, paths.metrics("published", "plain"), paths.figure("published", "plain")):
        subprocess.run([sys.executable, "-c", _HALF, str(path)], check=False)
    assert len(results(root)) == len(before) + 3
    paths.figure("published", "plain").unlink()
    evaluated()
    assert results(root) == before
