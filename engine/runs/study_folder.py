"""The folder of a study, studies/ID/: what was asked is in study.json, beside what `driven_folder.py` says."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..schema.result import Result, State
from ..schema.study import StudyRequest
from .driven_folder import DrivenDir, asked_alike, create_asked, folders_in


class StudyDir(DrivenDir):
    """One study's folder."""

    def asked(self) -> StudyRequest:
        """What study.json says.

        Raises:
            StorageRefused: it is missing or broken.
        """
        return self.read("study.json", StudyRequest, "study")


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
    name = f"{asked.study.name[:40]}{'-small' if asked.small else ''}"
    return StudyDir(create_asked(home / "studies", name, "study.json", asked))


def study_folders(home: Path) -> list[StudyDir]:
    """All of them, the newest first."""
    return [StudyDir(path) for path in folders_in(home / "studies", "study.json")]


def same_study(home: Path, asked: StudyRequest) -> StudyDir | None:
    """The newest folder in which the same was asked."""
    return asked_alike(study_folders(home), lambda folder: folder.asked().same_as(asked))


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
