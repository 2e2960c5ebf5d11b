"""Which device a stage gets: of several GPUs each stage that runs at a time has its own."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from segmodels.core.locks import only_one
from segmodels.errors import PassingError

#: Where networks run: `cpu`, `cuda` for all GPUs that are visible, or those named, as in
#: `cuda:0,cuda:2`.
DEVICE = "SEGMODELS_DEVICE"
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def devices() -> tuple[str, ...]:
    """The devices that stages may use; one without a number where there are no GPUs to count."""
    asked = [name.strip() for name in os.environ.get(DEVICE, "").split(",") if name.strip()]
    if asked != ["cuda"]:
        return tuple(asked) or ("cpu",)
    return tuple(f"cuda:{number}" for number in range(visible_gpus())) or ("cuda",)


def visible_gpus() -> int:
    """How many GPUs PyTorch would see, without the seconds that asking it takes."""
    named = os.environ.get(_VISIBLE)
    if named is None:
        return len(list(Path("/dev").glob("nvidia[0-9]*")))
    listed = [name.strip() for name in named.split(",")]
    # CUDA sees what stands before the first that does not exist.
    return next((place for place, name in enumerate(listed) if name in ("", "-1")), len(listed))


class Pool:
    """Devices that are given out to stages.

    A device that neither this pool nor that of another process has given out goes first. Where more
    stages run than there are devices (the limit `gpu` says how many may), they share the one with
    the fewest stages of this pool.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._stages: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def device(self) -> Iterator[str]:
        """A device for the block."""
        with ExitStack() as held:
            with self._lock:
                name = self._free(held) or min(self.names, key=lambda one: self._stages[one])
                self._stages[name] += 1
            try:
                yield name
            finally:
                with self._lock:
                    self._stages[name] -= 1

    def _free(self, held: ExitStack) -> str | None:
        for name in self.names:
            if name.startswith("cuda") and not self._stages[name]:
                try:
                    held.enter_context(only_one(_lock_file(name), f"a stage on {name}"))
                except PassingError:
                    continue
                return name
        return None


def _lock_file(name: str) -> Path:
    """One for each GPU of this machine, by whatever number a process sees it."""
    number, listed = name.partition(":")[2], os.environ.get(_VISIBLE, "").split(",")
    place = int(number) if number.isdecimal() else 0
    which = listed[place].strip() if place < len(listed) and listed[place].strip() else str(place)
    return Path(tempfile.gettempdir()) / f"segmodels-{os.getuid()}" / f"gpu-{which}.lock"
