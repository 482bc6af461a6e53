"""What a run has said so far, folded into what panes show. Fed with events in order; asks nothing and draws nothing."""

from __future__ import annotations

import time
from collections import deque
from typing import Literal, NamedTuple

from ..engine.errors import EdgetuiError
from ..engine.events import (
    AnyEvent,
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
from ..engine.result import Result

StageState = Literal["waiting", "going", "done", "failed", "stopped"]
"""`stopped`: it was being done when the run ended, by a cancel or a crash."""
LOG_LINES = 2000
READINGS = 4096


class Told(NamedTuple):
    """One line of the log pane."""

    t: float
    stage: str
    level: str
    text: str


class RunsLook:
    """How the list of runs was left, so that it is found again so."""

    def __init__(self) -> None:
        self.filter_text = ""
        self.sort = 0
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

    def __init__(self, run: str, title: str = "") -> None:
        self.run = run
        self.title = title or run
        self.began = ""
        """Wall time of the start, for the title."""
        self.stages: dict[str, StageView] = {}
        self.stage = ""
        self.progress: Progress | None = None
        self.eta_s: float | None = None
        """Of the stage that is going, from this board's history; None: not known."""
        self.waiting_for: str | None = None
        self.state = ""
        """Empty while it works; then done, failed, cancelled or crashed; lost: its folder can be read no longer."""
        self.failure: StageFailed | None = None
        self.result: Result | None = None
        self.sides: dict[str, Reading] = {}
        self.readings: deque[Reading] = deque(maxlen=READINGS)
        self.heard = 0
        """Readings so far, so that a chart knows which are new to it."""
        self.log: deque[Told] = deque(maxlen=LOG_LINES)
        self.logged = 0
        self.seen = 0
        """Number of the last event."""
        self.furthest = 0.0
        """Of the stage that is going; see `reach`."""
        self._offset = 0.0
        self._stage_t = 0.0

    @property
    def measuring(self) -> bool:
        """A measurement window is open."""
        return not self.state and self.stage == "measure"

    @property
    def queued(self) -> bool:
        """It has not begun: something else has the board."""
        return self.waiting_for is not None and not self.state

    def stage_elapsed(self) -> float:
        """Seconds that the stage which is going has taken so far."""
        return max(0.0, time.monotonic() - self._offset - self._stage_t)

    def reach(self, share: float) -> float:
        """The furthest that the stage was seen at, 0..1, `share` included.

        Phases that count anew, a second try and a guess that was too short take nothing back.
        """
        self.furthest = max(self.furthest, share)
        return self.furthest

    def take(self, event: AnyEvent) -> None:
        """Fold one event in."""
        self.seen = max(self.seen, event.n)
        self._offset = time.monotonic() - event.t
        if isinstance(event, RunBegan):
            self._begin(event)
        elif isinstance(event, Queued):
            self.waiting_for = event.waiting_for
        elif isinstance(event, StageBegan):
            self._open(event)
        elif isinstance(event, Progress):
            self.progress = event
            self.eta_s = event.eta_s if event.eta_s is not None else self.eta_s
        elif isinstance(event, Reading):
            self.sides[event.side] = event
            self.readings.append(event)
            self.heard += 1
        elif isinstance(event, Note):
            self._say(event.t, event.stage, event.level, event.text)
        elif isinstance(event, StageEnded):
            self._close(event)
        elif isinstance(event, StageFailed):
            self._fail(event)
        elif isinstance(event, RunEnded):
            self.state = event.state
            self._say(event.t, "", "info", f"run {event.state}")

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
        self.state, self.failure = "lost", StageFailed(stage="", what=error.what, fix=error.fix)
        self._stop()

    def _begin(self, event: RunBegan) -> None:
        self.stages = {name: StageView(name) for name in event.stages}
        self.state, self.failure, self.stage, self.result = "", None, "", None
        self._say(event.t, "", "info", "taken up again" if event.resumed else "run began")

    def _open(self, event: StageBegan) -> None:
        self.waiting_for = None
        self.stage, self.progress, self.eta_s, self._stage_t = event.stage, None, event.eta_s, event.t
        self.furthest = 0.0
        self.stages.setdefault(event.stage, StageView(event.stage)).state = "going"

    def _close(self, event: StageEnded) -> None:
        view = self.stages.setdefault(event.stage, StageView(event.stage))
        view.state, view.seconds, view.cached, view.summary = "done", event.seconds, event.cached, event.summary
        self.progress = None
        if event.summary:
            self._say(event.t, event.stage, "info", event.summary + (" (from the cache)" if event.cached else ""))

    def _fail(self, event: StageFailed) -> None:
        self.stages.setdefault(event.stage, StageView(event.stage)).state = "failed"
        self.failure = event
        self._say(event.t, event.stage, "error", f"{event.what}; {event.fix}")

    def _say(self, t: float, stage: str, level: str, text: str) -> None:
        self.log.append(Told(t, stage, level, text))
        self.logged += 1
