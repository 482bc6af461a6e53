"""The folder of a study, studies/ID/: what was asked is in study.json, beside what `driven_folder.py` says."""

from __future__ import annotations

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
from ..system.plain_files import read_plain
from .driven_folder import DrivenDir, folders_in, new_folder


class StudyDir(DrivenDir):
    """One study's folder."""

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
        folder = StudyDir(new_folder(home / "studies", _study_id(asked)))
        wall = datetime.now().astimezone().isoformat(timespec="seconds")
        written = msgspec.structs.replace(asked, id=folder.id, wall=wall)
        write_atomic(folder.path / "study.json", msgspec.json.format(msgspec.json.encode(written), indent=1))
    except OSError as error:
        raise from_os_error(error, path=home / "studies") from None
    return folder


def _study_id(asked: StudyRequest) -> str:
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", asked.study.name)[:40]
    return f"{time.strftime('%Y%m%d-%H%M')}-{stem}{'-small' if asked.small else ''}"


def study_folders(home: Path) -> list[StudyDir]:
    """All of them, the newest first."""
    return [StudyDir(path) for path in folders_in(home / "studies", "study.json")]


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
