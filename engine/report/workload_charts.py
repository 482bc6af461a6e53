"""Charts of what workloads tell beside latencies: frames, their rates and parts, streams, a filter by the frame rate.

Apart from `charts.py`, whose charts every run may have. Empty where there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..advice import words
from ..advice.columns import Column
from ..advice.spread import RateBox
from .charts import FOOT, LEFT, RIGHT, WIDTH, legend
from .svg import Canvas, Scale, x_axis, y_axis

TALL = 240.0


def rates(boxes: Sequence[RateBox]) -> str:
    """Frames a second as box plots, real frames and interference apart."""
    rows = [(box, box.rates) for box in boxes if box.rates.q1 is not None and box.rates.q3 is not None]
    if not rows:
        return ""
    ends = [end for _, told in rows for end in (told.low_whisker, told.high_whisker) if end is not None]
    row = 30.0
    bottom = 8 + row * len(rows)
    told_in_words = "; ".join(f"{box.label} {box.kind}: median {words.digits(told.median or 0.0)}" for box, told in rows)
    canvas = Canvas(WIDTH, bottom + FOOT, "Frames a second, box plots", told_in_words)
    scale = Scale(min(0.0, *ends), max(ends) * 1.04, LEFT, WIDTH - RIGHT)
    x_axis(canvas, scale, 8, bottom, "frames/s")
    for place, (box, told) in enumerate(rows):
        y, colour = 8 + row * (place + 0.5), int(box.candidate)
        low, q1, median, q3, high = (
            scale(value if value is not None else told.median or 0.0)
            for value in (told.low_whisker, told.q1, told.median, told.q3, told.high_whisker)
        )
        canvas.stroke(low, y, high, y, colour)
        for end in (low, high):
            canvas.stroke(end, y - 5, end, y + 5, colour)
        canvas.rect(q1, y - 8, max(1.0, q3 - q1), 16, colour, 0.35)
        canvas.stroke(median, y - 8, median, y + 8, colour, 2.5)
        canvas.text(LEFT - 8, y + 4, f"{box.label} {box.kind}", "end", LEFT - 12)
    return canvas.drawn()


def frames(column: Column) -> str:
    """The rate of every frame in the order of time: real ones, and interference, which skips the model."""
    series = column.metrics.workload.frames
    if not series or len(series.fps) < 2 or len(series.fps) != len(series.real):
        return ""
    many = f"{len(series.fps)} of {series.n} frames"
    canvas = Canvas(WIDTH, TALL, f"{column.label}: the rate of every frame", f"{many}, {sum(series.real)} of them real")
    bottom = TALL - FOOT - 8
    across = Scale(0.0, float(len(series.fps)), 70, WIDTH - RIGHT)
    up = Scale(0.0, max(series.fps) * 1.05, bottom, 34)
    x_axis(canvas, across, 34, bottom, "frame")
    y_axis(canvas, up, 70, WIDTH - RIGHT, "frames/s")
    for number, (fps, real) in enumerate(zip(series.fps, series.real, strict=True)):
        canvas.dot(across(number), up(fps), 1 if real else 5, 2.4 if real else 1.6)
    legend(canvas, ["real", "interference"], [1, 5])
    return canvas.drawn()


def roc(columns: Sequence[Column]) -> str:
    """How well a threshold on the frame rate tells real frames from interference."""
    curves = [
        (n, column, told.points) for n, column in enumerate(columns) if (told := column.metrics.workload.roc) and told.points
    ]
    if not curves:
        return ""
    areas = {n: column.metrics.workload.roc_auc for n, column, _ in curves}
    names = [f"{column.label}: {area:.3f}" if (area := areas[n]) else column.label for n, column, _ in curves]
    canvas = Canvas(WIDTH, 340, "A threshold on the frame rate as a filter", f"area under each curve: {'; '.join(names)}")
    across, up = Scale(0.0, 1.0, 70, 370), Scale(0.0, 1.0, 340 - FOOT - 8, 34)
    x_axis(canvas, across, 34, 340 - FOOT - 8, "share of interference that passes")
    y_axis(canvas, up, 70, 370, "share of real frames that passes")
    canvas.line(across(0), up(0), across(1), up(1))
    for place, (number, _, points) in enumerate(curves):
        canvas.path([(across(x), up(y)) for x, y in points], number, 1.8)
        canvas.rect(400, 60 + 20 * place, 10, 10, number)
        canvas.text(416, 69 + 20 * place, names[place], room=WIDTH - 430)
    return canvas.drawn()


def streams(columns: Sequence[Column]) -> str:
    """Images a second and latency with each number of streams, and the knee."""
    curves = []
    for number, column in enumerate(columns):
        told = [
            (each.streams, each.latency_ms, each.images_per_s)
            for each in column.metrics.workload.streams or ()
            if each.latency_ms is not None and each.images_per_s is not None
        ]
        if told:
            curves.append((number, column, told))
    if not curves:
        return ""
    words_of = "; ".join(f"{c.label}: " + ", ".join(f"{k} streams {fps:.4g}/s" for k, _, fps in told) for _, c, told in curves)
    canvas = Canvas(WIDTH, 300, "Images a second and latency with each number of streams", words_of)
    bottom = 300 - FOOT - 8
    across = Scale(0.0, max(ms for *_, told in curves for _, ms, _ in told) * 1.1, 70, WIDTH - RIGHT)
    up = Scale(0.0, max(fps for *_, told in curves for *_, fps in told) * 1.1, bottom, 34)
    x_axis(canvas, across, 34, bottom, "ms of an inference")
    y_axis(canvas, up, 70, WIDTH - RIGHT, "images/s")
    for number, column, told in curves:
        throughput = column.metrics.workload.throughput
        canvas.path([(across(ms), up(fps)) for _, ms, fps in told], number)
        for many, ms, fps in told:
            knee = bool(throughput) and throughput.knee == many  # type: ignore[union-attr]
            canvas.dot(across(ms), up(fps), number, 6 if knee else 3)
            canvas.text(across(ms) + 8, up(fps) - 6, f"{many} (knee)" if knee else str(many), kind="dim")
    legend(canvas, [column.label for _, column, _ in curves], [number for number, *_ in curves])
    return canvas.drawn()


def parts(columns: Sequence[Column]) -> str:
    """What each part of a whole frame takes."""
    rows = [(column, told) for column in columns if (told := column.metrics.workload.parts_ms)]
    if not rows:
        return ""
    names = list(dict.fromkeys(name for _, told in rows for name in told))
    row = 30.0
    bottom = 34 + row * len(rows)
    said = "; ".join(
        f"{c.label}: " + ", ".join(f"{name} {words.ms(value)}" for name, value in told.items()) for c, told in rows
    )
    canvas = Canvas(WIDTH, bottom + FOOT, "Parts of a whole frame", said)
    scale = Scale(0.0, max(sum(told.values()) for _, told in rows) * 1.04, LEFT, WIDTH - RIGHT)
    x_axis(canvas, scale, 34, bottom, "ms")
    for place, (column, told) in enumerate(rows):
        y, at = 34 + row * place, 0.0
        for name, value in told.items():
            canvas.rect(scale(at), y + 6, scale(at + value) - scale(at), 18, names.index(name), 0.85)
            at += value
        canvas.text(LEFT - 8, y + 19, column.label, "end", LEFT - 12)
    legend(canvas, names)
    return canvas.drawn()
