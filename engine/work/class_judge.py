"""Holds classes against labels: one a sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..measure import accuracy
from ..tasks.decoder import Outputs
from .accuracy_check import accuracy_doubt
from .judge import SIDES, Judged, kept_of
from .seen import Seen


class ClassJudge:
    """One class a sample."""

    def __init__(self, samples: Samples) -> None:
        self._sides = [accuracy.AccuracyMeter(len(samples.classes) or None) for _ in range(2)]

    def add(self, batch: Batch, baseline: Outputs, candidate: Outputs, seen: Seen) -> None:
        """See `judge.Judge`."""
        del seen
        assert batch.labels is not None
        for side, outputs in zip(self._sides, (baseline, candidate), strict=True):
            side.add(outputs, batch.labels)

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """See `judge.Judge`."""
        return kept_of(self._sides)

    def judged(self, session: Session, samples: Samples, size: int, seed: int) -> Judged:
        """See `judge.Judge`."""
        sides = accuracy.Sides(self._sides[0], self._sides[1], seed)
        one, other = sides.figures
        places = [*(f"{side}.accuracy.top5" for side in SIDES), "difference.top5_points"]
        return Judged(
            baseline=one,
            candidate=other,
            difference=sides.difference(),
            summary=f"top-1 {one.top1:.3f} → {other.top1:.3f} over {one.n} samples",
            doubt=accuracy_doubt(session, samples, size, self._sides[0]),
            reasons=dict.fromkeys(places, self._sides[0].ranked) if self._sides[0].ranked else {},
        )
