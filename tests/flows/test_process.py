"""Whatever ends the caller, nothing that the command started is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import growing, text_of, until

from flows import process

# Starts a grandchild that sleeps for minutes, says who it is, and waits for it.
NEST = "sleep 300 & echo $! > pid; wait"
# The grandchild moves to a session of its own, and the child does not listen to SIGTERM.
STUBBORN = "trap '' TERM; setsid sh -c 'echo $$ > pid; exec sleep 300' & while :; do sleep 1; done"


def grandchild(folder: Path) -> int:
    return int(text_of(folder / "pid"))


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone, also between open and read
        return False
    return state != "Z"


def test_lines_and_exit_code_come_through(tmp_path: Path) -> None:
    lines: list[str] = []
    command = ["sh", "-c", "echo one; printf '10%%\\r20%%\\rtwo\\n'; echo three >&2; exit 7"]
    assert process.run(command, cwd=tmp_path, on_line=lines.append) == 7
    assert lines == ["one", "two", "three"]


def test_a_command_that_closes_its_output_is_still_waited_for(tmp_path: Path) -> None:
    command = ["sh", "-c", "exec >&- 2>&-; sleep 0.5; touch done"]
    assert process.run(command, cwd=tmp_path) == 0
    assert (tmp_path / "done").exists()


def test_a_service_left_behind_does_not_hold_us(tmp_path: Path) -> None:
    assert process.run(["sh", "-c", "sleep 300 & echo $! > pid"], cwd=tmp_path) == 0
    assert lives(grandchild(tmp_path))
    os.kill(grandchild(tmp_path), signal.SIGKILL)


@pytest.mark.parametrize("script", [NEST, STUBBORN])
def test_out_of_time(tmp_path: Path, script: str) -> None:
    for limit in growing(1.0):
        with pytest.raises(process.OutOfTimeError):
            process.run(["sh", "-c", script], cwd=tmp_path, timeout=limit, grace=0.3)
        if (tmp_path / "pid").exists():
            break
    assert not lives(grandchild(tmp_path))


def test_stopped_by_another_thread(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (grandchild(tmp_path), stop.set()), daemon=True).start()
    with pytest.raises(process.StoppedError):
        process.run(["sh", "-c", NEST], cwd=tmp_path, stop=stop)
    assert not lives(grandchild(tmp_path))


def test_an_error_in_the_listener_ends_the_command(tmp_path: Path) -> None:
    def listen(line: str) -> None:
        raise ValueError(line)

    script = "sleep 300 & echo $! > pid; echo hello; wait"
    with pytest.raises(ValueError, match="hello"):
        process.run(["sh", "-c", script], cwd=tmp_path, on_line=listen)
    assert not lives(grandchild(tmp_path))


def test_a_chance_to_clean_up(tmp_path: Path) -> None:
    saves = "trap 'sleep 0.3; echo saved > saved; exit' TERM; touch begun; sleep 300 & wait"
    for limit in growing(0.5):
        with pytest.raises(process.OutOfTimeError):
            process.run(["sh", "-c", saves], cwd=tmp_path, timeout=limit)
        if (tmp_path / "begun").exists():
            break
    assert (tmp_path / "saved").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_caller_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    call = f"process.run(['sh', '-c', {NEST!r}], cwd=Path.cwd(), grace=0.3)"
    # Shells start background jobs with Ctrl-C ignored, which children inherit.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"from pathlib import Path; from flows import process; {heeds}; {call}"
    environment = {**os.environ, "PYTHONPATH": str(Path(process.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    ) as caller:
        pid = grandchild(tmp_path)
        caller.send_signal(number)
    until(lambda: not lives(pid))
