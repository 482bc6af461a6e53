"""What a run has said so far, folded into what panes show. Fed with events in order; asks nothing and draws nothing."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from functools import singledispatchmethod
from typing import Literal, NamedTuple

from ..engine.advice.words import CACHED
from ..engine.errors import EdgetuiError
from ..engine.schema.events import (
    AnyEvent,
    Learning,
    MeasuredWindow,
    Note,
    Progress,
    Queued,
    Reading,
    RunBegan,
    RunEnded,
    StageBegan,
    StageEnded,
    StageFailed,
)
from ..engine.schema.result import Result
from ..engine.telemetry.run_clock import RunClock
from .fix_words import as_row

StageState = Literal["waiting", "going", "done", "failed", "stopped"]
"""`stopped`: it was being done when the run ended, by a cancel or a crash."""
LOG_LINES = 2000
READINGS = 1024
"""Of either side; charts show the newest 300. Each of several runs that are followed keeps so many: 0.3 MB."""
EPOCHS = 64
MEASURE = "measure"
"""The stage that has readings; one that is gone through together is begun anew where one of several is cancelled."""
LEAST_SHARE = 0.05
"""Below that what is left cannot be told of what is done."""
WINDOWS = 512


def numbered(names: Sequence[str]) -> list[str]:
    """Those that occur again get a number: `int8 #2`."""
    again = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name} #{many + 1}" if many else name for name, many in zip(names, again, strict=True)]


class Told(NamedTuple):
    """One line of the log pane."""

    t: float
    stage: str
    level: str
    text: str


class Bar(NamedTuple):
    """A stretch of time that charts mark along their foot."""

    begin_s: float
    end_s: float
    solid: bool
    """Every dot, or every other one."""


class RunsLook:
    """How the list of runs was left, so that it is found again so."""

    def __init__(self) -> None:
        self.filter_text = ""
        self.sort = "began"
        self.gathered = ""
        self.marked: set[str] = set()
        self.at = ""
        """The run under the cursor."""


class StageView:
    """One stage of the run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: StageState = "waiting"
        self.seconds: float | None = None
        self.cached = False
        self.summary = ""


class RunView:
    """One run as far as it has spoken."""

    def __init__(self, run: str, model: str = "", recipe: str = "") -> None:
        self.run, self.model, self.recipe = run, model, recipe
        self.title = f"{model} · {recipe or 'recipe'}" if model else run
        self.began = ""
        """Wall time of the start, for the title."""
        self.stages: dict[str, StageView] = {}
        self.stage = ""
        self.progress: Progress | None = None
        self.eta_s: float | None = None
        """Of the stage that is going, from this board's history; None: not known."""
        self.waits: Queued | None = None
        """What it waits for, as it was told last; None: for nothing."""
        self.state = ""
        """Empty while it works; then done, failed, cancelled or crashed; lost: its folder can be read no longer."""
        self.failure: StageFailed | None = None
        self.result: Result | None = None
        self.sides: dict[str, Reading] = {}
        """The newest figures of each; none where measuring has begun again, whose figures they are not."""
        self.readings: deque[Reading] = deque(maxlen=READINGS)
        self.learning: Learning | None = None
        """How the stage that is going trains; None: it does not, or has not begun to."""
        self.epochs: deque[Learning] = deque(maxlen=EPOCHS)
        """The ends of its last epochs."""
        self.heard = 0
        """Readings so far, so that a chart knows which are new to it."""
        self.log: deque[Told] = deque(maxlen=LOG_LINES)
        self.logged = 0
        self.seen = 0
        """Number of the last event."""
        self.caught_up = False
        """Its past is taken; until then it shows what was long ago."""
        self.furthest = 0.0
        """Of the stage that is going; see `reach`."""
        self.windows: deque[MeasuredWindow] = deque(maxlen=WINDOWS)
        """In which something was measured alone, the last one perhaps still going on."""
        self._measures = False
        self._offset = 0.0
        self._stage_t = 0.0
        self._begins: list[tuple[float, str]] = []
        self._least_s = math.inf
        """By the clock of samples when the run began, at the latest."""
        self._clock_s: float | None = None
        """The same, exactly."""
        self._from_t = 0.0
        """When it was begun or taken up again, by its own clock."""

    @property
    def measuring(self) -> bool:
        """A measurement window is open."""
        return not self.state and self._measures

    @property
    def queued(self) -> bool:
        """It has not begun: something else has the board."""
        return self.waits is not None and not self.state

    @property
    def going(self) -> bool:
        """A stage of it is being done."""
        return self.stage in self.stages and self.stages[self.stage].state == "going"

    def bars(self) -> list[Bar]:
        """Windows of variants that had the board to themselves, by the clock of samples; the baseline's are solid."""
        return [
            Bar(each.begin_s, math.inf if each.end_s is None else each.end_s, each.side == "baseline")
            for each in self.windows
            if each.side
        ]

    def stage_begins(self) -> list[tuple[float, str]]:
        """When each stage began, by the clock of samples, and its name; empty where that cannot be told: of a run that ended
        before anybody looked, and measured nothing alone.
        """
        clock = self.clock()
        return [] if clock is None else [(clock.zero_s + t, name) for t, name in self._begins if t >= clock.from_t]

    def clock(self) -> RunClock | None:
        """Where its seconds lie on the clock of samples; None: it cannot be told of a run that has ended."""
        if self._clock_s is not None:
            return RunClock(self._clock_s, True, self._from_t)
        return None if self.state or math.isinf(self._least_s) else RunClock(self._least_s, False, self._from_t)

    def began_by(self, clock: RunClock) -> None:
        """It began at this time, at the latest, as what it has written says."""
        self._least_s = min(self._least_s, clock.zero_s)

    def stage_elapsed(self) -> float:
        """Seconds that the stage which is going has taken so far."""
        return max(0.0, time.monotonic() - self._offset - self._stage_t)

    def doing(self) -> str:
        """What the stage says it is at: `3 of 8 s of measuring`; empty: nothing."""
        if self.progress is None:
            return ""
        of = f"{self.progress.done:.0f} of {self.progress.total:.0f} " if self.progress.total else ""
        return of + self.progress.text

    def told_share(self) -> float | None:
        """What the stage says that it has done, 0..1; None: it does not say of how much."""
        progress = self.progress
        return min(1.0, progress.done / progress.total) if progress is not None and progress.total else None

    def stage_takes_s(self) -> float | None:
        """Seconds that the stage which is going may take in all, by its history here and by what it says it has done; None: not
        known, or longer than what was known of it.
        """
        elapsed, told = self.stage_elapsed(), self.told_share()
        known = [self.eta_s] if self.eta_s is not None else []
        if told is not None and told > LEAST_SHARE and told >= self.furthest:  # else it counts the next of its phases
            known.append(elapsed / told)
        return whole if known and (whole := max(known)) > elapsed else None

    def reach(self, share: float) -> float:
        """The furthest that the stage was seen at, 0..1, `share` included.

        Phases that count anew, a second try and a guess that was too short take nothing back.
        """
        self.furthest = max(self.furthest, share)
        return self.furthest

    def catch_up(self) -> None:
        """What was there when it was looked at is taken."""
        self.caught_up = True

    def take(self, event: AnyEvent) -> None:
        """Fold one event in."""
        self.seen = max(self.seen, event.n)
        self._offset = time.monotonic() - event.t
        self._least_s = min(self._least_s, self._offset)
        self._fold(event)

    def end(self, result: Result) -> None:
        """It has ended, and its document knows what the events do not tell where their end is gone."""
        self.result, self.state = result, result.state
        for stage in result.stages:
            view = self.stages.setdefault(stage.name, StageView(stage.name))
            if view.state != "failed":
                view.state, view.seconds, view.cached = "done", stage.seconds, stage.cached
        if result.state == "failed" and result.error is not None and result.error.stage in self.stages:
            self.stages[result.error.stage].state = "failed"
        self._stop("done" if result.state == "done" else "stopped")

    def _stop(self, state: StageState = "stopped") -> None:
        """Nothing goes on any more."""
        for view in self.stages.values():
            view.state = state if view.state == "going" else view.state

    def lose(self, error: EdgetuiError) -> None:
        """Its folder can be read no longer: what it does now is not known, so it is not shown as going on."""
        self.state, self.failure = "lost", StageFailed.of("", error)
        self._stop()

    @singledispatchmethod
    def _fold(self, event: AnyEvent) -> None:
        """What nothing is shown of."""

    @_fold.register
    def _begin(self, event: RunBegan) -> None:
        self.stages = {name: StageView(name) for name in event.stages}
        self.state, self.failure, self.stage, self.result = "", None, "", None
        self._clock_s, self._from_t = None, event.t
        self.sides.clear()
        self._say(event.t, "", "info", "taken up again" if event.resumed else "run began")

    @_fold.register
    def _wait(self, event: Queued) -> None:
        self.waits = event

    @_fold.register
    def _open(self, event: StageBegan) -> None:
        self.waits = None
        self._begins.append((event.t, event.stage))
        self.stage, self.progress, self.eta_s, self._stage_t = event.stage, None, event.eta_s, event.t
        self.furthest, self._measures = 0.0, event.measures
        if event.stage == MEASURE:
            self.sides.clear()
        self.learning = None
        self.epochs.clear()
        self.stages.setdefault(event.stage, StageView(event.stage)).state = "going"

    @_fold.register
    def _advance(self, event: Progress) -> None:
        self.progress = event
        self.reach(self.told_share() or 0.0)
        self.eta_s = event.eta_s if event.eta_s is not None else self.eta_s

    @_fold.register
    def _read(self, event: Reading) -> None:
        self.sides[event.side] = event
        self.readings.append(event)
        self.heard += 1

    @_fold.register
    def _learn(self, event: Learning) -> None:
        self.learning = event
        if event.ended:
            self.epochs.append(event)

    @_fold.register
    def _mark(self, event: MeasuredWindow) -> None:
        if self.windows and self.windows[-1].begin_s == event.begin_s:
            self.windows.pop()
        self.windows.append(event)
        self._clock_s = (event.begin_s if event.end_s is None else event.end_s) - event.t

    @_fold.register
    def _note(self, event: Note) -> None:
        self._say(event.t, event.stage, event.level, event.text)

    @_fold.register
    def _close(self, event: StageEnded) -> None:
        view = self.stages.setdefault(event.stage, StageView(event.stage))
        view.state, view.seconds, view.cached, view.summary = "done", event.seconds, event.cached, event.summary
        self.progress = None
        if event.summary:
            self._say(event.t, event.stage, "info", event.summary + (f"  ({CACHED})" if event.cached else ""))

    @_fold.register
    def _fail(self, event: StageFailed) -> None:
        self.stages.setdefault(event.stage, StageView(event.stage)).state = "failed"
        self.failure = event
        self._say(event.t, event.stage, "error", event.refusal.said(as_row))

    @_fold.register
    def _over(self, event: RunEnded) -> None:
        self.state = event.state
        self._say(event.t, "", "info", f"run {event.state}")

    def _say(self, t: float, stage: str, level: str, text: str) -> None:
        self.log.append(Told(t, stage, level, text))
        self.logged += 1
