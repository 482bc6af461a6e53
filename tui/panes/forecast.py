"""What will happen, as rows: what stands in the way first, what may spoil the result, sizes and times, harmless remarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.advice.words import DASH, seconds, size
from ...engine.errors import EdgetuiError
from ..fix_words import as_row, on_screen
from ..widgets.lines import Line, hanging, wrap

if TYPE_CHECKING:
    from ...engine.api import Forecast


def forecast_rows(forecast: Forecast | None, trouble: str | EdgetuiError, width: int) -> list[Line]:
    """What will happen, in rows of `width`; without a forecast what stands in its way, or an error."""
    if isinstance(trouble, EdgetuiError):
        return hanging(((" ✗ ", "bad"),), on_screen(trouble), width, "bad")
    if forecast is None:
        return [((f" {text}", "dim"),) for text in wrap(trouble or "choose a model to see what will happen", width)]
    after = "" if forecast.size_after_bytes is None else f" → about {size(forecast.size_after_bytes)}"
    need, free = forecast.memory_need_mb, forecast.memory_free_mb
    memory = DASH if need is None else f"needs {size(need * 1e6)}" + ("" if free is None else f" of {size(free * 1e6)} free")
    runs = f"{forecast.history} run{'' if forecast.history == 1 else 's'} like it on this board"
    known = forecast.seconds is not None
    time = f"about {seconds(forecast.seconds)}  ({runs})" if known else "not known: no run like it on this board yet"
    rows = (
        ("size", size(forecast.size_bytes) + after, "value"),
        ("memory", memory, "value"),
        ("time", time, "value" if known else ""),
        *([("measure", forecast.measuring, "")] if forecast.measuring else []),
        ("backend", forecast.backend, ""),
        ("data", forecast.data, ""),
    )
    return [
        *(line for one in forecast.refusals for line in hanging(((" ✗ ", "bad"),), one.said(as_row), width, "bad")),
        *(line for text in forecast.serious for line in hanging(((" ! ", "warn"),), text, width)),
        *(line for name, text, tone in rows for line in hanging(((f" {name:<9}", "dim"),), text, width, tone)),
        *(line for text in forecast.remarks for line in hanging(((" · ", "dim"),), text, width, "dim")),
    ]
