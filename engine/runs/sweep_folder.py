"""The folder of a sweep: what was asked, and what has been told so far.

Beside what `driven_folder.py` says sweeps/ID/ holds sweep.json (what was asked), told.jsonl (a line for each window that was
measured, append only), plans/, and first_mode.json while another power mode may be on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ..errors import DAMAGED
from ..schema.ready import ready
from ..schema.result import State
from ..schema.sweep import Doing, FirstModeTold, ModeTold, Remarked, ShotTold, SweepEnded, SweepRequest, Told
from ..schema.sweep_shot import Shot
from ..system.plain_files import read_plain
from .driven_folder import DrivenDir, asked_alike, called, create_asked, folders_in

SWEEPS = "sweeps"


class SweepDir(DrivenDir):
    """One sweep's folder."""

    def asked(self) -> SweepRequest:
        """What sweep.json says.

        Raises:
            StorageRefused: it is missing or broken.
        """
        return self.read("sweep.json", SweepRequest, "sweep")

    def tell(self, line: Told) -> None:
        """Append a line.

        Raises:
            OSError: the disk is full.
        """
        fd = os.open(self.path / "told.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(fd, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(fd)

    def told(self) -> list[Told]:
        """All lines so far; a half one at the end, and those of a later version, are passed over."""
        with suppress(OSError):
            return list(_lines(read_plain(self.path / "told.jsonl")))
        return []

    def shots(self) -> list[Shot]:
        """Every window that was measured, the last of each point and round."""
        found = {(line.shot.point, line.shot.round): line.shot for line in self.told() if isinstance(line, ShotTold)}
        return list(found.values())

    def modes(self) -> dict[str, str]:
        """Modes that did not come, and why; since it was last taken up."""
        return {line.mode: line.reason for line in _since_end(self.told()) if isinstance(line, ModeTold)}

    def remarks(self) -> tuple[str, ...]:
        """What has to be known with the figures, each once."""
        return tuple(dict.fromkeys(line.text for line in self.told() if isinstance(line, Remarked)))

    def first_mode(self) -> FirstModeTold | None:
        """The mode that was on; None: none was switched."""
        return next((line for line in reversed(self.told()) if isinstance(line, FirstModeTold)), None)

    def doing(self) -> Doing | None:
        """What is done now, or was last."""
        return next((line for line in reversed(self.told()) if isinstance(line, Doing)), None)

    def ending(self) -> SweepEnded | None:
        """How it ended; None: it has not."""
        lines = self.told()
        return lines[-1] if lines and isinstance(lines[-1], SweepEnded) else None

    def state(self) -> State:
        """As a run's."""
        if self.alive():
            return "running"
        ended = self.ending()
        return "crashed" if ended is None else ended.state


def _lines(data: bytes) -> Iterator[Told]:
    for line in data.splitlines():
        with suppress(*DAMAGED):
            yield msgspec.json.decode(line, type=ready(Told))


def _since_end(lines: list[Told]) -> list[Told]:
    """What was told since it was last taken up, or all of one that has ended."""
    ends = [place for place, line in enumerate(lines[:-1]) if isinstance(line, SweepEnded)]
    return lines[ends[-1] + 1 :] if ends else lines


def create_sweep(home: Path, asked: SweepRequest) -> SweepDir:
    """Make the folder and sweep.json.

    Raises:
        StorageRefused: the disk is full or read-only.
    """
    return SweepDir(create_asked(home / SWEEPS, f"sweep-{asked.name[:40]}", "sweep.json", asked))


def sweep_folders(home: Path) -> list[SweepDir]:
    """All of them, the newest first."""
    return [SweepDir(path) for path in folders_in(home / SWEEPS, "sweep.json")]


def same_sweep(home: Path, asked: SweepRequest) -> SweepDir | None:
    """The newest folder in which the same was asked."""
    return asked_alike(sweep_folders(home), lambda folder: folder.asked().same_as(asked))


def find_sweep(home: Path, text: str) -> SweepDir | None:
    """The sweep that an id, or a part that only one has, means; None: none.

    Raises:
        StorageRefused: several have it in their ids.
    """
    return called(sweep_folders(home), text, "sweeps")
