"""Holds numbers that a model tells against those that are right: regression."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..advice import words
from ..backends.base import Session
from ..data.samples import Batch, Samples
from ..measure.statistics import percentile_interval
from ..schema.figures import Difference, Ratio
from ..schema.output_figures import Accuracy
from ..tasks.decoder import Outputs
from ..tasks.told_numbers import NumberFigures, NumberMeter
from .judge import SIDES, Judged, kept_of
from .seen import Seen

Floats = NDArray[np.float64]

_FEWEST = 20
"""Samples below which a poor figure is a matter of luck."""


class NumberJudge:
    """One number a sample, or several."""

    def __init__(self, samples: Samples) -> None:
        del samples
        self._sides = (NumberMeter(), NumberMeter())

    def add(self, batch: Batch, baseline: Outputs, candidate: Outputs, seen: Seen) -> None:
        """See `judge.Judge`."""
        del seen
        assert batch.truths.numbers is not None
        for side, outputs in zip(self._sides, (baseline, candidate), strict=True):
            side.add(outputs, batch.truths.numbers)

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """See `judge.Judge`."""
        return kept_of(self._sides)

    def judged(self, session: Session, samples: Samples, size: int, seed: int) -> Judged:
        """See `judge.Judge`."""
        del session, samples, size
        told = [side.figures() for side in self._sides]
        drawn = [side.bootstrap(seed) for side in self._sides]
        sides = [self._side(*each) for each in zip(self._sides, told, drawn, strict=True)]
        reasons = {}
        if told[0].r2 is None:
            why = "the labels are all the same: there is no variance to tell"
            reasons = {f"{side}.accuracy.r2": why for side in SIDES} | {"difference.r2_points": why}
        first, second = (f"{each.mae:.4g}" for each in told)
        difference = Difference(mae_difference=_apart(told[1].mae - told[0].mae, drawn[1][:, 0] - drawn[0][:, 0]))
        if told[0].r2 is not None and told[1].r2 is not None:
            apart = _apart(told[1].r2 - told[0].r2, drawn[1][:, 1] - drawn[0][:, 1])
            difference = msgspec.structs.replace(difference, r2_points=apart)
        return Judged(
            baseline=sides[0],
            candidate=sides[1],
            difference=difference,
            summary=f"mean absolute error {first} → {second} over {self._sides[0].n} samples",
            doubt=self._doubt(told[0].r2),
            reasons=reasons,
        )

    @staticmethod
    def _side(meter: NumberMeter, told: NumberFigures, drawn: Floats) -> Accuracy:
        low, high = percentile_interval(told.mae, drawn[:, 0])
        found = Accuracy(mae=told.mae, mae_low=low, mae_high=high, n=meter.n)
        if told.r2 is None:
            return found
        low, high = percentile_interval(told.r2, drawn[:, 1])
        return msgspec.structs.replace(found, r2=told.r2, r2_low=low, r2_high=high)

    def _doubt(self, r2: float | None) -> str:
        if r2 is None or r2 > 0 or self._sides[0].n < _FEWEST:
            return ""
        return (
            f"FP32's R² is {words.fixed(r2, 3)} over {self._sides[0].n} samples: no better than saying the mean of the labels; "
            "likely scale or order of the arrays do not fit the model, or labels are in another unit"
        )


def _apart(value: float, drawn: Floats) -> Ratio:
    low, high = percentile_interval(value, drawn)
    return Ratio(value=value, low=low, high=high, interleaved=True)
