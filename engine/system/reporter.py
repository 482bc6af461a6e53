"""How code below the pipeline tells how far it is, without knowing of runs, files or screens."""

from __future__ import annotations

from typing import Protocol

from ..errors import EdgetuiError
from ..schema.events import Learning


class Reporter(Protocol):
    """Handed to everything that takes time. Cheap to call: the receiver thins progress out."""

    warnings: list[str]
    """What was warned of so far, for the result."""

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """How far: `done` of `total` (None: unknown), in units that `text` names."""

    def note(self, text: str) -> None:
        """A line for the log."""

    def warn(self, text: str) -> None:
        """A line for the log and for the result: what the user should know before trusting it."""

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """A live figure of the measured loop, a few a second at most."""

    def learning(self, told: Learning) -> None:
        """How well a training goes, as often as it likes."""

    def failed(self, error: EdgetuiError) -> None:
        """The last word of a stage, or of one of the runs that go through it together."""

    def window(self, side: str, begin_s: float, end_s: float | None = None) -> None:
        """A stretch in which `side` (empty: all in turns) is measured, monotonic: when it begins, and when it has ended."""


class Stretch:
    """A `Reporter` for a part of a stage, from one share of the whole to another: two builds are one way from 0 to 100 %."""

    def __init__(self, say: Reporter, begin: float, end: float) -> None:
        self._say, self._begin, self._end = say, begin, end
        self.note, self.warn, self.reading, self.warnings = say.note, say.warn, say.reading, say.warnings
        self.failed, self.window, self.learning = say.failed, say.window, say.learning

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Pass on as a share of the whole, in percent."""
        if not total:
            self._say.progress(done, None, text)
        else:
            share = self._begin + (self._end - self._begin) * min(1.0, done / total)
            self._say.progress(round(100 * share, 1), 100, text)


class NullReporter:
    """A `Reporter` for tests and for callers that do not listen; keeps notes, warnings, windows and ends of epochs."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.windows: list[tuple[str, float, float | None]] = []
        self.warnings: list[str] = []
        self.epochs: list[Learning] = []

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Drop it."""

    def learning(self, told: Learning) -> None:
        """Keep the end of an epoch."""
        if told.ended:
            self.epochs.append(told)

    def window(self, side: str, begin_s: float, end_s: float | None = None) -> None:
        """Keep it."""
        self.windows.append((side, begin_s, end_s))

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)

    def warn(self, text: str) -> None:
        """Keep it."""
        self.warnings.append(text)

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """Drop it."""

    def failed(self, error: EdgetuiError) -> None:
        """Drop it."""
