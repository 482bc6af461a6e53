"""The Pareto front: points of a scatter that no other point beats on both axes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from .columns import Column
from .metric import Metric
from .metrics import COSTS, LATENCY, QUALITIES


class ParetoPoint(Struct, frozen=True, kw_only=True):
    """One column of the comparison as a place in the scatter. Its JSON has a key for every axis of the metrics."""

    label: str
    run: str
    """Empty for a baseline."""
    latency_half_width_ms: float | None = None
    front: bool = False
    """No other point is as good on both axes and better on one."""

    def at(self, metric: Metric) -> float | None:
        """Where it lies on a metric's axis; None: not known."""
        return None if metric.axis is None else getattr(self, metric.axis.key)


_axes = [(metric.axis.key, float | None, None) for metric in (*COSTS, *QUALITIES) if metric.axis is not None]
_Placed = msgspec.defstruct("_Placed", _axes, bases=(ParetoPoint,), frozen=True, kw_only=True)


def point(column: Column) -> ParetoPoint:
    """A column's place in the scatter."""
    return placed(
        column.label,
        column.result.run if column.candidate else "",
        {metric.axis.key: metric.place(column) for metric in (*COSTS, *QUALITIES) if metric.axis is not None},
        column.metrics.latency_ms.half_width,
    )


def placed(label: str, run: str, at: dict[str, float | None], latency_half_width_ms: float | None = None) -> ParetoPoint:
    """A point from its places, by the axes' keys."""
    made = _Placed(label=label, run=run, latency_half_width_ms=latency_half_width_ms, **at)
    assert isinstance(made, ParetoPoint)
    return made


def pareto(points: Sequence[ParetoPoint], cost: Metric, quality: Metric) -> frozenset[int]:
    """Places of the points that no other beats (less of the cost, more of the quality); those without a value are not."""
    values = [
        (n, x, -y) for n, each in enumerate(points) if (x := each.at(cost)) is not None and (y := each.at(quality)) is not None
    ]
    return frozenset(n for n, a, b in values if not any(c <= a and d <= b and (c, d) != (a, b) for _, c, d in values))


def known_costs(points: Sequence[ParetoPoint]) -> list[Metric]:
    """The axes of cost on which some point lies; that of latency where there is none."""
    return [metric for metric in COSTS if any(each.at(metric) is not None for each in points)] or [LATENCY]
