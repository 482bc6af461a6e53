"""One detached process a study or a search, which submits ordinary runs, some at a time, and waits for them.

Each group of runs is carried by its own supervisor, so that a killed driver ends no run; whoever takes the folder up again
finds what has ended and resumes what has not, once each. SIGTERM, or a file `cancel` in the folder, ends what is going.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ..errors import EdgetuiError, StorageRefused
from ..schema.spec import RunSpec
from ..system.locks import take_lock
from .asking import Cancelling
from .detached import status_of
from .driven_folder import DrivenDir
from .ensure import ensure
from .folder import RunDir
from .launch import BEGIN_S

LOOK_S = 0.5


def begin_driver(folder: DrivenDir, module: str) -> None:
    """Start the driver of a folder, detached; returns when it holds the folder.

    Raises:
        StorageRefused: it did not start.
    """
    folder.forget_end()
    command = [sys.executable, "-m", f"edgetui.engine.{module}", str(folder.home), folder.id]
    with (folder.path / "log.txt").open("ab") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder.home, check=False)
    end = time.monotonic() + BEGIN_S
    while not ((folder.path / "begun").exists() or folder.alive()):
        if time.monotonic() > end:
            raise StorageRefused(f"{folder.id} did not start", fix=f"see {folder.path / 'log.txt'}")
        time.sleep(0.02)


def drive_detached(folder: DrivenDir, drive: Callable[[], None]) -> int:
    """Do that in a session of its own, which the end of a link does not reach; what is left to do of a driver's `main`."""
    (folder.path / "begun").unlink(missing_ok=True)
    if os.fork():
        return 0
    os.setsid()
    return status_of(folder.home, drive)


class Carrier:
    """Has runs of a folder done, one group at a time."""

    def __init__(self, folder: DrivenDir) -> None:
        self.folder, self.home = folder, folder.home
        self._ending = False

    @contextmanager
    def holding(self, again: str) -> Iterator[None]:
        """Hold the folder; `again`: what to do where another process does.

        Raises:
            StorageRefused: one does.
        """
        signal.signal(signal.SIGTERM, self._end)
        lock = take_lock(self.folder.path / "alive.lock", patience_s=0.2)
        if lock is None:
            raise StorageRefused(f"{self.folder.id} is going already", fix=again)
        try:
            lock.write(str(os.getpid()))
            (self.folder.path / "begun").touch(mode=0o600)
            yield
        finally:
            lock.release()

    def _end(self, *_: object) -> None:
        self._ending = True

    def to_end(self) -> bool:
        """Whether its end was asked for."""
        if self._ending:
            with suppress(OSError):
                self.folder.ask_to_end()
        return self._ending or self.folder.is_to_end()

    def carry(self, number: int, specs: Sequence[RunSpec]) -> list[RunDir]:
        """Have a group's runs done that are not, and give them; what cannot be submitted is left for the next time, and said
        in the log.
        """
        known = list(self.folder.runs().get(number, {}).values())
        try:
            members = ensure(self.home, specs, known, study=self.folder.label(number))
        except EdgetuiError as error:
            print(f"group {number}: {error}", flush=True)
            return []
        self._wait(members)
        return members

    def interrupted(self, number: int) -> bool:
        """Whether a run of a group has neither ended nor anybody who carries it."""
        return any(run.result() is None and not run.alive() for run in self.folder.runs().get(number, {}).values())

    def _wait(self, members: Sequence[RunDir]) -> None:
        """Until nobody carries them, which is not before their supervisor has ended; that is asked to where we are."""
        going: Cancelling | None = None
        while any(run.alive() for run in members):
            if going is None and self.to_end():
                with suppress(StorageRefused):  # they have just ended
                    going = Cancelling(self.home, [run for run in members if run.alive()])
            if going is not None:
                with suppress(StorageRefused):
                    going.ended()
            time.sleep(LOOK_S)
        if going is not None:
            with suppress(StorageRefused):
                going.ended()
