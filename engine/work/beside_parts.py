"""Two plans that are one beside each of them alone: what `Escalation` of a result says, from what the stages found.

Apart from the stages, which treat every variant alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..advice.metrics import QUALITIES
from ..measure.accuracy import AccuracyMeter, Sides
from ..measure.energy_figures import Found
from ..measure.paired import Measured
from ..runs.outcome import Outcome
from ..schema.figures import Escalation, Metrics, PlanAlone, Ratio
from ..tasks.average_precision import PrecisionMeter, interval

Kept = Mapping[str, NDArray[np.generic]]
_RESAMPLES = 200
"""Of images, for a difference of mAP: a thousand take minutes, and this is one of three."""
_Z = 1.959964


class PartNames(NamedTuple):
    """Names of both plans alone, among the variants."""

    narrow: str
    wide: str


def wilson(count: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), which holds for none and for all too."""
    share, z2 = count / n, _Z**2
    middle, half = share + z2 / (2 * n), _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def timed(escalation: Escalation, found: Measured, told: Mapping[str, Metrics], name: str, parts: PartNames) -> Escalation:
    """With how long each takes alone, and what both together are over it."""

    def alone(part: str) -> PlanAlone:
        figures = told[part]
        return PlanAlone(
            latency_ms=figures.latency_ms.mean,
            latency_half_width_ms=figures.latency_ms.half_width,
            latency_ratio=found.ratios.get((name, part)),
            process_peak_mb=figures.memory_mb.process_peak,
        )

    return msgspec.structs.replace(escalation, narrow=alone(parts.narrow), wide=alone(parts.wide))


def metered(found: Found, name: str, parts: PartNames) -> Escalation:
    """What each takes of energy alone."""

    def alone(part: str) -> PlanAlone:
        figures, ratio = found.figures.get(part), found.ratios.get((name, part))
        return PlanAlone(energy_j=None if figures is None else figures.net, energy_ratio=None if ratio is None else ratio.net)

    return Escalation(narrow=alone(parts.narrow), wide=alone(parts.wide))


def evaluated(
    seen: int, escalated: int, outcomes: Mapping[str, Outcome], kept: Mapping[str, Kept], name: str, parts: PartNames, seed: int
) -> Escalation:
    """With the share of inferences that ran again, and how good each plan's outputs are alone."""
    low, high = wilson(escalated, seen) if seen else (None, None)
    metric = next((each for each in QUALITIES if _value(outcomes[name], each.path) is not None), None)
    key, path = ("", "") if metric is None else (metric.key, metric.path)

    def alone(part: str) -> PlanAlone:
        points = _points(kept.get(part, {}), kept.get(name, {}), seed)
        quality = _value(outcomes[part], path) if path else None
        if points is None and quality is not None and (mine := _value(outcomes[name], path)) is not None:
            points = Ratio(value=mine - quality)
        return PlanAlone(quality=quality, quality_points=points)

    return Escalation(
        share=escalated / seen if seen else None,
        share_low=low,
        share_high=high,
        n=seen,
        metric=key,
        narrow=alone(parts.narrow),
        wide=alone(parts.wide),
    )


def _value(outcome: Outcome, path: str) -> float | None:
    """A figure by its metric's path: of the candidate, or of both sides beside each other."""
    value: object = outcome if path.startswith("fidelity.") else outcome.candidate
    for word in path.split("."):
        value = getattr(value, word, None)
    return float(value) if isinstance(value, int | float) else None


def _points(part: Kept, both: Kept, seed: int) -> Ratio | None:
    """Paired difference over samples, both plans together less one alone; None: labels are neither classes nor boxes."""
    one, other = (
        {word.partition(" candidate ")[2]: array for word, array in each.items() if " candidate " in word}
        for each in (part, both)
    )
    kind = next(iter(part), "").partition(" ")[0]
    if kind == "classes":
        sides = Sides(AccuracyMeter.again(_floats(one)), AccuracyMeter.again(_floats(other)), seed)
        return sides.difference().top1_points
    if kind != "boxes":
        return None
    meters = [PrecisionMeter.again(_floats(each)) for each in (one, other)]
    first, second = (meter.figures().map50_95 for meter in meters)
    before, after = (meter.bootstrap(seed, _RESAMPLES)[:, 1] for meter in meters)
    low, high = interval(second - first, after - before)
    return Ratio(value=second - first, low=low, high=high, interleaved=True)


def _floats(kept: Kept) -> dict[str, NDArray[np.float64]]:
    return {name: array.astype(np.float64) for name, array in kept.items()}
