"""One table of whole searches, or sweeps, that boards did each for itself: a row a board."""

from __future__ import annotations

from collections.abc import Sequence

from ..advice import words
from ..advice.goals import parse_goal
from ..advice.metrics import AIMS
from ..advice.sweep_answer import row_words
from ..schema.fleet import BoardOutcome, FleetOutcome
from ..schema.search import SearchDocument
from ..schema.sweep import SweepReport
from .search_report import choice_words, difference_words, ratio_text
from .sweep_report import cells_of
from .table import Paint, paragraph


def searched_table(found: FleetOutcome, width: int, paint: Paint) -> str:
    """What each board chose, what that costs there beside FP32, and what the half that chose nothing says of it."""
    goals = [outcome.search.goal for outcome in found.on if outcome.search is not None]
    cost = f"{AIMS[parse_goal(goals[0]).aim].name} of FP32's" if goals else "cost"
    heads = ("board", "choice", cost, "held-out accuracy", "checks", "measured")
    rows = [heads, *(_searched(outcome) for outcome in found.on)]
    return "\n".join([_table(rows, width, paint, right=(4, 5)), *_whys(found.on, width, paint)])


def _searched(outcome: BoardOutcome) -> Sequence[str]:
    name, told = outcome.board or outcome.on, outcome.search
    if told is None:
        return (name, *(words.DASH,) * 5)
    run = told.choice.run if told.choice is not None else None
    point = next((point for point in told.built if run is not None and point.run == run), None)
    return (
        name,
        "none" if told.choice is None else "FP32" if point is None else choice_words(point),
        words.DASH if point is None or point.measured is None else ratio_text(point.measured),
        words.DASH if told.held_out is None else difference_words(told.held_out.difference),
        str(told.checks),
        str(told.builds),
    )


def swept_table(found: FleetOutcome, width: int, paint: Paint) -> str:
    """The cheapest row of each board that reaches the wish."""
    heads = ("board", "cheapest row", "frames/s", "latency", "power", "a frame")
    rows = [heads, *(_swept(outcome) for outcome in found.on)]
    return "\n".join([_table(rows, width, paint, right=(2, 3, 4, 5)), *_whys(found.on, width, paint)])


def _swept(outcome: BoardOutcome) -> Sequence[str]:
    name, told = outcome.board or outcome.on, outcome.sweep
    if told is None or told.answer is None:
        return (name, "none" if told is not None else words.DASH, *(words.DASH,) * 4)
    return (name, row_words(told.answer), *cells_of(told.answer)[:4])


def _table(rows: Sequence[Sequence[str]], width: int, paint: Paint, right: Sequence[int]) -> str:
    tones = [("head",) * len(rows[0]), *(("",) * len(rows[0]) for _ in rows[1:])]
    return paint.table(rows, width=width, tones=tones, heads=True, right=tuple(right))


def _whys(outcomes: Sequence[BoardOutcome], width: int, paint: Paint) -> list[str]:
    """Why each chose that, and where there all of it is."""
    lines = []
    for outcome in outcomes:
        told = outcome.search or outcome.sweep
        if outcome.error is not None:
            lines.append(paint(paragraph(f"{outcome.board or outcome.on}: {outcome.error.what}", width, "  "), "worse"))
        if told is not None:
            where = f"`edgetui {_words(told)}` there has all of it"
            why = f"{told.why}; {where}" if told.why else where
            lines.append(paint(paragraph(f"{outcome.board or outcome.on}: {why}", width, "  "), "dim"))
    return lines


def _words(told: SearchDocument | SweepReport) -> str:
    return "search" if isinstance(told, SearchDocument) else f"sweep {told.sweep}"
