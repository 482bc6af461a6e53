"""What a sample says, as rows and columns of words: the Monitor screen, `monitor --once` and its plain lines read the same.

The table of quantities says what there is; here are what stands beside them (power mode, throttling, counters) and the dash
for what is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..engine.advice.words import DASH
from ..engine.telemetry.quantities import BY_KEY, GROUPS, IN_GROUPS, QUANTITIES
from ..engine.telemetry.quantity import Figure, Quantity

if TYPE_CHECKING:
    from ..engine.api import Sample


SETTLED = 3
"""Samples until all is told that a board tells: loads come with the second."""
MANY = 3
"""So many series are counted, and not named one by one."""


class Group(NamedTuple):
    """Figures that belong together."""

    title: str
    figures: list[Figure]


def groups(sample: Sample, watt_decimals: int = 2) -> list[Group]:
    """Everything that the sample says, and figures without a value for what it does not."""
    found: dict[str, list[Figure]] = {title: [] for title in GROUPS}
    found["Board"] += [Figure("", "power mode", sample.power_mode)] if sample.power_mode else []
    for quantity in IN_GROUPS:
        found[quantity.group] += quantity.rows(sample, watt_decimals)
    if sample.throttled is not None:
        found["Board"].append(Figure("", "throttled", ", ".join(sample.throttled) or "no"))
    found["Board"] += [Figure("", name, f"{count:g}") for name, count in sample.counters.items()]
    return [Group(title, figures) for title, figures in found.items() if figures]


PREFIXED = ("GPU", "CPU")
"""Groups whose figures do not say by themselves what they are of."""


def drawable(sample: Sample, watt_decimals: int = 2) -> dict[str, tuple[Quantity, Figure]]:
    """Every series that this board tells, by its name, with its quantity and what it is now."""
    return {figure.key: (q, figure) for q in IN_GROUPS for figure in q.rows(sample, watt_decimals) if figure.key}


def absent_words(chosen: Sequence[str], told: Collection[str]) -> str:
    """What of that was chosen a board does not tell, in words: `VDD_IN not on this board`; empty: all is there."""
    away = [_plain_name(key) for key in chosen if key not in told]
    named = ", ".join(away) if len(away) < MANY else f"{len(away)} of what was chosen"
    return f"{named} not on this board" if away else ""


def _plain_name(key: str) -> str:
    """Of a series that no sample tells."""
    of, _, part = key.partition(".")
    return part or (BY_KEY[of].chart if of in BY_KEY else "") or key


def told_series(sample: Sample) -> set[str]:
    """Names of the series that have a value in a sample."""
    return {key for key, (_, figure) in drawable(sample).items() if figure.value}


def chart_name(quantity: Quantity, figure: Figure) -> str:
    """What a chart of one series is called."""
    return f"{quantity.group} {figure.label}" if quantity.group in PREFIXED else figure.label


def series_value(name: str, sample: Sample) -> float | None:
    """A series' value in a sample, as the sample has it."""
    key, _, part = name.partition(".")
    quantity = BY_KEY.get(key)
    return None if quantity is None else next((value for each, value in quantity.values(sample) if each == part), None)


def clock(sample: Sample) -> str:
    """The time of day that a sample tells, or its seconds where it has none."""
    return sample.wall[11:19] if len(sample.wall) >= 19 else f"{sample.t_s:.0f} s"


def columns(sample: Sample, watt_decimals: int = 2) -> list[tuple[str, str]]:
    """(head, value) of a plain line; heads are the same for as long as the sample says the same things."""
    cells = [("time", clock(sample))]
    for quantity in QUANTITIES:
        cells += [(head, value or DASH) for head, value in quantity.cells(sample, watt_decimals)]
    if sample.throttled:
        cells.append(("throttled", ", ".join(sample.throttled)))
    return cells


def left(days: float | None) -> str:
    """How long the disk lasts: `12 days left`; empty while it cannot be told."""
    if days is None:
        return ""
    if days > 3650:
        return "over 10 years left"
    return f"{days:.0f} days left" if days >= 2 else f"{days * 24:.1f} h left"
