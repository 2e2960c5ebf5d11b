"""Retries: their number, the wait before each, and which errors end them."""

from __future__ import annotations

import sys
from threading import Event
from typing import Any, Self

from tqdm import tqdm
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import HTTPError, InvalidHeader

_TRIES = 5
#: Seconds: of the first wait between two tries, and the longest that a server may ask for.
_BACKOFF, _LONGEST = 1.0, 300.0
#: Answers that may be another one in a while.
PASSING = frozenset((408, 429, 500, 502, 503, 504))


class RefusedError(HTTPError):
    """An answer that asking again would not change, or not soon if `later`."""

    def __init__(self, cause: str, later: bool = False) -> None:
        super().__init__(cause)
        self.later = later


class Patience(Retry):
    """urllib3's counting and backoff, with announced waits that end with the download."""

    name = ""
    stop = Event()

    @classmethod
    def fresh(cls, name: str, stop: Event) -> Self:
        """All tries are left.

        Args:
            name: of the download, for people.
            stop: ends a wait.
        """
        return cls(
            total=None,
            connect=3,  # no network is seldom cured by waiting, and should be told soon
            read=_TRIES,
            status=_TRIES,
            other=_TRIES,
            redirect=10,
            status_forcelist=PASSING,
            backoff_factor=_BACKOFF,
            backoff_max=60.0,
            backoff_jitter=_BACKOFF / 2,
        )._of(name, stop)

    def _of(self, name: str, stop: Event) -> Self:
        self.name, self.stop = name, stop
        return self

    def new(self, **kw: Any) -> Self:
        """The next state of the same patience."""
        return super().new(**kw)._of(self.name, self.stop)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as the server asks, or as the backoff says.

        Raises:
            RefusedError: the server asks for more than minutes.
        """
        seconds = self._asked(response) or self.get_backoff_time()
        if seconds > _LONGEST:
            raise RefusedError(f"the server wants to be asked again in {seconds:.0f} s", later=True)
        if seconds >= 1:
            last = self.history[-1]
            why = f"HTTP {last.status}" if last.status else last.error
            tqdm.write(f"{self.name}: {why}; again in {seconds:.0f} s", file=sys.stderr)
        self.stop.wait(seconds)

    def _asked(self, response: BaseHTTPResponse | None) -> float | None:
        try:
            return self.get_retry_after(response) if response else None
        except InvalidHeader:
            return None
