"""How a stage's process speaks to the supervisor: a `Reporter` that writes events to a pipe, one a line.

Where several runs go through the stage, a line that is for one of them begins with its name and a tab.
"""

from __future__ import annotations

import os
import time

import msgspec

from ..errors import EdgetuiError
from ..schema import events
from ..schema.sensitivity import SensitivityRow
from ..schema.sweep_shot import Shot

PROGRESS_EVERY_S = 0.2


class PipeReporter:
    """A `Reporter` that writes events to a pipe, thinned out."""

    def __init__(self, fd: int, stage: str, to: str = "") -> None:
        """`to`: the run that hears it; empty: all that go through the stage."""
        self.fd, self._stage = fd, stage
        self._to = f"{to}\t".encode() if to else b""
        self._last = self._learnt = 0.0
        self.warnings: list[str] = []

    def _send(self, event: events.Event) -> None:
        os.write(self.fd, self._to + events.encode(event) + b"\n")

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

    def learning(self, told: events.Learning) -> None:
        """Pass on at most five a second, and always the end of an epoch."""
        now = time.monotonic()
        if told.ended or now - self._learnt >= PROGRESS_EVERY_S:
            self._learnt = now
            self._send(msgspec.structs.replace(told, stage=self._stage))

    def window(self, side: str, begin_s: float, end_s: float | None = None) -> None:
        """A stretch in which something is measured, when it begins and when it has ended."""
        self._send(events.MeasuredWindow(stage=self._stage, side=side, begin_s=begin_s, end_s=end_s))

    def row(self, row: SensitivityRow) -> None:
        """A row of a sensitivity."""
        self._send(events.RowFound(row=row))

    def shot(self, shot: Shot) -> None:
        """A window of a sweep."""
        self._send(events.ShotTaken(shot=shot))

    def waiting(self, queued: events.Queued) -> None:
        """Others have the board, or come before us."""
        self._send(queued)

    def failed(self, error: EdgetuiError) -> None:
        """The stage's last word."""
        self._send(events.StageFailed.of(self._stage, error))
