"""What is in a dataset, in rows: for the browser's preview and for the screen that describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.report.dataset_report import TRIED_HEADS, found_pairs, proposal, sample_cells, tried_cells
from ...engine.report.width import shortened, width_of
from ..fix_words import as_row
from ..widgets.lines import Line, hanging, wrap
from ..widgets.pictures import gallery

if TYPE_CHECKING:
    from ...engine.schema.dataset_probe import DatasetProbe, SampleShown
    from ..desk import Desk

PICTURE = 14
"""Pixels a side of a sample's picture; as many columns, and half as many rows."""
_LABEL = 9


def shows_pictures(desk: Desk) -> bool:
    """Whether the terminal has colours of its own for pixels, and half blocks."""
    return desk.graph != "ascii" and not desk.no_color and not desk.native_ansi_color


def found_lines(found: DatasetProbe, width: int) -> list[Line]:
    """Kind, samples, images, labels, model."""
    lines: list[Line] = []
    for name, text in found_pairs(found):
        lines += hanging(((f" {name:<{_LABEL}}", "dim"),), text, width, "value" if name == "samples" else "")
    return lines


def sample_lines(shown: Sequence[SampleShown], width: int, most_rows: int = 1000) -> list[Line]:
    """A few samples: pictures where there are some, else a row each."""
    drawn = [(each.picture, each.picture_width, each.label or each.name.rpartition("/")[2]) for each in shown if each.picture]
    lines = gallery(drawn, width - 1, PICTURE, most_rows) if drawn else []
    for each in shown:
        if drawn and not each.broken:
            continue
        name, label, facts = sample_cells(each)
        row: Line = (
            (f" {shortened(name, width // 2)}  ", "warn" if each.broken else ""),
            (f"{label}  " if label else "", "accent"),
        )
        lines.append((*row, (shortened(facts, max(8, width - 1 - sum(width_of(text) for text, _ in row))), "dim")))
    return lines


def tried_lines(found: DatasetProbe, width: int) -> list[Line]:
    """What is proposed, and accuracy by how the model is fed."""
    lines: list[Line] = []
    if told := proposal(found):
        tone = "accent" if found.above_chance else "warn" if found.tried else "dim"
        lines += [((f" {row}", tone),) for row in wrap(told, width - 1)]
    if not found.tried:
        return lines
    cells = [TRIED_HEADS, *(tried_cells(row) for row in found.tried)]
    wide = [max(width_of(row[n]) for row in cells) for n in range(len(TRIED_HEADS))]
    lines.append(())
    for n, row in enumerate(cells):
        tone = "dim" if n == 0 else "good" if n == 1 and found.above_chance else ""
        head = f" {row[0]:<{wide[0]}}  {row[1]:>{wide[1]}}  {row[2]:<{wide[2]}}"
        beside = row[3].replace(" p ", " p\N{NO-BREAK SPACE}") if width - width_of(head) > 12 else ""
        for line in hanging(((head, tone), ("  ", "")), beside, width - 1, "dim"):
            lines.append(tuple((text.replace("\N{NO-BREAK SPACE}", " "), style) for text, style in line))
    each = " each" if len(found.tried) > 1 else ""
    return [*lines, ((f" FP32 over {found.tried[0].n} samples{each}", "dim"),)]


def note_lines(found: DatasetProbe, width: int) -> list[Line]:
    """What has to be known, and what does not fit."""
    lines: list[Line] = []
    for refusal in found.refusals:
        lines += hanging(((" ✗ ", "bad"),), refusal.said(as_row), width, "bad")
    for note in found.notes:
        lines += hanging(((" ! ", "warn"),), note, width, "warn")
    return lines


def preview_lines(found: DatasetProbe, width: int) -> list[Line]:
    """All of it, without a model."""
    return [*found_lines(found, width), (), *sample_lines(found.shown, width), (), *note_lines(found, width)]


def probe_lines(found: DatasetProbe, width: int, trying: str, *, tried_first: bool) -> list[Line]:
    """All of it, part by part. `trying`: what is done now to know what the model makes of it; empty: that is known."""
    tried: list[Line] = [((f" {trying}", "accent"),)] if trying else tried_lines(found, width)
    parts = [found_lines(found, width), note_lines(found, width), tried, sample_lines(found.shown, width)]
    if tried_first:
        parts.insert(0, parts.pop(2))
    return [line for part in parts if part for line in (*part, ())]
