"""Recordings and tegrastats logs, read again: one sample a line, by number or by time, at any speed.

Only the place and time of each line is kept in memory (16 bytes); a day at 1 Hz is 1.4 MB.
"""

from __future__ import annotations

import bisect
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import structs

from ..errors import DataRefused
from ..system.boards import Profile
from .recording import VERSION
from .recording_parts import Parts
from .sample import Sample, Stats, decode
from .tegrastats_log import TegrastatsLog
from .text_lines import LONGEST_LINE, WHAT, lines_of, opened

_MOST_AT_ONCE = 4096
_LOOKED_AT = 1 << 16
_LINE_ENDS = re.compile(rb"[\r\n]")
_DOCUMENT = re.compile(rb"^\s*\{(?=.*\"(?:t_s|kind)\":)", re.MULTILINE)


class Recording:
    """A recording, or a log of tegrastats (lines that begin with # are passed over).

    Raises:
        DataRefused: there is no such file, or nothing in it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = opened(path)
        try:
            self.tegrastats = not _DOCUMENT.search(os.pread(self._fd, _LOOKED_AT, 0))
            with open(self._fd, "rb", closefd=False) as file:
                lines = lines_of(file)
                self._log = TegrastatsLog(lines) if self.tegrastats else None
                read = self._log or Parts(lines)
        except OSError as error:
            self.close()
            raise DataRefused(f"{path} cannot be read ({error.strerror})", fix="copy it to a sound disk") from error
        self.header, self.marks, self.alerts = read.header, read.marks, read.alerts
        self.broken = read.broken
        """Lines of a recording that could not be read, or go back in time; a half line at the end is normal."""
        self.times_s, self._offsets = read.times_s, read.offsets
        self.notes: tuple[str, ...] = tuple(read.notes)
        """What has to be known of its times and its samples, in sentences."""
        self.assumed = self._log.assumed if self._log is not None else ""
        """What is taken for the time between lines that tell none; empty: they tell it."""
        if not self.times_s or (self._log is not None and not self._log.lines):
            self.close()
            if self.header.version > VERSION:
                raise DataRefused(
                    f"{path} is a recording of a newer edgetui, in a form this one does not know", fix="update edgetui"
                )
            raise DataRefused(f"nothing in {path} can be replayed", fix=WHAT)

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
        if self._log is not None:
            return self._log.sample(lambda n: self._line(n).decode("utf-8", "replace"), k)
        sample = decode(self._line(k))
        return sample if sample.t_s == self.times_s[k] else structs.replace(sample, t_s=self.times_s[k])

    def _line(self, k: int) -> bytes:
        begin = self._offsets[k]
        end = self._offsets[k + 1] if k + 1 < len(self._offsets) else begin + LONGEST_LINE
        return _LINE_ENDS.split(os.pread(self._fd, min(end - begin, LONGEST_LINE), begin), maxsplit=1)[0]

    @property
    def said(self) -> tuple[str, ...]:
        """All that a reader has to know of it."""
        return (*filter(None, [self.assumed]), *self.notes)

    def tells_power(self) -> bool:
        """Any sample has a rail or a total; looks as far as the first that has."""
        return any(sample.rails_mw or sample.total_scope for sample in self)

    def first(self) -> Sample:
        """The first sample that says anything: a log may begin with lines of other programs."""
        return next((sample for sample in self if not sample.empty), self.sample(0))

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


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
