"""Workers of a Dask cluster (extra `dask`): one that runs, or one of this machine's processes."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import ExitStack

from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker

from segmodels.core.notes import note
from segmodels.engines.addresses import check_address
from segmodels.engines.engine import FutureEngine, Piece, Refused, Result, Work, done_or_refused
from segmodels.errors import PassingError

#: Seconds for a scheduler to answer.
_PATIENCE = 20


class DaskEngine(FutureEngine):
    """A Dask client. The scheduler gives a lost worker's pieces to another."""

    name = "dask"

    def __init__(self, address: str | None, workers: int) -> None:
        self._held = ExitStack()
        if address:
            check_address(self.name, address, "tcp://host:8786")
        else:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=None,
                env={"LOCAL_WORLD_SIZE": str(workers)},
            )
            self._held.callback(cluster.close)
        self._client = _connected(address or cluster.scheduler_address)
        self._held.callback(self._client.close)
        self._executor = self._client.get_executor(pure=False)
        self.workers = max(1, len(self._client.ncores()))
        if not self._client.ncores():
            note(f"no worker is connected to the Dask scheduler at {address} yet; waiting for one.")

    def submit(self, work: Work[Piece, Result], piece: Piece) -> Future[Result | Refused]:
        """Begin one piece."""
        future: Future[Result | Refused] = self._executor.submit(done_or_refused, work, piece)
        return future

    def lost(self, error: Exception) -> bool:
        """Whether the scheduler gave up on a piece whose workers died, as often as it tries."""
        return isinstance(error, KilledWorker)

    def close(self) -> None:
        """Let go of the cluster; one of our own ends."""
        self._held.close()


def _connected(address: str) -> Client:
    try:
        return Client(address, timeout=_PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise PassingError(
            f"no Dask scheduler answers at --engine-address {address}: {error}"
        ) from None
