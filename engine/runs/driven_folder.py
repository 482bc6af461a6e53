"""A folder that a process of its own carries: a study or a search, whose runs it submits one after another, or a sweep.

It holds alive.lock (held while runs are submitted), log.txt, `begun`, and `cancel` where its end was asked for. Which runs are
its own says each run's run.toml: who is killed anywhere loses none.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from ..errors import DAMAGED, StorageRefused, from_os_error
from ..schema.ready import ready
from ..system.atomic_write import write_atomic
from ..system.locks import is_held
from ..system.plain_files import open_plain, read_plain
from .folder import RunDir, run_paths

Asked = TypeVar("Asked", bound=msgspec.Struct)
"""What a folder's own file says was asked: a request with an `id` and a `wall`."""
Driven = TypeVar("Driven", bound="DrivenDir")
_HEAD_BYTES = 800
"""Of run.toml, that hold whose run it is, whatever the recipe is."""


class DrivenDir:
    """One such folder; cheap to make, reads nothing until asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """Its id."""
        return self.path.name

    @property
    def home(self) -> Path:
        """The state folder that it is in."""
        return self.path.parents[1]

    def alive(self) -> bool:
        """Whether a process submits its runs."""
        return is_held(self.path / "alive.lock")

    def ask_to_end(self) -> None:
        """Have no further run submitted."""
        (self.path / "cancel").touch(mode=0o600)

    def is_to_end(self) -> bool:
        """Whether that was asked."""
        return (self.path / "cancel").exists()

    def forget_end(self) -> None:
        """It is taken up again."""
        (self.path / "cancel").unlink(missing_ok=True)

    def read(self, file: str, kind: type[Asked], word: str) -> Asked:
        """What was asked, from the file that says it; `word`: what it is called where it cannot be read.

        Raises:
            StorageRefused: it is missing or broken.
        """
        try:
            return msgspec.json.decode(read_plain(self.path / file), type=ready(kind))
        except (OSError, *DAMAGED) as error:
            why = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise StorageRefused(f"cannot read {self.path / file} ({why})", fix=f"begin the {word} anew") from None

    def label(self, number: int) -> str:
        """What the runs of a group say of whose they are."""
        return f"{self.id}#{number}"

    def runs(self) -> dict[int, dict[int, RunDir]]:
        """The run folders of each group that has some, by their places in it."""
        found: dict[int, dict[int, RunDir]] = {}
        wanted = re.compile(rf'^study = "{re.escape(self.id)}#(\d+)"$', re.MULTILINE)
        for path in run_paths(self.home):
            with suppress(OSError, ValueError):
                with open_plain(path / "run.toml") as file:
                    head = file.read(_HEAD_BYTES).decode(errors="replace")
                if told := wanted.search(head):
                    place = re.search(r"^place = (\d+)$", head, re.MULTILINE)
                    found.setdefault(int(told[1]), {})[int(place[1]) if place else 0] = RunDir(path)
        return {number: dict(sorted(members.items())) for number, members in found.items()}


def create_asked(parent: Path, name: str, file: str, asked: Asked) -> Path:
    """Make a folder of this minute and name, and the file that says what was asked.

    Raises:
        StorageRefused: the disk is full or read-only.
    """
    try:
        path = _new_folder(parent, f"{time.strftime('%Y%m%d-%H%M')}-{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}")
        wall = datetime.now().astimezone().isoformat(timespec="seconds")
        written = msgspec.structs.replace(asked, id=path.name, wall=wall)
        write_atomic(path / file, msgspec.json.format(msgspec.json.encode(written), indent=1))
    except OSError as error:
        raise from_os_error(error, path=parent) from None
    return path


def asked_alike(folders: Sequence[Driven], alike: Callable[[Driven], bool]) -> Driven | None:
    """The first of which that holds; what cannot be read is passed over."""
    for folder in folders:
        with suppress(StorageRefused):
            if alike(folder):
                return folder
    return None


def called(folders: Sequence[Driven], text: str, word: str) -> Driven | None:
    """What an id, or a part that only one has, means; None: none. `word`: what several of them are called.

    Raises:
        StorageRefused: several have it in their ids.
    """
    found = [folder for folder in folders if text in folder.id]
    whole = [folder for folder in found if folder.id == text]
    if len(found) > 1 and not whole:
        ids = ", ".join(folder.id for folder in found[:3])
        raise StorageRefused(f"several {word} have `{text}` in their ids: {ids}", fix="write more")
    return next(iter(whole or found), None)


def _new_folder(parent: Path, stem: str) -> Path:
    """A number stands behind a name that is taken."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for count in itertools.count(1):
        name = stem if count == 1 else f"{stem}-{count}"
        with suppress(FileExistsError):
            (parent / name).mkdir(mode=0o700)
            return parent / name
    raise AssertionError


def folders_in(parent: Path, file: str) -> list[Path]:
    """The folders there, the one with the newest `file` first.

    Raises:
        StorageRefused: they cannot be listed.
    """

    def made_ns(path: Path) -> int:
        try:
            return (path / file).stat().st_mtime_ns
        except OSError:
            return 0

    try:
        with os.scandir(parent) as entries:
            found = [Path(e.path) for e in entries if e.is_dir() and not e.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error) from None
    return sorted(found, key=made_ns, reverse=True)
