"""The folder of a search, searches/ID/: what was asked in search.json, what was found in found.jsonl, a line each.

What was answered is never asked again: a search that was killed goes on with the same questions in the same order.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from ..advice.goals import Goal, parse_goal
from ..advice.metrics import AIMS
from ..errors import DAMAGED, StorageRefused, from_os_error
from ..library.recipes import recipe_toml
from ..schema.ready import ready
from ..schema.result import State
from ..schema.search import SearchChoice, SearchDocument, SearchLine, SearchPoint, SearchRequest, SearchUnit
from ..system.atomic_write import write_atomic
from ..system.plain_files import read_plain
from .driven_folder import DrivenDir, folders_in, new_folder
from .folder import RunDir

FORMATS = ("fp32", "fp16", "int8")
"""As lines name them."""
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
        known = _known(lines, AIMS[parse_goal(asked.goal).aim].limited_as)
        told = [line.sensitivity for line in lines if line.sensitivity is not None]
        return SearchDocument(
            search=self.id,
            state=state,
            goal=asked.goal,
            over=asked.over,
            choice=self._best(known, parse_goal(asked.goal)),
            built=tuple(known.values()),
            sensitivity=tuple(
                SearchUnit(unit=row.unit, format=row.format, kl=row.kl, sqnr_db=row.sqnr_db)
                for each in told
                for row in each.rows
            ),
            checks=sum(line.checked is not None for line in lines),
            builds=sum(line.measured is not None for line in lines),
            runs=tuple(dict.fromkeys(point.run for point in known.values() if point.run)),
            why=_WHY.get(state, "") or str(next((line.failure.refusal for line in reversed(lines) if line.failure), "")),
        )

    def _best(self, known: Mapping[tuple[str, ...], SearchPoint], goal: Goal) -> SearchChoice | None:
        """The cheapest of what was measured and is borne out by half A so far; None: nothing is yet."""
        good = [
            point
            for point in known.values()
            if point.run and point.measured is not None and point.difference is not None and _borne_out(point, goal)
        ]
        best = min(good, key=lambda point: (point.measured and point.measured.value) or 1.0, default=None)
        if best is None or best.run is None:
            return None
        return SearchChoice(recipe=recipe_toml(RunDir(self.home / "runs" / best.run).asked().spec.recipe), run=best.run)


def _borne_out(point: SearchPoint, goal: Goal) -> bool:
    low = point.difference.low if point.difference is not None else None
    return low is not None and low >= -(goal.drop if goal.drop is not None else 1.0)


def _known(lines: Sequence[SearchLine], quantity: str) -> dict[tuple[str, ...], SearchPoint]:
    """What was measured, and what half A says of it."""
    found: dict[tuple[str, ...], SearchPoint] = {}
    for line in lines:
        if line.measured is not None:
            of = line.measured.of
            settings = dict(word.split("=", 1) for word in of) if all("=" in word for word in of) else {}
            formats: dict[str, int] = {} if settings else {form: of.count(form) for form in FORMATS if form in of}
            ratio = line.measured.ratios.get(quantity)
            found[of] = SearchPoint(formats=formats, settings=settings, measured=ratio, run=line.measured.run or None)
    for line in lines:
        if line.checked is not None and line.checked.half == "A" and line.checked.of in found:
            of = line.checked.of
            found[of] = msgspec.structs.replace(found[of], difference=line.checked.difference)
    return found


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
