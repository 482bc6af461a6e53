"""Rows that are drawn when they are seen: of ten thousand, those on the screen cost something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import overload

from .lines import Line, Rows

Draw = Callable[[str], Line]
"""A row by its key."""


class Drawn(Sequence[Line]):
    """The rows of some keys, each drawn when it is asked for, and then kept."""

    def __init__(self, keys: Sequence[str], draw: Draw) -> None:
        self._keys, self._draw = keys, draw
        self._lines: dict[int, Line] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, at: int) -> Line: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Line]: ...
    def __getitem__(self, at: int | slice) -> Line | Sequence[Line]:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        if at not in self._lines:
            self._lines[at] = self._draw(self._keys[at])
        return self._lines[at]

    def shown(self, at: int) -> Line | None:
        """A row as it was drawn; None: nobody has seen it. What would draw it may know nothing of its key any more."""
        return self._lines.get(at) if at < len(self._keys) else ()


class LazyRows(Rows):
    """Rows with a cursor, of which only keys are known. Their screen filters them."""

    filtered = True

    def take(self, keys: Sequence[str], draw: Draw, cursor: str | None = None) -> None:
        """Take new rows; the cursor keeps its key, or its place where that is gone.

        A key that begins with a blank is a heading, which the cursor passes over.
        """
        place = max(0, self.place())
        old, height = self.lines, self.size.height
        drawn = old.shown if isinstance(old, Drawn) else partial(self._at, old)
        self.keys = [key if key[:1] != " " else "" for key in keys]
        wanted = cursor if cursor in self.keys and cursor else self.cursor
        before = self.cursor
        self.cursor = wanted if wanted and wanted in self.keys else self._nearest(place)
        self.lines = Drawn(keys, draw)  # type: ignore[assignment]
        seen = range(self.top, self.top + height)
        marks = self._edges(len(old))
        self._repaint([y for y, n in enumerate(seen) if drawn(n) != self._at(self.lines, n) or y in marks])
        self._into_view()
        if self.cursor != before:
            self.refresh()
            self.post_message(self.Moved(self, self.cursor))

    def _nearest(self, place: int) -> str:
        """From that place outwards: what is near is looked at alone."""
        for far in range(len(self.keys)):
            for at in (place - far, place + far):
                if 0 <= at < len(self.keys) and self.keys[at]:
                    return self.keys[at]
        return ""

    def texts(self) -> Sequence[str]:
        """Keys, for what is filtered is not looked through; headings are passed over."""
        return self.keys
