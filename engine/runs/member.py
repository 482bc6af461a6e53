"""One run as its supervisor carries it: its folder and lock, its events, and what its stages left.

Apart from `supervisor.py`, which carries the runs of a group together, or one alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

from msgspec import UNSET, structs

from ..errors import RunFailed
from ..schema.events import Note, RunBegan, RunEnded, StageBegan, StageEnded, StageFailed
from ..schema.failure import KILLED, Failure
from ..schema.result import State
from ..schema.spec import RunRequest
from ..system.atomic_write import write_atomic
from ..system.log import logger
from . import outcome
from .cache import StageCache, place
from .event_log import EventLog
from .folder import RESERVE_BYTES, RunDir
from .index import Index
from .notify import TOLD, run_command
from .outcome import Outcome
from .stage_child import exit_words
from .stages import Stage, plan_stages
from .telemetry_log import RunTelemetry, recorded

_log = logger(__name__)


class Member:
    """A run that is carried."""

    def __init__(self, home: Path, run: str) -> None:
        """Reads what was asked.

        Raises:
            StorageRefused: run.toml is missing or broken.
        """
        self.home = home
        self.folder = RunDir(home / "runs" / run)
        self.asked: RunRequest = self.folder.asked()
        self.run = self.asked.run
        self.stages = plan_stages(self.asked)
        self.made: list[Stage] = []
        """Those that the cache did not have."""
        self.going = False
        self._unguarded = False
        self._ending: tuple[State, Failure | None] | None = None
        self._done: list[tuple[str, bool, Outcome]] = []
        self._artifacts: dict[str, str] = {}
        self._telemetry: RunTelemetry | None = None
        self._cache, self._index = StageCache(home), Index(home)
        self._held = contextlib.ExitStack()

    def begin(self) -> bool:
        """Take the run up, and hold its lock; False: it is done already.

        Raises:
            StorageRefused: another supervisor has it.
        """
        self._held.enter_context(self.folder.hold())
        before = self.folder.result()
        if before is not None and before.state == "done":
            self._held.close()
            return False
        for name in ("result.json", TOLD):
            (self.folder.path / name).unlink(missing_ok=True)
        self._events = EventLog(self.folder)
        self.say = self._events.write
        names = tuple(stage.name for stage in self.stages)
        self.say(RunBegan(stages=names, pid=os.getpid(), resumed=before is not None or self._events.resumed))
        self._restore_reserve()
        self.going = True
        return True

    def _restore_reserve(self) -> None:
        """A run that ended on a full disk gave its reserve up; take it again if there is room."""
        reserve = self.folder.path / "reserve"
        if not reserve.exists():
            with contextlib.suppress(OSError):
                write_atomic(reserve, os.urandom(RESERVE_BYTES))

    def record(self) -> None:
        """Begin to keep what sensors say."""
        self._telemetry = RunTelemetry(self.home, self.folder.path, self._events.shift_s)

    def tick(self, stage: str, traced: bool) -> None:
        """Keep what sensors have said since the last time."""
        if self._telemetry is not None:
            self._telemetry.tick(stage, traced=traced)

    def energy(self, began_s: float) -> dict[str, Any]:
        """Joules since then, or why they are not known, as fields of an outcome."""
        if self._telemetry is None:
            return {"energy_reason": "the sampler did not start"}
        figure = self._telemetry.energy(began_s, time.monotonic())
        return {"energy_j": figure.joules, "energy_reason": figure.reason or ""}

    def open(self, stage: Stage) -> Outcome | None:
        """A stage's turn has come; what it has left in the cache, None: it is to be made."""
        facts = self._cache.whole(stage.key)
        eta_s = None if facts is not None else self._index.typical_seconds(self.asked, stage)
        self.say(StageBegan(stage=stage.name, eta_s=eta_s, measures=stage.measures))
        if facts is None and self._cache.path(stage.key).is_dir():
            self.say(Note(stage=stage.name, text="what the cache had of it was changed or is damaged; it is made again"))
        return facts

    def take(self, stage: Stage, facts: Outcome, *, cached: bool) -> None:
        """A stage's output is there: give its artifacts a place in the run's folder, and tell of it."""
        if cached:
            for text in facts.warnings:
                self.say(Note(stage=stage.name, level="warning", text=text))
        self._done.append((stage.name, cached, outcome.of_guard(facts) if stage.guard else facts))
        for word, name in facts.files.items():
            known_as, file = stage.artifact(word, name)
            target = self.folder.artifacts / file
            place(self._cache.path(stage.key) / name, target)
            self._artifacts[known_as] = str(target)
        self.say(
            StageEnded(
                stage=stage.name,
                seconds=facts.seconds or 0.0,
                peak_mb=facts.peak_mb,
                cached=cached,
                summary=facts.summary,
            )
        )

    def wants(self, stage: Stage) -> bool:
        """Whether a stage is still to be done for it."""
        return self.going and not (stage.guard and self._unguarded)

    def give_up_guard(self, stage: Stage, why: str) -> None:
        """A stage that makes the guard failed: the run goes on without one."""
        self._unguarded = True
        text = f"there is no FP16 plan to hold INT8 against: {why}"
        self.say(Note(stage=stage.name, level="warning", text=text))
        self.say(StageEnded(stage=stage.name, summary="it cannot be made"))
        nothing = {"guard": None, "guard_difference": UNSET, "guard_fidelity": UNSET}
        self._done = [(name, cached, structs.replace(facts, **nothing)) for name, cached, facts in self._done]
        facts = Outcome(summary="it cannot be made", warnings=(text,), reasons={"guard": why})
        self._done.append((stage.name, False, facts))

    def failure(self, stage: Stage, code: int, failed: StageFailed | None) -> Failure:
        """Why a stage ended without output, in an event and for the result."""
        if failed is None:
            killed = code == -signal.SIGKILL
            error = RunFailed(
                KILLED if killed else f"it ended with {exit_words(code)}",
                fix=f"close other programs, then `edgetui resume {self.run}`"
                if killed
                else f"see {self.folder.path / 'log.txt'}, then `edgetui resume {self.run}`",
            )
            failed = StageFailed.of(stage.name, error)
        self.say(failed)
        return Failure(stage=stage.name, what=failed.what, fix=failed.fix, fixes=failed.fixes, node=failed.node)

    def out(self, state: State, failure: Failure | None = None) -> None:
        """The run ends so; `end` writes it."""
        self.going, self._ending = False, (state, failure)

    def end(self) -> None:
        """Write the result, where that is not done; the lock is still held."""
        if self._ending is None:
            return
        state, failure = self._ending
        self._ending = None
        if self._telemetry is not None:
            self._telemetry.close()
        document = outcome.compose(self.asked, state, self._done, {}, self._artifacts, failure, recorded(self.folder.path))
        if state == "done":
            document = outcome.judged(document)
        if not self._events.flush():
            (self.folder.path / "reserve").unlink(missing_ok=True)
        _log.info("%s: %s, %s", self.run, state, failure)
        self.say(RunEnded(state=state))
        self._events.close()
        self.folder.write_result(document)
        self._index.put(self.folder)
        run_command(self.asked, document, self.folder.path / "log.txt")

    def release(self) -> None:
        """Let the folder go; may be called twice."""
        self._held.close()
