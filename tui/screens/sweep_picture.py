"""What the screen Sweeps draws of a sweep: its table, in as many columns as have room, and joules over frames a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...engine.advice import words
from ...engine.advice.sweep_answer import row_words
from ...engine.report.sweep_report import reasons_of
from ...engine.report.width import width_of
from ...engine.schema.sweep import SweepReport, SweepRow
from ..widgets.lines import Line, begun, hanging, wrap
from ..widgets.scatter import Dot, scatter

GAP = 2
WHY_LEAST = 22
"""Columns that a reason needs to stand beside its row; in fewer all reasons stand below the table."""


class SweepColumn(NamedTuple):
    """One column of the table."""

    head: str
    cell: Callable[[SweepRow], str]
    right: bool = True
    gone: int = 0
    """The higher, the earlier it is left out where there is no room; 0: never."""


def _figure(value: float | None, half: float | None = None) -> str:
    """`24.3 ± 0.2`: the interval has as many decimals as the value."""
    if value is None:
        return words.DASH
    text = words.digits(value)
    if half is None:
        return text
    return f"{text} ± {words.half_text(text, half)}"


def _half(value: float | None, low: float | None, high: float | None) -> float | None:
    """Of an interval, the wider side; None: there is none."""
    return None if value is None or low is None or high is None else max(value - low, high - value)


def _joules(row: SweepRow) -> str:
    figure = row.energy_j_per_inference
    if figure is None:
        return words.DASH
    half = _half(figure.value, figure.low, figure.high)
    return _figure(1e3 * figure.value, None if half is None else 1e3 * half)


def _latency(row: SweepRow) -> str:
    return _figure(row.latency_ms, _half(row.latency_ms, row.latency_ms_low, row.latency_ms_high))


def _places(rows: Sequence[SweepRow]) -> list[SweepColumn]:
    """What tells rows apart: a column for each dimension that was named."""
    some = [
        ("mode", lambda row: row.mode or "", False, any(row.mode for row in rows)),
        ("batch", lambda row: str(row.batch or ""), True, any(row.batch is not None for row in rows)),
        ("streams", lambda row: str(row.streams), True, any(row.streams > 1 for row in rows)),
        ("threads", lambda row: str(row.threads or ""), True, any(row.threads is not None for row in rows)),
        ("device", lambda row: row.device or "", False, any(row.device is not None for row in rows)),
    ]
    found = [SweepColumn(head, cell, right) for head, cell, right, shown in some if shown]
    keys = dict.fromkeys(key for row in rows for key in row.settings)
    found += [SweepColumn(key, lambda row, key=key: str(row.settings.get(key, "")), right=False) for key in keys]  # type: ignore[misc]
    return found or [SweepColumn("", row_words, right=False)]


def columns(rows: Sequence[SweepRow], width: int) -> list[SweepColumn]:
    """Those that have room. The wish and the joules decide, so they go last."""
    figures = [
        SweepColumn("frames/s", lambda row: _figure(row.fps)),
        SweepColumn("latency ms", _latency, gone=3),
        SweepColumn("ms", lambda row: _figure(row.latency_ms), gone=2),
        SweepColumn("power W", lambda row: _figure(row.power_w), gone=1),
        SweepColumn("mJ a frame", _joules),
    ]
    every = [*_places(rows), *figures]
    for least in (3, 2, 1, 0):
        # the latency with its interval or without, never both
        kept = [each for each in every if each.gone <= least and not (least == 3 and each.head == "ms")]
        if _taken(kept, rows) <= width:
            return kept
    return kept


def _wide(column: SweepColumn, rows: Sequence[SweepRow]) -> int:
    return max(width_of(column.head), *(width_of(column.cell(row)) for row in rows), 0)


def _taken(some: Sequence[SweepColumn], rows: Sequence[SweepRow]) -> int:
    return 3 + sum(_wide(column, rows) + GAP for column in some)


def table(found: SweepReport, width: int) -> list[Line]:
    """Which row to take; a line a row, that one with a star; below them what there was no room to say beside them."""
    rows = found.rows
    if not rows:
        return []
    some = columns(rows, width)
    wide = [_wide(column, rows) for column in some]
    room = width - _taken(some, rows)
    lines: list[Line] = [((f" {text}", "good" if found.answer else "warn"),) for text in wrap(found.why, width - 2)]
    lines += [(), ((f"   {_cells([column.head for column in some], some, wide)}", "dim"),)]
    best = f"the {'fastest' if found.no_joules else 'cheapest'}{' that reaches it' if found.want else ''}"
    cut_off: set[str] = set()
    for row in rows:
        taken = row == found.answer
        said = best if taken else "" if row.reason == found.no_joules else row.reason
        beside = begun(said, room) if room >= WHY_LEAST else ""
        cut_off |= {row.reason} - {"", found.no_joules, beside}
        tone = "good" if taken else "dim" if row.fps is None else ""
        cells = _cells([column.cell(row) for column in some], some, wide)
        lines.append(((" ★ " if taken else "   ", "good"), (cells, tone), (beside, "good" if taken else "dim")))
    told = [(reason, places) for reason, places in reasons_of(rows, every=True).items() if reason in cut_off]
    below = [line for reason, places in told for line in _below(reason, places, width)]
    if found.no_joules:
        below = [*below, *_below(found.no_joules, ["joules are not known"], width)]
    return [*lines, *([(), *below] if below else ())]


def _below(reason: str, places: Sequence[str], width: int) -> list[Line]:
    return hanging(((f" {words.DASH} ", "dim"),), f"{', '.join(places)}: {reason}", width - 1, "dim")


def _cells(texts: Sequence[str], some: Sequence[SweepColumn], wide: Sequence[int]) -> str:
    parts = []
    for text, column, room in zip(texts, some, wide, strict=True):
        space = " " * (room - width_of(text))
        parts.append(space + text if column.right else text + space)
    return "".join(f"{part}{' ' * GAP}" for part in parts)


def chart(found: SweepReport, width: int, height: int) -> list[Line]:
    """Joules a frame over frames a second (where no sensor told joules, latency); on the front: what no other beats in both."""
    joules = any(row.energy_j_per_inference is not None for row in found.rows)

    def cost(row: SweepRow) -> float | None:
        figure = row.energy_j_per_inference
        return row.latency_ms if not joules else None if figure is None else 1e3 * figure.value

    known = [(row, row.fps, dear) for row in found.rows if row.fps is not None and (dear := cost(row)) is not None]
    if not known:
        return [((" nothing was measured yet", "dim"),)]
    dots = []
    for row, fps, dear in known:
        beaten = any(f >= fps and d <= dear and (f, d) != (fps, dear) for _, f, d in known)
        name = row_words(row)
        dots.append(Dot(fps, dear, f"★ {name}" if row == found.answer else name, not beaten))
    return scatter(dots, width, height, "frames/s", "mJ a frame" if joules else "ms an inference")


def now_words(found: SweepReport) -> str:
    """`round 2 of 3, 25W, 4 rows, about 4 min left`; empty: it is not going."""
    doing = found.doing
    if doing is None:
        return ""
    parts = [
        f"round {doing.round} of {max(found.rounds, doing.round)}" if doing.round else "",
        doing.text,
        f"about {words.seconds(doing.left_s)} left" if doing.left_s else "",
    ]
    return ", ".join(filter(None, parts))


def mode_words(found: SweepReport) -> str:
    """What becomes of the power mode; empty: none was switched."""
    if found.mode_left:
        return f"! the power mode {found.first_mode}, which was on before, is not back: {found.mode_left}; see `edgetui doctor`"
    if not found.first_mode:
        return ""
    if found.doing is None:
        return f"the power mode is {found.first_mode} again, as before"
    now, hottest_c = found.doing.mode or found.first_mode, found.doing.hottest_c
    heat = "" if hottest_c is None else f" · {hottest_c:.0f} °C"
    return f"mode now {now}, will be back to {found.first_mode} (what it was){heat}"
