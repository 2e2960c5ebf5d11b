"""Processes that begin with everything imported: `python warm.py` forks one for each order.

MLflow and PyTorch take seconds to import, which is most of what a stage on three images takes. An
order is a line of JSON; each process has the folder, environment, words and output it was given,
and ends as any other does. The order ``{"wait": PID}`` is answered with its exit code.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Warm:
    """The process that forks, from the side of a test; `outputs` holds a folder of each process."""

    server: subprocess.Popen[str]
    outputs: tempfile.TemporaryDirectory[str]

    def start(self, code: str, words: Sequence[str], root: Path, environment: Any) -> Started:
        folder = Path(tempfile.mkdtemp(dir=self.outputs.name))
        for name in ("1", "2"):  # it may be killed before it opens them
            (folder / name).touch()
        order = {"code": code, "words": list(words), "root": str(root), "out": str(folder)}
        return Started(self, self.ask({**order, "environment": dict(environment)}), folder)

    def ask(self, order: dict[str, Any]) -> int:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def close(self) -> None:
        self.server.communicate()
        self.outputs.cleanup()


@dataclass(frozen=True)
class Started:
    """A process that was ordered."""

    warm: Warm
    pid: int
    folder: Path

    def kill(self) -> None:
        """End it and what it started, so that nobody can say goodbye; `finish` as ever."""
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(self.pid, signal.SIGKILL)

    def finish(self) -> tuple[int, str, str]:
        """Wait; its exit code, and what it wrote to both outputs."""
        code = self.warm.ask({"wait": self.pid})
        out, error = ((self.folder / name).read_text() for name in ("1", "2"))
        return code, out, error


@functools.cache
def warm() -> Warm:
    """The one of this test run; it ends with it."""
    command = [sys.executable, __file__]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    found = Warm(server, tempfile.TemporaryDirectory(prefix="warm-"))
    atexit.register(found.close)
    return found


def next_order() -> dict[str, Any]:
    """In each forked process, what it is to do; the process that forks ends here."""
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            os.setpgid(answer, answer or os.getpid())  # in both, whoever is first
            if not answer:
                return order
        print(answer, flush=True)
    os._exit(0)  # taking PyTorch apart would take long and print


def become(order: dict[str, Any]) -> None:
    """Take folder, environment, words and outputs of an order."""
    os.chdir(order["root"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for number, place in enumerate((os.devnull, f"{order['out']}/1", f"{order['out']}/2")):
        opened = os.open(place, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["-c", *order["words"]]


def import_everything() -> None:
    """What a stage imports, as late as it may; MLflow tells it by making a database."""
    import torch._dynamo  # noqa: F401 -- which the first optimizer imports

    import segmodels.steps.evaluation
    import segmodels.training.loop  # noqa: F401
    from flows import stages  # noqa: F401
    from flows.tracking import store

    os.environ.update(store._DEFAULTS)  # as our commands do before they import MLflow
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")


def do(order: dict[str, Any]) -> int:
    """Run what an order says; the code that Python would end with."""
    become(order)
    try:
        exec(compile(order["code"], "-c", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    import_everything()
    gc.freeze()
    code = do(next_order())
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking thousands of modules apart would take longer than the stage
