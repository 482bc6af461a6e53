"""The folder of a study: what was asked, and the lock of the process that submits its groups one after another.

studies/ID/ holds study.json (what was asked), alive.lock (held while groups are submitted), log.txt and `cancel` where its end
was asked for. Which runs are its own says each run's run.toml: a study that is killed anywhere loses none.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import DAMAGED, StorageRefused, from_os_error
from ..schema.ready import ready
from ..schema.result import Result, State
from ..schema.study import StudyRequest
from ..system.atomic_write import write_atomic
from ..system.locks import is_held
from ..system.plain_files import open_plain, read_plain
from .folder import RunDir, run_paths

_HEAD_BYTES = 800
"""Of run.toml, that hold its study whatever the recipe is."""


class StudyDir:
    """One study's folder; cheap to make, reads nothing until asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The study's id."""
        return self.path.name

    @property
    def home(self) -> Path:
        """The state folder that it is in."""
        return self.path.parents[1]

    def asked(self) -> StudyRequest:
        """What study.json says.

        Raises:
            StorageRefused: it is missing or broken.
        """
        try:
            return msgspec.json.decode(read_plain(self.path / "study.json"), type=ready(StudyRequest))
        except (OSError, *DAMAGED) as error:
            why = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise StorageRefused(f"cannot read {self.path / 'study.json'} ({why})", fix="begin the study anew") from None

    def alive(self) -> bool:
        """Whether a process submits its groups."""
        return is_held(self.path / "alive.lock")

    def ask_to_end(self) -> None:
        """Have no further group submitted."""
        (self.path / "cancel").touch(mode=0o600)

    def is_to_end(self) -> bool:
        """Whether that was asked."""
        return (self.path / "cancel").exists()

    def forget_end(self) -> None:
        """It is taken up again."""
        (self.path / "cancel").unlink(missing_ok=True)

    def label(self, number: int) -> str:
        """What the runs of a group have as their study."""
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


class Standing(NamedTuple):
    """How far a study is."""

    state: State
    done: int
    """Groups whose runs have all ended."""
    results: tuple[dict[str, Result], ...]
    """Of each group: its variants whose runs have ended, with their results."""
    runs: tuple[tuple[str, ...], ...]
    """Of each group its runs; empty: it was not submitted."""


def create_study(home: Path, asked: StudyRequest) -> StudyDir:
    """Make the folder and study.json.

    Raises:
        StorageRefused: the disk is full or read-only.
    """
    try:
        folder = StudyDir(home / "studies" / _study_id(home, asked))
        wall = datetime.now().astimezone().isoformat(timespec="seconds")
        written = msgspec.structs.replace(asked, id=folder.id, wall=wall)
        write_atomic(folder.path / "study.json", msgspec.json.format(msgspec.json.encode(written), indent=1))
    except OSError as error:
        raise from_os_error(error, path=home / "studies") from None
    return folder


def _study_id(home: Path, asked: StudyRequest) -> str:
    """Minute and name, a number behind it when that is taken; its folder is made."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", asked.study.name)[:40]
    base = f"{time.strftime('%Y%m%d-%H%M')}-{stem}{'-small' if asked.small else ''}"
    (home / "studies").mkdir(mode=0o700, parents=True, exist_ok=True)
    for count in itertools.count(1):
        name = base if count == 1 else f"{base}-{count}"
        with suppress(FileExistsError):
            (home / "studies" / name).mkdir(mode=0o700)
            return name
    raise AssertionError


def study_folders(home: Path) -> list[StudyDir]:
    """All of them, the newest first."""
    try:
        with os.scandir(home / "studies") as entries:
            found = [StudyDir(Path(e.path)) for e in entries if e.is_dir() and not e.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error) from None
    return sorted(found, key=_made_ns, reverse=True)


def _made_ns(folder: StudyDir) -> int:
    try:
        return (folder.path / "study.json").stat().st_mtime_ns
    except OSError:
        return 0


def same_study(home: Path, asked: StudyRequest) -> StudyDir | None:
    """The newest folder in which the same was asked."""
    for folder in study_folders(home):
        with suppress(StorageRefused):
            if folder.asked().same_as(asked):
                return folder
    return None


def standing(folder: StudyDir, asked: StudyRequest) -> Standing:
    """How far it is, from its runs' folders."""
    runs = folder.runs()
    results, whole = [], []
    for number, group in enumerate(asked.groups):
        members = {place: run for place, run in runs.get(number, {}).items() if place < len(group.variants)}
        ended = {group.variants[place]: result for place, run in members.items() if (result := run.result()) is not None}
        results.append(ended)
        whole.append(bool(members) and len(ended) == len(members))  # one that was removed is waited for no more
    states = {result.state for found in results for result in found.values()}
    state: State = "crashed"
    if folder.alive():
        state = "running"
    elif folder.is_to_end() and not (all(whole) and "cancelled" not in states):
        state = "cancelled"
    elif all(whole):
        state = "cancelled" if "cancelled" in states else "done" if "done" in states else "failed"
    names = tuple(tuple(run.name for run in runs.get(number, {}).values()) for number in range(len(asked.groups)))
    return Standing(state, sum(whole), tuple(results), names)
