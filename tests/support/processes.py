"""Other processes, looked at and waited for from tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil


def working(pid: int) -> bool:
    """Whether a process is there and has not ended: in a container whose first process reaps nobody, the dead stay listed."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def group(leader: int) -> list[int]:
    """Processes of a group that have not ended."""
    found = []
    for pid in psutil.pids():
        try:
            if os.getpgid(pid) == leader and working(pid):
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


def wait_until(true: Callable[[], object], complaint: str = "waited in vain", limit_s: float = 60) -> None:
    """Wait for something that other processes do."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, complaint
        time.sleep(0.01)


def working_for(home: Path) -> list[psutil.Process]:
    """What works for a state folder below `home`, ourselves left out."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            mine = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
            if mine and process.environ().get("XDG_STATE_HOME", "").startswith(str(home)):
                found.append(process)
    return found


def kill_all(home: Path) -> None:
    """Leave nothing behind that was begun for it."""
    for process in working_for(home):
        with suppress(psutil.Error):
            process.kill()
