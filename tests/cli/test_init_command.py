"""`segmodels init`: what the project holds that it makes."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from segmodels.cli import main
from segmodels.core import template as templates
from segmodels.core.template import template
from segmodels.steps.asked import write_asked


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("init") / "mine"
    assert main(["init", str(folder)]) == 0
    return folder


def test_it_says_where_and_what_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine"]) == 0
    assert "files in mine" in capsys.readouterr().out
    assert main(["init", "mine"]) == 1
    assert "init --update" in capsys.readouterr().err
    (tmp_path / "mine" / "docs" / "own.md").unlink()
    (tmp_path / "mine" / "README.md").write_text("mine")
    assert main(["init", "--update", "--check", "mine"]) == 0
    assert capsys.readouterr().out == "up to date\n"


def test_runs_of_ones_own_in_a_checkout_do_not_come_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a checkout, what git has; of unpacked sources without git, all of it."""
    checkout = Path(__file__).resolve().parents[2]
    for name in ("pyproject.toml", "hatch_build.py", "dvc.yaml", "prefect.yaml"):
        shutil.copy(checkout / name, tmp_path)
    for name in ("ours", "mine"):
        (tmp_path / "params" / "runs").mkdir(parents=True, exist_ok=True)
        (tmp_path / "params" / "runs" / f"{name}.yaml").write_text("{}")
    monkeypatch.setattr(templates, "_INSTALLED", tmp_path)
    everything = template()
    assert {"params/runs/ours.yaml", "params/runs/mine.yaml"} <= everything.keys()
    for command in (["init", "-q"], ["add", ".", ":!params/runs/mine.yaml"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert everything.keys() - template().keys() == {"params/runs/mine.yaml"}
    (tmp_path / ".git" / "index").write_bytes(b"broken")
    assert template() == everything


def test_nothing_of_the_pipeline_points_into_the_checkout(made):
    text = (made / "dvc.yaml").read_text()
    assert "segmodels/" not in "".join(line.split("#")[0] for line in text.splitlines())
    assert yaml.safe_load(text)["stages"]["resolve"]["always_changed"]


def test_the_pipeline_differs_in_the_code_alone(made):
    root = made
    ours = yaml.safe_load(template()["dvc.yaml"])
    from_checkout = yaml.safe_load((Path(__file__).resolve().parents[2] / "dvc.yaml").read_text())
    assert yaml.safe_load((root / "dvc.yaml").read_text()) == ours
    installed = "reports/local/stages/installed/segmodels.json"
    for name, stage in from_checkout["stages"].items():
        was = dict(stage)
        code = [one for one in was.get("deps", ()) if one.startswith("segmodels/")]
        if code or "params" in was:
            was.pop("params", None)
            kept = [one for one in was["deps"] if one not in code]
            was["deps"] = kept if name == "resolve" else [installed, *kept]
        if name == "resolve":
            was["always_changed"] = True
        assert ours["stages"][name] == was


def test_deployments_name_flows_that_can_be_imported(made):
    entries = yaml.safe_load((made / "prefect.yaml").read_text())["deployments"]
    for entry in entries:
        module, _, name = entry["entrypoint"].rpartition(".")
        assert (module.split(".")[0], name.isidentifier()) == ("flows", True)
        assert importlib.util.find_spec(module)


def test_only_a_project_of_its_own_asks_which_code_is_installed(made, monkeypatch):
    monkeypatch.setenv("SEGMODELS_ROOT", str(made))
    asked = made / "reports" / "local" / "stages" / "installed" / "segmodels.json"
    assert asked in write_asked()
    (made / ".segmodels.json").rename(made / "aside.json")
    assert asked not in write_asked()
    (made / "aside.json").rename(made / ".segmodels.json")
