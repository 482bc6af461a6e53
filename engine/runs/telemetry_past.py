"""What telemetry.jsonl of a run tells of the time before anybody looked, for charts that begin later than the run.

Read in one pass into a history of fixed size: a day of lines takes no more memory than a minute of them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from ..schema.ready import ready
from ..telemetry.history import LEVELS, Bucket, History
from ..telemetry.run_clock import RunClock
from .telemetry_log import LINE_S

_TAIL = 1 << 16
_AT_ONCE = 200
LONGEST_S = max(width_s * count for width_s, count in LEVELS)
"""A history reaches no further back."""


class _At(msgspec.Struct):
    t: float


def read_past(folder: Path, clock: RunClock, until_s: float, into: History) -> RunClock:
    """Put the lines before the monotonic second `until_s` into a history, for a thread; returns the clock, put right by when
    the last line was written. What is damaged is passed over.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        file = (folder / "telemetry.jsonl").open("rb")
    except FileNotFoundError:
        return clock
    with file:
        clock = _put_right(file.fileno(), clock)
        since_s = until_s - LONGEST_S
        line_of, at_of = msgspec.json.Decoder(dict), msgspec.json.Decoder(ready(_At))
        within = False
        for number, line in enumerate(file):
            if number % _AT_ONCE == 0:
                time.sleep(0)  # the screen's thread may draw
            try:
                if not within:  # of a run of a week, six days are passed over for the price of one number a line
                    t = at_of.decode(line).t
                    within = t > clock.from_t and clock.zero_s + t > since_s
                    if not within:
                        continue
                said = line_of.decode(line)
            except msgspec.DecodeError:
                continue
            at = said.get("t")
            if not isinstance(at, int | float):
                continue
            if clock.zero_s + at >= until_s:
                break
            into.add_line(clock.zero_s + at - LINE_S, LINE_S, _figures(said))
    return clock


def _figures(said: dict[str, object]) -> dict[str, Bucket]:
    """(least, mean, largest) by the name of the series."""
    found = {}
    for name, value in said.items():
        if isinstance(value, list) and len(value) == 3 and all(isinstance(each, int | float) for each in value):
            found[name] = (value[0], value[1], value[2])
    return found


def _put_right(fd: int, clock: RunClock) -> RunClock:
    """A run's events tell its clock to how long ago the last of them is; a line comes every second."""
    if clock.exact:
        return clock
    said = os.fstat(fd)
    for line in reversed(os.pread(fd, _TAIL, max(0, said.st_size - _TAIL)).splitlines()):
        try:
            t = msgspec.json.decode(line, type=ready(_At)).t
        except msgspec.DecodeError:
            continue
        if t > clock.from_t:
            ago_s = max(0.0, time.time() - said.st_mtime)
            clock = clock._replace(zero_s=min(clock.zero_s, time.monotonic() - ago_s - t))
        break
    return clock
