"""What both sides say, read as what it means: classes, boxes, poses, masks. Part of the pipeline.

Each of them decides by itself whether outputs are such, decodes them once, and tells how near the candidate is to the baseline.
"""

from __future__ import annotations

from typing import NamedTuple

from ..data.samples import Batch, Samples
from ..runs.outcome import over
from ..schema.output_figures import Accuracy, Fidelity
from ..schema.spec import Dataset
from ..tasks.decoder import Layout, Outputs
from ..tasks.exporter import ExportNotes
from .seen_boxes import BothSee, SeenBoxes
from .seen_classes import SeenClasses
from .seen_masks import BothMask, SeenMasks
from .seen_poses import BothPose, SeenPoses


class Seen(NamedTuple):
    """What both say of a batch; None: the outputs are no such thing."""

    boxes: BothSee | None
    poses: BothPose | None
    masks: BothMask | None


class Seers:
    """All of them."""

    def __init__(self, dataset: Dataset | None, samples: Samples, notes: ExportNotes) -> None:
        self._classes = SeenClasses(dataset, samples, notes)
        self._boxes = SeenBoxes(dataset, samples, notes)
        self._poses = SeenPoses(dataset, samples, notes)
        self._masks = SeenMasks(dataset, samples)

    def look(self, part: Batch, baseline: Outputs, candidate: Outputs) -> Seen:
        """What both say of a batch.

        Raises:
            DataRefused: labels are of things that the outputs cannot be read as.
        """
        self._classes.look(part, baseline, candidate)
        return Seen(
            self._boxes.look(part, baseline, candidate),
            self._poses.look(part, baseline, candidate),
            self._masks.look(part, baseline, candidate),
        )

    @property
    def layouts(self) -> list[Layout]:
        """What lies side by side in outputs, as far as the first batch has told."""
        return [each for each in (self._boxes.layout, self._poses.layout) if each is not None]

    def within(self, figures: Fidelity) -> Fidelity:
        """The fidelity with what is known of each."""
        return self._masks.within(self._poses.within(self._boxes.within(figures)))

    def agreement(self, seed: int) -> Accuracy:
        """What the candidate says the same of."""
        return over(self._classes.figures(seed), self._masks.agreement(seed))

    def warnings(self) -> list[str]:
        """What is not as it should be."""
        return self._boxes.warnings()

    def reasons(self, seed: int) -> dict[str, str]:
        """Why figures are not known, by their path."""
        found = self._classes.reasons() | self._boxes.reasons() | self._poses.reasons() | self._masks.reasons()
        if self.agreement(seed).agreement is None:
            return found
        return {path: why for path, why in found.items() if not path.startswith("candidate.accuracy.agreement")}
