"""One light process a study: submits its groups one after another, each when the one before has ended.

`python -m edgetui.engine.runs.study_driver HOME ID`, detached from any terminal. Each group is carried by its own supervisor,
so that a killed driver ends no run; whoever takes the study up again finds what has ended and resumes what has not, once each.
A group whose supervisor was killed meanwhile is resumed when all others are through.
SIGTERM, or a file `cancel` in the study's folder, ends the group that is going and submits no other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import EdgetuiError, StorageRefused
from ..schema.study import StudyGroup
from ..system.locks import take_lock
from ..system.log import logger, start_log
from .asking import Cancelling, reopen, write
from .folder import RunDir
from .launch import start
from .study_folder import StudyDir

_log = logger(__name__)
LOOK_S = 0.5
BEGIN_S = 20.0
"""How long a supervisor may take to begin."""


def begin_driver(folder: StudyDir) -> None:
    """Start the driver of a study, detached; returns when it holds the study.

    Raises:
        StorageRefused: it did not start.
    """
    folder.forget_end()
    command = [sys.executable, "-m", "edgetui.engine.runs.study_driver", str(folder.home), folder.id]
    with (folder.path / "log.txt").open("ab") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder.home, check=False)
    end = time.monotonic() + BEGIN_S
    while not ((folder.path / "begun").exists() or folder.alive()):
        if time.monotonic() > end:
            raise StorageRefused(f"the study {folder.id} did not start", fix=f"see {folder.path / 'log.txt'}")
        time.sleep(0.02)


class Driver:
    """Takes a study through its groups."""

    def __init__(self, folder: StudyDir) -> None:
        self.folder = folder
        self.home = folder.home
        self.ending = False

    def drive(self) -> None:
        """To the end of the last group, or until it is asked to end.

        Raises:
            StorageRefused: another process drives it.
        """
        signal.signal(signal.SIGTERM, self._end)
        lock = take_lock(self.folder.path / "alive.lock", patience_s=0.2)
        if lock is None:
            raise StorageRefused(f"study {self.folder.id} is going already", fix="follow it with `edgetui study`")
        try:
            lock.write(str(os.getpid()))
            (self.folder.path / "begun").touch(mode=0o600)
            groups = self.folder.asked().groups
            for number, group in enumerate(groups):
                if not self._to_end():
                    self._carry(number, group)
            for number, group in enumerate(groups):  # a supervisor was killed, and nothing says that its runs cannot be done
                if self._was_interrupted(number) and not self._to_end():
                    self._carry(number, group)
        finally:
            lock.release()

    def _end(self, *_: object) -> None:
        self.ending = True

    def _to_end(self) -> bool:
        if self.ending:
            with suppress(OSError):
                self.folder.ask_to_end()
        return self.ending or self.folder.is_to_end()

    def _carry(self, number: int, group: StudyGroup) -> None:
        """Have a group done that is not; what cannot be submitted is left for the next time, and said in the log."""
        members = list(self.folder.runs().get(number, {}).values())
        if len(members) < len(group.specs) and not any(run.events() for run in members):
            for run in members:  # we were killed while their folders were made
                shutil.rmtree(run.path, ignore_errors=True)
            members = []
        try:
            self._start(members, group, self.folder.label(number))
        except EdgetuiError as error:
            print(f"group {number}: {error}", flush=True)
            return
        self._wait(list(self.folder.runs().get(number, {}).values()))

    def _was_interrupted(self, number: int) -> bool:
        """Whether a run of a group has neither ended nor anybody who carries it."""
        return any(run.result() is None and not run.alive() for run in self.folder.runs().get(number, {}).values())

    def _start(self, members: Sequence[RunDir], group: StudyGroup, label: str) -> None:
        if not members:
            members = write(self.home, group.specs, label)
        elif any(run.alive() for run in members) or all(_done(run) for run in members):
            return
        else:
            members = reopen(self.home, members)
        offsets = [run.events_from(0)[1] for run in members]
        start(members, self.home)
        end = time.monotonic() + BEGIN_S
        while not all(run.events_from(at)[0] or run.result() for run, at in zip(members, offsets, strict=True)):
            if time.monotonic() > end:
                raise StorageRefused(f"the supervisor of {members[0].name} did not start", fix="take the study up again")
            time.sleep(0.05)

    def _wait(self, members: Sequence[RunDir]) -> None:
        """Until nobody carries them, which is not before their supervisor has ended; that is asked to where we are."""
        going: Cancelling | None = None
        while any(run.alive() for run in members):
            if going is None and self._to_end():
                with suppress(StorageRefused):  # they have just ended
                    going = Cancelling(self.home, [run for run in members if run.alive()])
            if going is not None:
                with suppress(StorageRefused):
                    going.ended()
            time.sleep(LOOK_S)
        if going is not None:
            with suppress(StorageRefused):
                going.ended()


def _done(run: RunDir) -> bool:
    result = run.result()
    return result is not None and result.state == "done"


def main() -> int:
    """Drive the study named on the command line, in a session of its own that the end of a link does not reach."""
    home, name = Path(sys.argv[1]), sys.argv[2]
    (home / "studies" / name / "begun").unlink(missing_ok=True)
    if os.fork():
        return 0
    os.setsid()
    os.umask(0o077)
    start_log(home)
    try:
        Driver(StudyDir(home / "studies" / name)).drive()
    except EdgetuiError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
