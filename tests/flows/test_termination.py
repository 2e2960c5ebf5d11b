"""A flow that a batch system ends takes its Prefect server along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from flows.termination import TERMINATED, ending_in_order

FLOW = """
import time
from flows.reproduce import main
from prefect import flow

@flow
def waiting():
    print("it waits", flush=True)
    time.sleep(600)

raise SystemExit(main(waiting, [], "waiting"))
"""


@pytest.mark.slow
@pytest.mark.faults
def test_its_server_ends_with_a_flow_that_is_told_to_end(tmp_path: Path) -> None:
    settings = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_API_URL": ""}
    with subprocess.Popen(
        [sys.executable, "-c", FLOW],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        assert any("it waits" in line for line in process.stdout)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == TERMINATED
    assert started
    assert psutil.wait_procs(started, timeout=60)[1] == []


def test_the_signal_does_afterwards_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, ending_in_order():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == TERMINATED == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_leaves_the_signal_alone() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with ending_in_order():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
