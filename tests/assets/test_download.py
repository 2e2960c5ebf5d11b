from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import deque
from itertools import pairwise

import pytest
from http_server import serving
from waiting import until

from segmodels.assets import download as module
from segmodels.assets import partial as partial_module
from segmodels.assets.download import DownloadError, download
from segmodels.assets.partial import Partial
from segmodels.errors import SegmodelsError

CONTENT = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(6000))
NAPS: list[float] = []


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Waits are noted, not waited; pieces are small."""
    NAPS.clear()
    monkeypatch.setattr("segmodels.assets.retries.Patience.stop", _Stop())
    monkeypatch.setattr(module, "Event", _Stop)
    monkeypatch.setattr(module, "FIRST", 8_000)
    monkeypatch.setattr(module, "PIECE", 20_000)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class _Stop:
    """An event whose waits take no time."""

    def __init__(self):
        self.happened = False

    def is_set(self):
        return self.happened

    def set(self):
        self.happened = True

    def clear(self):
        self.happened = False

    def wait(self, seconds):
        NAPS.append(seconds)


@pytest.fixture
def server():
    with serving(CONTENT) as one:
        yield one


@pytest.fixture
def part(tmp_path):
    return tmp_path / "cache" / "a.part"


def get(url, part, connections=1):
    with Partial(part) as partial:
        download(url, partial, "a.bin", connections)
    return part.read_bytes()


def broken(server, part, size, connections=1, **manners):
    """Leave the first `size` bytes of a download."""
    for name, value in manners.items():
        setattr(server.manners, name, value)
    server.manners.breaks = [size, *[0] * 5]
    with pytest.raises(DownloadError):
        get(server.url, part, connections)
    server.manners.breaks = []
    with Partial(part) as partial:
        assert partial.have == size
    server.asked.clear()
    server.conditions.clear()


def pieces(asked):
    return sorted(tuple(map(int, one.removeprefix("bytes=").split("-"))) for one in asked)


# What is asked for


@pytest.mark.parametrize("connections", [1, 4])
def test_the_first_question_tells_the_size_and_the_rest_comes_in_pieces(server, part, connections):
    assert get(server.url, part, connections) == CONTENT
    asked = pieces(server.asked)
    assert asked[0] == (0, 7_999)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(asked))
    assert asked[-1][1] == len(CONTENT) - 1
    assert server.sent == len(CONTENT)


def test_parallel_parts_are_parallel_and_give_the_right_bytes(server, part):
    server.manners.pause = 0.02
    assert get(server.url, part, 4) == CONTENT
    assert server.most == 4


def test_a_small_file_is_one_question(server, part):
    server.manners.content = b"small"
    assert get(server.url, part, 4) == b"small"
    assert server.asked == ["bytes=0-7999"]


def test_an_empty_file(server, part):
    server.manners.content = b""
    assert get(server.url, part) == b""


def test_a_whole_file_is_not_asked_for(server, part):
    get(server.url, part)
    server.asked.clear()
    assert get(server.url, part) == CONTENT
    assert server.asked == []


@pytest.mark.parametrize("chunked", [False, True])
def test_a_server_without_ranges_sends_one_stream(server, part, chunked):
    server.manners.ranges, server.manners.chunked = False, chunked
    assert get(server.url, part, 4) == CONTENT
    assert len(server.asked) == 1


def test_a_redirect_is_followed_for_every_piece(server, part):
    server.manners.moved = ("/old",)
    assert get(server.url.replace("/a.bin", "/old"), part, 3) == CONTENT


def test_redirects_in_a_circle_end(server, part):
    server.manners.moved = ("/a.bin",)
    with pytest.raises(DownloadError, match="too many redirects") as caught:
        get(server.url, part)
    assert not caught.value.passing


# Connections that break


@pytest.mark.parametrize("connections", [1, 4])
def test_a_broken_connection_is_taken_up_again_at_once(server, part, connections):
    server.manners.breaks = [5_000, 9_000, 100]
    assert get(server.url, part, connections) == CONTENT
    assert server.sent == len(CONTENT)
    assert "bytes=5000-7999" in server.asked


@pytest.mark.parametrize("chunked", [False, True])
def test_what_came_before_giving_up_is_not_asked_for_again(server, part, chunked):
    broken(server, part, 5_000, chunked=chunked)
    assert get(server.url, part) == CONTENT
    assert server.asked[0] == "bytes=5000-12999"


def test_backoff_grows(server, part):
    server.manners.breaks = [0] * 5
    assert get(server.url, part) == CONTENT
    assert NAPS[0] == 0
    assert all(2**n <= nap <= 2**n + 0.5 for n, nap in enumerate(NAPS[1:], start=1))
    assert len(NAPS) == 5


def test_progress_is_a_reason_for_more_patience(server, part, monkeypatch):
    monkeypatch.setattr(module, "_PROGRESS", 1_000)
    server.manners.breaks = [1_000] * 30
    assert get(server.url, part) == CONTENT


def test_without_progress_patience_ends(server, part):
    server.manners.breaks = [10] * 30
    with pytest.raises(DownloadError):
        get(server.url, part)
    assert len(server.asked) == 6


def test_a_server_without_ranges_that_breaks_begins_anew(server, part):
    server.manners.ranges, server.manners.breaks = False, [50_000]
    assert get(server.url, part) == CONTENT
    assert server.sent == 50_000 + len(CONTENT)


@pytest.mark.parametrize("length", [len(CONTENT) + 5, len(CONTENT) - 5])
def test_a_wrong_length_without_ranges(server, part, length):
    """Too long is noticed here; too short looks whole, and the checksum tells."""
    server.manners.ranges, server.manners.length = False, length
    if length > len(CONTENT):
        with pytest.raises(DownloadError):
            get(server.url, part)
    else:
        assert get(server.url, part) == CONTENT[:length]


@pytest.mark.parametrize("length", [7_000, 9_000])
def test_a_wrong_length_of_a_range_is_noticed(server, part, length):
    server.manners.length = length
    with pytest.raises(DownloadError):
        get(server.url, part)


def test_an_unreachable_address_ends(part):
    with pytest.raises(DownloadError, match="refused"):
        get("http://127.0.0.1:9/a.bin", part)
    assert len(NAPS) == 3


# Answers that refuse


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(server, part, status, capsys):
    server.manners.statuses, server.manners.retry_after = [status, status], "17"
    assert get(server.url, part) == CONTENT
    assert NAPS == [17, 17]
    assert f"a.bin: HTTP {status}; again in 17 s" in capsys.readouterr().err


def test_without_retry_after_the_backoff_counts(server, part):
    server.manners.statuses = [503, 502, 500]
    assert get(server.url, part) == CONTENT
    assert NAPS[0] == 0
    assert 2 <= NAPS[1] <= 2.5


def test_a_retry_after_of_no_sense_is_as_good_as_none(server, part):
    server.manners.statuses, server.manners.retry_after = [503], "soon"
    assert get(server.url, part) == CONTENT
    assert NAPS == [0]


def test_nobody_waits_for_an_hour(server, part):
    server.manners.statuses, server.manners.retry_after = [429], "3600"
    with pytest.raises(DownloadError, match="wants to be asked again in 3600 s") as caught:
        get(server.url, part)
    assert caught.value.passing


def test_patience_with_refusals_ends(server, part):
    server.manners.statuses = [503] * 30
    with pytest.raises(DownloadError, match="503") as caught:
        get(server.url, part)
    assert caught.value.passing
    assert len(server.asked) == 6


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_will_not_change_is_not_asked_again(server, part, status):
    server.manners.statuses = [status]
    with pytest.raises(DownloadError, match=f"HTTP {status}") as caught:
        get(server.url, part)
    assert not caught.value.passing
    assert len(server.asked) == 1
    assert NAPS == []


def test_a_server_that_allows_few_connections_gets_few(server, part):
    server.manners.pause, server.manners.crowd = 0.001, 2
    assert get(server.url, part, 5) == CONTENT


def test_a_refusal_in_the_middle_stops_all(server, part):
    server.manners.statuses = [0, 0, *[404] * 20]
    with pytest.raises(DownloadError, match="404"):
        get(server.url, part, 3)
    server.manners.statuses = []
    assert get(server.url, part, 3) == CONTENT


# Files that change

OTHER = CONTENT[::-1]


@pytest.mark.parametrize("validator", ["etag", "modified"])
def test_a_file_that_changed_since_begins_anew(server, part, validator):
    one, two = {"etag": ('"1"', '"2"'), "modified": ("Mon, 1 Jan", "Tue, 2 Jan")}[validator]
    broken(server, part, 5_000, **{validator: one})
    server.manners.content = OTHER
    setattr(server.manners, validator, two)
    assert get(server.url, part) == OTHER
    assert server.conditions[0] == one


@pytest.mark.parametrize("etag", ['"2"', 'W/"2"'])
def test_a_server_that_ignores_if_range_is_found_out(server, part, etag):
    broken(server, part, 5_000, etag=etag.replace("2", "1"), if_range=False)
    server.manners.content, server.manners.etag = OTHER, etag
    assert get(server.url, part) == OTHER


def test_another_size_is_another_file(server, part):
    broken(server, part, 5_000)
    server.manners.content = OTHER[:-1]
    assert get(server.url, part) == OTHER[:-1]


def test_a_file_that_became_shorter_than_what_is_here(server, part):
    broken(server, part, 5_000)
    server.manners.content = b"short"
    assert get(server.url, part) == b"short"


def test_weak_etags_are_compared_but_not_sent(server, part):
    broken(server, part, 5_000, etag='W/"1"')
    assert get(server.url, part) == CONTENT
    assert set(server.conditions) == {None}
    assert server.asked[0] == "bytes=5000-12999"


def test_a_file_that_changes_while_parts_of_it_come(server, part, monkeypatch):
    server.manners.etag = '"1"'
    original = module._Download._rest

    def changed(self):
        server.manners.content, server.manners.etag = OTHER, '"2"'
        original(self)

    monkeypatch.setattr(module._Download, "_rest", changed)
    assert get(server.url, part, 3) == OTHER


def test_a_server_that_cannot_decide_is_given_up(server, part, monkeypatch):
    """Another ETag with every answer, as mirrors behind one name give them."""
    tags = deque(f'"{n}"' for n in range(100))
    original = module._Download._ask

    def ask(self, piece):
        server.manners.etag = tags.popleft()
        return original(self, piece)

    monkeypatch.setattr(module._Download, "_ask", ask)
    assert get(server.url, part, 3) == CONTENT  # one stream is the way out
    assert server.asked[-1] is None


# Disks


def test_what_cannot_fit_does_not_begin(server, part, monkeypatch):
    real = partial_module.shutil.disk_usage(part.parent.parent)
    monkeypatch.setattr(
        partial_module.shutil, "disk_usage", lambda path: real._replace(free=100_000)
    )
    with pytest.raises(SegmodelsError, match=r"0.1 MB are free, 0.2 MB are still to come"):
        get(server.url, part)


@pytest.mark.parametrize("connections", [1, 4])
def test_a_disk_that_fills_up_keeps_what_came(server, part, connections, monkeypatch):
    room = 50_000
    original = os.pwrite

    def pwrite(file, data, at):
        if at + len(data) > room:
            raise OSError(28, "No space left on device")
        return original(file, data, at)

    with monkeypatch.context() as patch:
        patch.setattr(partial_module.os, "pwrite", pwrite)
        with pytest.raises(OSError, match="No space left"):
            get(server.url, part, connections)
    with Partial(part) as partial:
        assert 8_000 <= partial.have <= room
    assert get(server.url, part, connections) == CONTENT


# The end of the process

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that.
RUN = """
import signal, sys
from pathlib import Path
from segmodels.assets import download as module, partial
signal.signal(signal.SIGINT, signal.default_int_handler)
module.FIRST, module.PIECE, partial.SAVE_SECONDS = 8_000, 20_000, 0.02
url, path, connections = sys.argv[1:]
with partial.Partial(Path(path)) as one:
    module.download(url, one, "a.bin", int(connections))
"""


@pytest.fixture
def process(server, part):
    """Starts a download in another process; that ends with the test at the latest."""
    started = []

    def start(connections):
        command = [sys.executable, "-c", RUN, server.url, str(part), str(connections)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()
        one.stderr.close()


def noted(part):
    """Bytes that the note of a download speaks of."""
    note = json.loads(part.with_suffix(".json").read_text())
    return sum(end - start for start, end in note["done"])


@pytest.mark.faults
@pytest.mark.parametrize("connections", [1, 4])
def test_kill_9_loses_moments(server, part, process, connections):
    server.manners.pause = 0.02
    one = process(connections)
    until(lambda: part.with_suffix(".json").exists() and noted(part) > 40_000, one)
    one.kill()
    assert one.wait() == -signal.SIGKILL
    have = noted(part)
    assert 40_000 < have < len(CONTENT)
    server.rest()
    assert get(server.url, part, connections) == CONTENT
    assert server.sent == len(CONTENT) - have


@pytest.mark.faults
def test_ctrl_c_ends_all_connections(server, part, process):
    server.manners.pause = 0.05
    one = process(4)
    until(lambda: server.sent > 40_000, one)
    one.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in one.communicate()[1]
    assert 20_000 <= noted(part) < len(CONTENT)


# Proxies


def test_the_proxy_of_the_environment_is_asked(server, part, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://me:secret@"))
    server.manners.content = b"through the proxy"
    assert get("http://data.invalid/a.bin", part) == b"through the proxy"


def test_hosts_that_need_no_proxy(server, part, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get(server.url, part) == CONTENT
