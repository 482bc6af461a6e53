"""Boards of a fleet as tables: how each stands, and one row a board of what the same runs gave on each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..advice.words import DASH, seconds, signed
from ..schema.figures import Ratio
from ..schema.fleet import BoardAsked, BoardGlance, BoardNow, BoardOutcome, FleetOutcome, FleetStatus
from ..schema.result import Result
from .table import GAP, Paint, paragraph
from .width import width_of

SECONDS_S = 120
_HEADS = ("board", "recipe", "baseline", "candidate", "latency", "size", "energy", "top-1", "verdict")
_ALWAYS = (0, 1, 4, 8)
"""Columns that stand there whatever they say."""
_WORTH = 13
"""Columns from which on a ratio with its interval takes two rows, and not four."""
_TONES = {"up": "better", "refused": "bad", "away": "worse"}


def status_table(found: FleetStatus, width: int, paint: Paint) -> str:
    """A row a board, without columns that say nothing of any; below it what is waited for here."""
    heads = ("board", "state", "where", "machine", "does", "timed", "power", "RAM", "free", "last")
    cells = [_row(each) for each in found.boards]
    shown = [place for place in range(len(heads)) if any(row[place] not in ("", "–") for row in cells)]
    rows: list[Sequence[str]] = [[row[place] for place in shown] for row in (heads, *cells)]
    states = [_TONES.get(each.standing.state, "dim") for each in found.boards]
    tones: list[Sequence[str]] = [("head",) * len(shown), *(("", tone, "dim", *("",) * (len(shown) - 3)) for tone in states)]
    table = paint.table(rows, width=width, tones=tones, heads=True)
    return "\n".join([table, *(paint(line, "dim") for line in asked_words(found.asked))])


def _row(each: BoardNow) -> tuple[str, ...]:
    standing, now = each.standing, each.now or BoardGlance()
    free_mb = now.free_mb if now.free_mb is not None else standing.hello.free_mb
    timed = "" if now.latency_ms is None or now.fps is None else f"{now.latency_ms:.3g} ms, {now.fps:.0f} FPS"
    return (
        standing.board,
        standing.state,
        standing.host,
        standing.hello.machine,
        does(now) if each.now else "",
        timed,
        "–" if now.power_w is None else f"{now.power_w:.1f} W",
        ram_words(now),
        "–" if free_mb is None else f"{free_mb / 1000:.1f} GB",
        heard_words(each),
    )


def ram_words(now: BoardGlance) -> str:
    """Used of all, in GB; a dash where it is not told."""
    if now.ram_used_mb is None or now.ram_total_mb is None:
        return "–"
    return f"{now.ram_used_mb / 1000:.1f}/{now.ram_total_mb / 1000:.1f}"


def does(now: BoardGlance, room: int = 1000) -> str:
    """What a board is at, in words, the fewer the less room there is: its stage stays longest."""
    if not now.run:
        return now.driven or "nothing"
    done = f", {now.done} of {now.of}" if now.of else ""
    long = f"{done} runs done" if done else ""
    waits = f", {now.waiting} waiting" if now.waiting else ""
    stage, name = now.stage or "begins", re.sub(r"^\d{8}-\d{4}-", "", now.run)
    ways = (
        f"{now.run}: {stage}{long}{waits}",
        f"{name}: {stage}{long}{waits}",
        f"{stage}{long}{waits}",
        f"{stage}{done}{waits}",
    )
    return next((way for way in ways if len(way) <= room), ways[-1])


def heard_words(each: BoardNow, *, whole: bool = False) -> str:
    """How long ago a board was heard, e.g. `43 s`; `whole`: as a sentence."""
    if each.heard_s is None:
        return "not since the fleet came up" if whole else "–"
    ago = "now" if each.heard_s < 1 else f"{each.heard_s:.0f} s" if each.heard_s < SECONDS_S else seconds(each.heard_s)
    return f"{ago} ago" if whole and ago != "now" else ago


def asked_words(asked: Sequence[BoardAsked]) -> list[str]:
    """What is waited for here, all boards together: `study qin2018: 18 of 27 runs done`."""
    done: dict[str, tuple[int, int]] = {}
    for each in asked:
        before = done.get(each.what, (0, 0))
        done[each.what] = (before[0] + each.done, before[1] + each.of)
    return [f"{what + ': ' if what else ''}{of[0]} of {of[1]} runs done" for what, of in done.items()]


def outcome_table(found: FleetOutcome, width: int, paint: Paint) -> str:
    """A row for each board and recipe: latency of baseline and candidate, and what differs; without columns that say nothing of
    any. Where there is no room for one beside another, each as words.
    """
    rows = [row for outcome in found.on for row in _outcome_rows(outcome)]
    shown = [place for place in range(len(_HEADS)) if place in _ALWAYS or any(row[place] != DASH for row in rows)]
    cells: list[Sequence[str]] = [[row[place] for place in shown] for row in (_HEADS, *rows)]
    least = [min(_WORTH, max(width_of(row[place]) for row in cells)) for place in range(len(shown))]
    trained = [paint(line, "dim") for line in _trained(found)]
    if sum(least) + GAP * (len(least) - 1) > width:
        return "\n".join([*(line for row in cells[1:] for line in _in_words(cells[0], row, width, paint)), *trained])
    tones: list[Sequence[str]] = [("head",) * len(shown), *(("",) * len(shown) for _ in rows)]
    return "\n".join([paint.table(cells, width=width, tones=tones, heads=True), *trained])


def _in_words(heads: Sequence[str], row: Sequence[str], width: int, paint: Paint) -> list[str]:
    """One board and recipe: their names and the verdict, the figures below."""
    figures = [f"{head} {cell}" for head, cell in zip(heads[2:-1], row[2:-1], strict=True) if cell != DASH]
    named = " ".join(cell for cell in row[:2] if cell != DASH)
    said = [paint(paragraph(f"{named}: {row[-1]}", width), "head")]
    return [*said, *([paragraph(", ".join(figures), width, "  ")] if figures else [])]


def _outcome_rows(outcome: BoardOutcome) -> list[tuple[str, ...]]:
    name = outcome.board or outcome.on
    if not outcome.runs:
        return [(name, *(DASH,) * (len(_HEADS) - 2), _why(outcome))]
    return [(name, *_result_row(result)) for result in outcome.runs]


def _trained(found: FleetOutcome) -> list[str]:
    """Where what learns was trained, each place once."""
    places: dict[str, dict[str, None]] = {}
    for outcome in found.on:
        for result in outcome.runs:
            if result.trained_on:
                places.setdefault(result.trained_on, {})[result.recipe.name] = None
    return [f"{', '.join(recipes)}: trained on {place}" for place, recipes in places.items()]


def _why(outcome: BoardOutcome) -> str:
    return outcome.error.what if outcome.error else "not done"


def _result_row(result: Result) -> Sequence[str]:
    difference = result.difference
    size = "–" if difference.size_ratio is None else f"×{difference.size_ratio:.3g}"
    points = difference.top1_points
    verdict = result.error.what if result.error else result.verdict.get("latency", result.state)
    return (
        result.recipe.name,
        _ms(result.baseline.latency_ms.mean),
        _ms(result.candidate.latency_ms.mean),
        _ratio(difference.latency_ratio),
        size,
        _ratio(difference.energy_ratio),
        "–" if points.value is None else signed(100 * points.value, 1),
        verdict,
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g} ms"


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None or ratio.value is None:
        return "–"
    around = "" if ratio.low is None or ratio.high is None else f" ({ratio.low:.3g} to {ratio.high:.3g})"
    return f"×{ratio.value:.3g}{around}"
