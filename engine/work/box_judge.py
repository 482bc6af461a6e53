"""Holds boxes in images against those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..schema.figures import Difference
from ..schema.output_figures import Accuracy
from ..schema.ready import ready
from ..tasks.average_precision import MeanPrecision, PrecisionMeter
from ..tasks.decoder import Outputs
from .judge import SIDES, Judged, kept_of, points, shares
from .seen import Seen

_IMPLAUSIBLE = 0.02
"""mAP50 of FP32 below which it is likely that boxes are read wrongly."""
_FEWEST = 20
"""Boxes below which that is a matter of luck."""


class BoxJudge:
    """Boxes in images."""

    def __init__(self, samples: Samples) -> None:
        del samples
        self._sides = (PrecisionMeter(), PrecisionMeter())
        self._any_class = PrecisionMeter()
        """Of the baseline, as though all classes were one."""

    def add(self, batch: Batch, baseline: Outputs, candidate: Outputs, seen: Seen) -> None:
        """See `judge.Judge`."""
        del baseline, candidate
        assert seen.boxes is not None
        for scene, *found in zip(batch.truths.scenes, *seen.boxes, strict=True):
            placed = [replace(each, corners=scene.laid.back(each.corners)) for each in found]
            for side, each in zip(self._sides, placed, strict=True):
                side.add(each, scene.truth)
            one, truth = placed[0], scene.truth
            self._any_class.add(replace(one, classes=one.classes * 0), replace(truth, classes=truth.classes * 0))

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """See `judge.Judge`."""
        return kept_of(self._sides)

    def judged(self, session: Session, samples: Samples, size: int, seed: int) -> Judged:
        """See `judge.Judge`."""
        del session, size
        images, boxes = self._sides[0].images, self._sides[0].boxes
        if not boxes:
            why = f"there is no box in the {images} images"
            reasons = {f"{side}.accuracy.{field}": why for side in SIDES for field in ("map50", "map50_95")}
            nothing = Accuracy(boxes=0, n=images)
            return Judged(baseline=nothing, candidate=nothing, difference=Difference(), summary=why, reasons=reasons)
        told = [side.figures() for side in self._sides]
        drawn = [side.bootstrap(seed) for side in self._sides]
        one, other = (
            msgspec.convert(
                {
                    **shares({"map50": each.map50, "map50_95": each.map50_95}, {"map50": many[:, 0], "map50_95": many[:, 1]}),
                    "boxes": boxes,
                    "n": images,
                },
                ready(Accuracy),
            )
            for each, many in zip(told, drawn, strict=True)
        )
        apart = drawn[1] - drawn[0]
        return Judged(
            baseline=one,
            candidate=other,
            difference=Difference(
                map50_points=points(told[1].map50 - told[0].map50, apart[:, 0]),
                map50_95_points=points(told[1].map50_95 - told[0].map50_95, apart[:, 1]),
            ),
            summary=f"mAP50-95 {told[0].map50_95:.3f} → {told[1].map50_95:.3f} over {images} images",
            doubt=self._doubt(told[0], samples.classes),
        )

    def _doubt(self, found: MeanPrecision, classes: Sequence[str]) -> str:
        """Why FP32's mAP is not to be believed; empty: nothing speaks against it."""
        boxes, images = self._sides[0].boxes, self._sides[0].images
        without = self._any_class.figures().map50
        moved = without > max(4 * found.map50, 0.2)
        if boxes < _FEWEST or (found.map50 >= _IMPLAUSIBLE and not moved):
            return ""
        said = f"FP32's mAP50 is {found.map50:.3f} over {images} images"
        if moved:
            order = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
            return (
                f"{said}, and {without:.3f} if all classes were one: likely the model has them in another order than {order}; "
                "`classes` in the dataset's TOML file says it"
            )
        return (
            f"{said}: implausible for a trained model; likely `letterbox`, `color`, `scale` or `mean` of the dataset do not "
            "fit the model, or it was trained for something else"
        )
