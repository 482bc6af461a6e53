"""One light process for a group of runs, or one alone: holds their locks, waits for the board, starts one child a stage, writes
the results.

`python -m edgetui.engine.runs.supervisor HOME RUN...`, detached from any terminal; it imports nothing heavy. Where the board is
free it is forked by the fork server of the front, whose pages it shares, and has one of its own. An out-of-memory kill hits the
child, which has all that and more. SIGTERM cancels all runs; a file `cancel` in the folder of one cancels that one.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..config import load_config
from ..errors import EdgetuiError, StorageRefused, from_os_error
from ..schema import events
from ..schema.events import Note, Queued, StageFailed
from ..schema.failure import Failure
from ..schema.result import State
from ..schema.spec import RunRequest
from ..system.log import logger
from . import outcome
from .board_queue import Device, enter
from .cache import StageCache
from .coming_after import wait_for_ends, waited_for
from .detached import status_of
from .fork_client import ForkServer
from .input_hashes import refuse_changed, refuse_changed_data, refuse_changed_model
from .member import Member
from .stage_child import StageChildren, Words, exit_words, listen
from .stages import SHARED, Stage
from .standing_back import group_stands_back

_log = logger(__name__)
READ_MODEL = {"inspect", "normalise"}
LAST_TO_READ_MODEL = "normalise"
READ_DATA = {"inspect", "step", "verify", "measure", "inputs", "evaluate", "energy"}
"""Kinds of stages that open the dataset, or may."""
AHEAD = 3
"""Stages whose processes get ready while another works: a short one leaves the next no time to import."""


class Errand(NamedTuple):
    """A stage that is to be done for a run."""

    member: Member
    stage: Stage


Turn = tuple[Errand, ...]
"""Stages of one name that are gone through together."""


def turns(members: Sequence[Member]) -> list[Turn]:
    """Each member's own stages, one member after the other, then those that they go through together."""
    own = [(Errand(member, stage),) for member in members for stage in member.stages if stage.kind not in SHARED]
    together: dict[str, list[Errand]] = {}
    for member in members:
        for stage in member.stages:
            if stage.kind in SHARED:
                together.setdefault(stage.name, []).append(Errand(member, stage))
    return [*own, *map(tuple, together.values())]


class Supervisor:
    """Carries runs through their stages."""

    def __init__(self, home: Path, runs: Sequence[str], forks: ForkServer) -> None:
        """`forks`: not started yet, or ready."""
        self.home = home
        self.members = [Member(home, run) for run in runs]
        self.cache = StageCache(home)
        self.children = StageChildren(forks)
        self.turns: list[Turn] = []
        self.cancelled = False
        self.waited = False
        """Others had the board; meanwhile files may have changed."""

    @property
    def going(self) -> list[Member]:
        """Those that have not ended."""
        return [member for member in self.members if member.going]

    def carry(self) -> None:
        """Carry all runs to their ends; returns when every result.json is written.

        Raises:
            StorageRefused: another supervisor has one of them.
        """
        signal.signal(signal.SIGTERM, lambda *_: self._cancel())
        try:
            self._begin()
            if self.members:
                self._carry(Device(self.home, self.members[0].asked.ticket, self.members[0].run))
        finally:
            for member in self.members:
                member.release()

    def _begin(self) -> None:
        """Take up those that are not done and that nobody else has."""
        begun, refused = [], None
        for member in self.members:
            try:
                begun += [member] if member.begin() else []
            except StorageRefused as error:
                refused = error
        if refused is not None and not begun:
            raise refused
        self.members, self.turns = begun, turns(begun)

    def _carry(self, device: Device) -> None:
        failure: Failure | None = None
        try:
            if self._after_others() and device.acquire(self._wait, self._all_cancelled):
                self._work()
        except EdgetuiError as error:
            failure = Failure.of("", error)
        except OSError as error:
            failure = Failure.of("", from_os_error(error, path=self.home, then="`edgetui resume` the run"))
        except Exception as error:
            traceback.print_exc()
            log_file = self.members[0].folder.path / "log.txt"
            failure = Failure(stage="", what=f"a defect of edgetui ({type(error).__name__})", fix=f"report {log_file}")
        self.children.close()
        for member in self.going:
            member.out("failed" if failure else "done", failure)
        for member in self.members:
            member.end()
        device.release()

    def _after_others(self) -> bool:
        """Wait for runs that these come after, then enter the queue; False: they were cancelled meanwhile."""
        lead = self.members[0]
        if waited_for(lead.folder):
            if not wait_for_ends(
                self.home, lead.folder, lambda run: self._wait(Queued(waiting_for=run, to_end=True)), self._all_cancelled
            ):
                return False
            enter(self.home, lead.asked.ticket, lead.run)
        return True

    def _work(self) -> None:
        if self.waited:
            refuse_changed(self.members[0].asked)
        if all(self._is_made(part) for turn in self.turns for part in turn):
            self.children.close()
        else:
            self._begin_ahead(-1)
        self.cache.tidy(load_config().cache.limit_mb, {part.stage.key for turn in self.turns for part in turn})
        for member in self.going:
            member.record()
        for place, turn in enumerate(self.turns):
            if not self._all_cancelled():
                self._turn(place, [part for part in turn if part.member.wants(part.stage)])
        if READ_DATA & {stage.kind for member in self.members for stage in member.made}:
            self._refuse_changed(refuse_changed_data)

    def _is_made(self, part: Errand) -> bool:
        return self.cache.path(part.stage.key).is_dir()

    def _wait(self, queued: Queued) -> None:
        self.waited = True
        self.children.forks.close()  # 60 MB, which whoever has the board may need
        for member in self.going:
            _log.info("%s waits for %s", member.run, queued.waiting_for)
            member.say(queued)

    def _cancel(self) -> None:
        _log.info("%s: SIGTERM", ", ".join(member.run for member in self.members))
        self.cancelled = True

    def _to_cancel(self, members: Sequence[Member]) -> bool:
        """Whether one of these is to end."""
        return self.cancelled or any(member.folder.is_to_cancel() for member in members)

    def _all_cancelled(self) -> bool:
        """Let those go that are to end; whether none is left."""
        for member in self.going:
            if self._to_cancel([member]):
                self._leave(member, "cancelled")
        return not self.going

    def _leave(self, member: Member, state: State, failure: Failure | None = None) -> None:
        """One is out of it. Where others go on, its result is written at once and its folder is free again."""
        member.out(state, failure)
        if self.going:
            member.end()
            member.release()
            self.children.give_up_others(map(self._words, self.turns))

    def _turn(self, place: int, turn: Sequence[Errand]) -> None:
        """Take a stage from the cache, or make it, for those of a group that have not got it together."""
        lacking: list[Errand] = []
        twins: list[Errand] = []
        for part in turn:
            facts = part.member.open(part.stage)
            if facts is not None:
                part.member.take(part.stage, facts, cached=True)
            elif any(part.stage.key == other.stage.key for other in lacking):
                twins.append(part)  # of the same recipe twice
            else:
                lacking.append(part)
        while lacking and not self._make(place, lacking):
            lacking = [part for part in lacking if part.member.going]
        if twins:
            self._turn(place, [part for part in twins if part.member.going])

    def _make(self, place: int, turn: Sequence[Errand], warning: str = "") -> bool:
        """Have a stage made by a process; False: one was cancelled meanwhile, and it is to be made without that one. `warning`:
        what has to be known of its output besides.
        """
        members, kind, name = [part.member for part in turn], turn[0].stage.kind, turn[0].stage.name
        failed: dict[str, StageFailed] = {}
        try:
            makings = [self.cache.begin(part.stage.key) for part in turn]
            began = time.monotonic()
            words = (str(self.home), name, *(member.run for member in members))
            group_stands_back(back=not turn[0].stage.measures)
            process = self.children.begin(words, b"\0".join(map(os.fsencode, makings)))
            self._begin_ahead(place)
            try:
                listen(
                    process,
                    [member.folder.path / "log.txt" for member in members],
                    lambda line: self._hear(line, members, failed),
                    lambda: self._tick(name, members, traced=turn[0].stage.measures),
                    lambda: self._to_cancel(members),
                )
            finally:
                process.close()
            code = process.wait()
            # What a server's first process waits for is not its stage's: FP16 took 10 s to make where it came first, else 0.5
            seconds = round(time.monotonic() - max(began, process.began_s or began), 3)
            _log.info("%s: stage %s ended with %s, %.0f MB", members[0].run, name, code, process.peak_mb)
            self._all_cancelled()
            if code != 0 and not all(member.going for member in members):
                return False
            if code != 0 and len(turn) > 1:
                self._refuse_exchanged(kind)
                why = failed[""].what if "" in failed else f"it ended with {exit_words(code)}"
                return self._each_alone(place, turn, f"{name} failed for the group together ({why}): each was done alone")
            told = {"seconds": seconds, "peak_mb": round(process.peak_mb, 1)}
            for (member, stage), making in zip(turn, makings, strict=True):
                if not member.going:
                    continue
                if code != 0 or not (making / "outcome.json").is_file():
                    self._refuse_exchanged(kind)
                    self._fail(member, stage, code, failed.get(member.run) or failed.get(""))
                    continue
                made = outcome.decode((making / "outcome.json").read_bytes())
                warnings = (*made.warnings, *([warning] if warning else []))
                made = msgspec.structs.replace(made, **told, **member.energy(began), warnings=warnings)
                made = self.cache.commit(stage.key, made)
                member.made.append(stage)
                if kind == LAST_TO_READ_MODEL:
                    self._refuse_exchanged(kind)
                member.take(stage, made, cached=False)
        except OSError as error:
            told_error = from_os_error(error, path=self.home, then="`edgetui resume` the run")
            for member, stage in turn:
                if member.going:
                    self._fail(member, stage, 0, StageFailed.of(name, told_error))
        finally:
            for part in turn:
                self.cache.drop(part.stage.key)
        return True

    def _each_alone(self, place: int, turn: Sequence[Errand], warning: str) -> bool:
        """What killed the process of all, memory or one plan's crash, need not kill that of each."""
        for part in turn:
            part.member.say(Note(stage=part.stage.name, level="warning", text=warning))
            while part.member.going and not self._make(place, [part], warning):
                pass
        return True

    def _fail(self, member: Member, stage: Stage, code: int, failed: StageFailed | None) -> None:
        if stage.guard:
            member.give_up_guard(stage, failed.what if failed is not None else f"it ended with {exit_words(code)}")
            return
        self._leave(member, "failed", member.failure(stage, code, failed))

    def _hear(self, line: bytes, members: Sequence[Member], failed: dict[str, StageFailed]) -> None:
        """A line of a stage's process, for all of `members` or for the one that it names; see `PipeReporter`."""
        run, tab, said = line.rpartition(b"\t")
        event = events.decode(said)
        to = os.fsdecode(run) if tab else ""
        if isinstance(event, StageFailed):
            failed[to] = event
        elif event is not None:
            for member in members:
                if to in ("", member.run):
                    member.say(event)

    def _tick(self, stage: str, members: Sequence[Member], *, traced: bool) -> None:
        for member in self.going:
            mine = member in members
            member.tick(stage if mine else "", traced=traced and mine)

    def _refuse_exchanged(self, kind: str) -> None:
        """Where what a stage has read is no longer what was asked, that is why it failed, or must not have succeeded."""
        if kind in READ_MODEL:
            self._refuse_changed(refuse_changed_model)
        if kind in READ_DATA:
            self._refuse_changed(refuse_changed_data)

    def _refuse_changed(self, refuse: Callable[[RunRequest], None]) -> None:
        """What was exchanged while it was read: what was made of it, and is kept by the hash of what was asked, goes."""
        try:
            refuse(self.members[0].asked)
        except EdgetuiError:
            for member in self.members:
                for stage in member.made:
                    self.cache.forget(stage.key)
            raise

    def _begin_ahead(self, place: int) -> None:
        """Let the next stages' processes get ready, none beside one that measures; behind turn number `place`, or -1."""
        self.children.begin_ahead(list(self._coming(place)))

    def _coming(self, place: int) -> Iterator[Words]:
        known: set[str] = set()
        for number in range(place + 1, min(place + 1 + AHEAD, len(self.turns))):
            if number and self.turns[number - 1][0].stage.measures:
                return
            turn = [part for part in self.turns[number] if part.member.wants(part.stage) and not self._is_made(part)]
            keys = {part.stage.key for part in turn} - known
            known |= keys
            if keys:
                yield self._words(turn)

    def _words(self, turn: Sequence[Errand]) -> Words:
        """Of the process that makes what is not made of a turn."""
        lacking = [part for part in turn if part.member.wants(part.stage) and not self._is_made(part)]
        return (str(self.home), turn[0].stage.name, *(part.member.run for part in lacking))


def main() -> int:
    """Carry the runs named on the command line, in a session of its own that the end of a link does not reach."""
    if os.fork():
        return 0
    os.setsid()
    return supervise(sys.argv[1:], ForkServer())


def supervise(words: Sequence[str], forks: ForkServer) -> int:
    """Carry the runs `HOME RUN...` in this process, with stages from `forks`; returns its exit status."""
    home = Path(words[0])
    return status_of(home, lambda: Supervisor(home, words[1:], forks).carry())


if __name__ == "__main__":
    sys.exit(main())
