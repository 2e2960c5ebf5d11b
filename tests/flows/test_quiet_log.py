"""What a waiting stage leaves in the log: nothing that looks like an error."""

from __future__ import annotations

import logging

import pytest

from flows import tasks


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("state=finished raised TimeoutError", False),
        ("state=finished raised ConnectError", True),
    ],
)
def test_a_try_for_the_gpu_in_vain_is_no_error(
    item: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("prefect._internal.concurrency")
    assert tasks.is_news in logger.filters
    with caplog.at_level(logging.ERROR, logger.name):
        logger.addHandler(caplog.handler)
        service = "ConcurrencySlotAcquisitionWithLeaseService"
        logger.error("Service %r failed to process item %r", service, item)
        logger.removeHandler(caplog.handler)
    assert bool(caplog.records) == told
