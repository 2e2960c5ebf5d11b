"""Jobs that train a run with torchrun: a script for SLURM, a manifest for Kubernetes.

Both only start `torchrun -m segmodels.cli train RUN` on every machine. What was killed continues
from its last snapshot when the same job is started again and finds the same cache folder.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

import yaml

from segmodels.errors import SegmodelsError

_PORT = 29500

#: What Kubernetes allows in a name, in length.
_LONGEST_NAME = 52

#: Shared memory of a pod, through which processes that load images hand over batches.
_SHARED_MEMORY = "16Gi"


@dataclass(frozen=True)
class Launch:
    """A training on several machines.

    Attributes:
        run: name of the run.
        nodes: machines.
        gpus: of each machine; one process each.
        hours: after which the system may end it; None leaves that to the system.
        image: container image that has this project, for Kubernetes.
        sharded: whether the processes share out the weights.
    """

    run: str
    nodes: int = 1
    gpus: int = 1
    hours: int | None = None
    image: str = ""
    sharded: bool = False

    def slurm(self) -> str:
        """A script for `sbatch`, to be started in the project's folder."""
        limit = f"#SBATCH --time={self.hours}:00:00\n" if self.hours else ""
        torchrun = shlex.join(self._torchrun("c10d"))
        return (
            "#!/bin/bash\n"
            f"#SBATCH --job-name={shlex.quote(f'segmodels-{self.run}')}\n"
            f"#SBATCH --nodes={self.nodes}\n"
            "#SBATCH --ntasks-per-node=1\n"
            f"#SBATCH --gpus-per-node={self.gpus}\n"
            f"#SBATCH --cpus-per-task={8 * self.gpus}\n"
            f"{limit}"
            "#SBATCH --requeue\n"
            "set -euo pipefail\n"
            # All names are read before the first is taken: a pipe into `head` closes early, and
            # with pipefail a long list of machines would then end the job before it began.
            'hosts="$(scontrol show hostnames "$SLURM_JOB_NODELIST")"\n'
            "head=\"${hosts%%$'\\n'*}\"\n"
            f'srun {torchrun} --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$head:{_PORT}" \\\n'
            f"  {shlex.join(self._command())}\n"
        )

    def kubernetes(self) -> str:
        """A service and an indexed job for `kubectl apply`.

        Raises:
            SegmodelsError: no container image is named.
        """
        if not self.image:
            raise SegmodelsError(
                "a job for Kubernetes runs in a container: name one that has this project and "
                "its folder with --image."
            )
        return yaml.safe_dump_all([self._service(), self._job()], sort_keys=False)

    @property
    def _name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"train-{self.run}".lower())[:_LONGEST_NAME].strip("-")

    def _torchrun(self, backend: str) -> list[str]:
        shape = ["--nnodes", str(self.nodes), "--nproc-per-node", str(self.gpus)]
        return ["torchrun", *shape, *(["--rdzv-backend", backend] if backend else [])]

    def _command(self) -> list[str]:
        sharding = ["--sharding", "fsdp"] if self.sharded else []
        return ["-m", "segmodels.cli", "train", self.run, "--device", "cuda", *sharding]

    def _service(self) -> dict[str, Any]:
        """Gives the first machine a name that the others find."""
        selector = {"job-name": self._name}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self._name},
            "spec": {"clusterIP": "None", "selector": selector, "ports": [{"port": _PORT}]},
        }

    def _job(self) -> dict[str, Any]:
        pod = {
            "subdomain": self._name,
            "restartPolicy": "Never",
            "containers": [self._container()],
            "volumes": [
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": _SHARED_MEMORY}}
            ],
        }
        spec: dict[str, Any] = {
            "completions": self.nodes,
            "parallelism": self.nodes,
            "completionMode": "Indexed",
            "backoffLimit": 4,
            "template": {"spec": pod},
        }
        if self.hours:
            spec["activeDeadlineSeconds"] = 3600 * self.hours
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": self._name},
            "spec": spec,
        }

    def _container(self) -> dict[str, Any]:
        # Kubernetes fills $(NAME) in from the environment of the pod.
        place = ["--node-rank", "$(JOB_COMPLETION_INDEX)", "--master-port", str(_PORT)]
        place += ["--master-addr", f"{self._name}-0.{self._name}"]
        return {
            "name": "train",
            "image": self.image,
            "command": [*self._torchrun(""), *place, *self._command()],
            "resources": {"limits": {"nvidia.com/gpu": self.gpus}},
            "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
        }
