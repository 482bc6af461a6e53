"""How latencies spread, as rows for the comparison: histograms and box plots of all columns over one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.report import spread as told
from ...engine.report.words import DASH
from ..widgets.boxplot import Box, boxplot
from ..widgets.chart import Graph
from ..widgets.histogram import Counted, histograms
from ..widgets.lines import Line

if TYPE_CHECKING:
    from ...engine.api import Spread, Spreads

NOTHING: list[Line] = [
    (),
    ((" no latencies are stored of these runs", "warn"),),
    ((" only runs that were measured have them: start one on the workbench", "dim"),),
]


def latency_lines(found: Spreads, width: int, height: int, graph: Graph) -> list[Line]:
    """A histogram for each column that has samples; of the others why not."""
    known, missing = _parted(found)
    if not known or found.low_ms is None or found.high_ms is None:
        return [*NOTHING, *missing]
    series = [Counted(each.label, _tone(each), each.counts, each.n or 0, told.in_words(each)) for each in known]
    rows = histograms(series, width, height - len(missing), found.low_ms, found.high_ms, "ms", graph)
    return [*rows, *missing]


def box_lines(found: Spreads, width: int, height: int, graph: Graph) -> list[Line]:
    """A box for each column that has samples; of the others why not."""
    del graph  # frames and blocks have an ASCII twin each
    known, missing = _parted(found)
    if not known or found.low_ms is None or found.high_ms is None:
        return [*NOTHING, *missing]
    return [*boxplot([_box(each) for each in known], width, height - len(missing), found.low_ms, found.high_ms, "ms"), *missing]


def _parted(found: Spreads) -> tuple[list[Spread], list[Line]]:
    known = [each for each in found.columns if each.n]
    return known, [((f" {each.label}  {DASH} {each.reason}", "dim"),) for each in found.columns if not each.n]


def _tone(each: Spread) -> str:
    return "accent" if each.side == "candidate" else "value"


def _box(each: Spread) -> Box:
    numbers = (each.low_whisker, each.q1, each.median, each.q3, each.high_whisker)
    low, q1, median, q3, high = (0.0 if number is None else number for number in numbers)
    return Box(each.label, _tone(each), low, q1, median, q3, high, each.mean, told.in_words(each))
