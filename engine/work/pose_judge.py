"""Holds keypoints of poses in images against those that are there."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..schema.figures import Difference
from ..schema.output_figures import Accuracy
from ..schema.ready import ready
from ..tasks.decoder import Outputs
from ..tasks.keypoint_precision import PoseMeter
from .judge import SIDES, Judged, kept_of, points, shares
from .seen import Seen

_IMPLAUSIBLE, _FEWEST = 0.02, 20
"""OKS mAP50 of FP32 below which it is likely that poses are read wrongly; and poses below which that is a matter of luck."""


class PoseJudge:
    """Poses in images."""

    def __init__(self, samples: Samples) -> None:
        del samples
        self._sides = (PoseMeter(), PoseMeter())

    def add(self, batch: Batch, baseline: Outputs, candidate: Outputs, seen: Seen) -> None:
        """See `judge.Judge`."""
        del baseline, candidate
        assert seen.poses is not None
        for scene, *found in zip(batch.truths.poses, *seen.poses, strict=True):
            for side, each in zip(self._sides, found, strict=True):
                placed = replace(each, points=scene.laid.back_points(each.points), boxes=scene.laid.back(each.boxes))
                side.add(placed, scene.truth)

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """See `judge.Judge`."""
        return kept_of(self._sides)

    def judged(self, session: Session, samples: Samples, size: int, seed: int) -> Judged:
        """See `judge.Judge`."""
        del session, samples, size
        images, poses = self._sides[0].images, self._sides[0].poses
        if not poses:
            why = f"there is no pose in the {images} images"
            fields = ("oks_map", "oks_map50")
            nothing = Accuracy(poses=0, n=images)
            reasons = {f"{side}.accuracy.{field}": why for side in SIDES for field in fields} | {
                "difference.oks_map_points": why
            }
            return Judged(baseline=nothing, candidate=nothing, difference=Difference(), summary=why, reasons=reasons)
        told = [side.figures() for side in self._sides]
        drawn = [side.bootstrap(seed) for side in self._sides]
        one, other = (
            msgspec.convert(
                {
                    **shares(
                        {"oks_map50": each.map50, "oks_map": each.map50_95}, {"oks_map50": many[:, 0], "oks_map": many[:, 1]}
                    ),
                    "poses": poses,
                    "n": images,
                },
                ready(Accuracy),
            )
            for each, many in zip(told, drawn, strict=True)
        )
        doubt = ""
        if poses >= _FEWEST and told[0].map50 < _IMPLAUSIBLE:
            doubt = (
                f"FP32's OKS mAP50 is {told[0].map50:.3f} over {images} images: implausible for a trained model; likely "
                "`letterbox`, `color`, `scale` or `mean` of the dataset do not fit the model, its keypoints are in another "
                "order, or it was trained for something else"
            )
        return Judged(
            baseline=one,
            candidate=other,
            difference=Difference(oks_map_points=points(told[1].map50_95 - told[0].map50_95, drawn[1][:, 1] - drawn[0][:, 1])),
            summary=f"OKS mAP {told[0].map50_95:.3f} → {told[1].map50_95:.3f} over {images} images",
            doubt=doubt,
        )
