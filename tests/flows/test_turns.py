"""A turn at a stage: renewed while it is held, whatever the server does, and given back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import httpx
import pytest
from waiting import until

from flows import turns

pytestmark = pytest.mark.faults

LOG = logging.getLogger("turns")


def answer(status: int, **content: str) -> httpx.Response:
    return httpx.Response(status, json=content, request=httpx.Request("POST", "http://server"))


class Server:
    """One slot; `down` answers no question, as one that is busy for longer than anybody waits."""

    def __init__(self) -> None:
        self.holder: UUID | None = None
        self.renewed, self.refused, self.down = 0, 0, False

    def increment_concurrency_slots_with_lease(
        self, names: list[str], slots: int, mode: str, seconds: float
    ) -> httpx.Response:
        if self.holder:
            self.refused += 1
            answer(httpx.codes.LOCKED).raise_for_status()
        self.holder = uuid4()
        return answer(200, lease_id=str(self.holder))

    def renew_concurrency_lease(self, lease: UUID, seconds: float) -> None:
        if self.down:
            self.refused += 1
            raise httpx.ReadTimeout("busy")
        if lease != self.holder:
            answer(httpx.codes.GONE).raise_for_status()
        self.renewed += 1

    def release_concurrency_slots_with_lease(self, lease: UUID) -> None:
        assert lease == self.holder
        self.holder = None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    one = Server()

    @contextmanager
    def get_client(sync_client: bool) -> Iterator[Server]:
        yield one

    monkeypatch.setattr(turns, "get_client", get_client)
    monkeypatch.setattr(turns, "RENEWAL_SECONDS", 0.001)
    return one


def test_one_at_a_time(server: Server) -> None:
    with turns.turn("stage", LOG) as first, turns.turn("stage", LOG) as second:
        assert (first, second) == (True, False)
        until(lambda: server.renewed > 2)
    assert server.holder is None
    with turns.turn("stage", LOG) as first:
        assert first


def test_renewals_that_fail_are_tried_again(server: Server) -> None:
    with turns.turn("stage", LOG):
        server.down = True
        until(lambda: server.refused > 5)
        server.down, before = False, server.renewed
        until(lambda: server.renewed > before)
    assert server.holder is None


def test_a_turn_that_was_lost_is_taken_again(server: Server) -> None:
    """Leases are in the memory of a server that is started anew."""
    with turns.turn("stage", LOG):
        server.holder = None
        until(lambda: server.holder)
    assert server.holder is None


def test_a_turn_that_another_has_meanwhile_is_said(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with turns.turn("stage", LOG):
        server.holder = other = uuid4()
        until(lambda: server.refused)
        server.holder, taken = None, other
        until(lambda: server.holder)
    assert taken != server.holder
    assert "Both do the same now" in caplog.text


def test_a_server_that_refuses_says_why(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        answer(500).raise_for_status()

    monkeypatch.setattr(server, "increment_concurrency_slots_with_lease", refuse)
    with pytest.raises(httpx.HTTPStatusError), turns.turn("stage", LOG):
        pytest.fail("nobody's turn")
