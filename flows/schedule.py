"""When a served flow runs by itself: ``--serve --cron '0 3 * * *' --timezone Europe/Berlin``.

Also what becomes of a server that does not answer.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from httpx import HTTPError, HTTPStatusError, InvalidURL
from prefect.client.schemas.schedules import CronSchedule
from prefect.schedules import Cron, Schedule
from prefect.settings import PREFECT_API_URL
from pydantic import ValidationError

from flows import PATIENCE
from segmodels.errors import PassingError, nearest


def schedule_options(parser: argparse.ArgumentParser) -> None:
    """`--serve`, `--cron` and `--timezone`."""
    parser.add_argument("--serve", action="store_true", help="stay and run as a deployment")
    parser.add_argument("--cron", metavar="'0 3 * * *'", help="with --serve: when it runs")
    here = f"with --cron: of its hours (default: this machine's, {local_timezone()})"
    parser.add_argument("--timezone", metavar="ZONE", help=here)


def schedule(
    parser: argparse.ArgumentParser, serve: bool, cron: str | None, zone: str | None
) -> Schedule | None:
    """The schedule that the options ask for; None without `--cron`.

    What makes no sense ends the program with one line and code 2, before anything is run.
    """
    if cron is not None and not serve:
        parser.error("--cron needs --serve; without it nothing would run at those times")
    if zone is not None and cron is None:
        parser.error("--timezone needs --cron")
    if zone is not None and zone not in available_timezones():
        near = nearest(zone, sorted(available_timezones()))
        parser.error(f"--timezone {zone!r} is no time zone as in 'Europe/Berlin'.{near}")
    if cron is not None and not _is_cron(cron):
        parser.error(
            f"--cron {cron!r} is no schedule: expected minute, hour, day of the month, month and "
            f"day of the week, as in '0 3 * * *'"
        )
    if serve and not PREFECT_API_URL.value():
        parser.error("--serve needs a server: `prefect server start`, and set PREFECT_API_URL")
    if cron is None:
        return None
    zone = zone or local_timezone()
    now = datetime.now(ZoneInfo(zone))
    sys.stdout.write(f"Schedule {cron!r} in time zone {zone}, where it is {now:%H:%M} now.\n")
    sys.stdout.flush()
    return Cron(cron, timezone=zone)


def _is_cron(text: str) -> bool:
    try:
        CronSchedule(cron=text)
    except (ValidationError, ArithmeticError, AttributeError, LookupError, TypeError):
        return False  # Prefect's parser of these fails in several ways
    return True


def local_timezone() -> str:
    """The time zone of this machine, by its name in the tz database; UTC where it has no name."""
    link = Path("/etc/localtime")
    named = (os.environ.get("TZ", "").removeprefix(":"), _zone_of(os.path.realpath(link)))
    return next((name for name in named if name in available_timezones()), "UTC")


def _zone_of(path: str) -> str:
    """`Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`."""
    return path.partition("zoneinfo/")[2]


@contextmanager
def asking_prefect() -> Iterator[None]:
    """A Prefect server that is not there is one line, and may be there later.

    Raises:
        PassingError: it does not answer.
    """
    try:
        yield
    except HTTPStatusError as error:
        raise PassingError(
            f"Prefect's server refuses {error.request.url} with {error.response.status_code}: "
            f"{error.response.text[:300]}"
        ) from error
    except (HTTPError, InvalidURL, RuntimeError) as error:
        address = PREFECT_API_URL.value()
        if isinstance(error, RuntimeError) and "ephemeral" in str(error):
            raise PassingError(
                "Prefect's server for this one command did not start in time: the machine is busy. "
                f"Try again, set {PATIENCE} to more seconds, or start a server that stays "
                "(`python -m flows.servers up`)."
            ) from error
        if isinstance(error, RuntimeError) and "Failed to reach API" not in str(error):
            raise
        raise PassingError(
            f"No Prefect server answers at PREFECT_API_URL={address}. Start one "
            f"(`prefect server start`), or unset PREFECT_API_URL to do without."
        ) from error
