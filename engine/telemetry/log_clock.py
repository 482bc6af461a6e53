"""Seconds for the lines of a log, from the stamps that are in them.

One kind of stamp is chosen for the whole log. tegrastats' own comes first, for it is made where the values are; a finer
one beside it is taken when both agree. A step that no clock makes by running (back, a day and more, an hour in the night
when summer begins) counts as one usual interval. Stamps of whole seconds with several lines each are spread.
"""

from __future__ import annotations

import itertools
import math
import statistics
from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from msgspec import Struct

from .timestamps import NO_YEAR, OWN, OWN_DAY_FIRST, Stamp

SET_S = 86400.0
"""A step of a day and more is a clock that was set: boards without a battery jump by years when NTP arrives."""
_DAY_S, _YEAR_S = 86400.0, 366 * 86400.0
_LEAP_S = datetime(NO_YEAR, 2, 29, tzinfo=timezone.utc).timestamp()
_SAME_S = 0.05
"""So much may a finer stamp go back: two writers of one log."""
_OWN = (OWN, OWN_DAY_FIRST)
_FASTEST_S, _USUALLY_FASTEST_S = 0.01, 0.1
"""Lines that come faster were not made at the times beside them: a buffer that was copied at once, the name of a file."""
_ORDER = (
    OWN, OWN_DAY_FIRST, "date, zone", "since 1970", "day, zone", "date", "month/day, zone", "day/month, zone", "month/day",
    "day/month", "day of a year, zone", "day of a year", "seconds", "time of day",
)  # fmt: skip
_UNKNOWN = math.nan


class Times(Struct, frozen=True):
    """When the lines of a log were made."""

    kind: str
    """The stamps that were used; empty: the lines have none."""
    times_s: Sequence[float]
    """From 0 on, never falling."""
    sets: int = 0
    """How often their time steps back, or by a day and more."""
    crowded: int = 0
    """Lines that share a stamp with another."""
    doubted: frozenset[str] = frozenset()
    """Kinds of stamps that run with no clock."""


class Clock:
    """Takes the stamps of line after line, then tells the times of all."""

    def __init__(self) -> None:
        self._count = 0
        self._kinds: dict[str, array[float]] = {}
        self._fine: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def add(self, stamps: Iterable[Stamp]) -> None:
        """One line; those of other programs are not to be added."""
        for stamp in stamps:
            values = self._kinds.setdefault(stamp.kind, array("d"))
            values.extend([_UNKNOWN] * (self._count - len(values)))
            values.append(stamp.seconds)
            if stamp.fine:
                self._fine.add(stamp.kind)
        self._count += 1

    def times(self, usual_s: float) -> Times:
        """`usual_s`: between lines that do not tell."""
        for values in self._kinds.values():
            values.extend([_UNKNOWN] * (self._count - len(values)))
        kind, doubted = self._choose()
        if not kind:
            return Times("", array("d", [k * usual_s for k in range(self._count)]), doubted=doubted)
        stamps = _running(kind, self._kinds[kind])
        places = [k for k, value in enumerate(stamps) if not math.isnan(value)]
        known = [stamps[k] for k in places]
        parts = list(_parts(kind, known))
        spread = [_spread(known[a:b], fine=kind in self._fine, buffered=kind not in _OWN) for a, b in parts]
        usual_s = _usual(spread, places) or usual_s
        times = _joined(spread, places, self._count, usual_s)
        crowded = 0 if kind in self._fine else sum(a == b for a, b in itertools.pairwise(known))
        return Times(kind, times, len(parts) - 1, crowded, doubted)

    def _choose(self) -> tuple[str, frozenset[str]]:
        """The kind of stamp that tells the time of the whole log (empty: none does), and those that tell none."""
        facts = {kind: _judge(kind, values, fine=kind in self._fine) for kind, values in self._kinds.items()}
        running = {kind for kind, fact in facts.items() if fact.lines and fact.runs}
        usable = {
            kind: (fact.lines, fact.jumps) for kind, fact in facts.items() if fact.lines and (kind in running or not running)
        }
        doubted = frozenset(facts.keys() - usable.keys())
        if not usable:
            return "", doubted
        most = max(count for count, _ in usable.values())
        covering = [kind for kind, (count, _) in usable.items() if count >= 0.9 * most]

        def merit(kind: str) -> tuple[int, bool, bool, int]:
            return usable[kind][1], kind not in _OWN, kind not in self._fine, _ORDER.index(kind)

        best = min(covering, key=merit)
        finer = [kind for kind in covering if kind in self._fine and self._agree(kind, best)] if best in _OWN else []
        return min(finer, key=merit, default=best), doubted

    def _agree(self, kind: str, own: str) -> bool:
        """A finer stamp is of use unless it is of another moment: when a full buffer came through a pipe."""
        pairs = zip(_running(kind, self._kinds[kind]), self._kinds[own], strict=True)
        apart = [a - b for a, b in pairs if not math.isnan(a - b)]
        return bool(apart) and max(apart) - min(apart) < 2.0


class _Fact(NamedTuple):
    lines: int
    """Lines that have it; 0: it is a number that runs with no clock."""
    jumps: int
    runs: bool
    """It grows from line to line, jumps apart."""


def _judge(kind: str, values: Sequence[float], *, fine: bool) -> _Fact:
    known = [value for value in _running(kind, values) if not math.isnan(value)]
    borders = _borders(kind, known)
    set_at = set(borders)
    ran_s = sum(max(b - a, 0.0) for k, (a, b) in enumerate(itertools.pairwise(known), start=1) if k not in set_at)
    steps = len(known) - 1 - len(borders)
    least_s = steps * (_FASTEST_S if ran_s else _USUALLY_FASTEST_S) - (0.0 if fine else len(borders) + 1)
    usable = len(borders) <= max(2, len(known) // 5) and (ran_s >= least_s or kind in _OWN)
    return _Fact(len(known) if usable else 0, len(borders), ran_s > 0)


def _running(kind: str, values: Sequence[float]) -> Sequence[float]:
    """The same as a clock that runs on: past midnight and New Year; seconds since the line before are added up."""
    if kind in ("seconds", "time of day"):
        known = [value for value in values if not math.isnan(value)]
        if _are_steps(known):
            return list(itertools.accumulate(0.0 if math.isnan(value) else value for value in values))
    period_s = _DAY_S if kind == "time of day" else _YEAR_S if kind.startswith("day of a year") else 0.0
    if not period_s:
        return values
    turns_s, before, running = 0.0, _UNKNOWN, []
    for value in values:
        if before - value > period_s / 2:  # False while either is unknown
            turns_s += period_s
        elif before < _LEAP_S <= value - _DAY_S and value - before < 2 * _DAY_S:
            turns_s -= _DAY_S  # March began: a year without a leap day
        running.append(value + turns_s)
        before = before if math.isnan(value) else value
    return running


def _are_steps(known: Sequence[float]) -> bool:
    """Seconds since the line before, as `ts -i` writes them: much the same, and not rising."""
    if len(known) < 3 or not 0 < max(known) < 60:
        return False
    back = sum(b < a for a, b in itertools.pairwise(known))
    middle = statistics.median(known)
    near = sum(abs(value - middle) <= 0.25 * middle for value in known)
    return near > 0.7 * len(known) and not (known[-1] > known[0] and back <= len(known) // 10)


def _borders(kind: str, known: Sequence[float]) -> list[int]:
    """Where the clock was set: after steps that a running clock does not make."""
    steps = [b - a for a, b in itertools.pairwise(known)]
    set_s = max(SET_S, 3 * statistics.median(steps)) if len(steps) > 2 else SET_S  # a line a day is no clock set every day
    return [
        k
        for k, step in enumerate(steps, start=1)
        if step < -_SAME_S or step >= set_s or (step > 3500 and _summer_begins(kind, known[k - 1], known[k]))
    ]


def _summer_begins(kind: str, before: float, after: float) -> bool:
    """Local time leaves out one whole hour of the night; a pause would have to end as exactly."""
    local = "zone" not in kind and kind not in ("since 1970", "seconds")
    hour = before // 3600
    return local and after // 3600 - hour == 2 and hour % 24 <= 3 and (hour + 1) * 3600 - before + after % 3600 <= 30


def _parts(kind: str, known: Sequence[float]) -> Iterable[tuple[int, int]]:
    """Stretches in which the clock was not set, as (first, end)."""
    return itertools.pairwise([0, *_borders(kind, known), len(known)])


def _spread(values: Sequence[float], *, fine: bool, buffered: bool) -> list[float]:
    """Times of the lines of one stretch whose stamps were made in whole seconds, or (`buffered`) when a full buffer came."""
    values = list(itertools.accumulate(values, max))
    steps = [b - a for a, b in itertools.pairwise(values)]
    if not steps or (fine and statistics.median(steps) > 0.1 * statistics.fmean(steps)):
        return values
    near_s = 0.1 * statistics.fmean(steps) if fine else 0.5
    borders = [0, *(k + 1 for k, step in enumerate(steps) if step > near_s), len(values)]
    groups = [(values[b - 1], b - a) for a, b in itertools.pairwise(borders)]
    if all(size == 1 for _, size in groups):
        return values
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(groups)]
    if buffered and gaps and statistics.median(size for _, size in groups) >= 2 and (fine or statistics.median(gaps) >= 2):
        return _before(groups, gaps)
    return [values[0]] * len(values) if fine else _within(groups)


def _within(groups: Sequence[tuple[float, int]]) -> list[float]:
    """Evenly within each second; a second that the log enters or leaves on the way is not full."""
    times = []
    sizes = dict(groups)
    crowded = statistics.median(sizes.values()) > 1  # of one line in most of them nobody knows when in its second it came
    for second, size in groups:
        before, after = sizes.get(second - 1, 0), sizes.get(second + 1, 0)
        full = max(size, after if not before else before if not after else size) if crowded else size
        first = full - size if not before else 0
        times += [second + (first + k) / full for k in range(size)]
    return times


def _before(groups: Sequence[tuple[float, int]], gaps: Sequence[float]) -> list[float]:
    """Lines that came together were made one after the other since those before."""
    apart = [gap / size for gap, (_, size) in zip(gaps, groups[1:], strict=True)]
    most = 1.5 * statistics.median(apart)
    times: list[float] = []
    for (second, size), step in zip(groups, [apart[0], *apart], strict=True):
        times += [second - (size - 1 - k) * min(step, most) for k in range(size)]
    return times


def _usual(parts: Sequence[Sequence[float]], places: Sequence[int]) -> float | None:
    """Seconds from one line to the next; None: no two lines tell."""
    steps = []
    place = iter(places)
    for part in parts:
        timed = [(next(place), value) for value in part]
        steps += [(b - a) / (n - k) for (k, a), (n, b) in itertools.pairwise(timed) if b > a]
    return statistics.median(steps) if steps else None


def _joined(parts: Sequence[Sequence[float]], places: Sequence[int], count: int, usual_s: float) -> array[float]:
    """All lines from 0 on: stretches one usual interval apart, lines without a stamp evenly between those that have one."""
    flat = [(value, k == 0) for part in parts for k, value in enumerate(part)]
    times = array("d", [k * usual_s for k in range(places[0] + 1)])
    for (a, b), ((before, _), (value, begins)) in zip(itertools.pairwise(places), itertools.pairwise(flat), strict=True):
        step = usual_s if begins else max(value - before, 0.0) / (b - a)
        last = times[-1]
        times.extend(last + step * k for k in range(1, b - a + 1))
    last = times[-1]
    times.extend(last + usual_s * (k + 1) for k in range(count - len(times)))
    return times
