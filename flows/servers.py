"""Everything on one machine: ``python -m flows.servers up``, then ``down``.

Prefect's server with the deployments of prefect.yaml, a worker for them, and MLflow on the database
of this project, or on that of a team (`flows.mlflow_server`). Each listens on this machine alone
unless a team's MLflow is told otherwise. What was started is written down, and ``down`` ends
exactly that, whatever else runs here.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import psutil

from flows import mlflow_server, prefect_server
from flows.last_words import last_words
from flows.service import MARK, Service, end
from segmodels.core.exits import DONE, ERROR, ended
from segmodels.core.files import read_json, write_json
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir, project_root
from segmodels.errors import PassingError, SegmodelsError, without_credentials

HOST = "127.0.0.1"
POOL = "segmodels"
NAMES = ("prefect", "mlflow", "worker")
START_SECONDS = 180.0


#: They outlive this process, which Python takes for a mistake where nothing refers to them.
_STARTED: list[subprocess.Popen[bytes]] = []


def _folder() -> Path:
    return cache_dir() / "servers"


def _record() -> Path:
    return _folder() / "running.json"


def _started() -> list[Service]:
    """What `up` started and `down` has not ended, whether or not it still runs."""
    path = _record()
    try:
        return [Service(**one) for one in read_json(path)] if path.is_file() else []
    except TypeError as error:
        raise SegmodelsError(f"{path}: no list of services ({error}); remove it.") from None


def running() -> list[Service]:
    """What `up` started and still runs."""
    return [service for service in _started() if service.process]


def up(prefect_port: int, mlflow_port: int) -> list[Service]:
    """Start what does not run yet.

    Raises:
        SegmodelsError: a port is taken by somebody else, a setting of MLflow's server does not fit,
            or a service ends as it starts; what this call started is then ended.
    """
    with only_one(_folder() / "servers.lock", "starting or ending servers", wait=True):
        for service in _started():
            if not service.process and service.name != "worker":  # whose runs may still work
                end(service)
        here = {service.name: service for service in running()}
        before = dict(here)
        try:
            return _start_missing(here, prefect_port, mlflow_port)
        except BaseException:
            for name in [one for one in reversed(here) if one not in before]:
                end(here[name])
            _keep(before)
            raise


def _start_missing(here: dict[str, Service], prefect_port: int, mlflow_port: int) -> list[Service]:
    """Start what `here` lacks, and note it there."""
    api = f"http://{HOST}:{prefect_port}/api"
    settings = prefect_server.environment(api, _folder())
    own = not mlflow_server.is_elsewhere(settings)
    tracking = mlflow_server.command(settings, mlflow_port) if own else []
    served = mlflow_server.environment(settings, _folder()) if own else {}
    if "prefect" not in here:
        _check_free(prefect_port, "--prefect-port")
    if own and "mlflow" not in here:
        _check_free(mlflow_port, "--mlflow-port")
        mlflow_server.check_database(settings)
    if "prefect" not in here:
        command = _module("prefect", "server", "start", "--host", HOST, "--port", prefect_port)
        here["prefect"] = _start("prefect", command, settings, api.removesuffix("/api"))
        _keep(here)
    if own and "mlflow" not in here:
        here["mlflow"] = _start("mlflow", tracking, served, _view(mlflow_port))
        _keep(here)
    _wait(here["prefect"], lambda: _answers(f"{api}/health"))
    if "worker" not in here:
        known = mlflow_server.client_environment(settings, mlflow_port)
        _deploy(known)
        work = _module("prefect", "worker", "start", "--pool", POOL, "--name", POOL)
        here["worker"] = _start("worker", work, known, "")
        _keep(here)
    if "mlflow" in here:
        health = mlflow_server.health(settings, mlflow_port)
        _wait(here["mlflow"], lambda: _answers(health))
    return list(here.values())


def down() -> list[Service]:
    """End what `up` started, the worker first; returns what was ended."""
    with only_one(_folder() / "servers.lock", "starting or ending servers", wait=True):
        ended_here = running()
        for service in reversed(_started()):
            end(service)
        _record().unlink(missing_ok=True)
        return ended_here


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", name, *map(str, arguments)]


def _view(port: int) -> str:
    return f"http://{HOST}:{port}/#/experiments/1/runs?viewStateShareKey=leaderboard"


def _start(name: str, command: Sequence[str], env: Mapping[str, str], address: str) -> Service:
    log = _folder() / f"{name}.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            cwd=project_root(),
            env={**env, MARK: str(log)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    _STARTED.append(process)
    born = psutil.Process(process.pid).create_time()
    return Service(name, process.pid, born, address, str(log))


def _keep(here: Mapping[str, Service]) -> None:
    write_json(_record(), [asdict(service) for service in here.values()])


def _wait(service: Service, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if service.process is None:
            said = last_words(Path(service.log))
            raise SegmodelsError(
                f"{service.name} ended as it started: {said}. {service.log} has all of it."
            )
        if time.monotonic() > deadline:
            raise PassingError(f"{service.name} does not answer; {service.log} says more.")
        time.sleep(0.5)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _check_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise SegmodelsError(
                f"port {port} is taken by another program; name a free one with {option}."
            ) from None


def _deploy(env: Mapping[str, str]) -> None:
    """Make the work pool, the deployments of prefect.yaml and the automations."""
    steps = (
        _module("prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite"),
        _module("prefect", "--no-prompt", "deploy", "--all"),
        _module("flows.automations"),
    )
    for command in steps:
        done = subprocess.run(
            command, cwd=project_root(), env=dict(env), capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            words = " ".join(command[2:4])
            raise SegmodelsError(f"`{words}` failed: {said[-1] if said else 'no word'}")


def _lines(services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        yield f"{service.name:8} process {service.pid}  {service.address or service.log}"


def missing(services: Sequence[Service], env: Mapping[str, str]) -> Iterator[str]:
    """What should run beside these and does not, or does not answer; a line each.

    Args:
        services: what runs.
        env: may name the MLflow of somebody else, which is then asked.
    """
    here = {service.name for service in services}
    for name in NAMES if here else ():
        if name not in here and not (name == "mlflow" and mlflow_server.is_elsewhere(env)):
            log = _folder() / f"{name}.log"
            yield f"{name:8} does not run; `up` starts it" + (f"  {log}" if log.is_file() else "")
    if mlflow_server.is_elsewhere(env):
        address = env[mlflow_server.TRACKING]
        if not _answers(f"{address.rstrip('/')}/health"):
            shown = without_credentials(address)
            yield f"mlflow   does not answer at {shown} ({mlflow_server.TRACKING})"


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.servers", description=__doc__)
    parser.add_argument(
        "action", choices=("up", "down", "status"), help="start, end or list what runs here"
    )
    parser.add_argument("--prefect-port", type=int, default=4200, metavar="PORT")
    parser.add_argument("--mlflow-port", type=int, default=5000, metavar="PORT")
    chosen = parser.parse_args(arguments)
    if chosen.action == "up":
        found = up(chosen.prefect_port, chosen.mlflow_port)
    else:
        found = down() if chosen.action == "down" else running()
    sys.stdout.write(("\n".join(_lines(found)) or "Nothing runs that `up` started.") + "\n")
    if chosen.action != "status":
        return DONE
    lacking = list(missing(found, os.environ))
    sys.stdout.write("".join(f"{line}\n" for line in lacking))
    return ERROR if lacking or not found else DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, end or list them; returns the exit code."""
    return ended(lambda: _run(arguments))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
