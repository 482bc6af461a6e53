"""How the single latencies of runs spread, and which samples that is asked of: values only, light.

Apart from `measure/spread.py`, which computes them with numpy in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from .report.rows import Side


class SampleSet(Struct, frozen=True, kw_only=True):
    """Where the samples of one column of a comparison lie."""

    label: str
    run: str
    side: str
    """`baseline` or `candidate`."""
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


def sample_sets(sides: Sequence[Side]) -> tuple[SampleSet, ...]:
    """Where the samples of each column lie; a baseline's are those of the first run it stands for."""
    found = []
    for side in sides:
        path = side.result.artifacts.get("latencies", "")
        reason = "" if path else "it was not measured" if side.result.state == "done" else f"the run is {side.result.state}"
        found.append(
            SampleSet(
                label=side.label,
                run=side.result.run,
                side="candidate" if side.candidate else "baseline",
                path=path,
                reason=reason,
            )
        )
    return tuple(found)
