"""Who counts what a stage or a flow evaluates: this process, or the workers of an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

from segmodels.core.progress import Progress
from segmodels.engines.opening import ENGINES, asked_for, opened
from segmodels.errors import SegmodelsError
from segmodels.steps.options import Options

#: Engines that one process can deal work out to.
CLUSTERS = tuple(name for name in ENGINES if name != "torchrun")

#: The parameter of a flow: a list to choose from in Prefect's form.
ENGINE = Annotated[str, Field(json_schema_extra={"enum": [*CLUSTERS]})]


@contextmanager
def counting(
    device: str, progress: Progress | None, force: bool = False, engine: str | None = None
) -> Iterator[Options]:
    """How a step is done, with the engine that is named, or that the environment names.

    Raises:
        SegmodelsError: there is no such engine, or it cannot be opened.
    """
    choice = asked_for(engine)
    if choice is None:
        yield Options(device, progress, force=force)
        return
    if choice.name not in CLUSTERS:
        raise SegmodelsError(
            f"engine {choice.name!r} is for the command line: stages and flows are one process "
            f"each. Name one of {', '.join(CLUSTERS)}."
        )
    with opened(choice, device) as found:
        yield Options(device, progress, force=force, engine=found, shards=choice.shards)
