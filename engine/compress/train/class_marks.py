"""Marks of a classifier by the labels of samples: cross-entropy, and whether the class is right. Labels that cannot be of this
model are refused.

Apart from the steps because all that train on labels mark so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.samples import Batch, Samples
from ...errors import DataRefused
from ...system.reporter import Reporter
from . import head
from .device import feeds_on
from .learner import Marks
from .prepared import Prepared

FEW_OF_A_CLASS = 50
"""Below this many samples a class the model rather learns them by heart; the result says so."""


class ClassMarks:
    """Marks batches for the output of a module that tells classes apart."""

    def __init__(self, ready: Prepared, samples: Samples, labels: NDArray[np.int64], say: Reporter) -> None:
        """`labels`: those of all samples, held against the model's classes.

        Raises:
            DataRefused: no output tells classes apart, or the labels are of others.
        """
        output, classes = head.class_output(ready)
        refuse_other_classes(samples, labels, classes)
        if len(labels) < FEW_OF_A_CLASS * classes:
            say.warn(
                f"trained on {len(labels)} samples of {classes} classes only: name a larger `calibration` set, "
                "for few samples are learnt by heart"
            )
        self._read = head.reader(ready, output)
        self._device = ready.device

    def __call__(self, batch: Batch) -> Marks:
        """Cross-entropy of each sample."""
        import torch

        assert batch.labels is not None
        labels = torch.from_numpy(batch.labels).to(self._device)
        found = self._read(feeds_on(self._device, batch.feeds))
        return Marks(torch.nn.functional.nll_loss(found, labels, reduction="none"), found.argmax(dim=1) == labels)


def refuse_other_classes(samples: Samples, labels: NDArray[np.int64], classes: int) -> None:
    """Labels that number other classes than the model's outputs do.

    Raises:
        DataRefused: they do.
    """
    named, least = len(samples.classes), int(labels.max()) + 1
    if least > classes or (named and named != classes):
        raise DataRefused(
            f"the training samples have {named or least} classes and the model has {classes} output classes",
            fix="make a folder for each of the model's classes, in their order, or number the labels from 0 as the model does",
        )
