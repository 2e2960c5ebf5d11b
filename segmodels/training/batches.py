"""Where the batches of a training come from: its images, its augmentation, its order."""

from __future__ import annotations

from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.training.augmentation import Augmentation
from segmodels.training.job import Job
from segmodels.training.loader import Feed
from segmodels.training.order import Order
from segmodels.training.processes import ALONE, Processes


def feed(job: Job, model: SegModel, processes: Processes = ALONE) -> Feed:
    """Where a training's batches come from.

    Raises:
        SegmodelsError: the model does not say how pixels become its input.
    """
    recipe = job.recipe
    if model.preprocessing is None:
        raise SegmodelsError(f"model {job.model!r} carries no preprocessing to train with.")
    augment = Augmentation(
        model.preprocessing,
        recipe.crop,
        resize_short=recipe.resize_short,
        resize_long=recipe.resize_long,
        scale=recipe.scale,
        cat_max_ratio=recipe.cat_max_ratio,
        flip=recipe.flip,
        photometric=recipe.photometric,
    )
    return Feed(job.train, augment, order_of(job, processes), job.device)


def order_of(job: Job, processes: Processes = ALONE) -> Order:
    """Which images each step of a training sees."""
    return Order(
        len(job.train),
        job.recipe.batch,
        job.seed,
        whole_epochs=job.recipe.epochs is not None,
        rank=processes.rank,
        count=processes.count,
    )


def image_names(job: Job, step: int) -> list[str]:
    """Names of the images of a step (0-based), as the data set calls them."""
    return [job.train.files[turn.index].name for turn in order_of(job).at(step)]
