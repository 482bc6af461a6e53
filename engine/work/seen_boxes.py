"""The candidate's detections beside the baseline's, where outputs are detections; no labels are needed. Part of the pipeline.

Apart from `judges.py`, which holds the same detections against labels: they are decoded once.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..data.samples import Batch, Samples
from ..errors import DataRefused
from ..schema.output_figures import Fidelity
from ..schema.spec import Dataset
from ..tasks.boxes import Detections
from ..tasks.decoder import Asked, Layout, Outputs
from ..tasks.detector import Detector, image_size
from ..tasks.exporter import ExportNotes
from ..tasks.find_decoder import BOX_DECODERS, recognised
from ..tasks.likeness import SURE, Likeness

_FIGURES = ("detections", "detections_map50", "detections_map50_95")


class BothSee(NamedTuple):
    """Detections in each image of a batch, in pixels of the input."""

    baseline: list[Detections]
    candidate: list[Detections]


class SeenBoxes:
    """What both sides see; decides with the first batch whether the outputs are detections at all."""

    def __init__(self, dataset: Dataset | None, samples: Samples, notes: ExportNotes) -> None:
        self._decoder = BOX_DECODERS.get(dataset.decoder, "auto") if dataset is not None else "auto"
        self._classes = len(samples.classes or notes.names) or None
        self._told = samples.truth == "boxes" or self._decoder != "auto"
        """They are said to be detections: what cannot be read as such is refused."""
        self._open = self._told or (not samples.truth and notes.task in ("", "detect"))
        self._detector: Detector | None = None
        self._like = Likeness()

    def look(self, part: Batch, baseline: Outputs, candidate: Outputs) -> BothSee | None:
        """What both say of the images of a batch; None: the outputs are no detections.

        Raises:
            DataRefused: they should be, and cannot be read as such.
        """
        if not self._open:
            return None
        batch = next(iter(part.feeds.values())).shape[0]
        if self._detector is None:
            self._detector = self._found(part, baseline, batch)
            self._open = self._detector is not None
        if self._detector is None:
            return None
        try:
            seen = BothSee(*(self._detector.look(outputs, part.n, batch) for outputs in (baseline, candidate)))
        except DataRefused:
            if self._told:
                raise
            self._open, self._detector = False, None  # shaped like detections, and their values are something else
            return None
        for one, other in zip(*seen, strict=True):
            self._like.add(one, other)
        return seen

    def _found(self, part: Batch, outputs: Outputs, batch: int) -> Detector | None:
        size = next(filter(None, (image_size(array.shape) for array in part.feeds.values())), None)
        if size is None:
            if self._told:
                raise DataRefused("the model takes no images, and boxes are in images", fix="give data of the model's own kind")
            return None
        if not self._told and recognised(outputs, Asked(size, self._classes, batch)) is None:
            return None
        return Detector(size, self._classes, self._decoder)

    @property
    def layout(self) -> Layout | None:
        """Where boxes and scores lie in one output; None: they do not, or the outputs are no detections."""
        return self._detector.layout if self._detector is not None else None

    def within(self, figures: Fidelity) -> Fidelity:
        """The fidelity with what is known of detections."""
        if self._detector is None:
            return figures
        map50, map50_95 = self._like.figures() or (None, None)
        return msgspec.structs.replace(
            figures, detections=self._like.detections, detections_map50=map50, detections_map50_95=map50_95
        )

    def warnings(self) -> list[str]:
        """What is not as it should be."""
        broken = self._detector.not_finite if self._detector is not None else 0
        return [f"{broken} outputs hold values that are no numbers: boxes of such are no detections"] if broken else []

    def reasons(self) -> dict[str, str]:
        """Why figures are not known, by their path."""
        if self._detector is None:
            return {f"fidelity.{field}": "the outputs are no detections" for field in _FIGURES}
        nothing = f"FP32 has no detection that it is sure of (score {SURE:g} or more)"
        return {} if self._like.detections else {f"fidelity.{field}": nothing for field in _FIGURES[1:]}
