"""Telling of a run whose supervisor was killed, which can no longer do so itself: whoever notices first does, once.

Apart from `notify.py`, which a supervisor needs: this reads what such a run left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..errors import EdgetuiError
from ..schema.events import RunEnded
from .assemble import assemble
from .folder import RunDir, group_members
from .notify import TOLD, run_command

LATELY_S = 7 * 86400.0
"""What was killed before that is no news, as when the command is set for the first time."""


def tell_crashed(home: Path, runs: Iterable[str]) -> None:
    """Run the command of edgetui.toml for those of these runs that were killed, unless somebody has been told of it."""
    for run in runs:
        with suppress(EdgetuiError, OSError):
            _tell(home, RunDir(home / "runs" / run))


def tell_group_crashed(home: Path, run: str) -> None:
    """The same for all that the supervisor of a run carried."""
    with suppress(EdgetuiError, OSError):
        group = RunDir(home / "runs" / run).asked().group
        tell_crashed(home, [member.name for member in group_members(home, group)] if group else [run])


def _tell(home: Path, folder: RunDir) -> None:
    marker = folder.path / TOLD
    if marker.exists() or time.time() - (folder.path / "events.jsonl").stat().st_mtime > LATELY_S:
        return
    past = folder.last_events()
    ended = bool(past) and isinstance(past[-1], RunEnded)  # it is being taken up again, or its result was taken away
    if ended or folder.alive() or (folder.path / "result.json").exists():
        return
    os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    run_command(folder.asked(), assemble(home, folder), folder.path / "log.txt")
