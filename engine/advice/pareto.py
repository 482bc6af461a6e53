"""The Pareto front: points that no other point beats on all of some axes: costs and qualities, two of them or more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ..errors import UsageError, nearest
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
    """No other point is as good on all axes and better on one, by the figures: intervals play no part."""

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


def pareto(points: Sequence[ParetoPoint], axes: Sequence[Metric]) -> frozenset[int]:
    """Places of the points that no other beats (less of a cost, more of a quality); those without a value are not."""
    values = {n: value for n, each in enumerate(points) if (value := _costs(each, axes)) is not None}
    return frozenset(n for n, one in values.items() if not any(_beats(other, one) for other in values.values()))


def _costs(point: ParetoPoint, axes: Sequence[Metric]) -> tuple[float, ...] | None:
    """Where a point lies, less being better on every axis; None: one is not known."""
    found = [(each.better, value) for each in axes if (value := point.at(each)) is not None]
    return tuple(-value if better == "more" else value for better, value in found) if len(found) == len(axes) else None


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


AXES: dict[str, Metric] = {metric.axis.key: metric for metric in (*COSTS, *QUALITIES) if metric.axis is not None}
"""What a front may be over, by the words that are typed."""


def axes_of(text: str) -> tuple[Metric, ...]:
    """Axes as they are typed, `latency_ms,energy_j,top1`; empty: none were.

    Raises:
        UsageError: there is no such axis, one is named twice, or it is one alone.
    """
    typed = text.replace(",", " ").split()
    for word in typed:
        if word not in AXES:
            raise UsageError(f"there is no axis `{word}` for a front", fix=nearest(word, tuple(AXES)))
    if len(set(typed)) < len(typed) or len(typed) == 1:
        raise UsageError("a front is over two axes or more, each another one", fix="write e.g. latency_ms,energy_j")
    return tuple(AXES[word] for word in typed)


def known_axes(points: Sequence[ParetoPoint]) -> list[Metric]:
    """All axes on which a candidate lies; on some a baseline does by definition."""
    return [metric for metric in AXES.values() if any(each.run and each.at(metric) is not None for each in points)]


def known_costs(points: Sequence[ParetoPoint]) -> list[Metric]:
    """The axes of cost on which some point lies; that of latency where there is none."""
    return [metric for metric in COSTS if any(each.at(metric) is not None for each in points)] or [LATENCY]
