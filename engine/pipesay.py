"""How a stage's process speaks to the supervisor: a `Say` that writes events to a pipe, one a line."""

from __future__ import annotations

import os
import time

from . import events
from .errors import EdgetuiError

PROGRESS_EVERY_S = 0.2


class PipeSay:
    """A `Say` that writes events to a pipe, thinned out."""

    def __init__(self, fd: int, stage: str) -> None:
        self._fd, self._stage = fd, stage
        self._last = 0.0
        self.warnings: list[str] = []

    def _send(self, event: events.Event) -> None:
        os.write(self._fd, events.encode(event) + b"\n")

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Pass on at most five a second, and always the last."""
        now = time.monotonic()
        if done == total or now - self._last >= PROGRESS_EVERY_S:
            self._last = now
            self._send(events.Progress(stage=self._stage, done=done, total=total, text=text))

    def note(self, text: str) -> None:
        """A line for the log pane."""
        self._send(events.Note(stage=self._stage, text=text))

    def warn(self, text: str) -> None:
        """A line for the log pane and for the result; the same one only once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._send(events.Note(stage=self._stage, level="warning", text=text))

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """A live figure; the measuring code thins these out itself."""
        self._send(events.Reading(side=side, latency_ms=latency_ms, mean_ms=mean_ms, half_width=half_width, samples=samples))

    def failed(self, error: EdgetuiError) -> None:
        """The stage's last word."""
        self._send(events.StageFailed(stage=self._stage, what=error.what, fix=error.fix))
