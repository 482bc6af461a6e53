"""How the single latencies of runs spread, and which samples that is asked of: values only, light.

`measure/latency_histograms.py` computes them with numpy, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..schema.workload_figures import RateSpread
from .columns import Column


class SampleSet(Struct, frozen=True, kw_only=True):
    """Where the samples of one column of a comparison lie."""

    label: str
    run: str
    side: str
    """`baseline`, `candidate` or `guard`."""
    path: str = ""
    """The run's `latencies.npz`; empty: it has none."""
    reason: str = ""
    """Why it has none."""


class Spread(Struct, frozen=True, kw_only=True):
    """Every inference of one column, in ms: five numbers, whiskers and a histogram. `n` None: not known, `reason` says why."""

    label: str
    run: str
    side: str
    n: int | None = None
    mean: float | None = None
    min: float | None = None
    q1: float | None = None
    median: float | None = None
    q3: float | None = None
    max: float | None = None
    low_whisker: float | None = None
    """The least sample within 1.5 interquartile ranges of the box (Tukey 1977)."""
    high_whisker: float | None = None
    low_outliers: int | None = None
    """Samples below the low whisker."""
    high_outliers: int | None = None
    counts: tuple[int, ...] = ()
    """Samples in equal bins from `Spreads.low_ms` to `high_ms`."""
    below: int | None = None
    """Samples left of the bins."""
    above: int | None = None
    """Samples right of the bins."""
    reason: str = ""


class Spreads(Struct, frozen=True, kw_only=True):
    """The columns of a comparison over one axis, so that their pictures can be laid beside each other."""

    low_ms: float | None = None
    high_ms: float | None = None
    """Ends of the axis: all whiskers fit, and means that are not far off; outliers need not. None: no column has samples."""
    columns: tuple[Spread, ...] = ()


class RateBox(Struct, frozen=True, kw_only=True):
    """Frames a second of one kind of frames in one column."""

    label: str
    kind: str
    """`real` or `interference`."""
    candidate: bool
    rates: RateSpread


def rate_boxes(columns: Sequence[Column]) -> tuple[RateBox, ...]:
    """Of each column whose workload has frames of two kinds."""
    return tuple(
        RateBox(label=column.label, kind=kind, candidate=column.candidate, rates=getattr(told, kind))
        for column in columns
        if (told := column.metrics.workload.rates)
        for kind in told.__struct_fields__
        if getattr(told, kind).n
    )


def sample_sets(columns: Sequence[Column]) -> tuple[SampleSet, ...]:
    """Where the samples of each column lie; a baseline's are those of the first run it stands for."""
    found = []
    for column in columns:
        path = column.result.artifacts.get("latencies", "")
        reason = "" if path else "it was not measured" if column.result.state == "done" else f"the run is {column.result.state}"
        found.append(
            SampleSet(
                label=column.label,
                run=column.result.run,
                side=column.side,
                path=path,
                reason=reason,
            )
        )
    return tuple(found)
