"""The newest samples of a chart, in memory that is taken whole at once: a screen that is looked at for a day does not grow."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from math import nan

Values = tuple[float | None, ...]
"""Of each series at one moment; None: a gap."""


class ChartPast:
    """`room` samples of one or several series, each with how the foot is marked there.

    Nine bytes a sample; as a tuple in a deque it took eighty, and four charts of half an hour grew by 2.5 MB.
    """

    def __init__(self, room: int, series: int = 1) -> None:
        self._room = max(1, room)
        self._series = [array("d", [nan]) * self._room for _ in range(series)]
        self._marks = bytearray(self._room)
        self._next = self._many = 0

    def __len__(self) -> int:
        return self._many

    def __iter__(self) -> Iterator[tuple[Values, int]]:
        """(values, mark), oldest first."""
        first = (self._next - self._many) % self._room
        for k in range(first, first + self._many):
            place = k % self._room
            yield tuple(_or_gap(values[place]) for values in self._series), self._marks[place]

    def append(self, values: Values, mark: int) -> None:
        """One sample, over the oldest where there is no room; of series that are not told there is a gap."""
        place = self._next
        for k, into in enumerate(self._series):
            value = values[k] if k < len(values) else None
            into[place] = nan if value is None else value
        self._marks[place] = mark
        self._next = (place + 1) % self._room
        self._many = min(self._many + 1, self._room)

    def extend(self, samples: Iterable[tuple[Values, int]]) -> None:
        """Several samples, oldest first."""
        for values, mark in samples:
            self.append(values, mark)

    def clear(self) -> None:
        """Forget all samples."""
        self._next = self._many = 0

    def of(self, room: int, series: int) -> ChartPast:
        """The newest of these, in another room."""
        if room == self._room and series == len(self._series):
            return self
        other = ChartPast(room, series)
        other.extend(self)
        return other


def _or_gap(value: float) -> float | None:
    return value if value == value else None  # what is not a number is not itself
