"""A user's own network in a run: trained, evaluated, known by its content, never another one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import own_network
import pytest
import small_project

from segmodels import cli, load_checkpoint, steps
from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, find_evidence, read_evidence
from segmodels.leaderboard import rows_here
from segmodels.runs.run import load_run
from segmodels.runs.suite import activate, load_active


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    return own_network.write(root)


def counted(run: str, protocol: str = "plain") -> Evidence:
    (found,) = find_evidence(paths.evidence() / run / protocol)
    return found


def test_trained_evaluated_and_on_the_board(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "own"]) == 0
    assert cli.main(["evaluate", "own"]) == 0
    assert "own, views: mIoU" in capsys.readouterr().out
    found = counted("own")
    assert found.identity.model["name"] == "mynet.py:build"
    assert found.identity.preprocessing["channels"] == "BGR"
    assert found.weights_origin["training"]["source"] == found.identity.model["source"]
    rows = {row.protocol_name: row for row in rows_here() if row.run == "own"}
    assert rows["plain"].verdict.status == "measured"
    assert rows["plain"].subject.model == "mynet.py:build"
    assert str(rows["plain"].verdict.level).startswith("trained here")


def test_that_comes_with_weights(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "ready"]) == 0
    found = counted("ready")
    assert found.identity.model["width"] == 4
    again = steps.subject_of(load_run("ready"))
    assert again.weights == found.identity.weights, "drawn by the seed of the run"
    (row,) = [row for row in rows_here() if row.run == "ready" and row.protocol_name == "plain"]
    assert row.verdict.level == "own network"
    assert cli.main(["evidence", "check"]) == 0
    assert cli.main(["evidence", "publish", "ready"]) == 0
    assert cli.main(["train", "ready"]) != 0
    assert "comes with its weights; there is nothing to train" in capsys.readouterr().err


@pytest.mark.parametrize("changed", ["mynet.py", "blocks.py"])
def test_another_content_is_another_network(net: Path, changed: str) -> None:
    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) == 0
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    before = {run: counted(run) for run in ("ready", "own")}
    file = net.with_name(changed)
    file.write_text(file.read_text().replace("nn.ReLU()", "nn.ELU()") + "# other\n")
    outdated = {row.run: row.verdict for row in rows_here() if row.protocol_name == "plain"}
    for run in before:
        assert outdated[run].status == "stale"
        assert "source was" in outdated[run].reason
    with pytest.raises(SegmodelsError, match=r"train it again .*segmodels train own"):
        steps.subject_of(load_run("own"))
    for run, evidence in before.items():
        assert cli.main(["evaluate", run, "--protocol", "plain"]) == 0
        assert counted(run).key != evidence.key
        assert counted(run).identity.model["source"] != evidence.identity.model["source"]


def test_its_folder_is_no_part_of_its_identity(net: Path, tmp_path: Path) -> None:
    subject = steps.subject_of
    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) == 0
    shutil.move(net.parent, tmp_path / "elsewhere")
    run = net.parents[1] / "params/runs/ready.yaml"
    run.write_text(run.read_text().replace("nets/mynet.py", str(tmp_path / "elsewhere/mynet.py")))
    again = subject(load_run("ready"))
    assert again.model.config == counted("ready").identity.model


def test_files_never_run_its_python(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    trap = net.parents[1] / "it ran"
    net.write_text(f"from pathlib import Path\nPath({str(trap)!r}).touch()\n{own_network.SOURCE}")
    with pytest.raises(SegmodelsError, match=r"whose Python is run only where it is named"):
        load_checkpoint(paths.trained_weights("own"))
    assert cli.main(["evidence", "check"]) == 0
    assert cli.main(["leaderboard"]) == 0
    assert cli.main(["show", "own"]) == 0
    assert cli.main(["list", "runs"]) == 0
    assert cli.main(["verify", "toy_open"]) == 0
    assert cli.main(["doctor"]) in (0, 1)
    assert not trap.exists()
    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) == 0
    assert trap.exists(), "named in a run that is asked for"


def test_evidence_of_it_stands_for_no_claim(net: Path) -> None:
    root = net.parents[1]
    assert cli.main(["evaluate", "ready", "--protocol", "strict"]) == 0
    (file,) = (paths.evidence() / "ready/plain").glob("*.json")
    head = read_json(file)
    claim = next(row for row in rows_here() if row.subject.id == "toy_open")
    assert claim.verdict.status == "unverified"

    # Weights that are registered as released, with the sum of those of the own network.
    weights = root / "params/weights.yaml"
    released = read_json(root.parent / "mirror" / "model.json")["weights_sha256"]
    weights.write_text(weights.read_text().replace(released, head["identity"]["weights"]))
    claim = next(row for row in rows_here() if row.subject.id == "toy_open")
    assert claim.verdict.status != "verified"
    assert claim.verdict.verified is None
    assert "network whose name is 'mynet.py:build'" in claim.verdict.reason


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("segformer_nano", "has a source, which only a network of somebody's own has"),
        ("other.py:build", "'weights_origin.training' trained 'mynet.py:build'"),
    ],
)
def test_a_name_of_another_network_does_not_fit(net: Path, name: str, told: str) -> None:
    from dataclasses import replace

    from segmodels.evidence import write_evidence

    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) == 0
    found = counted("ready")
    identity = replace(found.identity, model={**found.identity.model, "name": name})
    path = write_evidence(net.parent, replace(found, identity=identity))
    with pytest.raises(SegmodelsError, match=told):
        read_evidence(path)


def test_a_third_partys_is_refused_as_what_it_is(
    net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) == 0
    (file,) = (paths.evidence() / "ready/plain").glob("*.json")
    capsys.readouterr()
    assert cli.main(["evidence", "check", str(file), "--by", "some-lab"]) != 0
    assert (
        "somebody's own network (mynet.py:build), which answers no claim" in capsys.readouterr().err
    )


def test_a_network_is_no_run(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "nets/mynet.py:build"]) != 0
    assert "a run with 'model: nets/mynet.py:build' is trained" in capsys.readouterr().err


def test_it_retrains_no_claim(net: Path) -> None:
    run = net.parents[1] / "params/runs/own.yaml"
    run.write_text(run.read_text() + "retrains: [toy_open]\n")
    with pytest.raises(SegmodelsError, match=r"its model is 'segformer_nano', not 'nets/mynet.py"):
        rows_here()


def test_stages_of_dvc_watch_its_file(net: Path) -> None:
    (net.parents[1] / "params/suites/own.yaml").write_text("title: own\nruns: [own, ready]\n")
    activate(["own"])
    active = load_active()
    assert active.own_trained["own"]["source"] == "nets/mynet.py"
    assert active.evaluated["ready-plain"]["weights"] == "nets/mynet.py"
    assert active.evaluated["own-plain"]["weights"] == "weights/trained/own"
    assert active.trained == {}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def build(", "def biuld(", "mynet.py defines no 'build'"),
        ("def build(", "def (", "mynet.py, line 6: "),
        ("import block\n", "import black\n", "mynet.py, line 3: ImportError: cannot import name"),
        ("return net", "return 3", "build returns int; expected a torch.nn.Module"),
        ("return net", "return net.nothing", "mynet.py, line 10: AttributeError"),
        ("return net", "raise ValueError('no luck')", "line 10: ValueError: no luck."),
        ("width=8", "wide=8", "build has no argument 'width'"),
        ("net.preprocessing =", "other =", "does not say how pixels become its input"),
        (", range=1", "", "Preprocessing lacks the field 'range'"),
        ("range=1", "range=2", "'range' is 1 or 255"),
        ("channels=", "chanels=", "unknown field 'chanels'. Did you mean 'channels'"),
        ("16, num_classes, 1", "16, 7, 1", "its output is float32 (1, 7, "),
        ("nn.MaxPool2d(2)", "nn.Flatten()", "fails on images (1, 3, "),
    ],
)
def test_faults_of_a_function(
    net: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    net.write_text(net.read_text().replace(old, new))
    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) != 0
    text = capsys.readouterr().err
    assert told in text
    assert len([line for line in text.splitlines() if line.startswith("error:")]) == 1


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("nets/nonet.py:build", "field 'model': model 'nets/nonet.py:build': there is no file"),
        ("nets/mynet.py:two words", "is named by its file and function"),
    ],
)
def test_faults_of_a_run(net: Path, model: str, told: str) -> None:
    run = net.parents[1] / "params/runs/ready.yaml"
    run.write_text(run.read_text().replace("nets/mynet.py:build", model))
    with pytest.raises(SegmodelsError, match=told):
        load_run("ready")


def test_weights_of_known_networks_are_not_its_own(net: Path) -> None:
    run = net.parents[1] / "params/runs/ready.yaml"
    run.write_text(run.read_text().replace("overrides: {width: 4}", "weights: published"))
    with pytest.raises(SegmodelsError, match="let your function load its own"):
        load_run("ready")


def test_a_module_by_its_name(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = net.parents[1] / "site" / "garden"
    shutil.copytree(net.parent, package)
    (package / "__init__.py").write_text("raise RuntimeError('run by looking for it')\n")
    (package / "mynet.py").write_text(own_network.SOURCE.replace("from blocks", "from .blocks"))
    monkeypatch.syspath_prepend(package.parent)
    run = net.parents[1] / "params/runs/ready.yaml"
    run.write_text(run.read_text().replace("nets/mynet.py:build", "garden.mynet:build"))
    load_run("ready")
    assert "garden" not in sys.modules
    (package / "__init__.py").write_text("")
    assert cli.main(["evaluate", "ready", "--protocol", "plain"]) == 0
    assert counted("ready").identity.model["name"] == "garden.mynet:build"


def test_under_stress(net: Path) -> None:
    assert cli.main(["evaluate", "own", "--protocol", "plain"]) == 0
    found = steps.stress_run("own", "quick")
    assert len(found) == 2
    assert {one.identity.model["name"] for one in found} == {"mynet.py:build"}
    conditions = [one.identity.condition or {} for one in found]
    assert {"corruption", "parameter_noise"} <= {name for one in conditions for name in one}


def test_what_a_recipe_asks_of_known_networks_is_told(
    net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = net.parents[1] / "params/recipes/tiny.yaml"
    plain = recipe.read_text()
    for field, told in {
        "drop_path: 0.1": "field 'drop_path' is nothing that 'nets/mynet.py:build' has",
        "grad_checkpointing: true": "has no blocks to checkpoint",
    }.items():
        recipe.write_text(f"{plain}{field}\n")
        assert cli.main(["train", "own"]) != 0
        assert told in capsys.readouterr().err
