"""The rows of tables: what is said about each column, metric by metric.

`compare` puts runs beside each other; `show` prints them for one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from .cells import ITSELF
from .columns import Column, own_baseline, runs_of
from .metric import Metric
from .metrics import METRICS
from .verdict import Tone, tone
from .words import DASH


class TableRow(Struct, frozen=True):
    """One line of the table."""

    label: str
    cells: tuple[str, ...]
    """One for each column."""
    kind: Literal["figure", "detail"] = "figure"
    """A detail belongs to the figure above it and is drawn indented and dim."""
    tones: tuple[Tone, ...] = ()
    """Whether a cell says better or worse; one for each column."""


OWN, OVER_OWN = "its run's FP32", "ratio to its FP32"
"""Rows of candidates whose baseline is not the one that has the column."""
_NO_TONE: Tone = ""
_RATIOS = {metric.change.field: metric for metric in METRICS if metric.change is not None}
"""What a row of ratios is of, by its key."""


def rows(columns: Sequence[Column]) -> tuple[TableRow, ...]:
    """All rows that say something about at least one of the columns; above ratios the figures that they are over, where these
    are not the ones in the baseline's column.
    """
    found = []
    for metric in METRICS:
        cells = tuple(metric.shown(column) for column in columns) if metric.label else ()
        if any(text not in ("", DASH, ITSELF) and not text.startswith(f"{DASH} (") for text in cells):
            tones = tuple(tone(column.verdict(metric.coloured_by or metric.key)) for column in columns)
            label = metric.label
            if metric.key in _RATIOS and (own := _own(columns, _RATIOS[metric.key])):
                found.append(TableRow(OWN, own, "detail", tuple(_NO_TONE for _ in own)))
                label = OVER_OWN
            found.append(TableRow(label, cells, "detail" if metric.detail else "figure", tones))
    return tuple(found)


def run_row(columns: Sequence[Column]) -> tuple[TableRow, ...]:
    """Which run each column is of, where two have one name; else none."""
    cells = runs_of(columns)
    return (TableRow("run", cells, "detail", tuple(_NO_TONE for _ in cells)),) if cells else ()


def _own(columns: Sequence[Column], metric: Metric) -> tuple[str, ...]:
    """Each candidate's own baseline; empty: all of them are those that have columns."""
    beside: float | None = None
    cells, other = [], False
    for column in columns:
        if not column.candidate:
            beside = metric.value(column)
            cells.append("")
            continue
        own = own_baseline(column)
        value = metric.value(own)
        cells.append(metric.shown(own))
        other = other or (value is not None and value != beside)
    return tuple(cells) if other else ()
