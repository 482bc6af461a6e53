"""What will happen, as rows: what stands in the way first, then sizes and times, then what cannot win."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.report.words import DASH, seconds, size
from ..widgets.lines import Line, wrap

if TYPE_CHECKING:
    from ...engine.api import Forecast


def forecast_rows(forecast: Forecast | None, trouble: str, width: int) -> list[Line]:
    """What will happen, in rows of `width`."""
    if forecast is None:
        return [((f" {text}", "dim"),) for text in wrap(trouble or "choose a model to see what will happen", width)]
    after = "" if forecast.size_after_bytes is None else f" → about {size(forecast.size_after_bytes)}"
    need, free = forecast.memory_need_mb, forecast.memory_free_mb
    memory = DASH if need is None else f"needs {need:.0f} MB" + ("" if free is None else f" of {free:.0f} MB free")
    runs = f"{forecast.history} run{'' if forecast.history == 1 else 's'} like it on this board"
    time = f"about {seconds(forecast.seconds)}  ({runs})" if forecast.seconds else "not known: no run like it on this board yet"
    lines: list[Line] = []
    for text in forecast.errors:
        lines += _marked("✗", "bad", text, width)
    rows = (("size", size(forecast.size_bytes) + after), ("memory", memory), ("time", time))
    lines += [((f" {name:<9}", "dim"), (text, "value")) for name, text in rows]
    lines += [((f" {name:<9}", "dim"), (text, "")) for name, text in (("backend", forecast.backend), ("data", forecast.data))]
    for text in forecast.warnings:
        lines += _marked("!", "warn", text, width)
    return lines


def _marked(mark: str, tone: str, text: str, width: int) -> list[Line]:
    rows = wrap(text, width - 2)
    return [((f" {mark if n == 0 else ' '} ", tone), (row, "")) for n, row in enumerate(rows)]
