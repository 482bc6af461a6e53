"""Recordings and tegrastats logs, read again: one sample a line, by number or by time, at any speed.

Only the place and time of each line is kept in memory (16 bytes); a day at 1 Hz is 1.4 MB.
"""

from __future__ import annotations

import bisect
import os
import stat
import time
from array import array
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from ..boards import Profile
from ..errors import DAMAGED, DataRefused
from .alerts import AlertEvent
from .recording import Header, Mark, decode_note
from .sample import Sample, Stats, decode
from .sources.tegrastats import sample_of
from .tegrastats import parse

_NOTE = b'{"kind":'
_MOST_AT_ONCE = 4096
_LONGEST_LINE = 1 << 20
_SET_S = 86400.0
"""A step of a day and more is a clock that was set: boards without a battery jump by years when NTP arrives."""
_WHAT = "give a file from `monitor --record` or a log of tegrastats"
_STAMP_BYTES = len("MM-DD-YYYY HH:MM:SS")


class Recording:
    """A recording, or a log of tegrastats (lines that begin with # are passed over).

    Raises:
        DataRefused: there is no such file, or nothing in it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = Header()
        self.marks: list[Mark] = []
        self.alerts: list[AlertEvent] = []
        self.broken = 0
        """Lines that could not be read, or go back in time; a half line at the end is normal."""
        self.times_s = array("d")
        self._offsets = array("Q")
        self._fd = _opened(path)
        try:
            self.tegrastats = os.pread(self._fd, 1, 0) != b"{"
            with open(self._fd, "rb", closefd=False) as file:
                (self._index_log if self.tegrastats else self._index_recording)(_lines(file))
        except OSError as error:
            self.close()
            raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="copy it to a sound disk") from error
        if not self.times_s or (self.tegrastats and not self._says_anything()):
            self.close()
            raise DataRefused(f"nothing in {path} can be replayed", fix=_WHAT)

    def __len__(self) -> int:
        return len(self.times_s)

    def __iter__(self) -> Iterator[Sample]:
        return (self.sample(k) for k in range(len(self)))

    @property
    def duration_s(self) -> float:
        """From the first sample to the last."""
        return self.times_s[-1] - self.times_s[0]

    @property
    def watt_decimals(self) -> int:
        """Decimals of a watt that mean something on the board that was recorded."""
        return Profile(name=self.header.board, power_step_mw=self.header.power_step_mw).watt_decimals

    def sample(self, k: int) -> Sample:
        """Sample number `k`, from 0."""
        begin = self._offsets[k]
        end = self._offsets[k + 1] if k + 1 < len(self._offsets) else begin + _LONGEST_LINE
        line = os.pread(self._fd, min(end - begin, _LONGEST_LINE), begin).partition(b"\n")[0]
        if not self.tegrastats:
            return decode(line)
        text = line.decode("utf-8", "replace")
        stamp = _stamp(line)
        wall = "" if stamp is None else stamp.isoformat(timespec="seconds")
        return sample_of(parse(text), self.times_s[k], wall, "tegrastats", None)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _says_anything(self) -> bool:
        """At least one line is one of tegrastats, which has its memory in each."""
        return any(sample.ram_total_mb is not None or sample.rails_mw or sample.temps_c for sample in self)

    def _index_recording(self, lines: Iterator[tuple[int, bytes]]) -> None:
        for offset, line in lines:
            if line.startswith(_NOTE):
                self._take_note(line)
            elif (t_s := _time_of(line)) is not None and (not self.times_s or t_s >= self.times_s[-1]):
                self.times_s.append(t_s)
                self._offsets.append(offset)
            elif line.strip():
                self.broken += 1

    def _take_note(self, line: bytes) -> None:
        match decode_note(line):
            case Header() as header:
                self.header = header
            case Mark() as mark:
                self.marks.append(mark)
            case AlertEvent() as alert:
                self.alerts.append(alert)
            case None:
                self.broken += 1

    def _index_log(self, lines: Iterator[tuple[int, bytes]]) -> None:
        """Seconds from the lines' own stamps, one a second where they have none and where the clock was set."""
        clock_s = t_s = -1.0
        before: datetime | None = None
        for offset, line in lines:
            if line.strip() and not line.startswith(b"#"):
                stamp = _stamp(line)
                step_s = 1.0
                if stamp is not None and before is not None and 0 <= (passed_s := (stamp - before).total_seconds()) < _SET_S:
                    step_s = passed_s
                before = stamp or before
                clock_s += step_s
                t_s = max(clock_s, t_s + 1e-3)  # several lines within a second keep their order
                self.times_s.append(t_s)
                self._offsets.append(offset)
        self.header = Header(source="tegrastats")


def _opened(path: Path) -> int:
    """A file descriptor. A pipe or a device would be waited at, or read, for ever."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise DataRefused(f"there is no file {path}", fix="check the path") from None
    except OSError as error:
        raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="check the path and its permissions") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise DataRefused(f"{path} is no file", fix=_WHAT)
    return fd


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their places; one that is too long for any of ours comes in pieces, which nobody can read."""
    offset = 0
    while line := file.readline(_LONGEST_LINE):
        yield offset, line
        offset += len(line)


def _time_of(line: bytes) -> float | None:
    """Seconds of a telemetry document; None: it is none."""
    try:
        return decode(line).t_s
    except DAMAGED:
        return None


def _stamp(line: bytes) -> datetime | None:
    try:
        return datetime.strptime(line.lstrip()[:_STAMP_BYTES].decode("ascii"), "%m-%d-%Y %H:%M:%S")
    except ValueError:
        return None


class Player:
    """A recording that plays: reads like a sampler's client, with a speed and a place.

    `t_s` of the samples is the recording's own. Seeking back lowers `newest_number`: start pictures anew then.
    """

    def __init__(self, recording: Recording, speed: float = 1.0) -> None:
        self.recording = recording
        self._speed = speed
        self._at_s, self._since_s = 0.0, time.monotonic()

    @property
    def source(self) -> str:
        """What made the recording."""
        return self.recording.header.source or "replay"

    @property
    def position_s(self) -> float:
        """Seconds since the first sample."""
        return min(self._at_s + (time.monotonic() - self._since_s) * self._speed, self.recording.duration_s)

    @property
    def ended(self) -> bool:
        """The last sample has been played."""
        return self.position_s >= self.recording.duration_s

    @property
    def speed(self) -> float:
        """1: as it was; 0: paused."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._at_s, self._since_s = self.position_s, time.monotonic()
        self._speed = max(value, 0.0)

    def seek(self, position_s: float) -> None:
        """Go to a place, in seconds since the first sample."""
        self._at_s, self._since_s = min(max(position_s, 0.0), self.recording.duration_s), time.monotonic()

    def newest_number(self) -> int:
        """Number of the sample that is played now, from 1."""
        times = self.recording.times_s
        return bisect.bisect_right(times, times[0] + self.position_s + 1e-9)

    def newest(self) -> Sample | None:
        """The sample that is played now."""
        return self.recording.sample(self.newest_number() - 1)

    def since(self, n: int) -> list[tuple[int, Sample]]:
        """Samples after number `n` up to now, the last few thousand at most."""
        newest = self.newest_number()
        first = max(n, newest - _MOST_AT_ONCE, 0)
        return [(k + 1, self.recording.sample(k)) for k in range(first, newest)]

    def stats(self) -> Stats:
        """What is known about the making of the recording."""
        header = self.recording.header
        rate_hz = (len(self.recording) - 1) / self.recording.duration_s if self.recording.duration_s > 0 else None
        return Stats(
            source=self.source,
            board=header.board,
            rate_hz=header.rate_hz or rate_hz or 0.0,
            effective_rate_hz=rate_hz,
            samples=len(self.recording),
        )

    def problem(self) -> str | None:
        """A recording that could be opened plays."""
        return None

    def close(self) -> None:
        """Close the recording."""
        self.recording.close()
