"""Look at every released address without downloading anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from segmodels.assets.entries import load_dataset_entries, load_weights_entries
from segmodels.assets.watch import Look, Watched, look, read_record, write_record
from segmodels.core import paths
from segmodels.core.progress import Progress

#: Hosts that are asked at a time; each of them gets one question after the other.
_HOSTS = 8


@dataclass(frozen=True)
class Found:
    """What a look at an address came to.

    Attributes:
        address: of the file.
        names: entries of params/weights.yaml and params/datasets.yaml that need it.
        problem: that it is lost or changed; "" for neither.
        new: whether the look before had not found that.
        reached: whether its server said something about the file this time.
    """

    address: str
    names: tuple[str, ...]
    problem: str
    new: bool
    reached: bool


def watch(progress: Progress | None = None) -> list[Found]:
    """Ask about every address that anybody could fetch, and keep what was said.

    Args:
        progress: called with the number of addresses looked at and of all of them.

    Returns:
        every address, in the order of the entries.
    """
    names, path = _addresses(), paths.watched()
    before, looks = read_record(path), _looks(list(names), progress)
    after = dict(before)
    for address, seen in looks.items():
        if seen.reached:
            first = before[address].first if address in before else seen
            after[address] = Watched(first, seen)
    write_record(path, {address: one for address, one in after.items() if address in names})
    return [
        Found(
            address,
            tuple(dict.fromkeys(of)),
            now := _problem(after.get(address)),
            bool(now) and now != _problem(before.get(address)),
            looks[address].reached,
        )
        for address, of in names.items()
    ]


def _problem(watched: Watched | None) -> str:
    return (watched.lost or watched.changed) if watched else ""


def _addresses() -> dict[str, list[str]]:
    """Addresses of everything that can be fetched, with the entries that need them."""
    found: dict[str, list[str]] = defaultdict(list)
    for weights in load_weights_entries().values():
        for file in weights.files if weights.state == "ok" else ():
            found[file.address].append(weights.name)
    for dataset in load_dataset_entries().values():
        for archive in dataset.archives if dataset.state == "ok" else ():
            found[archive.address].append(dataset.name)
    return dict(found)


def _looks(addresses: Iterable[str], progress: Progress | None) -> dict[str, Look]:
    hosts: dict[str, list[str]] = defaultdict(list)
    for address in addresses:
        hosts[urlsplit(address).netloc].append(address)
    total, found = sum(map(len, hosts.values())), {}

    def ask(asked: list[str]) -> None:
        here = True
        for address in asked:
            found[address] = look(address) if here else Look(0)
            here = found[address].status != 0  # a host that is not there is asked once
            if progress:
                progress(len(found), total)

    with ThreadPoolExecutor(_HOSTS) as pool:
        for done in [pool.submit(ask, asked) for asked in hosts.values()]:
            done.result()
    return found
