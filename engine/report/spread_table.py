"""How latencies spread, in words and as a table: the plain twin of the comparison's histograms and box plots."""

from __future__ import annotations

from itertools import pairwise

from ..advice import words
from ..advice.spread import Spread, Spreads
from .table import Paint, plain

BARS = " ▁▂▃▄▅▆▇█"
WIDE = 110
"""From so many columns on a histogram stands beside the figures."""
COLUMNS = 32
"""Width of a histogram in one line."""


def spread_line(each: Spread) -> str:
    """`median 0.468 mean 0.514 ms   57 outliers up to 5.27 ms   quartiles 0.459 to 0.484   of 2140`; screens cut the end."""
    if each.median is None or each.mean is None or each.q1 is None or each.q3 is None:
        return words.dash(each.reason)
    quartiles = f"quartiles {words.digits(each.q1)} to {words.digits(each.q3)}"
    middle = f"median {words.digits(each.median)} mean {words.ms(each.mean)}"
    return f"{middle}   {outliers(each)}   {quartiles}   of {each.n} inferences"


def outliers(each: Spread) -> str:
    """`57 outliers up to 5.27 ms`."""
    many = (each.low_outliers or 0) + (each.high_outliers or 0)
    if not many:
        return "no outliers"
    word = "outlier" if many == 1 else "outliers"
    return f"{many} {word}" + (f" up to {words.ms(each.max)}" if each.high_outliers else "")


def spread_report(found: Spreads, width: int, paint: Paint = plain) -> str:
    """Five numbers, outliers and a histogram in one line for each column; the histograms have one axis.

    Where the terminal is narrow they stand below.
    """
    known = found.low_ms is not None and found.high_ms is not None
    axis = f"{words.digits(found.low_ms or 0)} to {words.digits(found.high_ms or 0)} ms" if known else ""
    rows = [("", "n", "min", "q1", "median", "q3", "max, ms", "outliers"), *(_row(each) for each in found.columns)]
    bars = [("", axis), *((each.label, _bars(each.counts) if each.n else each.reason) for each in found.columns)]
    beside = width >= WIDE
    if beside:
        rows = [(*row, bar[1]) for row, bar in zip(rows, bars, strict=True)]
    tones = [("dim",) * 9, *[("",) * 8 + ("accent",)] * len(found.columns)]
    parts = [
        paint("Latency of single inferences", "head"),
        paint.table(rows, width=width, right=range(1, 8), tones=tones, heads=True),
    ]
    if not beside:
        parts += ["", paint.table(bars, width=width, tones=[("dim",) * 2, *[("", "accent")] * len(found.columns)], heads=True)]
    return "\n".join(parts)


def _row(each: Spread) -> tuple[str, ...]:
    if not each.n:
        return each.label, *[words.DASH] * 7
    numbers = (each.min, each.q1, each.median, each.q3, each.max)
    figures = [words.DASH if number is None else words.digits(number) for number in numbers]
    return each.label, str(each.n), *figures, str((each.low_outliers or 0) + (each.high_outliers or 0))


def _bars(counts: tuple[int, ...]) -> str:
    edges = [n * len(counts) // COLUMNS for n in range(COLUMNS + 1)]
    sums = [sum(counts[a:b]) / max(1, b - a) for a, b in pairwise(edges)]
    most = max(sums, default=0) or 1
    return "".join(BARS[max(1, round(value / most * 8)) if value else 0] for value in sums)
