"""The Pareto front: points of a scatter that no other point beats on both axes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from .rows import Side


class Point(Struct, frozen=True, kw_only=True):
    """One column of the comparison as a place in the scatter."""

    label: str
    run: str
    """Empty for a baseline."""
    latency_ms: float | None = None
    latency_half_width_ms: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    energy_j: float | None = None
    top1: float | None = None
    cosine: float | None = None
    agreement: float | None = None
    """Share of equal labels, where outputs are no quantities."""
    front: bool = False
    """No other point is as good on both axes and better on one."""


AXES: dict[str, str] = {
    "latency_ms": "ms",
    "size_mb": "MB",
    "memory_mb": "memory MB",
    "energy_j": "J",
    "top1": "top-1",
    "cosine": "cosine to FP32",
    "agreement": "share equal to FP32's",
}
_MORE_IS_BETTER = frozenset({"top1", "cosine", "agreement"})


def pareto(points: Sequence[Point], x: str, y: str) -> frozenset[int]:
    """Places of the points that no other point beats; x and y are keys of AXES. A point without a value is not on the front."""
    values = []
    for n, point in enumerate(points):
        pair = tuple(getattr(point, axis) for axis in (x, y))
        if None not in pair:
            values.append((n, *(-v if axis in _MORE_IS_BETTER else v for v, axis in zip(pair, (x, y), strict=True))))
    return frozenset(n for n, a, b in values if not any(c <= a and d <= b and (c, d) != (a, b) for _, c, d in values))


def point(side: Side) -> Point:
    """A column's place in the scatter; a baseline's outputs are its own, so their cosine is 1 and all are equal."""
    metrics = side.metrics
    return Point(
        label=side.label,
        run=side.result.run if side.candidate else "",
        latency_ms=metrics.latency_ms.mean,
        latency_half_width_ms=metrics.latency_ms.half_width,
        size_mb=None if metrics.size_bytes is None else metrics.size_bytes / 1e6,
        memory_mb=metrics.memory_mb.process_peak,
        energy_j=metrics.energy_j_per_inference.net,
        top1=metrics.accuracy.top1,
        cosine=side.result.fidelity.cosine if side.candidate else 1.0,
        agreement=side.result.fidelity.agreement if side.candidate else 1.0,
    )
