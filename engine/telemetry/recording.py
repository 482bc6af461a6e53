"""Recordings: telemetry documents in a file, a line each, with a header, marks and alerts between them.

The first line is a `Header`. A line that begins with `{"t_s":` is a telemetry document as `monitor --json` prints it; marks
and alerts have a `kind`. Lines are written to the file more than once a second: a kill loses at most the last second.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec import Struct

from ..errors import DAMAGED, StorageRefused, from_os_error
from ..schema.ready import ready
from ..system.boards import Board, Total
from .alerts import AlertEvent
from .energy import Readings
from .sample import Sample, encode, wall_now

_FLUSH_S = 0.7
"""Looked at a few times a second, lines are then never older than a second."""
VERSION = 1


class Header(Struct, frozen=True, kw_only=True, tag_field="kind", tag="recording"):
    """Where, how and by which rules a recording was made."""

    version: int = VERSION
    board: str = ""
    os: str = ""
    source: str = ""
    rate_hz: float | None = None
    total: tuple[Total, ...] = ()
    """The rules for the total that held."""
    power_step_mw: int | None = None
    t_s: float = 0.0
    wall: str = ""


class Mark(Struct, frozen=True, kw_only=True, tag_field="kind", tag="mark"):
    """A moment that somebody marked, with a note."""

    t_s: float
    wall: str = ""
    note: str = ""
    raised: ClassVar[None] = None
    """It is no alert, which begins or ends."""

    @property
    def text(self) -> str:
        """`mark: the drone turns`."""
        return f"mark: {self.note}"


def header_of(board: Board, source: str, rate_hz: float | None) -> Header:
    """The header for a recording that begins now."""
    return Header(
        board=board.name,
        os=board.os,
        source=source,
        rate_hz=rate_hz,
        total=board.profile.total,
        power_step_mw=board.profile.power_step_mw,
        t_s=time.monotonic(),
        wall=wall_now(),
    )


class Recorder:
    """Writes a recording. Call `pump` a few times a second, or `write` and `flush_if_due`, and `close` at the end.

    Raises:
        StorageRefused: the file is there already, or cannot be written; from every method when the disk is full.
    """

    def __init__(self, path: Path, header: Header) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise StorageRefused(f"{path} is there already", fix="give another file name; nothing is overwritten") from None
        except OSError as error:
            raise from_os_error(error) from error
        self.path = path
        self._lines: list[bytes] = [encode(header)]
        self._seen = 0
        self._bytes = 0
        self._began_s = self._flushed_s = time.monotonic()
        try:
            self.flush()
        except StorageRefused:
            self.close()
            path.unlink(missing_ok=True)
            raise

    @property
    def size_bytes(self) -> int:
        """Bytes in the file so far."""
        return self._bytes

    def days_left(self) -> float | None:
        """Days until the disk is full at the rate so far; None: too early to tell."""
        seconds = time.monotonic() - self._began_s
        if seconds < 2.0 or self._bytes == 0:
            return None
        facts = os.fstatvfs(self._fd)
        return facts.f_bavail * facts.f_frsize / (self._bytes / seconds) / 86400.0

    def pump(self, readings: Readings) -> list[Sample]:
        """Take over all samples since the last call; returns them."""
        fresh = []
        for n, sample in readings.since(self._seen):
            self._seen = n
            self._lines.append(encode(sample))
            fresh.append(sample)
        self.flush_if_due()
        return fresh

    def write(self, sample: Sample) -> None:
        """One sample."""
        self._lines.append(encode(sample))
        self.flush_if_due()

    def mark(self, note: str, t_s: float | None = None) -> Mark:
        """Mark this moment; it is in the file at once."""
        made = Mark(t_s=time.monotonic() if t_s is None else t_s, wall=wall_now(), note=note)
        self._lines.append(encode(made))
        self.flush()
        return made

    def alert(self, event: AlertEvent) -> None:
        """An alert that began or ended; it is in the file at once."""
        self._lines.append(encode(event))
        self.flush()

    def flush_if_due(self) -> None:
        """Hand lines to the system that have waited long enough."""
        if time.monotonic() - self._flushed_s >= _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Hand all lines to the system."""
        data = b"".join(line + b"\n" for line in self._lines)
        self._lines.clear()  # what cannot be written is not tried again
        try:
            while data:
                written = os.write(self._fd, data)
                self._bytes += written
                data = data[written:]
        except OSError as error:
            then = "record to a new file; what this one holds can be replayed"
            raise from_os_error(error, path=self.path, then=then) from error
        self._flushed_s = time.monotonic()

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._fd >= 0:
            try:
                self.flush()
            finally:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(StorageRefused):
            self.close()


_note_decoder: msgspec.json.Decoder[Header | Mark | AlertEvent] = msgspec.json.Decoder(ready(Header | Mark | AlertEvent))


def decode_note(line: bytes) -> Header | Mark | AlertEvent | None:
    """A line that is no sample; None for a half line, a damaged one or a kind of a later version."""
    try:
        return _note_decoder.decode(line)
    except DAMAGED:
        return None
