"""The folder of a search, searches/ID/: what was asked in search.json, what was found in found.jsonl, a line each.

What was answered is never asked again: a search that was killed goes on with the same questions in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ..advice.goals import Goal, parse_goal
from ..advice.metrics import AIMS
from ..errors import DAMAGED, UsageError, from_os_error
from ..library.recipes import recipe_toml
from ..schema.figures import Ratio
from ..schema.ready import ready
from ..schema.result import State
from ..schema.search import CandidateChecked, SearchChoice, SearchDocument, SearchLine, SearchPoint, SearchRequest, SearchUnit
from ..system.plain_files import read_plain
from .driven_folder import DrivenDir, asked_alike, called, create_asked, folders_in
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
        return self.read("search.json", SearchRequest, "search")

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
        state = self.state()
        asked = self.asked()
        try:
            parse_goal(asked.goal)
        except UsageError as error:  # another version took it
            return SearchDocument(search=self.id, state="failed", goal="", over=asked.over, why=f"{error}")
        answers = [line.answer for line in self.found() if line.answer is not None]
        known = msgspec.structs.replace(answers[-1], state=state) if answers and state != "running" else self.so_far(state)
        return msgspec.structs.replace(known, warnings=tuple(dict.fromkeys((*asked.warnings, *known.warnings))))

    def out_of_time(self) -> SearchDocument:
        """The answer of one whose time is over."""
        found = self.so_far("done")
        said = (
            "half B was not asked of the best so far" if found.choice is not None else "nothing is shown to serve the goal yet"
        )
        return msgspec.structs.replace(found, why=f"the time is over: {said}")

    def so_far(self, state: State) -> SearchDocument:
        """What is known by now, and the best of it."""
        asked, lines = self.asked(), self.found()
        known = points_of(lines, AIMS[parse_goal(asked.goal).aim].limited_as)
        return SearchDocument(
            search=self.id,
            state=state,
            goal=asked.goal,
            over=asked.over,
            choice=self._best(lines, known, parse_goal(asked.goal)),
            built=tuple(known.values()),
            sensitivity=units_told(lines),
            checks=sum(line.checked is not None for line in lines),
            builds=sum(line.measured is not None for line in lines),
            most_builds=asked.builds,
            within_s=asked.seconds,
            runs=runs_of(lines),
            why=_WHY.get(state, "") or str(next((line.failure.refusal for line in reversed(lines) if line.failure), "")),
        )

    def _best(
        self, lines: Sequence[SearchLine], known: Mapping[tuple[str, ...], SearchPoint], goal: Goal
    ) -> SearchChoice | None:
        """The cheapest of what was measured to cost less than FP32, and keeps the goal by half A; None: nothing does yet."""
        checked = _on_half_a(lines)
        figures = {line.measured.of: line.measured.figures for line in lines if line.measured is not None}
        good = [
            (point.measured.value, point.run)
            for of, point in known.items()
            if point.run
            and point.measured is not None
            and point.measured.value is not None
            and (point.measured.high or 1.0) < 1
            if of in checked and keeps_goal(goal, checked[of], figures[of])
        ]
        if not good:
            return None
        run = min(good)[1]
        spec = RunDir(self.home / "runs" / run).asked().spec
        toml = recipe_toml(spec.recipe) if spec.recipe.step else ""
        return SearchChoice(recipe=toml, run=run, settings=spec.candidate_changes)


def keeps_goal(goal: Goal, checked: CandidateChecked, figures: Mapping[str, float]) -> bool:
    """Whether the worse end of what labels say, and what was measured, keep a goal; what is not known keeps nothing."""
    low = checked.difference.low
    if goal.drop is not None and (low is None or low < -goal.drop):
        return False
    for limit in goal.limits:
        if limit.metric.quality:
            seen = checked.qualities.get(limit.key, Ratio())
            value = seen.low if limit.metric.better == "more" else seen.high
        else:
            value = figures.get(limit.key)
        if value is None or not limit.keeps(value * limit.metric.scale):
            return False
    return True


def runs_of(lines: Sequence[SearchLine]) -> tuple[str, ...]:
    """The runs that answered, by name."""
    found = [line.checked or line.measured for line in lines]
    beside = [each for line in lines if line.measured is not None for each in line.measured.beside]
    return tuple(sorted({each.run for each in (*found, *beside) if each is not None and each.run}))


def units_told(lines: Sequence[SearchLine]) -> tuple[SearchUnit, ...]:
    """What units, or shares of groups of channels, do alone, as far as it is known."""
    rows = [row for line in lines if line.sensitivity is not None for row in line.sensitivity.rows]
    found = [
        SearchUnit(
            unit=row.unit,
            format=row.format if row.value is None else f"-{100 * row.value:.3g} %",
            kl=row.kl,
            sqnr_db=row.sqnr_db,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda each: (-(each.kl or 0.0), each.sqnr_db or 1e9)))


def points_of(lines: Sequence[SearchLine], quantity: str) -> dict[tuple[str, ...], SearchPoint]:
    """What was measured, and what half A says of it."""
    found: dict[tuple[str, ...], SearchPoint] = {}
    for line in lines:
        if line.measured is not None:
            of = line.measured.of
            settings = dict(word.split("=", 1) for word in of) if all("=" in word for word in of) else {}
            formats: dict[str, int] = {} if settings else {form: of.count(form) for form in FORMATS if form in of}
            ratio = line.measured.ratios.get(quantity)
            found[of] = SearchPoint(formats=formats, settings=settings, measured=ratio, run=line.measured.run or None)
    for of, checked in _on_half_a(lines).items():
        found[of] = msgspec.structs.replace(found[of], difference=checked.difference)
    for told in (line.sensitivity for line in lines):
        if told is not None and told.channels is not None:
            moves, table = told.group_moves(), told.channels
            for of, point in found.items():
                shares = {name: float(share) for name, share in point.settings.items()}
                left = table.macs_of(shares) / table.macs
                found[of] = msgspec.structs.replace(point, effect=moves.of(shares), macs=left)
    return found


def _on_half_a(lines: Sequence[SearchLine]) -> dict[tuple[str, ...], CandidateChecked]:
    """What half A says of what was measured."""
    checked = {line.checked.of: line.checked for line in lines if line.checked is not None and line.checked.half == "A"}
    outputs = {line.measured.of: line.measured.outputs for line in lines if line.measured is not None}
    return {of: checked[each] for of, each in outputs.items() if each in checked}


def create_search(home: Path, asked: SearchRequest) -> SearchDir:
    """Make the folder and search.json.

    Raises:
        StorageRefused: the disk is full or read-only.
    """
    return SearchDir(create_asked(home / "searches", f"search-{Path(asked.spec.model).stem[:40]}", "search.json", asked))


def search_folders(home: Path) -> list[SearchDir]:
    """All of them, the newest first."""
    return [SearchDir(path) for path in folders_in(home / "searches", "search.json")]


def same_search(home: Path, asked: SearchRequest) -> SearchDir | None:
    """The newest folder in which the same was asked."""
    return asked_alike(search_folders(home), lambda folder: folder.asked().same_as(asked))


def find_search(home: Path, text: str) -> SearchDir | None:
    """The search that an id, or a part that only one has, means; None: none.

    Raises:
        StorageRefused: several have it in their ids.
    """
    return called(search_folders(home), text, "searches")
