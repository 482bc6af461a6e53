"""Whether both sides say the same class of each sample; no labels are needed. Part of the pipeline.

Apart from `judges.py`, which holds classes against labels. Where nothing says that outputs are classes (an embedding has the
same shape as scores), nothing is claimed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.samples import Batch, Samples
from ..errors import DataRefused
from ..measure.statistics import agreement
from ..schema.output_figures import Accuracy
from ..schema.spec import Dataset
from ..tasks.decoder import Outputs
from ..tasks.exporter import ExportNotes
from ..tasks.said_classes import said_classes

_NOTHING_SAYS = "nothing says that the outputs are classes: labels, `classes` in the dataset's TOML file or a softmax would"


class SeenClasses:
    """Add batches, then ask for its figures."""

    def __init__(self, dataset: Dataset | None, samples: Samples, notes: ExportNotes) -> None:
        said = dataset is not None and bool(dataset.classes) and dataset.kind in ("image-folder", "npz", "text")
        self._sure = samples.labels or notes.task == "classify" or said
        """Somebody says that outputs are classes; else scores that are shares of one say it."""
        self._same: list[NDArray[np.bool_]] = []
        self._why = "" if samples.truth in ("", "classes") else "the data have no classes of samples"

    def look(self, part: Batch, baseline: Outputs, candidate: Outputs) -> None:
        """What both say of the samples of a batch."""
        if self._why:
            return
        try:
            one, other = (said_classes(outputs, part.n) for outputs in (baseline, candidate))
        except DataRefused as error:
            self._why = error.what
            return
        if not (self._sure or one.shares):
            self._why = _NOTHING_SAYS
        self._same.append(one.first == other.first)

    def figures(self, seed: int) -> Accuracy:
        """Of the candidate: the share of samples of the same class, with its interval; empty where it is not known."""
        if self._why or not self._same:
            return Accuracy()
        value, low, high = agreement(np.concatenate(self._same).astype(np.float64), seed)
        return Accuracy(agreement=value, agreement_low=low, agreement_high=high)

    def reasons(self) -> dict[str, str]:
        """Why figures are not known, by their path."""
        ends = ("", "_low", "_high")
        found = {f"baseline.accuracy.agreement{end}": "the candidate is held against it" for end in ends}
        return found | ({f"candidate.accuracy.agreement{end}": self._why for end in ends} if self._why else {})
