"""What `monitor` does with samples where there is no screen: lines, documents, a recording, alerts; and how it is ended."""

from __future__ import annotations

import itertools
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

import msgspec

from ...engine.advice.words import size
from ...engine.telemetry.quantities import no_power
from ..readings import columns, left
from .printing import echo, paint

if TYPE_CHECKING:
    from ...engine.api import AlertEvent, Alerts, Mark, Recorder, Sample

_MOST_FILES = 3
FIRST_WORD_S, NEXT_WORD_S = 10.0, 600.0
"""When it is said how large a recording is."""


class Stop:
    """From here on Ctrl+C, SIGTERM and SIGHUP are noted, so that what is being written is written to its end.

    A second Ctrl+C ends at once: a pipe that nobody reads would hold us.
    """

    number = 0
    """The signal that came; 0: none."""

    def __enter__(self) -> Stop:
        self._ear, self._mouth = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._fd_before = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        self._before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(self._fd_before)
        os.close(self._ear)
        os.close(self._mouth)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.number = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    @property
    def status(self) -> int:
        """The exit status that tells of the signal; 0: none came."""
        return 128 + self.number if self.number else 0

    def wait(self, seconds: float) -> bool:
        """Wait; True at once when it is time to end."""
        if not self.number and seconds > 0:
            select.select([self._ear], [], [], seconds)
        return self.number != 0


def _by_folder(names: Iterable[str]) -> Iterator[str]:
    """Each file, or how many in one folder: a dead chip has two dozen."""
    for folder, found in itertools.groupby(sorted(names, key=os.path.split), key=os.path.dirname):
        files = list(found)
        yield from (f"{len(files)} files in {folder}",) if folder and len(files) > _MOST_FILES else files


class Thinner:
    """Passes one sample for each interval, however often samples come."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due_s: float | None = None
        self._last_s = 0.0

    def passes(self, t_s: float) -> bool:
        """Whether this sample is wanted: the one nearest to each beat of the interval."""
        due_s = t_s if self._due_s is None else self._due_s
        early_s = min(self._interval_s / 4, max(t_s - self._last_s, 0.0) / 2)
        self._last_s = t_s
        if t_s < due_s - early_s:
            return False
        self._due_s = max(due_s, t_s - self._interval_s / 2) + self._interval_s
        return True


class SamplePrinter:
    """Prints samples and what happens, and records them. A header stands above the lines whenever the columns are new."""

    def __init__(
        self, alerts: Alerts, recorder: Recorder | None, watt_decimals: int, as_json: bool, *, powered: bool = False
    ) -> None:
        self._alerts, self._recorder = alerts, recorder
        self._power = powered
        """Some sample is known to tell power, be it not the first."""
        self._json, self._decimals = as_json, watt_decimals
        self._heads: list[str] = []
        self._widths: list[int] = []
        self._say_s = time.monotonic() + FIRST_WORD_S
        self._hang: frozenset[str] = frozenset()

    def __enter__(self) -> SamplePrinter:
        if self._recorder is not None:
            echo(f"recording to {self._recorder.path}; Ctrl+C ends it", sys.stderr)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._recorder is not None:
            self._recorder.flush()
            self._say_size("recorded")
            self._recorder.close()
        if error is None:
            sys.stdout.flush()

    def take(self, sample: Sample, *, shown: bool) -> bool:
        """One sample; True if an alert begins with it."""
        if shown:
            self._print(sample)
            if self._recorder is not None:
                self._recorder.write(sample)
        return self._tell(self._alerts.update(sample))

    def no_sample(self, now_s: float) -> bool:
        """Nothing has come; True if an alert begins for that."""
        return self._tell(self._alerts.tick(now_s))

    def hang(self, names: tuple[str, ...]) -> None:
        """Files that give no answer now; said when they begin, and when they have answered again."""
        for which in _by_folder(set(names) - self._hang):
            echo(f"! no answer from {which}; the others go on", sys.stderr)
        for which in _by_folder(self._hang - set(names)):
            echo(f"! an answer again from {which}", sys.stderr)
        self._hang = frozenset(names)

    def mark(self, mark: Mark) -> None:
        """A mark of a recording that is replayed."""
        self._say(mark.text)
        if self._recorder is not None:
            self._recorder.mark(mark.note, mark.t_s)

    def flush(self) -> None:
        """Send what has been printed, write what has waited."""
        sys.stdout.flush()
        if self._recorder is not None:
            self._recorder.flush_if_due()
            if time.monotonic() >= self._say_s:
                self._say_s = time.monotonic() + NEXT_WORD_S
                self._say_size("recording")

    def _print(self, sample: Sample) -> None:
        if self._json:
            sys.stdout.buffer.write(msgspec.json.encode(sample) + b"\n")
            return
        if sample.empty:  # of a log, a line of another program; of a board, a beat at which nothing spoke
            return
        cells = columns(sample, self._decimals)
        heads = [head for head, _ in cells]
        if heads != self._heads:
            if not self._heads and not (self._power or sample.rails_mw or sample.total_scope):
                echo(f"# {no_power(sample)}")
            self._heads = heads
            self._widths = [max(len(head), len(value), 5) for head, value in cells]
            self._line(heads, "dim")
        self._line([value for _, value in cells])

    def _line(self, cells: list[str], tone: str = "") -> None:
        padded = (f"{cell:>{width}}" for cell, width in zip(cells, self._widths, strict=True))
        echo(paint("  ".join(padded), tone))

    def _tell(self, events: list[AlertEvent]) -> bool:
        for event in events:
            self._say(event.text)
            if self._recorder is not None:
                self._recorder.alert(event)
        return any(event.raised for event in events)

    def _say(self, text: str) -> None:
        """Between the lines, or beside the documents."""
        sys.stdout.flush()
        echo(f"! {text}", sys.stderr if self._json else None)

    def _say_size(self, word: str) -> None:
        assert self._recorder is not None
        facts = [size(self._recorder.size_bytes), left(self._recorder.days_left())]
        echo(f"{word} {self._recorder.path}: {', '.join(fact for fact in facts if fact)}", sys.stderr)
