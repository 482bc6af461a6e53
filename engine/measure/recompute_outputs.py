"""What labels say of outputs once more, from what the evaluation kept of them (`evaluation.npz`): figures, not their intervals.

Apart from `recompute.py`, whose samples every measured run has. Intervals are drawn anew a thousand times: minutes for mAP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tasks.average_precision import MeanPrecision, PrecisionMeter
from ..tasks.keypoint_precision import PoseMeter
from ..tasks.masks import UnionMeter
from ..tasks.told_numbers import NumberMeter
from .accuracy import AccuracyMeter
from .raw_arrays import Arrays
from .statistics import mcnemar_p

Fields = dict[str, float | None]
SIDES = ("baseline", "candidate")


def _classes(kept: Arrays) -> Fields:
    meter = AccuracyMeter.again(kept)
    return {**meter.shares(), "n": float(len(meter.true))}


def _boxes(kept: Arrays) -> Fields:
    meter = PrecisionMeter.again(kept)
    return _precisions(meter.figures(), "map50", "map50_95") | {"boxes": float(meter.boxes), "n": float(meter.images)}


def _poses(kept: Arrays) -> Fields:
    meter = PoseMeter.again(kept)
    return _precisions(meter.figures(), "oks_map50", "oks_map") | {"poses": float(meter.poses), "n": float(meter.images)}


def _precisions(told: MeanPrecision, half: str, mean: str) -> Fields:
    return {name: None if np.isnan(value) else value for name, value in ((half, told.map50), (mean, told.map50_95))}


def _masks(kept: Arrays) -> Fields:
    meter = UnionMeter.again(kept)
    return {"miou": meter.figure(), "n": float(meter.images)}


def _numbers(kept: Arrays) -> Fields:
    meter = NumberMeter.again(kept)
    told = meter.figures()
    return {"mae": told.mae, "r2": told.r2, "n": float(meter.n)}


OF: dict[str, Callable[[Arrays], Fields]] = {
    "classes": _classes,
    "boxes": _boxes,
    "keypoints": _poses,
    "masks": _masks,
    "numbers": _numbers,
}
"""By what is true of a sample."""
POINTS = {
    "top1": "top1_points",
    "top5": "top5_points",
    "f1": "f1_points",
    "map50": "map50_points",
    "map50_95": "map50_95_points",
    "oks_map": "oks_map_points",
    "miou": "miou_points",
    "r2": "r2_points",
    "mae": "mae_difference",
}
"""Figures whose difference is told."""


def of_outputs(raw: Arrays) -> Iterator[tuple[str, float | None]]:
    """(path in the document, figure) of both sides, and of their difference.

    Raises:
        ValueError: the arrays are not what an evaluation keeps.
    """
    kinds = {name.split(" ")[0] for name in raw}
    if len(kinds) != 1 or not kinds <= set(OF):
        raise ValueError(f"arrays of {', '.join(sorted(kinds)) or 'nothing'}")
    kind = kinds.pop()
    told = {side: OF[kind](_of(raw, f"{kind} {side} ")) for side in SIDES}
    for side, figures in told.items():
        yield from ((f"{side}.accuracy.{field}", value) for field, value in figures.items())
    one, other = (told[side] for side in SIDES)
    for field, points in POINTS.items():
        before, after = one.get(field), other.get(field)
        if before is not None and after is not None:
            yield f"difference.{points}.value", after - before
    if kind == "classes":
        yield "difference.mcnemar_p", _mcnemar(raw)


def _of(raw: Mapping[str, NDArray[Any]], before: str) -> Arrays:
    return {name.removeprefix(before): array for name, array in raw.items() if name.startswith(before)}


def _mcnemar(raw: Arrays) -> float:
    a, b = (raw[f"classes {side} predicted"] == raw[f"classes {side} true"] for side in SIDES)
    return mcnemar_p(int((a & ~b).sum()), int((b & ~a).sum()))
