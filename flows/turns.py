"""Whose turn it is at something that one worker does at a time, by a lease of Prefect's server.

Prefect's own `concurrency` renews a lease when three quarters of it are over. On a busy machine, or
with a busy server, that one renewal may come too late, and another worker begins the same. Here a
lease is renewed again and again, and taken once more if it was lost all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging import Logger, LoggerAdapter
from typing import Any, TypeAlias
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client

Log: TypeAlias = Logger | LoggerAdapter[Any]

#: A worker that is killed gives its turn back after so many seconds, and those between two looks of
#: the server for leases that are over.
LEASE_SECONDS = 120.0
#: The least that a server takes. For a GPU, which others can use at once.
SHORTEST_LEASE_SECONDS = 60.0
#: Seconds between two renewals: eleven may fail of the long lease, and five of the short one.
RENEWAL_SECONDS = 10.0


@contextmanager
def turn(limit: str, log: Log, seconds: float = LEASE_SECONDS) -> Iterator[bool]:
    """Whether it is this worker's turn, for as long as the block takes.

    Args:
        limit: name of a global concurrency limit; one that does not exist limits nobody.
        log: told when the turn was lost.
        seconds: of the lease.

    Raises:
        httpx.HTTPError: the server cannot be asked.
    """
    with get_client(sync_client=True) as client:
        lease = _taken(client, limit, seconds)
    if lease is None:
        yield False
        return
    held = _Held(limit, lease, log, seconds)
    try:
        yield True
    finally:
        held.release()


def _taken(client: Any, limit: str, seconds: float) -> UUID | None:
    """A new lease of one slot; None if other workers have them all."""
    try:
        answer = client.increment_concurrency_slots_with_lease([limit], 1, "concurrency", seconds)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.LOCKED:
            return None
        raise
    return UUID(answer.json()["lease_id"])


class _Held:
    """A lease, and the thread that renews it."""

    def __init__(self, limit: str, lease: UUID, log: Log, seconds: float) -> None:
        self.limit, self.lease, self.log, self.seconds = limit, lease, log, seconds
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._renew, daemon=True)
        self.thread.start()

    def _renew(self) -> None:
        while not self.over.wait(RENEWAL_SECONDS):
            with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
                self._renew_once(client)

    def _renew_once(self, client: Any) -> None:
        try:
            client.renew_concurrency_lease(self.lease, self.seconds)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.GONE:
                raise
            if again := _taken(client, self.limit, self.seconds):
                self.lease = again
            else:
                self.log.warning(
                    "%s: the server gave this worker's turn to another one. Both do the same now.",
                    self.limit,
                )

    def release(self) -> None:
        """Give it back; a server that cannot be told takes it when the lease is over."""
        self.over.set()
        self.thread.join()
        with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            client.release_concurrency_slots_with_lease(self.lease)
