"""Trains a run in two processes, as torchrun would start them: `two_processes.py RUN …`.

Run it in the folder of a project. PyTorch is imported once, the processes are forked.
With `--kill-at STEP` the run is trained three times: to its end; until both processes are killed
before that step (from 0), a snapshot behind each; and from there. Weights of the first lie in
`undisturbed` then, the others where they always do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
from typing import Any

# Before torch is imported: a fork has the threads of nobody.
os.environ["OMP_NUM_THREADS"] = "1"

from segmodels import cli
from segmodels.training import loop


def killed_before(killed_at: int) -> Any:
    """What stands for `set_learning_rates`, the first thing of a step."""
    real = loop.set_learning_rates

    def learning_rates(optimizer: Any, schedule: Any, step: int) -> None:
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        real(optimizer, schedule, step)

    return learning_rates


def trained(rank: int, port: int, arguments: list[str], killed_at: int | None) -> int:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ.update(place | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
    if killed_at is not None:
        loop._SNAPSHOT_SECONDS = -1.0  # type: ignore[misc]
        loop.set_learning_rates = killed_before(killed_at)
    return cli.main(["train", *arguments])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def both(arguments: list[str], killed_at: int | None = None) -> list[int]:
    """Exit codes of two processes; the number of a signal, negative."""
    port, children = free_port(), []
    for rank in range(2):
        if not (child := os.fork()):
            os._exit(trained(rank, port, arguments, killed_at))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kill-at", type=int)
    chosen, arguments = parser.parse_known_args()
    assert both(arguments) == [0, 0]
    if chosen.kill_at is not None:
        shutil.copytree("weights/trained", "undisturbed")
        assert both(arguments, chosen.kill_at) == [-signal.SIGKILL] * 2
        assert both(arguments) == [0, 0]


if __name__ == "__main__":
    main()
