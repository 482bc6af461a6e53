"""A recording as CSV or JSON, line by line: it can be larger than memory."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..errors import StorageRefused, UsageError, from_os_error
from ..system.csv_cells import as_cell
from .quantities import QUANTITIES
from .replay import Recording
from .sample import Sample, encode

_FIRST, _LAST = ("t_s", "wall", "source"), ("power_mode",)
_COUNTERS = "counters"
"""Fields beside the quantities."""
_BLANK = Sample(t_s=0.0)


def to_file(path: Path, to: Path) -> tuple[int, tuple[str, ...]]:
    """Write a recording or a log into a new file, by its ending; returns the number of samples, and what has to be
    known of them. A failure leaves no file.

    Raises:
        UsageError: `to` ends in neither .csv nor .json.
        DataRefused: the recording cannot be read.
        StorageRefused: `to` is there already, or cannot be written.
    """
    write = {".csv": to_csv, ".json": to_json}.get(to.suffix.lower())
    if write is None:
        raise UsageError(f"cannot tell what {to} shall be", fix="name a file that ends in .csv or .json")
    with contextlib.closing(Recording(path)) as recording:
        try:
            out = to.open("x", encoding="utf-8", newline="")
            try:
                with out:  # the last of it is written when it is closed
                    write(recording, out)
            except BaseException:
                to.unlink()
                raise
        except FileExistsError:
            raise StorageRefused(f"{to} is there already", fix="give another file name; nothing is overwritten") from None
        except OSError as error:
            raise from_os_error(error, path=to) from error
        return len(recording), recording.said


def to_csv(recording: Recording, out: TextIO) -> None:
    """A column for each figure, named like `rails_mw.VDD_IN` or `cpu_load_pct.0`; unknown is an empty cell.

    The last column holds the notes of marks since the row before.
    """
    columns = _columns(recording)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(as_cell(name) for name, _ in columns), "mark"])
    marks = sorted(recording.marks, key=lambda mark: mark.t_s)
    for sample in recording:
        due = [mark.note for mark in marks if mark.t_s <= sample.t_s]
        marks = marks[len(due) :]
        row = [value(sample) for _, value in columns]
        writer.writerow(map(as_cell, [*row, "; ".join(due)]))


def to_json(recording: Recording, out: TextIO) -> None:
    """One document: `header`, `samples`, `marks`, `alerts`."""
    out.write('{"header":' + encode(recording.header).decode() + ',"samples":[')
    for k, sample in enumerate(recording):
        out.write(("," if k else "") + "\n" + encode(sample).decode())
    out.write('\n],"marks":' + encode(recording.marks).decode() + ',"alerts":' + encode(recording.alerts).decode() + "}\n")


_Value = Callable[[Sample], object]


def _columns(recording: Recording) -> list[tuple[str, _Value]]:
    """All columns that any sample has, in the order of their fields: single figures, then by name, then by number."""
    order = Sample.__struct_fields__.index
    kept = sorted((q for q in QUANTITIES if q.key in Sample.__struct_fields__), key=lambda quantity: order(quantity.key))
    names: dict[str, dict[str, None]] = {key: {} for key in (*(q.key for q in kept), _COUNTERS)}
    for sample in recording:
        for quantity in kept:
            names[quantity.key].update({name: None for name, value in quantity.values(sample) if name or value is not None})
        names[_COUNTERS].update(dict.fromkeys(sample.counters))
    columns = [(name, _plain(name)) for name in _FIRST]
    for quantity in kept:
        if quantity.single and (quantity.csv_always or names[quantity.key]):
            columns += [(name, _plain(name)) for name in (quantity.key, quantity.about) if name]
    columns += [(name, _plain(name)) for name in _LAST]
    several = [q.key for q in kept if not q.single]
    listed = [key for key in several if isinstance(getattr(_BLANK, key), tuple)]
    for key in (*(key for key in several if key not in listed), _COUNTERS):
        columns += [(f"{key}.{name}", _named(key, name)) for name in names[key]]
    for key in listed:
        columns += [(f"{key}.{k}", _listed(key, k)) for k in range(len(names[key]))]
    return columns


def _plain(name: str) -> _Value:
    return lambda sample: getattr(sample, name)


def _named(key: str, name: str) -> _Value:
    return lambda sample: getattr(sample, key).get(name)


def _listed(key: str, k: int) -> _Value:
    return lambda sample: values[k] if k < len(values := getattr(sample, key)) else None
