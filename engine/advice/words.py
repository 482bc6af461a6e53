"""Figures as people read them: three digits that mean something, a unit, a dash for what is not known.

Every table, sentence and screen takes its words from here, so that a figure looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..schema.events import Queued
    from ..schema.figures import Latency, Ratio
    from ..schema.model_facts import ModelFacts

DASH = "–"
_MOST_PLACES = 4
_SAYS_LITTLE = 1000.0
"""Times a ratio that it may as well be: digits of such an interval tell nobody anything."""


_MOST_MORE = 12
"""Digits more than usual that are tried before two figures count as the same."""


class FigureText(Protocol):
    """A figure in words."""

    def __call__(self, value: float, /, *, more: int = 0) -> str:
        """With so many digits more than are usual."""


def listed(each: Sequence[str]) -> str:
    """`int8`, `int8 and fp16`, `int8, fp16 and prune`."""
    return " and ".join(filter(None, [", ".join(each[:-1]), *each[-1:]]))


def digits(value: float, significant: int = 3, *, more: int = 0) -> str:
    """A number with so many significant digits, never in powers of ten: 0.0123, 1.23, 12.3, 123, 1234."""
    if value == 0:
        return "0"
    significant += more
    exponent = int(f"{value:.{significant - 1}e}".partition("e")[2])  # after rounding: 9.996 is 10.0
    return f"{value:.{max(0, significant - 1 - exponent)}f}"


def told_apart(text: FigureText, value: float, bound: float) -> str:
    """A figure that misses a bound, with as many digits as show that it does: `0.8096` of 0.81, which 0.810 would keep."""
    for more in range(_MOST_MORE):
        said = text(value, more=more)
        if said != text(bound, more=more):
            return said
    return text(value)


def in_full(text: FigureText, value: float) -> str:
    """What somebody typed, in words, with all of its digits: `33.25 ms`."""

    def number(more: int) -> float:
        return float(text(value, more=more).partition(" ")[0])

    return text(value, more=next(more for more in range(_MOST_MORE + 1) if number(more) == number(_MOST_MORE)))


def fixed(value: float, places: int) -> str:
    """A number that may be negative, with so many places: `-0.012`; what rounds to zero has no minus."""
    return f"{round(value, places) + 0.0:.{places}f}"


def signed(value: float, places: int) -> str:
    """A difference with so many places: `-0.4`, `+0.2`; what rounds to zero has no sign, `0.0`: it may be of either."""
    return f"{value:+.{places}f}" if round(value, places) else f"{0:.{places}f}"


def signed_digits(value: float) -> str:
    """A difference with three digits that mean something: `+0.0123`."""
    return f"{'-' if value < 0 else '+' * (value > 0)}{digits(abs(value))}"


def dash(reason: str | None = None) -> str:
    """What stands for an unknown value, with why."""
    return f"{DASH} ({reason})" if reason else DASH


def half_text(text: str, half_width: float) -> str:
    """Half of an interval in the unit and with the decimals of its figure; one digit where those would say 0."""
    places = len(text.partition(".")[2])
    return digits(half_width, 1) if half_width < 0.5 * 10.0**-places else f"{half_width:.{places}f}"


def ms(value: float | None, half_width: float | None = None, reason: str | None = None, *, more: int = 0) -> str:
    """`2.44 ms`, `1.10 ms ± 0.02`; the interval has as many decimals as the value."""
    if value is None:
        return dash(reason)
    text = digits(value, more=more)
    return f"{text} ms" + ("" if half_width is None else f" ± {half_text(text, half_width)}")


def percentiles(latency: Latency, reason: str | None = None) -> str:
    """`2.43 2.49 –` for p50, p90, p99."""
    values = (latency.p50, latency.p90, latency.p99)
    text = " ".join(DASH if value is None else digits(value) for value in values)
    return f"{text} ({reason})" if reason and latency.p99 is None else text


def ratio(value: Ratio) -> str:
    """`0.452 [0.447, 0.458]`; `0.45 [not known]` where the interval is, or says little."""
    if value.value is None:
        return DASH
    text = digits(value.value)
    if value.low is None or value.high is None or value.high > _SAYS_LITTLE * abs(value.value) > 0:
        # a single figure (of sizes) has no interval; what was measured in turns has one, if only two rounds leave it open
        return f"{text} [not known]" if value.low is not None or value.interleaved else text
    places = len(text.partition(".")[2])
    while places < _MOST_PLACES and any(bound != 1 and float(f"{bound:.{places}f}") == 1 for bound in (value.low, value.high)):
        places += 1  # `slower` beside [1.00, 1.01] would contradict itself
    return f"{value.value:.{places}f} [{value.low:.{places}f}, {value.high:.{places}f}]"


def size(count: float | None, *, more: int = 0) -> str:
    """Bytes as kB, MB or GB (powers of ten)."""
    if count is None:
        return DASH
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor * 0.9995:
            return f"{digits(count / factor, more=more)} {unit}"
    return f"{count:.0f} B"


def mb(value: float | None, *, more: int = 0) -> str:
    """Megabytes as `212`; without the unit, for lists."""
    return DASH if value is None else f"{value:.{more}f}" if value >= 10 else digits(value, 2, more=more)


def seconds(value: float | None, *, more: int = 0) -> str:
    """`0.4 s`, `26 s`, `14 min`, `2 h 05 min`."""
    if value is None:
        return DASH
    if value < 9.95:
        return f"{value:.{1 + more}f} s"
    if value < 120:
        return f"{value:.{more}f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


CACHED = "cached"
"""In place of a time: the stage was not done, its outcome came from the cache."""


def took(value: float | None, *, cached: bool) -> str:
    """What a stage took of its run: `0.4 s`, or `cached`: what it took when it was made is no time of this run's."""
    return CACHED if cached else seconds(value)


def took_together(stages: Sequence[tuple[float | None, bool]]) -> str:
    """The same of several (seconds, whether cached): `4.1 s, 3 cached`."""
    done = [value or 0.0 for value, cached in stages if not cached]
    if not done:
        return CACHED
    kept = len(stages) - len(done)
    return seconds(sum(done)) + (f", {kept} {CACHED}" if kept else "")


def count(value: float | None, *, more: int = 0) -> str:
    """`272 k`, `40.8 M`, `950`."""
    if value is None:
        return DASH
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor * 0.9995:
            return f"{digits(value / factor, more=more)} {unit}"
    return f"{value:.0f}"


def thousands(value: float) -> str:
    """Two significant digits with spaces between thousands: `19 000`."""
    if value >= 100:
        step = 10 ** (floor(log10(value)) - 1)
        value = round(value / step) * step
    return f"{value:,.0f}".replace(",", " ")


def grouped(count: int) -> str:
    """A count with spaces between thousands: `25 242`."""
    return f"{count:,}".replace(",", " ")


def percent(share: float | None) -> str:
    """A share as `1.9 %`."""
    if share is None:
        return DASH
    value = share * 100 + 0.0  # -0 is 0
    return f"{value:.0f} %" if abs(value) >= 99.95 or value == 0 else f"{value:.1f} %" if abs(value) >= 0.05 else "<0.1 %"


def near_all(share: float | None, *, more: int = 0) -> str:
    """A share that is near one: `73.4 %`, `99.83 %`, `99.9996 %`; `100 %` is all of them and nothing less."""
    if share is None:
        return DASH
    missing = (1 - share) * 100
    if missing <= 0:
        return "100 %"
    places = more + (max(1, min(9, 1 - floor(log10(missing)))) if missing < 1 else 1)
    return f"{share * 100:.{places}f} %"


def p_value(p: float) -> str:
    """`p 0.61`, `p 0.002`, `p <0.001`."""
    if p < 0.001:
        return "p <0.001"
    return f"p {p:.3f}" if p < 0.0995 else f"p {p:.2f}"


def joules(value: float | None, half_width: float | None = None, *, more: int = 0) -> str:
    """Joules as J, mJ or µJ: `17.1 mJ`, `5.22 mJ ± 0.28`; the interval has the unit and the decimals of the value."""
    if value is None:
        return DASH
    units = (("J", 1.0), ("mJ", 1e-3), ("µJ", 1e-6))
    unit, factor = next((each for each in units if abs(value) >= each[1] * 0.9995), units[-1])
    text = digits(value / factor, more=more)
    return f"{text} {unit}" + ("" if half_width is None else f" ± {half_text(text, half_width / factor)}")


def reads(facts: ModelFacts, backend: str) -> str:
    """That a backend reads a model, and what it needs for it."""
    from ..backends.cards import card_of  # half of what `edgetui --help` would import

    card = card_of(backend)
    if not card.takes_plugins or not facts.plugins:
        return "reads it"
    return f"reads it with a plugin {', '.join(facts.plugins)}, which {card.title} does not bring: LD_PRELOAD its library"


def waits(queued: Queued) -> str:
    """What one waits for: `2 others wait before it; RUN has the board`."""
    others = queued.before
    if queued.to_end:
        return f"it begins when {queued.waiting_for} has ended well"
    before = f"{grouped(others)} {'other waits' if others == 1 else 'others wait'} before it" if others else ""
    holder = f"{queued.holder} has the board" if queued.holder else ""
    if not (before or holder):  # of an earlier version, which told the next one alone
        return f"{queued.waiting_for or 'another program'} has the board, or comes before it"
    return "; ".join(filter(None, (before, holder)))
