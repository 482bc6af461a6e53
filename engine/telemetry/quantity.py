"""What a telemetry quantity is: how it is taken from a sample, and how it is named, drawn, printed and watched.

`quantities.py` has them all, a row each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from .sample import Sample


class Unit(NamedTuple):
    """What a figure is shown in."""

    text: str
    divisor: float = 1.0
    """What a sample has is divided by this."""
    places: int | None = 0
    """Decimals; None: as many as the board's power sensor means."""
    low: float | None = None
    """The lower end of a chart's axis; None: it follows the values."""
    high: float | None = None


class Figure(NamedTuple):
    """One row: a label, a value in words and its unit."""

    key: str
    """The name of its series; empty: it cannot be drawn."""
    label: str
    value: str
    """Empty: not known."""
    unit: str = ""
    note: str = ""
    """What stands beside it: the clock of a core, the reason for a dash."""


Value = float | None
"""None: the source does not say."""
Values = Iterable[tuple[str, Value]]
"""(name of the rail, zone or core; value); the name of a quantity that is one figure is empty."""


def one(field: str) -> Callable[[Sample], Values]:
    """Takes a field with one number."""
    return lambda sample: (("", getattr(sample, field)),)


def each(field: str) -> Callable[[Sample], Values]:
    """Takes a field with a number for each name."""
    return lambda sample: getattr(sample, field).items()


def numbered(field: str) -> Callable[[Sample], Values]:
    """Takes a field with a list of numbers."""
    return lambda sample: zip(map(str, itertools.count()), getattr(sample, field), strict=False)


class Quantity(Struct, frozen=True, kw_only=True):
    """A row of the table. What is left out is left out on the screen as well."""

    key: str
    """Its field of `Sample`, or a name of its own. Its series are called so, those of rails, zones and cores `key.name`."""
    unit: Unit
    values: Callable[[Sample], Values]
    label: str = "{}"
    """What its rows are called; {} stands for the name of the rail, zone or core."""
    group: str = ""
    """The heading above its rows; empty: it has none, and stands beside another quantity."""
    note: Callable[[Sample, str, Value], str] | None = None
    """What stands beside a value, or is the reason for its dash; None: the total, if there is one."""
    has_row: Callable[[Sample], bool] | None = None
    """Whether one figure has a row; None: when it is known. Those of rails, zones and cores always have."""
    total: str = ""
    """The field with what there is of it in all: the end of the axis, and what alerts take a share of."""
    about: str = ""
    """The field that stands beside it in a table: its scope, its total."""
    chart: str = ""
    """The title of its chart, if it is drawn until somebody chooses; of several with one title the first is taken."""
    column: str = ""
    """Head of its column in plain lines; with {} each rail has one."""
    always: bool = False
    """The column is there, with a dash, where no value is known."""
    csv_always: bool = False
    """An exported table has its column even where no sample has a value: it had before columns came and went."""
    watch: str = ""
    """Its word in `[[alerts]]`; of several with one word the single one is watched, with `where` those of rails and zones."""
    unwatched: Callable[[str], bool] | None = None
    """Names that alerts pass over."""

    @property
    def single(self) -> bool:
        """One figure, not one for each rail, zone or core."""
        return "{}" not in self.label

    def value(self, sample: Sample) -> Value:
        """The one figure, as the sample has it."""
        return next((value for _, value in self.values(sample)), None)

    def series(self, sample: Sample) -> list[tuple[str, float]]:
        """What is known, each with the name of its series."""
        key = self.key
        return [(f"{key}.{name}" if name else key, value) for name, value in self.values(sample) if value is not None]

    def words(self, value: Value, watt_decimals: int) -> str:
        """A value as it is shown, without its unit; empty where it is not known."""
        places = watt_decimals if self.unit.places is None else self.unit.places
        return "" if value is None else f"{value / self.unit.divisor:.{places}f}"

    def rows(self, sample: Sample, watt_decimals: int) -> Iterator[Figure]:
        """What is said of it below its heading."""
        for name, value in self.values(sample) if self.group else ():
            known = value is not None if self.has_row is None else self.has_row(sample)
            if known or not self.single:
                key = f"{self.key}.{name}" if name else self.key
                note = self._of_total(sample) if self.note is None else self.note(sample, name, value)
                yield Figure(key, self.label.format(name), self.words(value, watt_decimals), self.unit.text, note)

    def _of_total(self, sample: Sample) -> str:
        total: float | None = getattr(sample, self.total) if self.total else None
        return "" if total is None else f"of {total / self.unit.divisor:.1f}"

    def cells(self, sample: Sample, watt_decimals: int) -> Iterator[tuple[str, str]]:
        """(head, value) in a plain line; a value is empty where it is not known."""
        if not self.column:
            return
        found = [(name, self.words(value, watt_decimals)) for name, value in self.values(sample)]
        if "{}" in self.column:
            yield from ((self.column.format(name), words) for name, words in found)
        elif self.always or any(words for _, words in found):
            yield self.column, "/".join(words for _, words in found)

    def top(self, sample: Sample) -> float | None:
        """The upper end of a chart's axis, as it is shown; None: it follows the values."""
        total: float | None = getattr(sample, self.total) if self.total else None
        return round(total / self.unit.divisor, 1) if total else self.unit.high

    @property
    def watch_unit(self) -> str:
        """What an alert's `above` is in."""
        return "%" if self.total else self.unit.text

    def watched_values(self, sample: Sample) -> dict[str, Value]:
        """What an alert looks at, in `watch_unit`, by its label."""
        total = getattr(sample, self.total) if self.total else None
        found = {self.label.format(name): value for name, value in self.values(sample) if not self._passed_over(name)}
        if self.total:
            return {name: 100.0 * value / total if value is not None and total else None for name, value in found.items()}
        return {name: None if value is None else value / self.unit.divisor for name, value in found.items()}

    def _passed_over(self, name: str) -> bool:
        return self.unwatched is not None and self.unwatched(name)
