"""The point of the curve that a training has reached: its loss, and mIoU on validation images."""

from __future__ import annotations

import numpy as np
import torch

from segmodels.core.arrays import VOID
from segmodels.evaluation.counting import count_pairs
from segmodels.evaluation.prediction import NotFiniteError
from segmodels.evaluation.reference import predict
from segmodels.metrics.iou import intersection_and_union, iou_from, mean_of
from segmodels.models.base import SegModel
from segmodels.training.job import Job
from segmodels.training.processes import ALONE, Processes
from segmodels.training.samples import Samples, looked_at


def validation_miou(
    job: Job, model: SegModel, processes: Processes = ALONE, samples: Samples | None = None
) -> float:
    """mIoU in percent on the first images of the validation split, void left out.

    They are looked at as the run's own protocol says, at one scale.

    Each process looks at its share of them.

    Args:
        job: the training.
        model: its network, put in eval mode.
        processes: of the training.
        samples: takes what is said of the images of a picture.

    Raises:
        NotFiniteError: the scores of an image are not finite; names the image.
    """
    model, protocol = model.eval(), job.protocol
    classes = len(job.val.class_names)
    total = np.zeros((classes + 1, model.num_classes), dtype=np.int64)
    for index in processes.share(looked_at(job)):
        sample = job.val.read(index)
        try:
            prediction = predict(model, sample.image, protocol)
        except NotFiniteError:
            raise NotFiniteError(f"the scores of {sample.name!r} are not finite") from None
        if samples is not None:
            samples.keep(index, sample, prediction)
        total += count_pairs(sample.label, prediction, classes, model.num_classes, VOID)
    total = processes.added(torch.from_numpy(total).to(job.device)).cpu().numpy()
    return 100 * float(mean_of(iou_from(*intersection_and_union(total))))
