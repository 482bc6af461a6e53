"""From what is asked to run folders: writing them, taking them up again, ending them. Light; the supervisor does the rest.

Recipes that are given together make a group: a run folder each, whose run.toml says the group and the run's place in it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from msgspec import structs

from ..backends.cards import CARDS
from ..errors import StorageRefused, from_os_error
from ..library.models import model_hash
from ..schema.spec import RunRequest, RunSpec
from .assemble import close_cancelled
from .board_queue import draw_ticket, enter
from .coming_after import come_after, refuse_circle, waited_for
from .folder import RunDir, check_room, create, group_members, new_name
from .input_hashes import data_hashes, file_hashes, refuse_changed, samples_hash
from .stages import KEYS, versions

CANCEL_S = 10.0
LOOK_S = 0.05


def write(home: Path, specs: Sequence[RunSpec], study: str = "", once: str = "", after: Sequence[RunDir] = ()) -> list[RunDir]:
    """Make the folders of runs that differ in their recipes alone, and put them into the queue, in the order given. `study`: of
    which study and which of its groups they are; `once`: what `ensure.py` finds them by; `after`: runs that have to end well
    before these come into the queue.

    Raises:
        EdgetuiError: the model or the data cannot be read, or the state folder cannot be written.
    """
    specs = [_located(spec) for spec in specs]
    first = specs[0]
    sha, hashes, samples = model_hash(Path(first.model)), data_hashes(first), samples_hash(first)
    from ... import __version__

    folders: list[RunDir] = []
    try:
        for spec in specs:
            check_room(home)
            folders.append(RunDir(home / "runs" / new_name(home, spec.model, spec.recipe.name)))
        names = [folder.name for folder in folders]
        group = f"{names[0]}+{len(specs) - 1}" if len(specs) > 1 else ""
        for place, (name, spec, guard) in enumerate(zip(names, specs, guards(specs, names), strict=True)):
            ticket = draw_ticket(home)
            asked = RunRequest(
                run=name,
                ticket=ticket,
                group=group,
                place=place,
                study=study,
                once=once,
                guard=guard,
                wall=datetime.now().astimezone().isoformat(timespec="seconds"),
                edgetui=__version__,
                python=sys.executable,
                versions=versions(),
                model_sha256=sha,
                dataset_hash=hashes[0],
                calibration_hash=hashes[1],
                samples_hash=samples,
                file_hashes=file_hashes(spec),
                keys=KEYS,
                spec=spec,
            )
            create(home, asked)
            if place == 0 and not after:
                enter(home, ticket, name)
        if after:
            come_after(home, folders, after)
    except (OSError, StorageRefused) as error:
        for folder in folders:
            shutil.rmtree(folder.path, ignore_errors=True)  # or it would be listed as one that crashed
        raise (from_os_error(error) if isinstance(error, OSError) else error) from None
    return folders


def _located(spec: RunSpec) -> RunSpec:
    """With whole paths of what steps read besides: stages work elsewhere."""
    steps = tuple(step.located(Path.cwd()) for step in spec.recipe.step)
    return structs.replace(spec, recipe=structs.replace(spec.recipe, step=steps))


def guards(specs: Sequence[RunSpec], names: Sequence[str]) -> list[str]:
    """For each of some runs what it is measured beside (`RunRequest.guard`): INT8 beside FP16, where the hardware has that."""
    half = next((name for spec, name in zip(specs, names, strict=True) if _all_in(spec, "float16")), "")
    found = []
    for spec, name in zip(specs, names, strict=True):
        int8 = any(step.arithmetic == "int8" for step in spec.recipe.active)
        wanted = int8 and spec.guard and spec.measure and CARDS[spec.backend.name].has_half(spec.backend)
        found.append((half or name) if wanted else "")
    return found


def _all_in(spec: RunSpec, arithmetic: str) -> bool:
    """Whether the recipe does nothing but compute in that."""
    steps = spec.recipe.active
    return bool(steps) and all(step.arithmetic == arithmetic for step in steps)


def meant(home: Path, text: str) -> list[RunDir]:
    """The runs that a group's id means, else the one that has that id, or that part of an id for itself.

    Raises:
        StorageRefused: there is none, or more than one.
    """
    return group_members(home, text) or [RunDir.find(home, text)]


def reopen(home: Path, folders: Sequence[RunDir]) -> list[RunDir]:
    """Put runs that have not ended well into the queue again, to be carried together; of several those that can be.

    Raises:
        StorageRefused: they are running, or done.
        ModelRefused, DataRefused: their model or data have changed since.
    """
    left = [folder for folder in folders if not (folder.alive() or is_done(folder))]
    if not left:
        folder = next((folder for folder in folders if folder.alive()), folders[0])
        if folder.alive():
            raise StorageRefused(f"run {folder.name} is running", fix=f"`edgetui watch {folder.name}`")
        raise StorageRefused(f"run {folder.name} is done", fix=f"`edgetui show {folder.name}`, or start a new run")
    asked = left[0].asked()
    check_room(home)
    refuse_changed(asked)
    refuse_circle(home, left[0])
    try:
        for folder in left:
            folder.forget_ending()
        if after := waited_for(left[0]):
            come_after(home, left, [RunDir(home / "runs" / name) for name in after])
        else:
            enter(home, asked.ticket, asked.run)
    except OSError as error:
        raise from_os_error(error) from None
    return left


def is_done(folder: RunDir) -> bool:
    """Whether it has ended well."""
    result = folder.result()
    return result is not None and result.state == "done"


class Cancelling:
    """Runs that are to end: SIGTERM to a supervisor that carries none but these, SIGKILL after 10 s; one that carries others
    as well is asked to go on without them.
    """

    def __init__(self, home: Path, folders: Sequence[RunDir]) -> None:
        """Begins at once.

        Raises:
            StorageRefused: none of them is running.
        """
        self._home, self._until = home, time.monotonic() + CANCEL_S
        pids = {folder.name: pid for folder in folders if (pid := folder.pid()) is not None}
        if not pids:
            raise StorageRefused(f"run {folders[0].name} is not running", fix="`edgetui runs` shows what is")
        self._folders = [folder for folder in folders if folder.name in pids]
        self._whole: set[int] = set()
        for folder in self._folders:
            pid, group = pids[folder.name], folder.asked().group
            beside = group_members(home, group) if group else [folder]
            if all(other.name in pids for other in beside if other.pid() == pid):
                self._whole.add(pid)
            else:
                folder.ask_to_cancel()
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._whole:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def ended(self) -> bool:
        """Whether all have ended; to be asked again until then.

        Raises:
            StorageRefused: a supervisor that goes on with others does not answer.
        """
        left = [folder for folder in self._folders if folder.alive()]
        if left and time.monotonic() > self._until:
            if not self._whole:
                group = left[0].asked().group
                raise StorageRefused(f"run {left[0].name} does not end", fix=f"`edgetui cancel {group}` ends its whole group")
            self._signal(signal.SIGKILL)
            self._until = float("inf")
        if left:
            return False
        for folder in self._folders:
            if folder.result() is None:
                close_cancelled(self._home, folder)
        return True
