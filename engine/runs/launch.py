"""Starting a supervisor from a light process, without importing one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import StorageRefused
from ..system.log import logger
from . import queries
from .board_queue import Device
from .coming_after import waited_for
from .folder import RunDir

_log = logger(__name__)
BEGIN_S, LOOK_S = 20.0, 0.02
"""How long a supervisor, or a driver, may take to begin, and how often we look."""


def begin(folders: Sequence[RunDir], home: Path) -> None:
    """`start`, and wait for the first event of each run behind those that are there.

    Raises:
        StorageRefused: there is none within 20 s.
    """
    offsets = [folder.events_from(0)[1] for folder in folders]
    start(folders, home)
    end = time.monotonic() + BEGIN_S
    while not all(folder.events_from(at)[0] or folder.result() for folder, at in zip(folders, offsets, strict=True)):
        if time.monotonic() > end:
            raise StorageRefused(
                f"the supervisor of {folders[0].name} did not start",
                fix=f"see {folders[0].path / 'log.txt'}, then `edgetui resume`",
            )
        time.sleep(LOOK_S)
    with suppress(OSError):  # a run that is taken up again changes the folder of all in no other way; screens look at that one
        os.utime(home / "runs")


def start(folders: Sequence[RunDir], home: Path) -> None:
    """Start a supervisor of its own session for runs that are carried together, with no terminal and no parent to wait for it;
    returns when it has left.
    """
    lead = folders[0]
    words = [str(home), *(folder.name for folder in folders)]
    with (lead.path / "log.txt").open("ab") as log:
        if not (_is_next(lead, home) and queries.begin_supervisor(words, log.fileno(), home)):
            command = [sys.executable, "-m", "edgetui.engine.runs.supervisor", *words]
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home, check=False)
    _log.info("a supervisor of %s was started", ", ".join(words[1:]))


def _is_next(folder: RunDir, home: Path) -> bool:
    """Whether it need not wait, with all that it shares with our fork server."""
    if waited_for(folder):
        return False
    asked = folder.asked()
    return Device(home, asked.ticket, asked.run).free()
