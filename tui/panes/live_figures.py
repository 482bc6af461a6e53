"""The rows of figures above the live charts: what comes first where there is room for little.

Apart from the pane, which knows how much room that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.report.width import width_of
from ..widgets.lines import Line

if TYPE_CHECKING:
    from ...engine.api import Sample


def figures(sample: Sample) -> list[Line]:
    """What a sample says in one row or two, the most important first: what holds the clocks down, all that is drawn, heat."""
    rails = list(sample.rails_mw.items())
    found: list[Line] = []
    if sample.throttled:
        found.append(((f"! throttled: {', '.join(sample.throttled)}", "warn"),))
    if sample.total_mw is not None and (not rails or rails[0][1] != sample.total_mw):
        rails.insert(0, ("total", sample.total_mw))
    watts: list[Line] = [
        ((f"{name} ", "dim"), ("    –" if mw is None else f"{mw / 1000:5.2f}", "value"), (" W", "dim")) for name, mw in rails
    ]
    found += watts[:1]
    if sample.hottest is not None:
        found.append(((f"{sample.hottest[1]:5.1f}", "value"), (" °C", "dim")))
    load, used_mib = sample.cpu_mean_pct, sample.ram_used_mb
    if used_mib is not None and sample.ram_total_mb:
        found.append((("RAM ", "dim"), (f"{used_mib / 1024:4.1f}", "value"), (f"/{sample.ram_total_mb / 1024:.1f} GB", "dim")))
    if load is not None:
        found.append((("CPU ", "dim"), (f"{load:3.0f}", "value"), (" %", "dim")))
    return found + watts[1:]


def whole_figures(found: Sequence[Line], width: int, rows: int) -> list[Line]:
    """As many figures as `rows` have room for, none of them in part."""
    lines: list[Line] = [()]
    taken = 0
    for figure in found:
        wide = 2 + sum(width_of(text) for text, _ in figure)
        if taken and taken + wide + 1 > width:
            if len(lines) == rows:
                continue
            lines.append(())
            taken = 0
        lines[-1] = (*lines[-1], ("  " if taken else " ", ""), *figure)
        taken += wide
    return lines
