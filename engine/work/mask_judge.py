"""Holds masks of images against those that are there."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..errors import DataRefused
from ..schema.figures import Difference
from ..schema.output_figures import Accuracy
from ..schema.ready import ready
from ..tasks.decoder import Outputs
from ..tasks.detector import image_size
from ..tasks.masks import PASSED_OVER, UnionMeter
from .judge import SIDES, Judged, kept_of, points, shares
from .seen import Seen

_FEWEST = 10
"""Images below which a poor figure is a matter of luck."""
_SKILL = 1.2
"""FP32's mIoU is not believed below so many times what one class everywhere would have."""


class MaskJudge:
    """The class of each pixel."""

    def __init__(self, samples: Samples) -> None:
        self._classes = len(samples.classes) or None
        self._sides = (UnionMeter(), UnionMeter())
        self._pixels: Counter[int] = Counter()
        """Of all masks, by class."""

    def add(self, batch: Batch, baseline: Outputs, candidate: Outputs, seen: Seen) -> None:
        """See `judge.Judge`."""
        del baseline, candidate
        assert seen.masks is not None
        into = next(filter(None, (image_size(array.shape) for array in batch.feeds.values())), None)
        if into is None:
            raise DataRefused("the model takes no images, and masks are of images", fix="give data of the model's own kind")
        for scene, *found in zip(batch.truths.masks, *seen.masks, strict=True):
            self._pixels.update(dict(enumerate(np.bincount(scene.mask.ravel()).tolist())))
            for side, each in zip(self._sides, found, strict=True):
                told = self._classes or (each.scores.shape[0] if each.scores is not None else None)
                side.add(each.on(scene.laid, into), scene.mask, told)

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """See `judge.Judge`."""
        return kept_of(self._sides)

    def judged(self, session: Session, samples: Samples, size: int, seed: int) -> Judged:
        """See `judge.Judge`."""
        del session, samples, size
        images = self._sides[0].images
        one, other = (side.figure() for side in self._sides)
        if one is None or other is None:
            why = f"there is no labelled pixel in the {images} masks"
            reasons = {f"{side}.accuracy.miou": why for side in SIDES} | {"difference.miou_points": why}
            nothing = Accuracy(n=images)
            return Judged(baseline=nothing, candidate=nothing, difference=Difference(), summary=why, reasons=reasons)
        drawn = [side.bootstrap(seed) for side in self._sides]
        told = (
            msgspec.convert({**shares({"miou": value}, {"miou": many}), "n": images}, ready(Accuracy))
            for value, many in zip((one, other), drawn, strict=True)
        )
        unknown = self._sides[0].unknown
        doubts = [f"{unknown} pixels are of classes that the model does not have; they are passed over" if unknown else ""]
        if self._pixels[PASSED_OVER] and {each for each, many in self._pixels.items() if many} <= {0, PASSED_OVER}:
            doubts.append("the masks hold 0 and 255 alone, and 255 is passed over: write 1 for the class")
        if images >= _FEWEST and one < _SKILL * (least := self._one_class_everywhere()):
            doubts.append(
                f"FP32's mIoU is {one:.3f} over {images} images, and one class everywhere would have {least:.3f}: implausible "
                "for a trained model; likely `color`, `scale` or `mean` of the dataset do not fit it, or its classes are in "
                "another order"
            )
        return Judged(
            baseline=next(told),
            candidate=next(told),
            difference=Difference(miou_points=points(other - one, drawn[1] - drawn[0])),
            summary=f"mIoU {one:.3f} → {other:.3f} over {images} images",
            doubt="; ".join(filter(None, doubts)),
        )

    def _one_class_everywhere(self) -> float:
        """MIoU of saying of each pixel what most are."""
        there = [many for each, many in self._pixels.items() if many and each != PASSED_OVER]
        return max(there) / sum(there) / len(there)
