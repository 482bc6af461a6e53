"""How latencies spread, as rows for the comparison: histograms and box plots of all columns over one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.advice.words import DASH, digits
from ...engine.report import spread_table as told
from ..widgets.boxplot import Box, boxplot
from ..widgets.dots import Graph
from ..widgets.histogram import Counted, histograms
from ..widgets.lines import Line

if TYPE_CHECKING:
    from ...engine.advice.spread import RateBox
    from ...engine.api import Spread, Spreads

_KINDS = {"real": "real", "interference": "other"}
"""In a box's short name."""
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
    series = [Counted(each.label, _tone(each), each.counts, each.n or 0, told.spread_line(each)) for each in known]
    rows = histograms(series, width, height - len(missing), found.low_ms, found.high_ms, "ms", graph)
    return [*rows, *missing]


def box_lines(found: Spreads, width: int, height: int, graph: Graph) -> list[Line]:
    """A box for each column that has samples; of the others why not."""
    del graph  # frames and blocks have an ASCII twin each
    known, missing = _parted(found)
    if not known or found.low_ms is None or found.high_ms is None:
        return [*NOTHING, *missing]
    return [*boxplot([_box(each) for each in known], width, height - len(missing), found.low_ms, found.high_ms, "ms"), *missing]


def rate_lines(found: Sequence[RateBox], width: int, height: int) -> list[Line]:
    """A box for real frames and one for interference of each column, over one axis of frames a second."""
    boxes = []
    for each in found:
        told = each.rates
        numbers = (told.low_whisker, told.q1, told.median, told.q3, told.high_whisker)
        low, q1, median, q3, high = (0.0 if number is None else number for number in numbers)
        label = f"{each.label} {_KINDS[each.kind]}"
        spread = "" if told.sd is None else f"   sd {digits(told.sd, 2)}"
        words = f"median {digits(median)}   box {digits(q1)} to {digits(q3)}{spread}   {told.n} frames"
        boxes.append(Box(label, "accent" if each.candidate else "value", low, q1, median, q3, high, told.mean, words))
    least, most = min(box.low for box in boxes), max(box.high for box in boxes)
    margin = (most - least) * 0.04 or most * 0.04
    return boxplot(boxes, width, height, max(0.0, least - margin), most + margin, "frames/s")


def _parted(found: Spreads) -> tuple[list[Spread], list[Line]]:
    known = [each for each in found.columns if each.n]
    return known, [((f" {each.label}  {DASH} {each.reason}", "dim"),) for each in found.columns if not each.n]


def _tone(each: Spread) -> str:
    return "accent" if each.side == "candidate" else "value"


def _box(each: Spread) -> Box:
    numbers = (each.low_whisker, each.q1, each.median, each.q3, each.high_whisker)
    low, q1, median, q3, high = (0.0 if number is None else number for number in numbers)
    return Box(each.label, _tone(each), low, q1, median, q3, high, each.mean, told.spread_line(each))
