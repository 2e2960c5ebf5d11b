"""Counts of bundles of forms 1 and 2, which an earlier version wrote: read, never written.

Each condition has a block of its own (`segmodels.evidence.packing`). In form 2 the names of the
images and the right pixels stand in the first block, and are left out where others repeat them.
"""

from __future__ import annotations

from functools import lru_cache

from segmodels.evidence.head import Head
from segmodels.evidence.images import Images
from segmodels.evidence.labels import Labels
from segmodels.evidence.packing import unpack

FORMS = (1, 2)


def unpack_earlier(block: bytes, first: bytes, head: Head) -> Images:
    """The counts of a condition.

    Args:
        block: of it.
        first: the first block of the bundle.
        head: of the first condition.

    Raises:
        ValueError, KeyError, TypeError: a block is none.
    """
    return unpack(block, _labels(first, len(head["classes"]) + 1, int(head["outputs"])))


@lru_cache(maxsize=8)
def _labels(first: bytes, rows: int, outputs: int) -> Labels:
    whole = unpack(first)
    return Labels.of(whole.names, whole.sparse, rows, outputs)
