"""Whether anybody listens where a cluster is said to be, before its client tries for minutes."""

from __future__ import annotations

import re
import socket

from segmodels.errors import PassingError, SegmodelsError

_SECONDS = 20.0
_ADDRESS = re.compile(r"(?:[a-z]+://)?(?P<host>\[[0-9a-fA-F:]+\]|[^:/\s]+):(?P<port>\d+)/?")


def check_address(engine: str, address: str, example: str) -> None:
    """Connect once.

    Args:
        engine: whose cluster it is, for the message.
        address: as it was given.
        example: of a good one.

    Raises:
        SegmodelsError: it names no host and port.
        PassingError: nobody listens there.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise SegmodelsError(
            f"--engine-address {address!r} is no address of a cluster of engine {engine!r}, as in "
            f"{example}."
        )
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), _SECONDS).close()
    except (OSError, OverflowError) as error:
        raise PassingError(
            f"nothing answers at --engine-address {address} ({error}): start the cluster of engine "
            f"{engine!r}, or correct the address."
        ) from None
