"""Lines of a TSV as texts and their labels, whichever column is which; what cannot be used is counted and named.

Apart from `texts.py`, which makes a model's input of them.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import DataRefused
from ..system.reporter import Reporter

_LARGEST_BYTES = 256_000_000
_NAMED = 3
_FORM = "write a line for each text: its label, a tab, the text"
_HEADS = {"label": 0, "labels": 0, "class": 0, "sentiment": 0, "text": 1, "sentence": 1, "review": 1}
"""Columns by their names: the label (0) or the text (1)."""


class LabelledText(NamedTuple):
    """A line of the file."""

    line: int
    text: str
    label: int
    """-1: there is none."""


def read_texts(path: Path, classes: Sequence[str], say: Reporter, *, labelled: bool) -> list[LabelledText]:
    """The lines that can be used; the others are counted and named. `classes`: names that may stand for their numbers.

    Raises:
        DataRefused: it is no such file, or no line can be used.
    """
    try:
        size = path.stat().st_size
        if size > _LARGEST_BYTES:
            raise DataRefused(
                f"{path} takes {-(-size // 1_000_000)} MB; up to {_LARGEST_BYTES / 1e6:.0f} MB are read",
                fix="keep a part of its lines",
            )
        rows = [line.rstrip("\r").split("\t") for line in _decoded(path.read_bytes()).split("\n")]
    except OSError as error:
        raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="check the path and its permissions") from None
    if not any(any(cell.strip() for cell in row) for row in rows):
        raise DataRefused(f"{path} is empty", fix=_FORM)
    numbers = {name.casefold(): number for number, name in reversed(list(enumerate(classes)))}
    first, where = _columns(path, rows, numbers)
    found, faults = [], _Faults(path)
    for line, row in enumerate(rows[first:], first + 1):
        if not any(cell.strip() for cell in row):
            continue
        if where is None:
            found.append(LabelledText(line, "\t".join(row), -1))
            continue
        if len(row) <= max(where):
            faults.note(f"without {max(where) + 1} columns", line)
            continue
        label, text = _number(row[where[0]], numbers), row[where[1]].strip()
        if label is None and labelled:
            faults.note("whose label is no number" + (" and none of `classes`" if classes else ""), line)
        elif not text:
            faults.note("without a text", line)
        else:
            found.append(LabelledText(line, text, -1 if label is None else label))
    if not found:
        raise DataRefused(
            f"no line of {path} can be used: {faults.words()}", fix="write a line for each text: its label, a tab, the text"
        )
    if faults.counts:
        say.warn(f"{path.name}: lines are passed over: {faults.words()}")
    return found


def _decoded(data: bytes) -> str:
    """UTF-8, or UTF-16 where its mark stands before it, as spreadsheets save it."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig", "replace")


class _Faults:
    """Lines that are passed over, and why."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[str, list[int]] = {}

    def note(self, why: str, line: int) -> None:
        self.counts.setdefault(why, []).append(line)

    def words(self) -> str:
        parts = []
        for why, lines in self.counts.items():
            named = ", ".join(map(str, lines[:_NAMED])) + (", ..." if len(lines) > _NAMED else "")
            parts.append(f"{len(lines)} {why} (line {named})")
        return "; ".join(parts) or "there is none"


def _columns(path: Path, rows: Sequence[Sequence[str]], numbers: Mapping[str, int]) -> tuple[int, tuple[int, int] | None]:
    """The first row with a text, and which columns have label and text; None: there is one column, of texts.

    Raises:
        DataRefused: it cannot be told.
    """
    head = {_HEADS[cell.strip().casefold()]: place for place, cell in enumerate(rows[0]) if cell.strip().casefold() in _HEADS}
    if len(head) == 2:
        return 1, (head[0], head[1])
    many = max(map(len, rows))
    if many == 1:
        return int(1 in head), None
    if many > 2:
        raise DataRefused(
            f"{path} has {many} columns, and nothing says which is the label and which the text",
            fix="name them in its first line, label and text, or leave those two",
        )
    whole = [row for row in rows if len(row) == 2]
    told = [sum(_number(row[place], numbers) is not None for row in whole) for place in (0, 1)]
    if not any(told):
        raise DataRefused(
            f"no column of {path} is a label", fix="write whole numbers from 0, or `classes` into the dataset's TOML file"
        )
    label = 0 if told[0] >= told[1] else 1
    unnamed = len(rows) > 1 and len(rows[0]) == 2 and _number(rows[0][label], numbers) is None and told[label] == len(whole) - 1
    return int(unnamed), (label, 1 - label)


def _number(cell: str, numbers: Mapping[str, int]) -> int | None:
    cell = cell.strip()
    if cell.casefold() in numbers:
        return numbers[cell.casefold()]
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else None
