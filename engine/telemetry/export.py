"""A recording as CSV or JSON, line by line: it can be larger than memory."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..errors import StorageRefused, UsageError, from_os_error
from .replay import Recording
from .sample import Sample, encode

_PLAIN = (
    "t_s", "wall", "source", "total_mw", "total_scope", "gpu_load_pct", "emc_load_pct", "ram_used_mb", "ram_total_mb",
    "swap_used_mb", "swap_total_mb", "fan_rpm", "power_mode",
)  # fmt: skip
_NAMED = ("rails_mw", "carrier_mw", "engine_load_pct", "temps_c", "clocks_mhz", "counters")
_LISTED = ("gpu_freq_mhz", "cpu_load_pct", "cpu_freq_mhz")


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
    writer.writerow([*(name for name, _ in columns), "mark"])
    marks = sorted(recording.marks, key=lambda mark: mark.t_s)
    for sample in recording:
        due = [mark.note for mark in marks if mark.t_s <= sample.t_s]
        marks = marks[len(due) :]
        row = [value(sample) for _, value in columns]
        writer.writerow(["" if cell is None else cell for cell in row] + ["; ".join(due)])


def to_json(recording: Recording, out: TextIO) -> None:
    """One document: `header`, `samples`, `marks`, `alerts`."""
    out.write('{"header":' + encode(recording.header).decode() + ',"samples":[')
    for k, sample in enumerate(recording):
        out.write(("," if k else "") + "\n" + encode(sample).decode())
    out.write('\n],"marks":' + encode(recording.marks).decode() + ',"alerts":' + encode(recording.alerts).decode() + "}\n")


_Value = Callable[[Sample], object]


def _columns(recording: Recording) -> list[tuple[str, _Value]]:
    """All columns that any sample has, in a fixed order of groups."""
    names: dict[str, dict[str, None]] = {group: {} for group in _NAMED}
    longest = dict.fromkeys(_LISTED, 0)
    for sample in recording:
        for group in _NAMED:
            names[group].update(dict.fromkeys(getattr(sample, group)))
        for group in _LISTED:
            longest[group] = max(longest[group], len(getattr(sample, group)))
    columns = [(name, _plain(name)) for name in _PLAIN]
    columns += [(f"{group}.{name}", _named(group, name)) for group in _NAMED for name in names[group]]
    columns += [(f"{group}.{k}", _listed(group, k)) for group in _LISTED for k in range(longest[group])]
    return columns


def _plain(name: str) -> _Value:
    return lambda sample: getattr(sample, name)


def _named(group: str, name: str) -> _Value:
    return lambda sample: getattr(sample, group).get(name)


def _listed(group: str, k: int) -> _Value:
    return lambda sample: values[k] if k < len(values := getattr(sample, group)) else None
