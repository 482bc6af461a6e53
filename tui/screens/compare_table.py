"""The table of a comparison: labels, the baseline, and as many other columns as fit.

Apart from the screen, because it knows widths alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ...engine.report.width import shortened, width_of
from ..widgets.lines import Line, Span, wrap

if TYPE_CHECKING:
    from ...engine.api import Comparison

TONES = {"better": "good", "worse": "bad", "": "value"}
HEADS = 1
"""Rows with the names of the columns."""
GAP = 3
"""Columns left free behind a cell."""
WIDEST, LEAST = 27, 20
"""Columns of the table's columns where not all fit as they are: `no difference shown` stands in one row of the least."""
LEAST_LABELS, LABELS = 18, 22
"""Columns that labels have at least, and where there is any room to spare; more of them go over several rows."""
NARROW_LABELS = 26


def frozen(found: Comparison, first: int) -> int:
    """The baseline that the column `first` is held against: it stays in sight."""
    if not found.differs:
        return 0
    return next((n for n in range(first, -1, -1) if not found.runs[n]), 0)


def movable(found: Comparison) -> list[int]:
    """Columns that may be the first behind the baseline."""
    return [0, *(n for n in range(2, len(found.columns)) if n != frozen(found, n))]


class _Layout(NamedTuple):
    """What of the table fits into a width, and how wide it is there."""

    columns: list[int]
    labels: int
    widths: dict[int, int]
    cells: dict[int, list[str]]


def in_sight(found: Comparison, first: int, width: int) -> list[int]:
    """The columns that fit into `width`: the baseline, then from the `first` on."""
    return _layout(found, first, width).columns


def last_place(found: Comparison, width: int) -> int:
    """The first column from which on all others fit: further right there is nothing to come into sight."""
    places, end = movable(found), len(found.columns) - 1
    return next((place for place in places if in_sight(found, place, width)[-1] == end), places[-1])


def _layout(found: Comparison, first: int, width: int) -> _Layout:
    """Where not all columns fit, cells are written shorter and go over several rows, and what fits shares the width."""
    base = frozen(found, first)
    columns = [base, *(n for n in range(max(first, base + 1), len(found.columns)))]
    labels = max((width_of(row.label) + (5 if row.kind == "detail" else 2) for row in found.rows), default=0) + 2
    cells = {n: [row.cells[n] for row in found.rows] for n in columns}
    widths = {n: max(width_of(found.columns[n]), *map(width_of, cells[n]), 6) + GAP for n in columns}
    if labels + sum(widths.values()) <= width:
        return _Layout(columns, labels, widths, cells)
    cells = {n: [shorter(cell) for cell in cells[n]] for n in columns}
    wanted = {n: min(max(width_of(found.columns[n]), *map(width_of, cells[n]), 6) + GAP, WIDEST) for n in columns}
    needed = {n: 1 + _widest_part(cells[n]) for n in columns}
    kept = [n for n in columns if LEAST_LABELS + sum(needed[m] for m in columns[: columns.index(n) + 1]) <= width] or [base]
    spare = width - LEAST_LABELS - sum(needed[n] for n in kept)
    least = min(labels, LEAST_LABELS + max(0, min(spare, LABELS - LEAST_LABELS)))
    labels = min(labels, max(least, width - sum(max(needed[n], wanted[n]) for n in kept)))
    return _Layout(kept, labels, _grown({n: needed[n] for n in kept}, wanted, width - labels), cells)


def table_lines(found: Comparison, first: int, width: int, keys: str = "← →") -> list[Line]:
    """The table in rows of `width`: HEADS rows of names, then labels, the baseline, and as many columns as fit from the
    `first`; `keys` go to others.
    """
    kept, labels, widths, cells = _layout(found, first, width)
    names = (_cell(shortened(found.columns[n], widths[n] - 2), widths[n], "title") for n in kept)
    more = f"  {keys} {len(found.columns) - len(kept)} more" if len(found.columns) > len(kept) else ""
    lines: list[Line] = [(_cell(more, labels, "accent"), *names)]
    for at, row in enumerate(found.rows):
        detail = row.kind == "detail"
        indent = "     " if detail and labels > NARROW_LABELS else "   " if detail else "  "
        blocks = [(wrap(row.label, labels - len(indent) - 1), indent, labels, "dim" if detail else "")]
        for n in kept:
            tone = row.tones[n] if n < len(row.tones) else ""
            cell = cells[n][at]
            rows = [cell] if width_of(cell) < widths[n] else broken(cell, widths[n] - 1)
            blocks.append((rows, "", widths[n], TONES[tone] if tone or not detail else ""))
        height = max(len(rows) for rows, *_ in blocks)
        lines += [
            tuple(_cell(before + rows[y] if y < len(rows) else "", room, tone) for rows, before, room, tone in blocks)
            for y in range(height)
        ]
    return lines


def shorter(cell: str) -> str:
    """`0.452 [0.447, 0.458]` as `0.452 [.447,.458]`, as intervals are printed; nothing else is changed."""
    return re.sub(r"\[[^\]\[]*\]", lambda found: re.sub(r"(?<=[\[,])(-?)0\.", r"\1.", found[0].replace(", ", ",")), cell)


_UNIT = r"(?:ms|s|min|h|kB|MB|GB|µJ|mJ|J|W|%|dB|Hz|inferences|points)(?!\w)"
_PART = re.compile(
    r"(?:· )?(?:"
    r"\d{8}-\d{4}\S*"  # a run's id
    r"|\[[^\]]*\]|\([^)]*\)"  # an interval; what is said beside
    r"|[^\W\d_][^\s\[\]()·]*(?: [^\W\d_][^\s\[\]()·]*)*(?: [<>=≤≥]*\d\S*)?"  # words, and the number that they are about
    rf"|[-+±<>≤≥]*\d[\d.]*(?: \d[\d.]*)*(?: {_UNIT})?(?: ± [\d.]+)?,?"  # a number or several, their unit, an interval
    r")|\S+"
)


def parts(cell: str) -> list[str]:
    """What of a cell is read as one: `no difference shown`, `2.44 ms ± 0.02`, `[.447,.458]`, `McNemar p 0.61`."""
    return _PART.findall(cell)


def broken(cell: str, width: int) -> list[str]:
    """A cell in rows: between its parts, and inside one only where it alone is wider."""
    rows, row = [], ""
    for part in parts(cell):
        if row and width_of(row) + 1 + width_of(part) <= width:
            row += f" {part}"
            continue
        rows += [row] if row else []
        *whole, row = wrap(part, width) or [""]
        rows += whole
    return [*rows, row] if row else rows


def _widest_part(cells: list[str]) -> int:
    """Columns of what is read as one; a remark that is longer than a narrow column is broken there as a sentence is."""
    widths = (width_of(part) for cell in cells for part in parts(cell))
    return max((width for width in widths if width < LEAST), default=6)


def _grown(needed: dict[int, int], wanted: dict[int, int], room: int) -> dict[int, int]:
    """Widths whose sum is at most `room`, where that is what is needed or more: what is left goes to those that want least."""
    widths = dict(needed)
    for left, n in zip(range(len(needed), 0, -1), sorted(needed, key=lambda n: wanted[n] - needed[n]), strict=True):
        widths[n] = max(needed[n], min(wanted[n], needed[n] + max(0, room - sum(widths.values())) // left))
    return widths


def _cell(text: str, width: int, tone: str) -> Span:
    return (text + " " * (width - width_of(text)), tone)
