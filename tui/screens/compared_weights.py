"""Weights before and after, as rows for the comparison: a histogram for each model, all of them over one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.advice.words import percent
from ..widgets.axis import axis_lines
from ..widgets.dots import Graph
from ..widgets.histogram import bars, placed
from ..widgets.lines import Line

if TYPE_CHECKING:
    from ...engine.schema.model_facts import ModelFacts

WEIGHT_COLUMNS = 128
"""Twice the bins of a histogram: more would draw each as a block."""


def weight_lines(weights: Sequence[tuple[str, ModelFacts]] | None, width: int, height: int, graph: Graph) -> list[Line]:
    """Each model's weights over the same number of rows, in `height`; `weights`: None where they are being read."""
    graph = "ascii" if graph == "ascii" else "braille"
    if weights is None:
        return [((" reading the models", "dim"),)]
    found = [facts for _, facts in weights if facts.histogram and facts.histogram_high > facts.histogram_low]
    low = min((facts.histogram_low for facts in found), default=0.0)
    high = max((facts.histogram_high for facts in found), default=0.0)
    columns = max(8, min(width - 2, WEIGHT_COLUMNS))
    rows = max(1, min(8, (height - 2) // max(1, len(weights)) - 1))
    lines: list[Line] = []
    for name, facts in weights:
        zeros = 1 - facts.nonzero / facts.parameters if facts.parameters else None
        ends = f"{facts.histogram_low:.2g} to {facts.histogram_high:.2g}" if facts in found else "no weights that can be shown"
        lines.append(((f" {name}", "value"), (f"   {percent(zeros)} zeros   {ends}", "dim")))
        if facts in found:
            counts = placed(facts.histogram, (facts.histogram_low, facts.histogram_high), (low, high), columns)
            lines += [((f"  {row}", "accent"),) for row in bars(counts, columns, rows, graph)]
    lines += axis_lines(low, high, columns, 2, "weight") if found else []
    return lines or [((" no weights that can be shown", "dim"),)]
