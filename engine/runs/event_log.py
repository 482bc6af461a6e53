"""Writing events.jsonl: the one file that says how a run went, so nothing in it is lost or half there."""

from __future__ import annotations

import os
import time

import msgspec

from ..schema.events import AnyEvent
from ..schema.events import encode as encode_event
from .folder import RunDir


class EventLog:
    """Numbers a run's events and appends them, for its supervisor; on a full disk lines wait, and nothing fails."""

    def __init__(self, folder: RunDir) -> None:
        self._file = folder.path / "events.jsonl"
        past, end = folder.events_from(0)
        self._fd = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.ftruncate(self._fd, end)
        self._end = end
        self._n = past[-1].n if past else 0
        self.resumed = bool(past)
        """The log had events already."""
        self.shift_s = (past[-1].t if past else 0.0) - time.monotonic()
        """Added to monotonic seconds it gives the run's own, which a resume carries on."""
        self._waiting: list[bytes] = []

    def write(self, event: AnyEvent) -> AnyEvent:
        """Stamp and append; lines that found no room are tried again with the next one."""
        self._n += 1
        stamped = msgspec.structs.replace(event, n=self._n, t=round(time.monotonic() + self.shift_s, 3))
        self._waiting.append(encode_event(stamped) + b"\n")
        self.flush()
        return stamped

    def flush(self) -> bool:
        """Append what waits; False when there is still no room."""
        data = b"".join(self._waiting)
        try:
            done = os.pwrite(self._fd, data, self._end)
        except OSError:
            return False
        if done < len(data):
            os.ftruncate(self._fd, self._end)
            return False
        self._end += done
        self._waiting.clear()
        return True

    def close(self) -> None:
        """Flush to the disk and close."""
        self.flush()
        os.close(self._fd)
