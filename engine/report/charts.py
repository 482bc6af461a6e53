"""The charts of a report, each a whole SVG: ratios with intervals, the front, latencies, blocks, power, layers.

Empty where there is nothing to draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..advice import words
from ..advice.columns import Column
from ..advice.compare import Comparison
from ..advice.metrics import COSTS, changes
from ..advice.pairs_told import pairs_told
from ..advice.pareto import AXES
from ..advice.recomputed import Recomputed
from ..advice.spread import Spread, Spreads
from ..schema.figures import Ratio
from ..schema.plan import PlanFacts
from . import layer_table
from .spread_table import outliers
from .svg import LETTER, Canvas, Scale, x_axis, y_axis
from .width import width_of

WIDTH = 760.0
LEFT, RIGHT = 215.0, 30.0
ROW = 26.0
TALL_ROW = 44.0
FOOT = 36.0
BESIDE = 265.0
"""For words right of a chart."""
LAYERS = 25


Spot = tuple[float, float]
"""Where a dot is drawn."""


class RatioBar(NamedTuple):
    """A ratio with its interval."""

    name: str
    figure: Ratio
    verdict: str
    series: int


def ratios(columns: Sequence[Column]) -> str:
    """Candidate over baseline in each metric that is a ratio, with its interval, beside the line of no difference."""
    rows = []
    for number, column in enumerate(columns):
        for metric, change in changes():
            figure = change.figure(column.result.difference)
            if column.candidate and change.neutral == 1.0 and figure.value is not None:
                name = metric.axis.name if metric.axis else metric.key
                rows.append(RatioBar(f"{column.label}: {name}", figure, column.verdict(metric.key), number))
    return _bars("Candidate over baseline", rows)


def pairs(columns: Sequence[Column]) -> str:
    """Candidates that were measured together, beside each other: of many those pairs that decide."""
    named = [(metric, change, metric.axis.name) for metric, change in changes() if metric.axis]
    rows = [
        RatioBar(f"{names}: {name}", figure, "", number)
        for number, (metric, change, name) in enumerate(named)
        for names, figure in pairs_told(columns, metric, change)
    ]
    return _bars("Candidates over each other", rows)


def _bars(title: str, rows: Sequence[RatioBar]) -> str:
    if not rows:
        return ""
    ends = [end for row in rows for end in (row.figure.value, row.figure.low, row.figure.high) if end is not None]
    above = any(width_of(row.name) * LETTER > LEFT - 12 for row in rows)  # names that would lose their end beside the bars
    tall = TALL_ROW if above else ROW
    bottom = 10 + tall * len(rows)
    told = "; ".join(f"{row.name} {words.ratio(row.figure)} {row.verdict}".rstrip() for row in rows)
    canvas = Canvas(WIDTH, bottom + FOOT, title, told)
    scale = Scale(min(0.0, *ends), max(1.1, *ends), 30 if above else LEFT, WIDTH - BESIDE)
    x_axis(canvas, scale, 10, bottom, "ratio, 1: no difference")
    canvas.line(scale(1.0), 4, scale(1.0), bottom, "#1a1a1a", "rule", 1.5)
    for place, row in enumerate(rows):
        y = 10 + tall * (place + 1) - ROW / 2
        if above:
            canvas.text(8, y - ROW / 2 - 2, row.name, room=WIDTH - 16)
        else:
            canvas.text(LEFT - 8, y + 4, row.name, "end", LEFT - 12)
        if row.figure.low is not None and row.figure.high is not None:
            canvas.stroke(scale(row.figure.low), y, scale(row.figure.high), y, row.series, 2)
            for end in (row.figure.low, row.figure.high):
                canvas.stroke(scale(end), y - 5, scale(end), y + 5, row.series)
        canvas.dot(scale(row.figure.value or 0.0), y, row.series)
        canvas.text(WIDTH - BESIDE + 14, y + 4, f"{words.ratio(row.figure)} {row.verdict}", room=BESIDE - 14)
    return canvas.drawn()


def front(found: Comparison) -> str:
    """The first two axes of the front, cost and quality unless others were asked for; what none beats is ringed."""
    cost, quality = (AXES[key] for key in found.axes[:2])
    points = [
        (n, point, x, y)
        for n, point in enumerate(found.points)
        if (x := point.at(cost)) is not None and (y := point.at(quality)) is not None
    ]
    if len(points) < 2 or cost.axis is None or quality.axis is None:
        return ""
    told = "; ".join(
        f"{p.label} {x:.4g} {cost.axis.unit}, {y:.4g}{', on the front' if p.front else ''}" for _, p, x, y in points
    )
    canvas = Canvas(WIDTH, 320, f"{cost.axis.name} and {quality.axis.name}", told)
    across = Scale(*_around([x for *_, x, _ in points]), 70, WIDTH - RIGHT)
    least, most = _around([y for *_, y in points])
    up = Scale(least, min(most, quality.most or most), 320 - FOOT - 8, 24)
    x_axis(canvas, across, 24, 320 - FOOT - 8, f"{cost.axis.name}, {cost.axis.unit}")
    y_axis(canvas, up, 70, WIDTH - RIGHT, quality.axis.unit)
    spots = [(across(x), up(y)) for *_, x, y in points]
    taken: list[tuple[float, float, float]] = []
    for number, point, x, y in points:
        half = point.latency_half_width_ms if cost is COSTS[0] else None
        if half is not None:
            canvas.stroke(across(x - half), up(y), across(x + half), up(y), number, 1)
        canvas.dot(across(x), up(y), number, 5)
        if point.front:
            canvas.dot(across(x), up(y), number, 8)
        _label(canvas, point.label + (" (front)" if point.front else ""), (across(x), up(y)), spots, taken)
    return canvas.drawn()


def _label(canvas: Canvas, text: str, own: Spot, spots: Sequence[Spot], taken: list[tuple[float, float, float]]) -> None:
    """A text beside its dot, where it covers no other text and no other dot is nearer; where there is no such place, below what
    is there.
    """
    (x, y), wide = own, min(width_of(text) * LETTER, 200.0)
    sides = [left for left in (x + 12, x - 12 - wide) if left >= 0 and left + wide < WIDTH]
    places = [(left, y + by) for by in (-6.0, 4.0, 16.0, -16.0) for left in sides]
    left, at = next((place for place in places if _free(*place, wide, own, spots, taken)), (sides[0], y - 6))
    while _covers(left, at, wide, taken):
        at += 13
    taken.append((left, left + wide, at))
    canvas.text(left, at, text, room=200.0)


def _covers(left: float, at: float, wide: float, taken: Sequence[tuple[float, float, float]]) -> bool:
    return any(abs(at - other) < 13 and left < end and begin < left + wide for begin, end, other in taken)


def _free(
    left: float, at: float, wide: float, own: Spot, spots: Sequence[Spot], taken: Sequence[tuple[float, float, float]]
) -> bool:
    """Whether a text has this place, on its line `at`, for itself."""

    def far(spot: Spot) -> float:
        return math.hypot(max(0.0, left - spot[0], spot[0] - left - wide), at - 4 - spot[1])

    return not _covers(left, at, wide, taken) and all(far(spot) > far(own) for spot in spots if spot != own)


def _around(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis with some room beside the values."""
    low, high = min(values), max(values)
    margin = (high - low) * 0.12 or abs(high) * 0.05 or 1.0
    return low - margin, high + margin


def histograms(found: Spreads) -> str:
    """How often an inference took how long: a row for each column, over one axis."""
    shown = _shown(found)
    if not shown or found.low_ms is None or found.high_ms is None:
        return ""
    tall = 62.0
    bottom = 8 + tall * len(shown)
    told = "; ".join(f"{each.label}: median {words.ms(each.median)}, {each.n} inferences" for _, each in shown)
    canvas = Canvas(WIDTH, bottom + FOOT, "Latency of single inferences, histogram", told)
    scale = Scale(found.low_ms, found.high_ms, LEFT, WIDTH - RIGHT)
    x_axis(canvas, scale, 8, bottom, "ms")
    for place, (number, each) in enumerate(shown):
        base = 8 + tall * (place + 1) - 4
        top = max(each.counts, default=0) or 1
        wide = (scale.end - scale.begin) / max(1, len(each.counts))
        for n, count in enumerate(each.counts):
            if count:
                height = max(0.8, (tall - 12) * count / top)
                canvas.rect(scale.begin + n * wide, base - height, wide, height, number)
        canvas.text(LEFT - 8, base - 22, each.label, "end", LEFT - 12)
        canvas.text(LEFT - 8, base - 6, _left_out(each), "end", LEFT - 12, kind="dim")
    return canvas.drawn()


def _left_out(each: Spread) -> str:
    beyond = (each.below or 0) + (each.above or 0)
    return f"{each.n} inferences" + (f", {beyond} beyond" if beyond else "")


def boxes(found: Spreads) -> str:
    """The same as box plots: quartiles, median, mean, whiskers of 1.5 interquartile ranges."""
    shown = _shown(found)
    if not shown or found.low_ms is None or found.high_ms is None:
        return ""
    tall = 34.0
    bottom = 8 + tall * len(shown)
    told = "; ".join(f"{e.label}: {words.ms(e.q1)}, {words.ms(e.median)}, {words.ms(e.q3)}; {outliers(e)}" for _, e in shown)
    canvas = Canvas(WIDTH, bottom + FOOT, "Latency of single inferences, box plots", told)
    room = 200.0
    scale = Scale(found.low_ms, found.high_ms, LEFT, WIDTH - room)
    x_axis(canvas, scale, 8, bottom, "ms")
    for place, (number, each) in enumerate(shown):
        y = 8 + tall * (place + 0.5)
        low, q1, median, q3, high = (
            scale(value if value is not None else found.low_ms)
            for value in (each.low_whisker, each.q1, each.median, each.q3, each.high_whisker)
        )
        canvas.stroke(low, y, high, y, number)
        for end in (low, high):
            canvas.stroke(end, y - 6, end, y + 6, number)
        canvas.rect(q1, y - 9, max(1.0, q3 - q1), 18, number, 0.35)
        canvas.stroke(median, y - 9, median, y + 9, number, 2.5)
        if each.mean is not None and each.mean <= found.high_ms:
            canvas.dot(scale(each.mean), y, number, 3)
        canvas.text(LEFT - 8, y + 4, each.label, "end", LEFT - 12)
        canvas.text(WIDTH - room + 10, y + 4, outliers(each), room=room - 10, kind="dim")
    return canvas.drawn()


def _shown(found: Spreads) -> list[tuple[int, Spread]]:
    return [(number, each) for number, each in enumerate(found.columns) if each.n]


def blocks(found: Recomputed) -> str:
    """The mean of each block in the order of time: what drifted, and that both sides were there throughout."""
    series = [each for each in found.blocks if each.mean_ms]
    if not series or len(series[0].mean_ms) < 2:
        return ""
    values = [value for each in series for value in each.mean_ms]
    told = "; ".join(f"{each.side}: {len(each.mean_ms)} blocks" for each in series)
    canvas = Canvas(WIDTH, 240, "Means of blocks over time", told)
    bottom = 240 - FOOT - 8
    across = Scale(0.0, max(each.began_s[-1] for each in series), 70, WIDTH - RIGHT)
    up = Scale(min(0.0, *values), max(values) * 1.05, bottom, 34)
    x_axis(canvas, across, 34, bottom, "s of measuring")
    y_axis(canvas, up, 70, WIDTH - RIGHT, "ms")
    for number, each in enumerate(series):
        points = [(across(at), up(value)) for at, value in zip(each.began_s, each.mean_ms, strict=True)]
        canvas.path(points, number, 0.8)
        for x, y in points if len(points) <= 200 else ():
            canvas.dot(x, y, number, 2.2)
    legend(canvas, [each.side for each in series])
    return canvas.drawn()


def power(found: Recomputed) -> str:
    """What the power sensor said, with the windows in which each plan ran and the looks at the idle board."""
    trace = found.power
    if trace is None or len(trace.watts) < 2:
        return ""
    sides = list(dict.fromkeys(window.side for window in trace.windows))
    told = f"{len(trace.windows)} windows of {', '.join(sides)}; {min(trace.watts):.3g} to {max(trace.watts):.3g} W"
    canvas = Canvas(WIDTH, 260, "Power over time, with energy windows", told)
    bottom = 260 - FOOT - 8
    across = Scale(trace.samples_s[0], trace.samples_s[-1], 70, WIDTH - RIGHT)
    up = Scale(min(0.0, *trace.watts), max(trace.watts) * 1.08, bottom, 34)
    x_axis(canvas, across, 34, bottom, "s")
    y_axis(canvas, up, 70, WIDTH - RIGHT, "W")
    for window in trace.windows:
        begin, end = across(window.begin_s), across(window.end_s)
        canvas.rect(begin, 34, end - begin, bottom - 34, sides.index(window.side), 0.25)
    canvas.path([(across(t), up(w)) for t, w in zip(trace.samples_s, trace.watts, strict=True)], 7, 0.9)
    for at, watts in zip(trace.idle_s, trace.idle_w, strict=True):
        canvas.dot(across(at), up(watts), 2, 3)
    legend(canvas, [*sides, *["idle"] * bool(trace.idle_s)], [*range(len(sides)), 2])
    return canvas.drawn()


def legend(canvas: Canvas, names: Sequence[str], series: Sequence[int] | None = None) -> None:
    """Colours and their names, at the top."""
    x = 110.0
    for number, name in zip(series or range(len(names)), names, strict=False):
        canvas.rect(x, 8, 10, 10, number, 0.7)
        canvas.text(x + 16, 17, name, room=160)
        x += 40 + min(160.0, len(name) * LETTER)


def layers(facts: PlanFacts) -> str:
    """The slowest layers as bars."""
    slowest = sorted((layer for layer in facts.layers if layer.milliseconds), key=lambda layer: -(layer.milliseconds or 0))
    if not slowest:
        return ""
    total, shown = layer_table.total_ms(facts.layers), slowest[:LAYERS]
    label, room = 300.0, 150.0
    bottom = 8 + 18.0 * len(shown)
    told = "; ".join(f"{layer_table.label(layer)} {layer.milliseconds:.4f} ms" for layer in shown[:5])
    canvas = Canvas(WIDTH, bottom + FOOT, f"The slowest {len(shown)} of {len(facts.layers)} layers", told)
    scale = Scale(0.0, shown[0].milliseconds or 1.0, label, WIDTH - room)
    x_axis(canvas, scale, 8, bottom, "ms")
    for place, layer in enumerate(shown):
        y = 8 + 18.0 * place
        canvas.rect(label, y + 3, scale(layer.milliseconds or 0.0) - label, 12, 1 if layer_table.note(layer) else 0)
        canvas.text(label - 8, y + 13, layer_table.label(layer), "end", label - 12)
        said = f"{words.percent(layer_table.share(layer, total))} {layer.precision or ''} {layer_table.note(layer)}"
        canvas.text(scale(layer.milliseconds or 0.0) + 6, y + 13, said.strip(), room=room, kind="dim")
    return canvas.drawn()
