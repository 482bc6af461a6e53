"""A stream of samples as the screen wants it: the newest, a day of the past, what happened; live, or a recording that plays.

Nothing here draws or waits; `pump` is called at the pace of the screen.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from ..engine.api import AlertEvent

if TYPE_CHECKING:
    from ..engine.api import Engine, History, Mark, Player, Recorder, Sample, Telemetry

KEPT = 500
"""Marks and alerts that are kept for the list."""
NEAR_S = 1800.0
"""So much of the past before the place of a replay is kept in fine buckets."""
MOST_AT_ONCE = 400
"""Samples that are taken in on the screen's own thread at a time: of a replay more are read beside it, of the sensors more
wait for the next tick (of a screen that was stopped meanwhile, with Ctrl-Z, there are thousands)."""
READ_AT_ONCE = 500
UNDRAWN_S = 10.0
"""So long samples wait for the workbench's charts while they are not on screen; then charts take their past of the store. A
sample is 2.5 kB."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0)


def same_readings(before: Sample | None, sample: Sample) -> bool:
    """Whether two samples tell apart nothing but their time."""
    return before is not None and structs.replace(sample, t_s=before.t_s, wall=before.wall) == before


class LiveFeed:
    """The board's sensors, watched, and recorded while that is wanted."""

    NOTHING_YET = "nothing yet; m marks a moment, with a note"

    def __init__(self, engine: Engine, telemetry: Telemetry, watt_decimals: int = 2) -> None:
        self._engine, self._telemetry = engine, telemetry
        self._history, self._alerts = engine.history(), engine.alerts(1 / telemetry.wanted_hz)
        self._happened: deque[Mark | AlertEvent] = deque(maxlen=KEPT)
        self._fresh: deque[Sample] = deque()
        self._seen = 0
        self.watt_decimals = watt_decimals
        self.newest: Sample | None = None
        self.heard = 0
        """How often something has come: a picture of an older count is out of date."""
        self.moves = False
        """The newest sample says something else than the one before."""
        self.recorder: Recorder | None = None
        self.first_s: float | None = None
        """When the first sample came, by the samples' clock."""
        self.pasts = 0
        """How often the store got what `fresh` never had: charts that keep samples of their own take them again."""
        self.share_read = 1.0
        """Nothing has to be read before it can be shown."""

    def pump(self) -> list[AlertEvent]:
        """Take in what has come; returns alerts that began or ended.

        Raises:
            StorageRefused: the recording cannot be written; it has ended.
        """
        told: list[AlertEvent] = []
        many = 0
        try:
            for number, sample in islice(self._telemetry.since(self._seen), MOST_AT_ONCE):
                many += 1
                self.moves = not same_readings(self.newest, sample)
                self._seen, self.newest = number, sample
                self.first_s = sample.t_s if self.first_s is None else self.first_s
                self.heard += 1
                self._history.add(sample)
                self._put_by(sample)
                if self.recorder is not None:
                    self.recorder.write(sample)
                told += self._tell(self._alerts.update(sample))
            if many < MOST_AT_ONCE:  # else what has not been looked at yet is no silence
                told += self._tell(self._alerts.tick(self.now_s))
            if self.recorder is not None:
                self.recorder.flush_if_due()
        except BaseException:
            self.stop_recording()
            raise
        return told

    def _tell(self, events: list[AlertEvent]) -> list[AlertEvent]:
        for event in events:
            self._happened.append(event)
            if self.recorder is not None:
                self.recorder.alert(event)
        return events

    def _put_by(self, sample: Sample) -> None:
        """Keep a sample for `fresh`."""
        if self._fresh and sample.t_s - self._fresh[0].t_s > UNDRAWN_S:
            self._fresh.clear()
            self.pasts += 1
        self._fresh.append(sample)

    def fresh(self) -> list[Sample]:
        """Samples that `pump` has taken in since the last call, oldest first; see `pasts` for what was before them."""
        samples = list(self._fresh)
        self._fresh.clear()
        return samples

    def add_past(self, past: History) -> None:
        """What a run has kept of the time before the first sample."""
        if past.names:
            self._history.add_past(past)
            self.pasts += 1
            self.heard += 1

    @property
    def source_name(self) -> str:
        """What reads the sensors; empty before the first sample."""
        return self._telemetry.source if self.newest is not None else ""

    @property
    def now_s(self) -> float:
        """The right edge of the picture, on the samples' clock."""
        return time.monotonic()

    @property
    def period_s(self) -> float:
        """Usual distance of samples."""
        said = self._telemetry.stats()
        return 1 / max(min(said.rate_hz, said.effective_rate_hz or said.rate_hz), 0.01)

    @property
    def active(self) -> tuple[AlertEvent, ...]:
        """Alerts that have begun and not ended."""
        return self._alerts.active

    def happened(self) -> list[Mark | AlertEvent]:
        """Marks and alerts, oldest first."""
        return list(self._happened)

    def view(self, window_s: float) -> tuple[History, float, float]:
        """(where to read, begin, end) for a picture of the last `window_s`."""
        return self._history, self.now_s - window_s, self.now_s

    def still(self, window_s: float) -> bool:
        """A live picture moves."""
        del window_s
        return False

    def source(self) -> str:
        """What reads the sensors, how often it is heard, and how many of its files hang."""
        said = self._telemetry.stats()
        hangs = f"  {len(said.unanswered)} without an answer" if said.unanswered else ""
        return f"{said.source}  {said.rate_hz:g} Hz{hangs}" if said.source else ""

    def refusal(self) -> str:
        """Why there are no samples; empty: there are, or they are on their way."""
        return "" if self.newest is not None else self._telemetry.problem() or ""

    def record(self, path: Path | None = None) -> Path:
        """Begin a recording, in a new file of the state folder if none is named.

        Raises:
            StorageRefused: it cannot be written.
        """
        self.recorder = self._engine.recorder(self._telemetry, path)
        return self.recorder.path

    def stop_recording(self) -> Path | None:
        """End the recording; returns its file."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return None
        recorder.close()
        return recorder.path

    def mark(self, note: str, t_s: float) -> None:
        """Mark a moment, in the list and in the recording."""
        if self.recorder is not None:
            self._happened.append(self.recorder.mark(note, t_s))
        else:
            self._happened.append(self._engine.mark(note, t_s, self.newest.wall if self.newest else ""))

    def close(self) -> None:
        """End the recording, let go of the sampler."""
        try:
            self.stop_recording()
        finally:
            self._telemetry.close()


class ReplayFeed:
    """A recording, or a log of tegrastats, with a place and a speed.

    Long windows are drawn from `whole`, which `read` fills once; short ones from `near`, the half hour before the place.
    Both are filled in threads; the lists they hold are replaced, not shared while they grow.
    """

    NOTHING_YET = "nothing yet"

    def __init__(self, engine: Engine, player: Player) -> None:
        self._engine, self.player = engine, player
        self._whole, self._near = engine.history(), engine.history()
        self._events: list[Mark | AlertEvent] = []
        self._first_s, self.duration_s = player.recording.times_s[0], player.recording.duration_s
        self._seen = 0
        self._closed = self._reading = False
        self._asked_speed = player.speed or 1.0
        self.share_read = 0.0
        """How much of the recording has been read for the long windows."""
        self.watt_decimals = player.recording.watt_decimals
        self.newest: Sample | None = None
        self.heard = 0
        self.recorder = None
        self._take_events(player.recording.alerts)

    def _take_events(self, alerts: list[AlertEvent]) -> None:
        self._events = sorted([*self.player.recording.marks, *alerts], key=lambda event: event.t_s)

    def read(self) -> None:
        """Read the whole recording; for a thread, a few seconds for a day. Alerts of a log are found on the way."""
        recording = self.player.recording
        watch = self._engine.alerts() if recording.tegrastats else None
        found: list[AlertEvent] = []
        for k in range(len(recording)):
            sample = self._sample(k)
            if sample is None:
                return
            self._whole.add(sample)
            if watch is not None:
                found += watch.update(sample)
            if k % READ_AT_ONCE == 0:
                self.share_read = k / len(recording)
                time.sleep(0)  # the screen's thread may draw
        if watch is not None:
            self._take_events(found)
        self.share_read = 1.0
        self.heard += 1

    def _sample(self, k: int) -> Sample | None:
        """Sample `k`; None: the recording has been closed."""
        try:
            return None if self._closed else self.player.recording.sample(k)
        except OSError:
            if not self._closed:
                raise
            return None

    def pump(self) -> list[AlertEvent]:
        """Go on to the present place, unless that is too far for the screen's thread: then `behind`."""
        number = self.player.newest_number()
        if number == self._seen or self.behind or self._reading:
            return []
        for k, sample in self.player.since(self._seen):
            self._seen = k
            if not sample.empty or self.newest is None:
                self.newest = sample
            self._near.add(sample)
        self.heard += 1
        return []

    @property
    def behind(self) -> bool:
        """The place has been moved: `catch_up` must be called."""
        number = self.player.newest_number()
        return not self._reading and (number < self._seen or number - self._seen > MOST_AT_ONCE)

    def catch_up(self) -> None:
        """Read the half hour before the present place; for a thread."""
        self._reading = True
        try:
            number, recording = self.player.newest_number(), self.player.recording
            near = self._engine.history()
            newest: Sample | None = None
            first = number - 1
            while first > 0 and recording.times_s[number - 1] - recording.times_s[first - 1] <= NEAR_S:
                first -= 1
            for k in range(first, number):
                sample = self._sample(k)
                if sample is None:
                    return
                near.add(sample)
                newest = newest if sample.empty else sample
            self._near, self._seen, self.newest = near, number, newest or sample
            self.heard += 1
        finally:
            self._reading = False

    @property
    def now_s(self) -> float:
        """The place, on the samples' clock."""
        return self._first_s + self.player.position_s

    @property
    def period_s(self) -> float:
        """Usual distance of samples."""
        return self.duration_s / max(len(self.player.recording) - 1, 1) or 1.0

    @property
    def active(self) -> tuple[AlertEvent, ...]:
        """Alerts that have begun and not ended at this place."""
        on: dict[str, AlertEvent] = {}
        for event in self.happened():
            if isinstance(event, AlertEvent):
                on.pop(event.rule, None)
                if event.raised:
                    on[event.rule] = event
        return tuple(on.values())

    def happened(self) -> list[Mark | AlertEvent]:
        """Marks and alerts up to this place, oldest first."""
        return [event for event in self._events if event.t_s <= self.now_s + 1e-9]

    def view(self, window_s: float) -> tuple[History, float, float]:
        """(where to read, begin, end): the whole recording when it fits into the window, else the time before the place."""
        if self.still(window_s):
            return self._whole, self._first_s, self._first_s + max(self.duration_s, self.period_s)
        return self._near if window_s <= NEAR_S else self._whole, self.now_s - window_s, self.now_s

    def still(self, window_s: float) -> bool:
        """The whole recording is in the picture."""
        return self.duration_s <= window_s

    def source(self) -> str:
        """What made the recording."""
        header = self.player.recording.header
        return "  ".join(part for part in (header.board, self.player.source) if part)

    def refusal(self) -> str:
        """A recording that could be opened has samples."""
        return ""

    @property
    def paused(self) -> bool:
        """It stands still."""
        return self.player.speed == 0

    @property
    def moves(self) -> bool:
        """It plays, or is read."""
        return not (self.paused or self.player.ended) or self._reading or self.share_read < 1

    @property
    def speed(self) -> float:
        """The speed, also while it stands still."""
        return self._asked_speed

    def toggle(self) -> None:
        """Play or stand still; from its end it begins again."""
        if self.paused or self.player.ended:
            if self.player.ended:
                self.player.seek(0.0)
            self.player.speed = self._asked_speed
        else:
            self.player.speed = 0.0

    def faster(self, by: int) -> None:
        """The next speed up or down."""
        near = min(range(len(SPEEDS)), key=lambda k: abs(SPEEDS[k] - self._asked_speed))
        self._asked_speed = SPEEDS[max(0, min(near + by, len(SPEEDS) - 1))]
        if not self.paused:
            self.player.speed = self._asked_speed

    def seek(self, by_s: float) -> None:
        """Move the place."""
        self.player.seek(self.player.position_s + by_s)

    def next_event(self, by: int = 1) -> bool:
        """Go to the next mark or alert (`by` -1: the one before), round the ends; False: there are none."""
        if not self._events:
            return False
        ordered = self._events if by > 0 else self._events[::-1]
        event = next((event for event in ordered if (event.t_s - self.now_s) * by > 1e-3), ordered[0])
        self.player.seek(event.t_s - self._first_s)
        return True

    def close(self) -> None:
        """Close the recording; a thread that reads it ends."""
        self._closed = True
        self.player.close()


Feed = LiveFeed | ReplayFeed
