"""How a step is done: on which device, with which progress shown, anew or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segmodels.core.progress import Progress
from segmodels.protocols.protocol import Precision

if TYPE_CHECKING:
    from segmodels.engines.engine import Engine
    from segmodels.training.curve import CurveProgress


@dataclass(frozen=True)
class Options:
    """How a step is done. Nothing here changes a number but `precision`, which evidence names.

    Attributes:
        device: where networks run.
        progress: called with the number of finished images (of a robustness suite: conditions)
            and of all of them.
        curve: called with how a training goes.
        force: count although the evidence is here.
        precision: another one than the protocol's; results then lie in folders and files named
            `<protocol>-<precision>`. What is measured in less than fp32 is measured in fp32
            first, unless that is here, and says what the difference is.
        keep_maps: keep the label maps too, in `labels/<run>/<protocol>`.
        sharded: whether the processes of a training share out its weights.
        shard: `(index, number)` of one of several processes at the same evaluation; None alone.
        engine: who counts; None is this process.
        shards: into how many parts a split is cut for the engine; None is one for each worker.
    """

    device: str = "cpu"
    progress: Progress | None = None
    curve: CurveProgress | None = None
    force: bool = False
    precision: Precision | None = None
    keep_maps: bool = False
    sharded: bool = False
    shard: tuple[int, int] | None = None
    engine: Engine | None = None
    shards: int | None = None


#: On the processor, in silence, nothing twice.
USUAL = Options()
