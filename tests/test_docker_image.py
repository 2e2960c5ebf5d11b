"""The image and the work pools: every name in them exists, and the steps of the build work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker_build import Build, Ignored, Instruction, instructions
from pydantic import Field
from test_repository import tracked

ROOT = Path(__file__).resolve().parents[1]
STEPS = instructions(ROOT / "Dockerfile")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def told(word: str) -> list[str]:
    return [step.rest for step in STEPS if step.word == word]


def test_the_base_has_a_tag_that_the_lock_is_for() -> None:
    (base,) = told("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim-[a-z]+", base)
    assert version
    assert f"Programming Language :: Python :: {version[1]}" in PROJECT["classifiers"]


def test_nobody_is_root_and_no_secret_is_a_layer() -> None:
    assert told("USER") == ["segmodels"]
    assert not told("ADD")  # which fetches and unpacks by itself
    words = " ".join([*told("ENV"), *told("ARG")]).lower()
    assert not re.search(r"token|password|secret|access_key", words)
    ignored = Ignored(ROOT / ".dockerignore")
    for name in (".env", ".dvc/config.local", ".git/config", "mlflow.db", "data/x/a.png"):
        assert name in ignored


def test_what_is_copied_exists_and_what_the_pipeline_reads_is_copied() -> None:
    ignored = Ignored(ROOT / ".dockerignore")
    sources = [source for step in STEPS if step.word == "COPY" for source in step.sources]
    assert "requirements.lock" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source not in ignored
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    needed = {dep for stage in stages.values() for dep in stage.get("do", stage).get("deps", ())}
    here = {dep for dep in needed if (ROOT / dep).exists() and "$" not in dep}
    assert "segmodels/verdicts" in here
    left_out = [name for name in here if name in ignored and not name.startswith("reports/local")]
    assert left_out == []
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    unknown = {name for name in top if name in ignored} - {".ci", ".vscode", "tests", "benchmarks"}
    assert unknown == set()


def test_what_git_ignores_stays_out() -> None:
    ignored = Ignored(ROOT / ".dockerignore")
    lines = (ROOT / ".gitignore").read_text().splitlines()
    names = [line.strip("/") for line in lines if line and not line.startswith("#")]
    samples = [name.replace("*.py[cod]", "__pycache__").replace("[0-9]", "0") for name in names]
    assert [name for name in samples if name.replace("*", "x") not in ignored] == []


def test_extras_and_pins_have_the_names_of_the_project() -> None:
    extras = PROJECT["optional-dependencies"]
    (asked,) = (line.partition("=")[2] for line in told("ARG") if line.startswith("EXTRAS"))
    assert set(asked.split(",")) <= set(extras)
    install = next(line for line in told("RUN") if "-c requirements.lock" in line)
    pattern = re.search(r"grep -E '(.+?)'", install)
    assert pattern
    pins = (ROOT / "requirements.lock").read_text().splitlines()
    found = [pin.partition("==")[0] for pin in pins if re.search(pattern[1], pin)]
    assert found == ["torch", "torchvision"]


# --- work pools ------------------------------------------------------------------------


def pool(kind: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "deploy" / f"{kind}-pool.json").read_text()))


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_pool_is_one_that_prefect_takes(kind: str) -> None:
    import prefect
    from prefect.server.schemas.actions import WorkPoolCreate

    given = pool(kind)
    WorkPoolCreate(name="segmodels", type=kind, base_job_template=given)  # every {{ name }} is told
    known = Path(prefect.__file__).parent / "server/api/collections_data/views"
    workers = json.loads((known / "aggregate-worker-metadata.json").read_text())
    usual = workers[f"prefect-{kind}"][kind]["default_base_job_configuration"]
    assert set(given["job_configuration"]) <= set(usual["job_configuration"])
    for name, about in given["variables"]["properties"].items():
        assert {"type", "title"} <= set(about), name


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_pool_gives_a_job(kind: str) -> None:
    from prefect.utilities.templating import apply_values
    from prefect.workers.base import BaseJobConfiguration

    class Job(BaseJobConfiguration):
        image: str = ""
        volumes: list[str] = Field(default_factory=list)
        job_manifest: dict[str, Any] = Field(default_factory=dict)

    asked = {"gpus": 2, "command": "run", "env": {"SEGMODELS_DEVICE": "cuda"}}
    given = pool(kind)
    about = given["variables"]["properties"]
    usual = BaseJobConfiguration._get_base_config_defaults(about)
    job = Job(**apply_values(given["job_configuration"], {**usual, **asked}))
    assert (job.command, job.env["SEGMODELS_DEVICE"]) == ("run", "cuda")
    if kind == "docker":
        assert job.image == "segmodels:latest"
        assert job.volumes == ["/srv/segmodels:/segmodels"]
        return
    pod = job.job_manifest["spec"]["template"]["spec"]
    check_pod(pod)
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 2


def check_pod(pod: dict[str, Any]) -> None:
    """Not root, and every volume that is mounted is there."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    volumes = {volume["name"] for volume in pod["volumes"]} | {"checkout"}
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert container["image"] == "segmodels:latest"


def test_workers_in_kubernetes_have_a_checkout_each() -> None:
    (workers,) = yaml.safe_load_all((ROOT / "deploy" / "kubernetes-workers.yaml").read_text())
    assert (workers["apiVersion"], workers["kind"]) == ("apps/v1", "StatefulSet")
    spec = workers["spec"]
    pod = spec["template"]["spec"]
    check_pod(pod)
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "checkout"
    (worker,) = pod["containers"]
    assert {"mountPath": told("WORKDIR")[0], "name": "checkout"} in worker["volumeMounts"]
    assert worker["command"][:5] == ["prefect", "worker", "start", "--pool", "segmodels"]
    named = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["pool"]["name"]
    assert worker["command"][4] == named


# --- the build -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("whole", [False, True])
def test_the_steps_of_the_build(tmp_path: Path, whole: bool) -> None:
    """All of them, in a root of its own upon this machine's system.

    The whole takes ten minutes and 7 GB. First without the packages, in place of which
    those of this environment are seen: a minute.
    """
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if os.geteuid() or probe.returncode or not shutil.which("apt-get"):
        pytest.skip("needs root, mount namespaces and a Debian, as the image's base is")
    context = tmp_path / "context"
    for path in tracked():
        target = context / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    build = Build(tmp_path / "build", context)
    try:
        known = ("PIP_", "SSL_")
        build.arguments.update({k: v for k, v in os.environ.items() if k.startswith(known)})
        # The base image has its Python where everybody may read it.
        for folder in (Path(sys.base_prefix), *Path(sys.base_prefix).parents):
            build.sh(f"chmod o+rx {folder}")
        for step in STEPS:
            build.step(step if whole else seeing_packages(step), {"USER_ID": "4321"})
        check_image(build)
    finally:
        shutil.rmtree(build.folder)


def seeing_packages(step: Instruction) -> Instruction:
    """The step that installs, with the packages of this environment in place of new ones."""
    asked, site = "pip install -c requirements.lock", Path(pytest.__file__).parents[1]
    if asked not in step.rest:
        return step
    without = step.rest.replace(asked, "pip install --no-deps -c requirements.lock")
    seen = f"echo {site} > $(echo /opt/venv/lib/python3.*/site-packages)/here.pth"
    return replace(step, rest=f"{without} && {seen}")


def check_image(build: Build) -> None:
    """Commands work for a user who is not root, and what that user is to write, can be written."""
    assert build.sh("id -u").stdout.strip() == "4321"
    assert "segmodels" in build.sh("segmodels --help").stdout
    assert "all good" in build.sh("segmodels claims validate").stdout
    listed = build.sh("python -c 'import segmodels; print(segmodels.list_models())'").stdout
    assert "segformer_nano" in listed
    # What the stages depend on is written by the first of them, which --dry would not run.
    build.sh("python -m dvc repro resolve")
    assert "generate@shapes" in build.sh("python -m dvc repro --dry generate@shapes").stdout
    build.sh("touch data/x weights/x labels/x reports/local/x .dvc/cache/x .cache/x dvc.lock")
    assert not (build.folder / "upper/segmodels/tests").exists()
    assert not (build.folder / "upper/segmodels/.git").exists()
    assert (build.folder / "upper/segmodels/dvc.yaml").is_file()
