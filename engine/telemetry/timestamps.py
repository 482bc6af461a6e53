"""Times in a line of a log, of whatever wrote them: tegrastats, `ts`, journald, docker, syslog, loggers, PowerShell.

Each kind has a scale of its own in seconds; which of them tells the time of a whole log is `log_clock.py`'s choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

OWN, OWN_DAY_FIRST = "tegrastats", "tegrastats, day first"
_NAMES = "janfebmaraprmayjunjulaugsepoctnovdec"
_ZERO = datetime(1970, 1, 1)
"""Of the scale of times without a zone."""
NO_YEAR = 2000
"""Stands for the year of a stamp that tells none; it has a 29th of February."""
_FIRST_S, _LAST_S = 946_684_800.0, 4_102_444_800.0
"""Seconds since 1970 that are a date of this century."""


class Stamp(NamedTuple):
    """A time in a line."""

    kind: str
    seconds: float
    """On the kind's own scale."""
    fine: bool
    """Finer than a second."""
    wall: str
    """ISO 8601, with a zone if the stamp tells it; empty: the stamp tells no date."""


_HMS = "(?P<h>[0-9]{2}):?(?P<m>[0-9]{2}):?(?P<s>[0-9]{2})"
_FRACTION = "(?:[.,](?P<f>[0-9]{1,9}))?"
_CLOCK = (
    rf"(?P<h>[0-9]{{1,3}}):(?P<m>[0-9]{{2}}):(?P<s>[0-9]{{2}}){_FRACTION}(?!:?[0-9])"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\b\.?)?"
)
_ZONE = r"(?: ?(?P<zone>Z\b|UTC\b|GMT\b|[+-][0-9]{2}:?[0-9]{2}(?![0-9])))?"
_TIME = rf"{_CLOCK}{_ZONE}(?: [A-Z]{{2,5}}\b)?"
_YEAR_BEHIND = "(?: (?P<late>20[0-9]{2}))?(?![0-9])"
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_YEAR, _NUMBER, _DAY = "(?P<y>[0-9]{4})", "(?P<mo>[0-9]{2})", r"(?<![0-9])(?P<d>[0-9]{1,2})"
_EITHER = r"(?P<a>[0-9]{1,2})(?P<sep>[./-])(?P<b>[0-9]{1,2})(?P=sep)(?P<y>20[0-9]{2}|[0-9]{2})"

_DIGIT = re.compile("[0-9]")

# the more telling ones first: what one has taken the next does not see
_FORMS = tuple(
    (kind, re.compile(form, re.ASCII))
    for kind, form in (
        (OWN, rf"(?<![0-9-])(?P<a>[0-9]{{2}})-(?P<b>[0-9]{{2}})-{_YEAR} {_HMS}(?![^ ])"),
        ("date", rf"(?<![0-9]){_YEAR}[-/.](?P<mo>[0-9]{{1,2}})[-/.](?P<d>[0-9]{{1,2}})[T _,:-] *{_CLOCK}{_ZONE}"),
        ("date", rf"(?<![0-9])(?P<y>20[0-9]{{2}}){_NUMBER}(?P<d>[0-9]{{2}})[T _-]?{_HMS}{_FRACTION}(?![0-9]){_ZONE}"),
        ("day", rf"{_DAY}\.?[ /-]{_MONTH}[ /-]{_YEAR}[ :T,]+{_TIME}"),
        ("day", rf"\b{_MONTH} +(?P<d>[0-9]{{1,2}}),?(?: {_YEAR},?)? {_TIME}{_YEAR_BEHIND}"),
        ("day", rf"{_DAY}\.? {_MONTH} {_TIME}{_YEAR_BEHIND}"),
        ("numbers", rf"(?<![0-9]){_EITHER},?[ T]+{_TIME}"),
        ("day", rf"(?<![0-9]){_NUMBER}-(?P<d>[0-9]{{2}}) {_CLOCK}"),
        ("day", rf"\b[IWEFD]{_NUMBER}(?P<d>[0-9]{{2}}) {_CLOCK}"),
        ("since 1970", r"(?<![0-9.])(?P<n>[0-9]{10})(?:[.,](?P<f>[0-9]{1,9}))?(?![0-9])"),
        ("since 1970", r"(?<![0-9.])(?P<n>[0-9]{10})(?P<f>(?:[0-9]{3}){1,3})(?![0-9.])"),
        ("time of day", rf"(?<![0-9:]){_CLOCK}"),
        ("seconds", r"(?:^|\[ *|^\( *)\+?(?P<n>[0-9]{1,8})[.](?P<f>[0-9]{1,9})s?(?![0-9.A-Za-z%@/])"),
    )
)


def stamps_in(text: str) -> list[Stamp]:
    """All times in what stands before a line of tegrastats, or around it."""
    text = text.strip()
    found: list[Stamp] = []
    for kind, form in _FORMS:
        if not _DIGIT.search(text):
            break
        match = form.search(text)
        if match is not None:
            read = _READERS[kind](match.groupdict())
            if read:
                seen = [stamp.kind for stamp in found]
                found += [stamp for stamp in read if stamp.kind not in seen]
                text = text[: match.start()] + " \0 " + text[match.end() :]
    return found


_Groups = dict[str, str | None]


def _own(groups: _Groups) -> list[Stamp]:
    return [*_dated(OWN, groups, groups["a"], groups["b"]), *_dated(OWN_DAY_FIRST, groups, groups["b"], groups["a"])]


def _numbers(groups: _Groups) -> list[Stamp]:
    """`5/6/2025` is June on one side of the sea and May on the other; dots are always day first."""
    told = len(groups["y"] or "") == 4  # of `25/05/15` nobody knows which is the year
    day_first = _dated("day/month", groups, groups["b"], groups["a"], told=told)
    return (
        day_first if groups["sep"] == "." else [*_dated("month/day", groups, groups["a"], groups["b"], told=told), *day_first]
    )


def _date(groups: _Groups) -> list[Stamp]:
    return _dated("date", groups, groups["mo"], groups["d"])


def _day(groups: _Groups) -> list[Stamp]:
    month = groups.get("month")
    year = groups.get("y") or groups.get("late")
    number = groups.get("mo") if month is None else str(_NAMES.index(month.lower()) // 3 + 1)
    return _dated(
        "date" if year else "day of a year", {**groups, "y": year or str(NO_YEAR)}, number, groups["d"], told=bool(year)
    )


def _dated(kind: str, groups: _Groups, month: str | None, day: str | None, *, told: bool = True) -> list[Stamp]:
    """A date and a time; nothing if there is no such day. Those with a zone are a kind of their own: no summer time."""
    year = int(groups["y"] or 0)
    fraction = groups.get("f") or ""
    try:
        when = datetime(year + 2000 if year < 100 else year, int(month or 0), int(day or 0))
        when += timedelta(seconds=_of_day(groups))
    except (ValueError, OverflowError):
        return []
    zone = _zone(groups.get("zone"))
    seconds = (when - _ZERO).total_seconds() + float(f"0.{fraction}0")
    wall = ""
    if told:
        exact = when + timedelta(microseconds=int(f"{fraction:0<6}"[:6]))
        spec = "seconds" if not fraction else "milliseconds" if len(fraction) <= 3 else "microseconds"
        wall = exact.replace(tzinfo=zone).isoformat(timespec=spec)
    if zone is not None:
        kind, seconds = f"{kind}, zone", seconds - zone.utcoffset(None).total_seconds()
    return [Stamp(kind, seconds, bool(fraction), wall)]


def _of_day(groups: _Groups) -> float:
    hour = int(groups["h"] or 0)
    half = (groups.get("half") or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour * 3600.0 + int(groups["m"] or 0) * 60.0 + int(groups["s"] or 0)


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes)) if minutes < 24 * 60 else timezone.utc


def _epoch(groups: _Groups) -> list[Stamp]:
    seconds = float(f"{groups['n']}.{groups['f'] or 0}")
    if not _FIRST_S <= seconds < _LAST_S:
        return []
    wall = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds" if groups["f"] else "seconds")
    return [Stamp("since 1970", seconds, bool(groups["f"]), wall)]


def _time(groups: _Groups) -> list[Stamp]:
    return [Stamp("time of day", _of_day(groups) + float(f"0.{groups['f'] or 0}"), bool(groups["f"]), "")]


def _seconds(groups: _Groups) -> list[Stamp]:
    return [Stamp("seconds", float(f"{groups['n']}.{groups['f']}"), True, "")]


_READERS: dict[str, Callable[[_Groups], list[Stamp]]] = {
    OWN: _own, "date": _date, "day": _day, "numbers": _numbers, "since 1970": _epoch, "time of day": _time, "seconds": _seconds,
}  # fmt: skip
