"""The candidate's poses beside the baseline's, where outputs are poses; no labels are needed. Part of the pipeline.

Apart from `pose_judge.py`, which holds the same poses against labels: they are decoded once.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..data.samples import Batch, Samples
from ..errors import DataRefused
from ..schema.output_figures import Fidelity
from ..schema.spec import Dataset
from ..tasks.decoder import Asked, Layout, Outputs
from ..tasks.detector import image_size
from ..tasks.exporter import ExportNotes
from ..tasks.likeness import SURE
from ..tasks.part_affinity import PartAffinity
from ..tasks.pose_decoder import POSE_DECODERS, PoseDecoder, find_pose_decoder, recognised_pose
from ..tasks.pose_likeness import PoseLikeness
from ..tasks.poses import Poses

_FIGURES = ("keypoints", "keypoints_oks_map")


class BothPose(NamedTuple):
    """Poses in each image of a batch, in pixels of the input."""

    baseline: list[Poses]
    candidate: list[Poses]


class SeenPoses:
    """What both sides see; decides with the first batch whether the outputs are poses at all."""

    def __init__(self, dataset: Dataset | None, samples: Samples, notes: ExportNotes) -> None:
        self._name = POSE_DECODERS.get(dataset.decoder, "auto") if dataset is not None else "auto"
        self._classes = len(samples.classes or notes.names) or None
        self._points = samples.points or (notes.points[0] if notes.points else None)
        self._told = samples.truth == "keypoints" or self._name != "auto"
        """They are said to be poses: what cannot be read as such is refused."""
        self._open = self._told or not samples.truth
        self._heads = self._told or notes.task == "pose"
        """A head of poses may be one of boxes with more classes: somebody must say what it is."""
        self._decoder: PoseDecoder | None = None
        self._like = PoseLikeness()

    def look(self, part: Batch, baseline: Outputs, candidate: Outputs) -> BothPose | None:
        """What both say of the images of a batch; None: the outputs are no poses.

        Raises:
            DataRefused: they should be, and cannot be read as such.
        """
        if not self._open:
            return None
        if self._decoder is None:
            self._decoder = self._found(part, baseline)
            self._open = self._decoder is not None
        if self._decoder is None:
            return None
        try:
            seen = BothPose(*(self._decoder.poses(outputs, part.n) for outputs in (baseline, candidate)))
        except DataRefused:
            if self._told:
                raise
            self._open, self._decoder = False, None
            return None
        for one, other in zip(*seen, strict=True):
            self._like.add(one, other)
        return seen

    def _found(self, part: Batch, outputs: Outputs) -> PoseDecoder | None:
        size = next(filter(None, (image_size(array.shape) for array in part.feeds.values())), None)
        if size is None:
            if self._told:
                raise DataRefused("the model takes no images, and poses are in images", fix="give data of the model's own kind")
            return None
        asked = Asked(size, self._classes, next(iter(part.feeds.values())).shape[0], self._points)
        if self._told:
            return find_pose_decoder(outputs, asked, self._name)
        return recognised_pose(outputs, asked) if self._heads else next(PartAffinity.fitting(outputs, asked), None)

    @property
    def layout(self) -> Layout | None:
        """Where boxes, scores and keypoints lie in one output; None: they do not, or the outputs are no poses."""
        return self._decoder.layout if self._decoder is not None else None

    def within(self, figures: Fidelity) -> Fidelity:
        """The fidelity with what is known of poses."""
        if self._decoder is None:
            return figures
        return msgspec.structs.replace(figures, keypoints=self._like.poses, keypoints_oks_map=self._like.figure())

    def reasons(self) -> dict[str, str]:
        """Why figures are not known, by their path."""
        if self._decoder is None:
            return {f"fidelity.{field}": "the outputs are no keypoints" for field in _FIGURES}
        nothing = f"FP32 has no pose that it is sure of (score {SURE:g} or more)"
        return {} if self._like.poses else {f"fidelity.{_FIGURES[1]}": nothing}
