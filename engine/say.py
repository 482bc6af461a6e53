"""How code below the pipeline tells how far it is, without knowing of runs, files or screens."""

from __future__ import annotations

from typing import Protocol


class Say(Protocol):
    """Handed to everything that takes time. Cheap to call: the receiver thins progress out."""

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """How far: `done` of `total` (None: unknown), in units that `text` names."""

    def note(self, text: str) -> None:
        """A line for the log."""

    def warn(self, text: str) -> None:
        """A line for the log and for the result: what the user should know before trusting it."""

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """A live figure of the measured loop, a few a second at most."""


class Stretch:
    """A `Say` for a part of a stage, from one share of the whole to another: two builds are one way from 0 to 100 %."""

    def __init__(self, say: Say, begin: float, end: float) -> None:
        self._say, self._begin, self._end = say, begin, end
        self.note, self.warn, self.reading = say.note, say.warn, say.reading

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Pass on as a share of the whole, in percent."""
        if not total:
            self._say.progress(done, None, text)
        else:
            share = self._begin + (self._end - self._begin) * min(1.0, done / total)
            self._say.progress(round(100 * share, 1), 100, text)


class Silent:
    """A `Say` for tests and for callers that do not listen; keeps the notes and warnings."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Drop it."""

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)

    def warn(self, text: str) -> None:
        """Keep it."""
        self.warnings.append(text)

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """Drop it."""
