"""The columns of the list of runs: what stands in each, and which of them a width has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ...engine.advice.metrics import LABELLED, listed
from ...engine.advice.verdict import verdict_words
from ...engine.advice.words import DASH, seconds
from ...engine.report.sanitize import sanitize
from ...engine.report.width import width_of
from ...engine.schema.run_summary import RunSummary

ROOMY = 140
"""From so many columns on intervals stand there, states are said in words, and what does not differ is named as well."""
WIDE, WORDY = 100, 120
"""From so many on names are whole, and the time stands beside the date; then heads are whole too."""
LEAST_VERDICT, MOST_VERDICT, SAMPLE = 16, 56, 300
"""What differs stands first in a verdict: figures come before the end of a long one."""
STATE_MARKS = {"done": "✓", "running": "▶", "queued": "·", "failed": "✗", "crashed": "!", "cancelled": "–"}


class Room(NamedTuple):
    """How much is said."""

    width: int
    today: str = ""
    """ISO date."""
    place: Mapping[str, str] = {}
    """` 1/3` of runs that were started together with others."""

    @property
    def roomy(self) -> bool:
        """Intervals and all words have room."""
        return self.width >= ROOMY

    @property
    def wide(self) -> bool:
        """Names and dates have room."""
        return self.width >= WIDE


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
TOOK = RunColumn("took", lambda run, _: seconds(run.seconds), right=True, field="took")
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


def fitted(runs: Sequence[RunSummary], room: Room, known: dict[str, tuple[int, ...]] | None = None) -> list[ShownColumn]:
    """The columns for these runs, with their widths; what nothing is known of is left out. `known`: what is known by now of the
    widths of runs in this room, which grows.
    """
    gap = 2 if room.wide else 1
    seen = {} if known is None else known
    most = [0] * (len(ORDER) + 1)
    for run in runs[:SAMPLE]:
        widest = seen.get(run.run)
        if widest is None:
            widest = seen[run.run] = _widths(run, room)
        most = list(map(max, most, widest))
    wordy = room.width >= WORDY
    told = {column.head: width for column, width in zip(ORDER, most, strict=False)}
    widths = {
        column.head: min(column.cut(room), max(width_of(head_of(column, room)), column.least * wordy, told[column.head]))
        for column in ORDER
    }
    verdict = min(MOST_VERDICT, max(LEAST_VERDICT, most[-1]))
    kept = list(ALWAYS)
    asked = [column.head for column in (*ALWAYS, *BY_IMPORTANCE[:BESIDE_VERDICT]) if column in ALWAYS or told[column.head]]
    over = 3 + sum(widths[head] + gap for head in asked) + LEAST_VERDICT - room.width
    for column in (MODEL, RECIPE, STATE):  # a name may lose its middle before a column is lost
        cut = max(0, min(over, widths[column.head] - column.narrow))
        widths[column.head] -= cut
        over -= cut
    left = room.width - 3 - sum(widths[column.head] + gap for column in kept)
    for n, column in enumerate(BY_IMPORTANCE):
        wanted = LEAST_VERDICT if n < BESIDE_VERDICT else verdict
        if told[column.head] and left - widths[column.head] - gap >= wanted:
            kept.append(column)
            left -= widths[column.head] + gap
    for column in (MODEL, RECIPE):  # what no column and no verdict needs is theirs again
        whole = min(column.most, max(widths[column.head], told[column.head]))
        given = max(0, min(left - verdict, whole - widths[column.head]))
        widths[column.head] += given
        left -= given
    if not room.wide and any(run.state == "running" for run in runs[:SAMPLE]):  # so wide for all stages: nothing moves
        widths[STATE.head] += max(0, min(left - verdict, STATE.most - widths[STATE.head]))
    return [ShownColumn(column, widths[column.head]) for column in ORDER if column in kept]


def _widths(run: RunSummary, room: Room) -> tuple[int, ...]:
    """Of each column and the verdict, how wide a run's cell is; 0 where nothing is known."""
    cells = [sanitize(column.text(run, room)) for column in ORDER]
    return (
        *(0 if cell.strip() in ("", DASH) else width_of(cell) for cell in cells),
        width_of(sanitize(verdict_of(run, room))),
    )


def head_of(column: RunColumn, room: Room) -> str:
    """A column's head; a short one where there is little room."""
    return column.head if room.width >= WORDY else column.head.removeprefix("time ")


def verdict_of(run: RunSummary, room: Room) -> str:
    """What stands at the right end: the verdict, why there is none, or for whom it waits."""
    if run.state == "queued" and run.waiting_for:
        return f"after {run.waiting_for}" if run.waits_for_end else f"waits for {run.waiting_for}"
    return verdict_words(run.verdict, differing=not room.roomy) or (run.error.what if run.error else DASH)
