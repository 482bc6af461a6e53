"""Which judge holds outputs against the labels that there are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..data.samples import Batch, Samples, Truth
from ..measure import accuracy
from ..tasks.decoder import Outputs
from .box_judge import BoxJudge
from .class_judge import ClassJudge
from .judge import Judge
from .mask_judge import MaskJudge
from .number_judge import NumberJudge
from .pose_judge import PoseJudge

_JUDGES: dict[Truth, Callable[[Samples], Judge]] = {
    "classes": ClassJudge,
    "boxes": BoxJudge,
    "keypoints": PoseJudge,
    "masks": MaskJudge,
    "numbers": NumberJudge,
}


def judge_of(samples: Samples) -> Judge | None:
    """The judge that the labels of `samples` need; None: they have none."""
    made = _JUDGES.get(samples.truth)
    return made(samples) if made is not None else None


def refuse_unfit(samples: Samples, batch: Batch, outputs: Outputs) -> None:
    """Refuse classes that no output tells apart. Boxes are refused by whoever decodes them.

    Raises:
        DataRefused: there is no such output, or it has not as many classes.
    """
    if samples.labels:
        highest = np.full(batch.n, samples.known_labels().max(initial=0))
        accuracy.AccuracyMeter(len(samples.classes) or None).add(outputs, highest)
