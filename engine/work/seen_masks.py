"""The candidate's masks beside the baseline's, where outputs are masks; no labels are needed. Part of the pipeline.

Apart from `mask_judge.py`, which holds them against labels, pixel by pixel of the image: here a place of the map is one.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from ..data.samples import Batch, Samples
from ..errors import DataRefused
from ..measure.statistics import agreement
from ..schema.output_figures import Accuracy, Fidelity
from ..schema.spec import Dataset
from ..tasks.decoder import Outputs
from ..tasks.detector import image_size
from ..tasks.masks import ClassMap, UnionMeter, class_maps

_NO_MASKS = "the outputs are no masks"


class BothMask(NamedTuple):
    """What both say of each image of a batch."""

    baseline: list[ClassMap]
    candidate: list[ClassMap]


class SeenMasks:
    """What both sides see, where the data are said to be of masks."""

    def __init__(self, dataset: Dataset | None, samples: Samples) -> None:
        self._told = samples.truth == "masks"
        """They are said to be masks: what cannot be read as such is refused."""
        self._open = self._told or (dataset is not None and dataset.kind == "segmentation")
        self._classes = len(samples.classes) or None
        self._like = UnionMeter()

    def look(self, part: Batch, baseline: Outputs, candidate: Outputs) -> BothMask | None:
        """What both say of the images of a batch; None: the outputs are no masks.

        Raises:
            DataRefused: they should be, and cannot be read as such.
        """
        if not self._open:
            return None
        batch = next(iter(part.feeds.values())).shape[0]
        size = next(filter(None, (image_size(array.shape) for array in part.feeds.values())), None)
        try:
            seen = BothMask(*(class_maps(outputs, part.n, batch, self._classes, size) for outputs in (baseline, candidate)))
        except DataRefused:
            if self._told:
                raise
            self._open = False
            return None
        for one, other in zip(*seen, strict=True):
            self._like.add(other.chosen(), one.chosen())
        return seen

    def within(self, figures: Fidelity) -> Fidelity:
        """The fidelity with what is known of masks."""
        return msgspec.structs.replace(figures, masks_miou=self._like.figure()) if self._like.images else figures

    def agreement(self, seed: int) -> Accuracy:
        """Of the candidate: the mean share of places of the same class, with its interval over images."""
        if not self._like.images:
            return Accuracy()
        value, low, high = agreement(np.array(self._like.equal), seed)
        return Accuracy(agreement=value, agreement_low=low, agreement_high=high)

    def reasons(self) -> dict[str, str]:
        """Why figures are not known, by their path."""
        return {} if self._like.images else {"fidelity.masks_miou": _NO_MASKS}
