"""Marks by the labels that samples have, of whatever kind: classes or boxes."""

from __future__ import annotations

from collections.abc import Callable

from ...data.samples import Batch, Samples
from ...data.training import refuse_unlabelled, training_labels
from ...system.reporter import Reporter
from .box_marks import BoxMarks
from .class_marks import ClassMarks
from .learner import Marks
from .prepared import Prepared

Marker = Callable[[Batch], Marks]


def label_marks(ready: Prepared, samples: Samples, say: Reporter) -> Marker:
    """What marks a batch for this module by its labels.

    Raises:
        DataRefused: there are no labels, no loss is known for them, or they do not fit the model.
        ModelRefused: no loss is known for the model's head.
    """
    refuse_unlabelled(samples)
    if samples.truth == "boxes":
        return BoxMarks(ready, samples, say)
    return ClassMarks(ready, samples, training_labels(samples), say)
