"""The columns of the list of runs: what stands in each, and which of them a width has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ...engine.advice.metrics import LABELLED, listed
from ...engine.advice.run_fields import SHORT
from ...engine.advice.run_filter import RunOrder
from ...engine.advice.verdict import verdict_words
from ...engine.advice.words import DASH, grouped, seconds
from ...engine.errors import said
from ...engine.report.sanitize import sanitize
from ...engine.report.width import shortened, width_of
from ...engine.schema.run_summary import RunSummary
from ..fix_words import as_row

ROOMY = 140
"""From so many columns on intervals stand there, states are said in words, and what does not differ is named as well."""
WIDE, WORDY = 100, 120
"""From so many on names are whole, and the time stands beside the date; then heads are whole too."""
LEAST_VERDICT, USUAL_VERDICT, MOST_VERDICT, SAMPLE = 16, 28, 56, 300
"""What differs stands first in a verdict: figures come before the end of a long one."""
GOES_ON = len("60 min")
"""Columns for the time of a run that goes: it grows while it is looked at."""
MOST_NAME = 24
"""So much of names comes before the end of a verdict; a longer one waits for what that leaves."""
STATE_MARKS = {"done": "✓", "running": "▶", "queued": "·", "failed": "✗", "crashed": "!", "cancelled": "–"}


class Room(NamedTuple):
    """How much is said."""

    width: int
    today: str = ""
    """ISO date."""
    place: Mapping[str, str] = {}
    """` 1/3` of runs that were started together with others."""
    waits: Mapping[str, int] = {}
    """Places in the queue for the board; those of a group have one."""
    dense: bool = False
    """Wide, but names take what words and dates would."""

    @property
    def roomy(self) -> bool:
        """Intervals and all words have room."""
        return self.width >= ROOMY

    @property
    def wide(self) -> bool:
        """Names and dates have room."""
        return self.width >= WIDE and not self.dense

    @property
    def gap(self) -> str:
        """Between columns."""
        return "  " if self.wide else " "


Widths = dict[str, tuple[int, ...]]
"""Of cells, by the run."""
Text = Callable[[RunSummary, Room], str]


class RunColumn(NamedTuple):
    """One column."""

    head: str
    text: Text
    most: int = 40
    narrow: int = 0
    """So wide at most where there is little room; 0: as `most`."""
    right: bool = False
    field: str = ""
    """What it is sorted by."""
    least: int = 0
    """So wide at least where there is room: from stage to stage of a run that goes nothing moves."""

    def cut(self, room: Room) -> int:
        """How wide it may be."""
        return self.narrow if self.narrow and not room.wide else self.most


class ShownColumn(NamedTuple):
    """A column that is shown."""

    column: RunColumn
    width: int

    def cell(self, text: str) -> str:
        """A text in this column."""
        shown = shortened(text, self.width)
        room = " " * (self.width - width_of(shown))
        return room + shown if self.column.right else shown + room


def _state(run: RunSummary, room: Room) -> str:
    stage = run.stage if run.state in ("running", "crashed", "failed") else ""
    word = run.state if room.wide and not (stage and run.state == "running") else ""
    words = (STATE_MARKS.get(run.state, "?"), word, stage if run.state == "running" or room.roomy or not room.wide else "")
    return " ".join(filter(None, words))


def _began(run: RunSummary, room: Room) -> str:
    if not run.began:
        return ""
    began = datetime.fromisoformat(run.began)
    if room.wide:
        return began.strftime("%d %b %H:%M")
    return began.strftime("%H:%M" if run.began[:10] == room.today else "%d %b" if run.began[:4] == room.today[:4] else "%b %y")


def _quality(run: RunSummary, room: Room) -> str:
    """The candidate's top-1, or what labels say of another task, with its name."""
    for metric, labelled in LABELLED:
        if metric.limited_as in run.figures:
            told = f"{run.figures[metric.limited_as]:.3f}"
            word = labelled.word if room.width >= WORDY else labelled.word.removesuffix("50-95").removesuffix(" mAP")
            return told if metric.limited_as == "top1" else f"{word} {told}"
    return DASH


def _figures() -> dict[str, RunColumn]:
    return {
        each.column.head: RunColumn(
            each.column.head,
            lambda run, room, each=each: each.text(run.difference, full=room.roomy),  # type: ignore[misc]
            most=28,  # a figure stands whole or not at all: cut in its middle it would be another
            right=True,
            field=each.among[0][1].field,
        )
        for each in listed()
    }


FIGURES = _figures()
STATE = RunColumn("state", _state, most=18, narrow=10, field="state", least=11)
MODEL = RunColumn("model", lambda run, _: run.model.removesuffix(".onnx"), narrow=14, field="model")
RECIPE = RunColumn("recipe", lambda run, room: (run.recipe or DASH) + room.place.get(run.run, ""), narrow=12, field="recipe")
BEGAN = RunColumn("began", _began, field="began")
TOOK = RunColumn("took", lambda run, _: seconds(run.took_s), right=True, field="took", least=GOES_ON)
TAGS = RunColumn("tags", lambda run, _: " ".join(f"#{tag}" for tag in run.tags), most=24, field="tag")
BOARD = RunColumn("board", lambda run, _: run.board, most=24, field="board")
BACKEND = RunColumn("backend", lambda run, _: run.backend, field="backend")
DATA = RunColumn("data", lambda run, _: run.data.rpartition("/")[2], most=20, field="data")
NOTE = RunColumn("note", lambda run, _: run.note.replace("\n", " "), most=30, field="note")
QUALITY = RunColumn("top-1", _quality, right=True, field="top1")
ALWAYS = (STATE, MODEL, RECIPE)
_FIRST = ("time ratio",)
_RATIOS = [column for head, column in FIGURES.items() if head not in _FIRST]
BY_IMPORTANCE = (
    *(FIGURES[head] for head in _FIRST),
    QUALITY,
    BEGAN,
    TOOK,
    *reversed(_RATIOS),
    TAGS,
    BOARD,
    NOTE,
    DATA,
    BACKEND,
)
"""Those that come after the names, as far as there is room: the first is the last to go."""
BESIDE_VERDICT = 4
"""How many of them take room that a long verdict would have as well."""
ORDER = (STATE, MODEL, RECIPE, BEGAN, TOOK, *FIGURES.values(), QUALITY, TAGS, BOARD, BACKEND, DATA, NOTE)
"""From left to right; the verdict stands at the right end."""


def laid_out(runs: Sequence[RunSummary], room: Room, known: dict[bool, Widths] | None = None) -> tuple[Room, list[ShownColumn]]:
    """The columns for these runs, and the room as they have it: where words and whole dates would cost parts of names or of
    verdicts, there are none. `known`: widths by now, of both, which grow.
    """
    kept: dict[bool, Widths] = {} if known is None else known
    columns, whole = _fit(runs, room, kept.setdefault(False, {}))
    if room.wide and not whole and room.width < WORDY:
        room = room._replace(dense=True)
        columns, _ = _fit(runs, room, kept.setdefault(True, {}))
    return room, columns


def _fit(runs: Sequence[RunSummary], room: Room, seen: Widths) -> tuple[list[ShownColumn], bool]:
    """The columns, with their widths, and whether names and verdicts are whole; what nothing is known of is left out."""
    gap = len(room.gap)
    most = [0] * (len(ORDER) + 1)
    for run in runs:
        widest = seen.get(run.run)
        if widest is None:
            widest = seen[run.run] = _widths(run, room)
        most = list(map(max, most, widest))
    wordy = room.width >= WORDY
    told = {column.head: width for column, width in zip(ORDER, most, strict=False)}
    going = any(run.state in ("running", "queued") for run in runs)
    widths = {
        column.head: min(column.cut(room), max(width_of(head_of(column, room)), column.least * wordy, told[column.head]))
        for column in ORDER
    }
    if going and not room.wide:
        widths[STATE.head] = STATE.narrow
    verdict = min(MOST_VERDICT, max(LEAST_VERDICT, most[-1]))
    wanted = [(column, min(column.most, MOST_NAME, told[column.head])) for column in (RECIPE, MODEL)]
    for_stage = (STATE, STATE.most)
    wanted += [for_stage] if going else []
    kept = list(ALWAYS)
    asked = [column.head for column in (*ALWAYS, *BY_IMPORTANCE[:BESIDE_VERDICT]) if column in ALWAYS or told[column.head]]
    over = 3 + sum(widths[head] + gap for head in asked) + LEAST_VERDICT - room.width
    for column in (MODEL, RECIPE, STATE):  # a name may lose its middle before a column is lost
        cut = max(0, min(over, widths[column.head] - column.narrow))
        widths[column.head] -= cut
        over -= cut
    left = room.width - 3 - sum(widths[column.head] + gap for column in kept)
    missing = sum(max(0, width - widths[column.head]) for column, width in wanted)
    for n, column in enumerate(BY_IMPORTANCE):
        beside = LEAST_VERDICT if n < BESIDE_VERDICT else verdict + missing
        if told[column.head] and left - widths[column.head] - gap >= beside:
            kept.append(column)
            left -= widths[column.head] + gap
    # what no column needs is for what is cut: names, so that runs are told apart, the stage, the verdict, then longer names
    left -= LEAST_VERDICT
    whole = True
    for column, width in wanted:
        given = max(0, min(left, width - widths[column.head]))
        widths[column.head] += given
        left -= given
        whole &= widths[column.head] >= width
    whole &= left >= min(verdict, USUAL_VERDICT) - LEAST_VERDICT
    left -= verdict - LEAST_VERDICT
    for column, width in ((RECIPE, told[RECIPE.head]), (MODEL, told[MODEL.head]), *([for_stage] if wordy else [])):
        given = max(0, min(left, column.most - widths[column.head], width - widths[column.head]))
        widths[column.head] += given
        left -= given
    return [ShownColumn(column, widths[column.head]) for column in ORDER if column in kept], whole


def _widths(run: RunSummary, room: Room) -> tuple[int, ...]:
    """Of each column and the verdict, how wide a run's cell is; 0 where nothing is known."""
    going = {TOOK: GOES_ON} if run.state in ("running", "queued") else {}
    cells = [(sanitize(column.text(run, room)), going.get(column, 0)) for column in ORDER]
    return (
        *(max(least, 0 if cell.strip() in ("", DASH) else width_of(cell)) for cell, least in cells),
        width_of(sanitize(verdict_of(run, room))),
    )


def head_of(column: RunColumn, room: Room) -> str:
    """A column's head; a short one where there is little room."""
    return column.head if room.width >= WORDY else column.head.removeprefix("time ")


def verdict_of(run: RunSummary, room: Room) -> str:
    """What stands at the right end: the verdict, why there is none, or for what it waits."""
    if run.state == "queued" and run.waiting_for:
        place = room.waits.get(run.run)
        if run.waits_for_end or place is None or room.roomy:
            which = f"waits, {nth(place)}, for" if place is not None else "waits for"
            return f"{'after' if run.waits_for_end else which} {run.waiting_for}"
        return f"waits, {nth(place)}"
    return verdict_words(run.verdict, differing=not room.roomy) or (run.error.what if run.error else DASH)


def about(run: RunSummary, room: Room) -> tuple[str, str]:
    """The whole verdict, why there is none and what to do, or for whom it waits: the foot of the list has room for it."""
    if run.state == "queued" and run.waiting_for:
        return verdict_of(run, room._replace(width=ROOMY, dense=False)), ""
    if run.verdict or run.error is None:
        return verdict_words(run.verdict), ""
    return run.error.what, said(run.error.refusal.fixes, as_row)


def tone_of(run: RunSummary) -> str:
    """The verdict's."""
    return "bad" if run.state in ("failed", "crashed") else "dim" if run.state == "queued" else ""


def as_table(runs: Sequence[RunSummary], room: Room) -> str:
    """All columns, tab-separated."""
    rows = ["\t".join([*(column.head for column in ORDER), "verdict"])]
    rows += ["\t".join([*(column.text(run, room) for column in ORDER), verdict_of(run, room)]) for run in runs]
    return "\n".join(rows)


def nth(place: int) -> str:
    """`1st`, `22nd`, `113th`."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def places_in_groups(runs: Sequence[RunSummary]) -> dict[str, str]:
    """` 1/3` of those that were started together with others."""
    groups: dict[str, list[str]] = {}
    for run in reversed(runs):
        if run.group:
            groups.setdefault(run.group, []).append(run.run)
    return {run: f" {n}/{len(members)}" for members in groups.values() if len(members) > 1 for n, run in enumerate(members, 1)}


def places_in_queue(runs: Sequence[RunSummary], waiting: Sequence[str]) -> dict[str, int]:
    """Of runs that wait, with those that were started together with them."""
    place = {run: n for n, run in enumerate(waiting, 1)}
    groups = {run.group: place[run.run] for run in runs if run.group and run.run in place}
    found = {run.run: place.get(run.run, groups.get(run.group)) for run in runs if run.state == "queued"}
    return {run: n for run, n in found.items() if n is not None}


def queue_words(waiting: Sequence[str], moved: Sequence[str], rows: int) -> str:
    """The queue around what was moved, in so many rows."""
    if len(waiting) <= rows:
        first, last = 0, len(waiting)
    else:
        at = min((waiting.index(run) for run in moved if run in waiting), default=0)
        first = max(0, min(at - (rows - 1) // 2, len(waiting) - rows + 1))
        last = first + rows - 1
    told = [f"{n}. {run}" for n, run in enumerate(waiting[first:last], first + 1)]
    if last - first < len(waiting):
        told.append(f"and {grouped(len(waiting) - (last - first))} more that wait")
    return "\n".join(told)


def said_order(order: RunOrder) -> str:
    """An order in words."""
    if order.name == "began":
        return "oldest" if order.turned else "newest"
    short = next((short for short, name in SHORT.items() if name == order.name), order.name)
    return f"{short}, the other way" if order.turned else short
