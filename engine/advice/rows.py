"""The rows of tables: what is said about each column, metric by metric.

`compare` puts runs beside each other; `show` prints them for one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from .cells import ITSELF
from .columns import Column
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


def rows(columns: Sequence[Column]) -> tuple[TableRow, ...]:
    """All rows that say something about at least one of the columns."""
    found = []
    for metric in METRICS:
        cells = tuple(metric.shown(column) for column in columns) if metric.label else ()
        if any(text not in ("", DASH, ITSELF) and not text.startswith(f"{DASH} (") for text in cells):
            tones = tuple(tone(column.verdict(metric.coloured_by or metric.key)) for column in columns)
            found.append(TableRow(metric.label, cells, "detail" if metric.detail else "figure", tones))
    return tuple(found)
