"""Histograms and five-number summaries of stored latencies, over one axis for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..advice.spread import SampleSet, Spread, Spreads
from .raw_arrays import DAMAGED

BINS = 200
_WHISKER = 1.5
_MARGIN = 0.04
"""Of the span of all whiskers, on both sides of the axis."""
_FAR = 0.5
"""Of that span: a mean further right of all whiskers is left out of the axis, for outliers pulled it there."""
Milliseconds = NDArray[np.float64]


def spreads(sets: Sequence[SampleSet]) -> Spreads:
    """What is asked of each set; one that cannot be read has a reason."""
    read = [_read(each) for each in sets]
    columns = [_summary(each, found) for each, found in zip(sets, read, strict=True)]
    ends = [(column.low_whisker, column.high_whisker) for column in columns if column.n]
    if not ends:
        return Spreads(columns=tuple(columns))
    low = min(low for low, _ in ends if low is not None)
    high = max(high for _, high in ends if high is not None)
    means = [column.mean for column in columns if column.mean is not None]
    high = max([high, *(mean for mean in means if mean <= high + (high - low) * _FAR)])
    margin = (high - low) * _MARGIN or high * _MARGIN
    low, high = max(0.0, low - margin), high + margin
    return Spreads(
        low_ms=low,
        high_ms=high,
        columns=tuple(
            column if isinstance(found, str) else _binned(column, found, low, high)
            for column, found in zip(columns, read, strict=True)
        ),
    )


def _read(asked: SampleSet) -> Milliseconds | str:
    """The samples in ms; or why there are none."""
    if not asked.path:
        return asked.reason or "it was not measured"
    try:
        with Path(asked.path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            samples: Milliseconds = stored[f"{asked.side}_ns"].astype(np.float64).ravel() / 1e6
    except FileNotFoundError:
        return f"{asked.path} is gone"
    except DAMAGED as error:
        return f"{asked.path} cannot be read ({type(error).__name__})"
    if not np.isfinite(samples).all():
        return f"{asked.path} holds a value that is not a time"
    return samples if samples.size else "no inference was timed"


def _summary(asked: SampleSet, samples: Milliseconds | str) -> Spread:
    """Five numbers (quartiles by linear interpolation) and whiskers of a box plot (Tukey, Exploratory Data Analysis, 1977)."""
    if isinstance(samples, str):
        return Spread(label=asked.label, run=asked.run, side=asked.side, reason=samples)
    least, q1, median, q3, most = (float(value) for value in np.percentile(samples, [0, 25, 50, 75, 100]))
    reach = _WHISKER * (q3 - q1)
    inside = samples[(samples >= q1 - reach) & (samples <= q3 + reach)]
    low, high = float(inside.min()), float(inside.max())
    return Spread(
        label=asked.label,
        run=asked.run,
        side=asked.side,
        n=samples.size,
        mean=float(samples.mean()),
        min=least,
        q1=q1,
        median=median,
        q3=q3,
        max=most,
        low_whisker=low,
        high_whisker=high,
        low_outliers=int((samples < low).sum()),
        high_outliers=int((samples > high).sum()),
    )


def _binned(column: Spread, samples: Milliseconds, low: float, high: float) -> Spread:
    counts, _ = np.histogram(samples, BINS, (low, high))
    return msgspec.structs.replace(
        column,
        counts=tuple(int(count) for count in counts),
        below=int((samples < low).sum()),
        above=int((samples > high).sum()),
    )
