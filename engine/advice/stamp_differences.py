"""In which states results were made: what differs between the stamps of those that stand side by side, in words.

Apart from `comparable.py`, which says what must be equal for one baseline. What differs here leaves ratios true and makes
milliseconds, joules and megabytes of different runs no matter for comparing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from ..schema.result import Result
from . import words

PACE = "the original's own median latency"
_OTHER_PACE = 1.15
"""Times that the same original takes as long in another run, where the machine was not the same."""


class StampRow(Struct, frozen=True, kw_only=True):
    """One part of a stamp."""

    word: str
    value: Callable[[Result], Any]
    """None: the stamp does not say, which differs from nothing."""
    text: Callable[[Any], str] = str
    far: Callable[[Any, Any], bool] = lambda one, other: one != other
    """Whether two values, the lesser first where they have an order, are worth a word."""


class StampDifference(Struct, frozen=True, kw_only=True):
    """What differs, and what each run has there; empty: its stamp does not say."""

    what: str
    values: tuple[str, ...]


def _apart(share: float, least: float = 0.0) -> Callable[[float, float], bool]:
    """Whether the greater is so far above the lesser, as a share of it and in its unit."""
    return lambda one, other: other - one > max(share * one, least)


def _hottest(result: Result) -> float | None:
    known = [degrees for degrees in result.board.temps_c.values() if degrees is not None]
    return max(known, default=None)


def _pace(result: Result) -> tuple[str, float] | None:
    """What was timed of the original, and the median of it, which no disturbance of a moment moves."""
    latency, model = result.baseline.latency_ms, result.model
    if latency is None or latency.p50 is None or model is None:
        return None
    shapes, used = result.conditions.get("shapes", ""), result.backend
    same = repr((model.sha256, shapes, used.name, used.version, used.threads, result.workload, result.workload_text))
    return same, latency.p50


def _busy(result: Result) -> tuple[str, ...] | None:
    return tuple(sorted(set(result.board.busy))) if result.board.wall else None


STAMP_ROWS: tuple[StampRow, ...] = (
    StampRow(word="board", value=lambda result: result.board.name or result.board.cpu or None),
    StampRow(word="operating system", value=lambda result: result.board.os or None),
    StampRow(word="kernel", value=lambda result: result.board.kernel or None),
    StampRow(word="power mode", value=lambda result: result.board.power_mode),
    StampRow(word="clocks", value=lambda result: result.board.clocks),
    StampRow(word="governor", value=lambda result: result.board.governor),
    StampRow(
        word="memory clock", value=lambda result: result.board.emc_mhz, text=lambda mhz: f"{mhz:.0f} MHz", far=_apart(0.05)
    ),
    StampRow(word="fan", value=lambda result: result.board.fan_rpm, text=lambda rpm: f"{rpm:.0f} rpm", far=_apart(0.2, 300.0)),
    StampRow(word="hottest zone", value=_hottest, text=lambda degrees: f"{degrees:.0f} °C", far=_apart(0.0, 10.0)),
    StampRow(
        word="free memory",
        value=lambda result: result.board.memory_free_mb,
        text=lambda mb: f"{words.mb(mb)} MB",
        far=_apart(0.25, 200.0),
    ),
    StampRow(word="busy processes", value=_busy, text=lambda names: ", ".join(names) or "none"),
    StampRow(
        word="backend",
        value=lambda result: (result.backend.name, result.backend.version) if result.backend.name else None,
        text=" ".join,
    ),
    StampRow(word="threads", value=lambda result: result.backend.threads),
    StampRow(
        word=PACE,
        value=_pace,
        text=lambda pace: words.ms(pace[1]),
        far=lambda one, other: one[0] == other[0] and other[1] > _OTHER_PACE * one[1],
    ),
)
"""All that a stamp says of the state in which a result was made; a new field of it is a row here."""


def stamp_differences(results: Sequence[Result]) -> tuple[StampDifference, ...]:
    """What differs between any two of the results; empty: nothing, or it cannot be told."""
    found = []
    for row in STAMP_ROWS:
        values = [row.value(result) for result in results]
        known = sorted(value for value in values if value is not None)
        if known and any(row.far(one, other) for n, one in enumerate(known) for other in known[n + 1 :]):
            texts = ("" if value is None else row.text(value) for value in values)
            found.append(StampDifference(what=row.word, values=tuple(texts)))
    return tuple(found)


def other_pace(found: Sequence[StampDifference]) -> bool:
    """Whether the same original took another time in one of the runs: what was fast there may have been the machine."""
    return any(each.what == PACE for each in found)


def stamp_warning(found: Sequence[StampDifference]) -> str:
    """All of it in a sentence; empty: nothing differs."""
    if not found:
        return ""
    parts = [f"{each.what} ({'; '.join(value or words.DASH for value in each.values)})" for each in found]
    told = (
        f"These runs were made in different states: {', '.join(parts)}. Compare ratios, not milliseconds, joules or megabytes."
    )
    said = "At another pace of the machine there is no front over latency, and ratios are others as well."
    return f"{told} {said}" if other_pace(found) else told
