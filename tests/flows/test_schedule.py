"""When flows run by themselves: a schedule that is meant is made, any other is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import USUAL, parts, reproduce
from flows.schedule import asking_prefect, local_timezone
from segmodels.errors import PassingError


class Spy:
    """A flow that notes what is asked of it."""

    fn, __doc__ = reproduce.reproduce.fn, "spy"

    def __init__(self) -> None:
        self.ran: list[dict[str, Any]] = []
        self.served: list[dict[str, Any]] = []

    def __call__(self, **given: Any) -> object:
        self.ran.append(given)
        return SimpleNamespace(is_completed=lambda: True)

    def serve(self, **given: Any) -> None:
        self.served.append(given)


@pytest.fixture
def server() -> Any:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cron", "0 3 * * *"], "--cron needs --serve"),
        (["--cron", ""], "--cron needs --serve"),
        (["--timezone", "UTC"], "--timezone needs --cron"),
        (["--serve", "--timezone", "UTC"], "--timezone needs --cron"),
        (["--serve", "--cron", "every night"], "'every night' is no schedule"),
        (["--serve", "--cron", ""], "'' is no schedule"),
        (["--serve", "--cron", "0 25 * * *"], "is no schedule"),
        (["--serve", "--cron", "0 3 * *"], "is no schedule"),
        (["--serve", "--cron", "R 3 * * *"], "is no schedule"),
        (["--serve", "--cron", "0 3 * * *", "--timezone", "Berlin"], "mean 'Europe/Berlin'"),
        (["--serve", "--cron", "0 3 * * *", "--timezone", ""], "is no time zone"),
        (["--jobs", "two"], "expected a whole number of at least 1, found 'two'"),
        (["--jobs", "0"], "expected a whole number of at least 1"),
        (["--retries", "-1"], "expected a whole number of at least 0, found '-1'"),
        (["--stage-timeout-hours", "nan"], "expected hours such as 0.5, found 'nan'"),
        (["--stage-timeout-hours", "0"], "expected hours such as 0.5"),
    ],
)
def test_a_wrong_schedule_is_wrong_usage(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spy = Spy()
    with pytest.raises(SystemExit) as end:
        reproduce.main(spy, words)  # type: ignore[arg-type]
    assert end.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert spy.ran == spy.served == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("machine", "words", "zone"),
    [
        ("Asia/Tokyo", [], "Asia/Tokyo"),
        (":Asia/Tokyo", [], "Asia/Tokyo"),
        ("Asia/Tokyo", ["--timezone", "Europe/Berlin"], "Europe/Berlin"),
    ],
)
def test_the_time_zone_is_said_and_settable(
    machine: str,
    words: list[str],
    zone: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TZ", machine)
    spy = Spy()
    assert reproduce.main(spy, ["--serve", "--cron", "0 3 * * *", *words]) == 0  # type: ignore[arg-type]
    (served,) = spy.served
    assert (served["schedule"].cron, served["schedule"].timezone) == ("0 3 * * *", zone)
    assert f"Schedule '0 3 * * *' in time zone {zone}, where it is" in capsys.readouterr().out


@pytest.mark.usefixtures("server")
def test_serving_needs_no_schedule() -> None:
    spy = Spy()
    assert reproduce.main(spy, ["--serve"]) == 0  # type: ignore[arg-type]
    assert spy.served[0]["schedule"] is None


def test_a_machine_whose_zone_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "<+03>-3")
    monkeypatch.setattr("os.path.realpath", lambda _: "/etc/localtime")
    assert local_timezone() == "UTC"


@pytest.mark.faults
@pytest.mark.parametrize("words", [["train"], ["train", "--serve"]])
@pytest.mark.parametrize("address", ["http://127.0.0.1:9/api", "nowhere"])
def test_a_server_that_does_not_answer_is_one_line(
    words: list[str], address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings({PREFECT_API_URL: address}):
        assert parts.program(words) == 75
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
    assert line.startswith(f"error: No Prefect server answers at PREFECT_API_URL={address}. ")


@pytest.mark.parametrize("module", ["flows.parts", "flows.robustness"])
def test_prefect_reads_what_it_is_told_whichever_flow_is_imported_first(module: str) -> None:
    """It reads its settings when it is imported, which each of these does at its top."""
    told = "from prefect.settings import get_current_settings as now"
    values = "now().server.analytics_enabled, now().server.ephemeral.startup_timeout_seconds"
    code = f"import {module}; {told}; print({values})"
    environment = {name: value for name, value in os.environ.items() if name not in USUAL}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["False", "180"], done.stderr


def test_a_busy_machine_is_no_mistake_of_the_program() -> None:
    said = "Timed out while attempting to connect to ephemeral Prefect API server."
    with pytest.raises(PassingError, match="did not start in time"), asking_prefect():
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="another"), asking_prefect():
        raise RuntimeError("another")
