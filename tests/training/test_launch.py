"""Jobs that start torchrun on other machines: they say what they should, and are well formed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from segmodels import cli
from segmodels.errors import SegmodelsError
from segmodels.training.launch import Launch

LAUNCH = Launch("my-run", nodes=2, gpus=4, hours=30, image="registry.example/segmodels:1")


def test_a_script_for_slurm() -> None:
    lines = LAUNCH.slurm().splitlines()
    assert lines[0] == "#!/bin/bash"
    wanted = ["nodes=2", "gpus-per-node=4", "ntasks-per-node=1", "time=30:00:00", "requeue"]
    assert all(f"#SBATCH --{one}" in lines for one in wanted)
    assert "--nnodes 2 --nproc-per-node 4 --rdzv-backend c10d" in lines[-2]
    assert lines[-1].strip() == "-m segmodels.cli train my-run --device cuda"
    assert "--time" not in Launch("my-run").slurm()
    assert (
        Launch("my-run", gpus=2, sharded=True).slurm().endswith(" --device cuda --sharding fsdp\n")
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_slurm_would_start_torchrun_with_these_words(tmp_path: Path) -> None:
    """The commands of the cluster are stood in for by ones that print what they are given."""
    # More machines than a pipe holds: whoever reads only the first must not end the job.
    machines = "echo one; seq -f 'node-with-a-long-name-%06g' 1 20000"
    for name, does in {"scontrol": machines, "srun": 'printf "%s\\n" "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    script = tmp_path / "job.sh"
    script.write_text(Launch("a run; $(reboot)", nodes=2).slurm())
    path = f"{tmp_path}:/usr/bin:/bin"
    environment = {"PATH": path, "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_ID": "7"}
    done = subprocess.run(
        ["bash", str(script)], env=environment, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    assert words[:3] == ["torchrun", "--nnodes", "2"]
    assert words[words.index("--rdzv-id") + 1] == "7"
    assert words[words.index("--rdzv-endpoint") + 1] == "one:29500"
    assert words[words.index("train") + 1] == "a run; $(reboot)"


def test_a_job_for_kubernetes() -> None:
    service, job = yaml.safe_load_all(LAUNCH.kubernetes())
    name = service["metadata"]["name"]
    assert (service["kind"], job["kind"], job["apiVersion"]) == ("Service", "Job", "batch/v1")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    spec: dict[str, Any] = job["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (2, 2, "Indexed")
    assert spec["activeDeadlineSeconds"] == 30 * 3600
    pod = spec["template"]["spec"]
    assert pod["subdomain"] == name
    (container,) = pod["containers"]
    assert container["image"] == LAUNCH.image
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 4}
    command = container["command"]
    assert command[:5] == ["torchrun", "--nnodes", "2", "--nproc-per-node", "4"]
    assert command[command.index("--master-addr") + 1] == f"{name}-0.{name}"
    assert command[command.index("--node-rank") + 1] == "$(JOB_COMPLETION_INDEX)"
    assert command[-5:] == ["segmodels.cli", "train", "my-run", "--device", "cuda"]


@pytest.mark.parametrize("run", ["a_b.C", "x" * 90, "-_-é-ü"])
def test_names_that_kubernetes_takes(run: str) -> None:
    service, job = yaml.safe_load_all(Launch(run, image="x").kubernetes())
    for made in (service, job):
        name = made["metadata"]["name"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
        assert len(name) <= 63


def test_kubernetes_wants_an_image() -> None:
    with pytest.raises(SegmodelsError, match="--image"):
        Launch("my-run").kubernetes()


def test_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "shapes-segformer-nano", "--job", "slurm", "--gpus", "2"]) == 0
    assert "--nproc-per-node 2" in capsys.readouterr().out
    assert cli.main(["train", "shapes-segformer-nano", "--job", "kubernetes"]) == 1
    assert "--image" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["train", "shapes-segformer-nano", "--job", "slurm", "--gpus", "0"])
    assert "expected a whole number from 1, found '0'" in capsys.readouterr().err
