"""The folder of a search, searches/ID/: what was asked in search.json, what was found in found.jsonl, a line each.

What was answered is never asked again: a search that was killed goes on with the same questions in the same order.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from ..errors import DAMAGED, StorageRefused, from_os_error
from ..schema.ready import ready
from ..schema.result import State
from ..schema.search import SearchDocument, SearchLine, SearchRequest
from ..system.atomic_write import write_atomic
from ..system.plain_files import read_plain
from .driven_folder import DrivenDir, folders_in, new_folder

DRIVER = "work.search_driver"
"""The module that drives a search."""


_WHY = {
    "running": "it has not ended",
    "cancelled": "it was ended before its answer; given again, it goes on",
    "crashed": "it was interrupted before its answer; given again, it goes on",
}


class SearchDir(DrivenDir):
    """One search's folder."""

    def asked(self) -> SearchRequest:
        """What search.json says.

        Raises:
            StorageRefused: it is missing or broken.
        """
        try:
            return msgspec.json.decode(read_plain(self.path / "search.json"), type=ready(SearchRequest))
        except (OSError, *DAMAGED) as error:
            why = error.strerror if isinstance(error, OSError) else "it is damaged"
            raise StorageRefused(f"cannot read {self.path / 'search.json'} ({why})", fix="begin the search anew") from None

    def found(self) -> list[SearchLine]:
        """All lines that were written whole; damaged ones are passed over."""
        try:
            lines = read_plain(self.path / "found.jsonl").splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            with suppress(*DAMAGED):
                found.append(msgspec.json.decode(line, type=ready(SearchLine)))
        return found

    def add(self, line: SearchLine) -> None:
        """Append a line.

        Raises:
            StorageRefused: the disk is full.
        """
        try:
            with (self.path / "found.jsonl").open("ab") as file:
                file.write(b"\n" * (file.tell() > 0) + msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise from_os_error(error, path=self.path) from None

    def state(self) -> State:
        """How it stands."""
        if self.alive():
            return "running"
        ends = [line for line in self.found() if line.answer is not None or line.failure is not None]
        if ends:
            return "done" if ends[-1].answer is not None else "failed"
        return "cancelled" if self.is_to_end() else "crashed"

    def document(self) -> SearchDocument:
        """Its answer, or as much as is known by now."""
        asked, lines, state = self.asked(), self.found(), self.state()
        answers = [line.answer for line in lines if line.answer is not None]
        if answers and state != "running":
            return msgspec.structs.replace(answers[-1], state=state)
        found = [line.checked or line.measured for line in lines if line.checked or line.measured]
        return SearchDocument(
            search=self.id,
            state=state,
            goal=asked.goal,
            checks=sum(line.checked is not None for line in lines),
            builds=sum(line.measured is not None for line in lines),
            runs=tuple(dict.fromkeys(each.run for each in found if each is not None and each.run)),
            why=_WHY.get(state, "") or str(next((line.failure.refusal for line in reversed(lines) if line.failure), "")),
        )


def create_search(home: Path, asked: SearchRequest) -> SearchDir:
    """Make the folder and search.json.

    Raises:
        StorageRefused: the disk is full or read-only.
    """
    try:
        stem = re.sub(r"[^A-Za-z0-9.-]+", "_", Path(asked.spec.model).stem)[:40]
        folder = SearchDir(new_folder(home / "searches", f"{time.strftime('%Y%m%d-%H%M')}-search-{stem}"))
        wall = datetime.now().astimezone().isoformat(timespec="seconds")
        written = msgspec.structs.replace(asked, id=folder.id, wall=wall)
        write_atomic(folder.path / "search.json", msgspec.json.format(msgspec.json.encode(written), indent=1))
    except OSError as error:
        raise from_os_error(error, path=home / "searches") from None
    return folder


def search_folders(home: Path) -> list[SearchDir]:
    """All of them, the newest first."""
    return [SearchDir(path) for path in folders_in(home / "searches", "search.json")]


def same_search(home: Path, asked: SearchRequest) -> SearchDir | None:
    """The newest folder in which the same was asked."""
    for folder in search_folders(home):
        with suppress(StorageRefused):
            if folder.asked().same_as(asked):
                return folder
    return None
