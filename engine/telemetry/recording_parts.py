"""A recording, or several that were put into one file, read in order: where its samples are, and when.

`t_s` begins anew with each start of a machine. What does not go on where the last sample ended is a part of its own, and its
times are moved behind it: by as much as the wall clock says, or one usual interval.
"""

from __future__ import annotations

import itertools
import statistics
from array import array
from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import structs

from ..errors import DAMAGED
from ..schema.ready import ready
from .alerts import AlertEvent
from .log_clock import SET_S
from .recording import VERSION, Header, Mark, decode_note
from .sample import Sample, decode

_NOTE = b'{"kind":'
_SAME_CLOCK_S = 5.0
"""Wall and monotonic clock of one machine drift apart by less, from one recording to the next."""
_LOOKED_BACK = 1000


class Parts:
    """Takes the lines of a file in."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self.header = Header()
        self.marks: list[Mark] = []
        self.alerts: list[AlertEvent] = []
        self.broken = 0
        self.offsets, self.times_s = array("Q"), array("d")
        self._headers: list[Header] = []
        self._begins = False
        """A header has come since the last sample."""
        self._moved_s = 0.0
        """So much is added to the times of the present part."""
        self._parts = 1
        self._last: Sample | None = None
        self._waiting: tuple[int, Sample] | None = None
        """A sample that goes back in time: a damaged one, or the first of a part, which the next one shows."""
        self._early: list[Mark | AlertEvent] = []
        """What came between a header and its first sample."""
        half = 0
        for offset, line in lines:
            half = 0
            if line.startswith(_NOTE):
                half = not self._take_note(line)
            elif (sample := _sample(line)) is not None:
                self._take(offset, sample)
            elif line.strip():
                half = 1
            self.broken += half
        self.broken += self._waiting is not None
        self._lost = self.broken if self.broken > half else 0
        """A half line at the end alone is normal."""
        self._keep_early()
        self.header = self._headers[0] if self._headers else self.header
        self.notes = list(self._notes())

    def _take(self, offset: int, sample: Sample) -> None:
        back = bool(self.times_s) and sample.t_s + self._moved_s < self.times_s[-1]
        if self._begins and self._last is not None and (back or not self._same_clock(sample)):
            self._begin(sample)
        elif back and self._waiting is not None and sample.t_s >= self._waiting[1].t_s:
            first, self._waiting = self._waiting, None
            self._begin(first[1])
            self._append(*first)
        elif back:
            self.broken += self._waiting is not None
            self._waiting = (offset, sample)
            return
        self.broken += self._waiting is not None
        self._waiting, self._begins = None, False
        self._append(offset, sample)
        self._keep_early()

    def _append(self, offset: int, sample: Sample) -> None:
        self.times_s.append(sample.t_s + self._moved_s)
        self.offsets.append(offset)
        self._last = sample

    def _same_clock(self, sample: Sample) -> bool:
        """Recorded on one machine since it started: both clocks tell the same time since the last sample."""
        passed_s = _wall_between(self._last, sample)
        last_s = self._last.t_s if self._last is not None else 0.0
        return passed_s is None or abs(passed_s - (sample.t_s - last_s)) < _SAME_CLOCK_S

    def _begin(self, sample: Sample) -> None:
        """A part begins with this sample."""
        self._parts += 1
        passed_s = _wall_between(self._last, sample)
        if passed_s is None or not 0 <= passed_s < SET_S:
            steps = [b - a for a, b in itertools.pairwise(self.times_s[-_LOOKED_BACK:])]
            passed_s = statistics.median(steps) if steps else 1.0
        self._moved_s = self.times_s[-1] + passed_s - sample.t_s

    def _take_note(self, line: bytes) -> bool:
        """False: it cannot be read."""
        match decode_note(line):
            case Header() as header:
                self._headers.append(header)
                self._begins = True
            case Mark() | AlertEvent() as note:
                self._early.append(note)
                if not self._begins:
                    self._keep_early()
            case None:
                return self._newer(line)
        return True

    def _keep_early(self) -> None:
        for note in self._early:
            moved = structs.replace(note, t_s=note.t_s + self._moved_s) if self._moved_s else note
            (self.marks if isinstance(moved, Mark) else self.alerts).append(moved)  # type: ignore[arg-type]
        self._early.clear()

    def _newer(self, line: bytes) -> bool:
        """A header that cannot be read because its fields are others still tells its version."""
        try:
            found = msgspec.json.decode(line, type=ready(_Kind))
        except DAMAGED:
            return False
        if newer := found.kind == "recording" and found.version > VERSION:
            self._headers.append(Header(version=found.version))
            self._begins = True
        return newer

    def _notes(self) -> Iterator[str]:
        newest = max((header.version for header in self._headers), default=VERSION)
        if newest > VERSION:
            yield "it was recorded by a newer edgetui: what this one does not know is left out"
        if self._parts > 1:
            yield f"{self._parts} recordings are in this file: each is played behind the one before"
        boards = dict.fromkeys(header.board for header in self._headers if header.board)
        if len(boards) > 1:
            yield f"they are of different boards: {', '.join(boards)}"
        if self._lost == 1:
            yield "a line cannot be read, or goes back in time: it is left out"
        elif self._lost:
            yield f"{self._lost} lines cannot be read, or go back in time: they are left out"


class _Kind(msgspec.Struct):
    kind: str = ""
    version: int = 0


def _sample(line: bytes) -> Sample | None:
    """A telemetry document; None: it is none."""
    try:
        return decode(line)
    except DAMAGED:
        return None


def _wall_between(before: Sample | None, after: Sample) -> float | None:
    """Seconds by the wall clock; None: it is not told."""
    if before is None or not before.wall or not after.wall:
        return None
    try:
        return (datetime.fromisoformat(after.wall) - datetime.fromisoformat(before.wall)).total_seconds()
    except (TypeError, ValueError):  # one of them without a zone, or no time at all
        return None
