"""Have runs done that may be going, done, or broken off already: asked as often as one likes, they are done once.

Both who drives a study and who asks a board from elsewhere may be killed at any moment and ask again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import RunFailed, from_os_error
from ..schema.events import RunBegan
from ..schema.spec import RunSpec
from ..system.locks import wait_for_lock
from .asking import is_done, reopen, write
from .folder import RunDir, once_members
from .launch import begin

MOST_BREAKS = 3
"""Times that nobody said why a run ended, as when a board goes off under it, before it is taken for what ends it."""


def ensure_once(home: Path, specs: Sequence[RunSpec], once: str) -> list[RunDir]:
    """`ensure`, of the runs that were asked for with this key; of several who ask at once one begins them.

    Raises:
        EdgetuiError: as `ensure`.
        RunFailed: one was broken off too often.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = wait_for_lock(home / "ensure.lock")
    except OSError as error:
        raise from_os_error(error, path=home) from None
    try:
        known = once_members(home, once)
        for run in known:
            _refuse_hopeless(run)
        return ensure(home, specs, known, once=once)
    finally:
        lock.release()


def ensure(home: Path, specs: Sequence[RunSpec], known: Sequence[RunDir], *, study: str = "", once: str = "") -> list[RunDir]:
    """The run folders of `specs`: `known` as they are where they are going or done, taken up again where they have not ended
    well; where there are none, begun. Returns when they have begun; `study` and `once` are written into new ones.

    Raises:
        EdgetuiError: model or data cannot be read or have changed, the state folder cannot be written, no supervisor started.
    """
    members = list(known)
    if len(members) < len(specs) and not any(run.events() for run in members):
        for run in members:  # who made them was killed meanwhile
            shutil.rmtree(run.path, ignore_errors=True)
        members = []
    if any(run.alive() for run in members):
        return members
    if not members:
        members = write(home, specs, study, once)
        begin(members, home)
    elif not all(map(is_done, members)):
        begin(reopen(home, members), home)
    return members


def _refuse_hopeless(run: RunDir) -> None:
    began = sum(isinstance(event, RunBegan) for event in run.events())
    if began < MOST_BREAKS or run.result() is not None or run.alive():
        return
    last = " ".join(run.log_end(300).split()[-30:])
    raise RunFailed(
        f"run {run.name} was broken off {began} times, as when a board goes off under it" + (f": {last}" if last else ""),
        fix=f"look at it there with `edgetui show {run.name}`; `edgetui resume {run.name}` there tries it once more",
    )
