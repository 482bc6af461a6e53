"""Rows of styled text, and rows with a cursor: what most panes are made of.

One widget a pane instead of one a label: mounting and styling forty labels is what makes a first paint slow,
and only rows that changed are sent to the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from ...engine.report.sanitize import sanitize
from ...engine.report.width import cut, shortened, width_of
from .entry import scrolled
from .finding import Findable
from .motion import motion
from .tones import Toned, tone

Span = tuple[str, str]
"""A text and the name of its style: `""` plain, or a name of `tones.py`."""
Line = tuple[Span, ...]


def wrap(text: str, width: int) -> list[str]:
    """Break at spaces, and inside words only where one is wider than a row: of a path behind a `/` in the row's second half. A
    row has two columns at least.
    """
    rows, row = [], ""
    width = max(2, width)
    for word in sanitize(text).split(" "):
        while width_of(word) > width:
            part = cut(word, width)
            part = part[: part.rfind("/", len(part) // 2) + 1] or part
            rows += [row, part] if row else [part]
            row, word = "", word[len(part) :]
        if row and width_of(row) + 1 + width_of(word) > width:
            rows.append(row)
            row = word
        else:
            row = f"{row} {word}" if row else word
    return [*rows, row] if row else rows


def hanging(lead: Line, text: str, width: int, style: str = "") -> list[Line]:
    """A text over as many rows as it takes; what stands before it is on the first, the others are indented by as much."""
    indent = sum(width_of(part) for part, _ in lead)
    rows = wrap(text, max(8, width - indent)) or [""]
    return [(*lead, (rows[0], style)), *(((" " * indent, ""), (row, style)) for row in rows[1:])]


def side_by_side(parts: Sequence[Span], width: int) -> list[Line]:
    """Parts in as many rows as they take; none is broken. Empty ones are left out."""
    rows: list[Line] = []
    taken = width
    for text, style in parts:
        if not text:
            continue
        if taken + 3 + width_of(text) > width:
            rows.append(((f" {text}", style),))
            taken = 1 + width_of(text)
        else:
            rows[-1] = (*rows[-1], (f"   {text}", style))
            taken += 3 + width_of(text)
    return rows


def begun(text: str, room: int) -> str:
    """The beginning of a sentence, whole words of it."""
    return text if width_of(text) <= room else f"{wrap(text, max(2, room - 1))[0]}…"


def in_rows(what: str, then: str, width: int, most: int) -> list[str]:
    """`what; then` in so many rows: where they have no room the middle of `what` goes, for what to do stands at the end."""
    tail, room = f"; {then}" if then else "", min(width_of(what), most * width)
    while len(rows := wrap(shortened(what, room) + tail, width)) > most and room > width // 4:
        room -= 2
    return rows if len(rows) <= most else [*rows[: most - 1], begun(" ".join(rows[most - 1 :]), width)]


def joined(line: Line) -> Line:
    """A row whose neighbours have different tones. Pictures are made cell by cell, and each span is 20 bytes on the link."""
    return tuple(("".join(text for text, _ in spans), name) for name, spans in groupby(line, itemgetter(1)))


class Lines(Toned):
    """Rows of styled text; cut at the right edge, never wrapped here."""

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = list(lines)
        self.top = 0
        self.heads = 0
        """Rows above all that stay where the others scroll: the names of a table's columns."""

    @property
    def _fixed(self) -> int:
        """Heads that stay: none where they would leave no room for what they are above."""
        return self.heads if self.heads and self.heads + 1 < self.size.height else 0

    def _line(self, y: int) -> int:
        """Which line stands in a row of the screen."""
        return y if y < self._fixed else y + self.top

    def show(self, lines: Sequence[Line]) -> None:
        """Take new rows; repaint those that differ."""
        old, self.lines = self.lines, list(lines)
        edges = self._edges(len(old))
        places = [self._line(y) for y in range(self.size.height)]
        self._repaint([y for y, n in enumerate(places) if self._at(old, n) != self._at(self.lines, n) or y in edges])

    def _edges(self, before: int) -> tuple[int, ...]:
        """Screen rows whose scroll marks may have changed with the number of rows."""
        height = self.size.height
        return (self._fixed, height - 1) if (before > height) != (len(self.lines) > height) else ()

    def _repaint(self, rows: Sequence[int]) -> None:
        if rows:
            width = self.size.width
            self.refresh(*[Region(0, y, width, 1) for y in rows])

    @staticmethod
    def _at(lines: Sequence[Line], index: int) -> Line:
        return lines[index] if 0 <= index < len(lines) else ()

    def render_line(self, y: int) -> Strip:
        """Draw one row of the screen."""
        return self._strip(self._at(self.lines, self._line(y)), "", y)

    def _strip(self, line: Line, cover: str, y: int) -> Strip:
        """A row's strip; `cover` is a style laid over all of it (the cursor)."""
        width = self.size.width
        mark = self._scroll_mark(y)
        over = tone(self.app, cover) if cover else None
        segments = [
            Segment(sanitize(text), self._covered(name, over)) for text, name in joined(scrolled(line, width - len(mark)))
        ]
        rest = self.style_of("") + over if over else self.style_of("")
        strip = Strip(segments).adjust_cell_length(width - len(mark), rest)
        if mark:
            strip = Strip([*strip, Segment(mark, self.style_of("dim"))], width)
        return strip

    def _covered(self, name: str, over: Style | None) -> Style:
        """A tone with `over` laid on it. A row that is turned round is one block, not one of each colour, but for the caret."""
        if over is None or not over.reverse:
            return self.style_of(name) + over if over else self.style_of(name)
        return self.style_of("") if name == "edit" else self.style_of("") + over

    def _scroll_mark(self, y: int) -> str:
        """An arrow at the right edge where rows are out of sight."""
        if self.top > 0 and y == self._fixed:
            return "↑"
        if y + 1 < len(self.lines) and y == (height := self.size.height) - 1 and self.top + height < len(self.lines):
            return "↓"
        return ""

    def scroll_rows(self, by: int) -> None:
        """Move the window over the rows."""
        top = max(0, min(self.top + by, len(self.lines) - self.size.height))
        if top != self.top:
            self.top = top
            self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Wheel."""
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Wheel."""
        event.stop()
        self.scroll_rows(-3)

    def plain(self) -> str:
        """All rows as text, for the clipboard."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines)


class Scrolling(Lines, Findable, can_focus=True):
    """Rows to read: keys that move go through the window."""

    BINDINGS: ClassVar[list[BindingType]] = motion(
        "scroll_rows(-1)",
        "scroll_rows(1)",
        "scroll_rows(-10)",
        "scroll_rows(10)",
        "scroll_rows(-1000000)",
        "scroll_rows(1000000)",
    )
    found = -1
    """The row that was found last."""

    def show(self, lines: Sequence[Line]) -> None:
        """Take new rows; where they are fewer, the window goes with them."""
        super().show(lines)
        self.scroll_rows(0)

    def on_resize(self) -> None:
        """A window that has grown shows no room below the last row: `end` may have come before the rows had their place."""
        self.scroll_rows(0)

    def action_scroll_rows(self, by: int) -> None:
        """Move the window."""
        self.found = -1
        self.scroll_rows(by)

    def texts(self) -> Sequence[str]:
        """Every row."""
        return self.plain().split("\n")

    def place(self) -> int:
        """The row that was found, else the one above the first in sight."""
        return self.found if self.found >= 0 else self._line(self._fixed) - 1 if self.top else -1

    def go_to(self, place: int) -> None:
        """Into the middle of the window, as far as there are rows around it."""
        self.found = place
        self.scroll_rows(place - self.size.height // 2 - self.top)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a row; the one that was found stands out."""
        found = bool(self.sought) and self._line(y) == self.found
        return self._strip(self._at(self.lines, self._line(y)), "edit", y) if found else super().render_line(y)


class Details(Scrolling):
    """Rows below the ones with a cursor; a key goes into them, and they take more room while they are read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,d", "leave", "back", id="details.leave", tooltip="Back to the rows above")
    ]

    def action_leave(self) -> None:
        """Back to the rows of the same pane, or of the nearest that has some."""
        for around in self.ancestors:
            for rows in around.query(Rows):
                rows.focus()
                return


class Rows(Lines, Findable, can_focus=True):
    """Rows with a cursor. A row whose key is empty is passed over."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *motion("move(-1)", "move(1)", "move(-10)", "move(10)", "move(-1000000)", "move(1000000)"),
        Binding("enter", "choose", "choose", show=False, id="choose", tooltip="Choose the row under the cursor"),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: Rows, key: str) -> None:
            super().__init__()
            self.rows, self.key = rows, key

        @property
        def control(self) -> Rows:
            """Whose cursor."""
            return self.rows

    class Chosen(Moved):
        """Enter or a click on the row under the cursor."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.keys: list[str] = []
        self.cursor = ""

    def fill(self, rows: Sequence[tuple[str, Line]], cursor: str | None = None) -> None:
        """Take new rows, each with its key; the cursor keeps its key, or its place where that is gone."""
        place = self.keys.index(self.cursor) if self.cursor in self.keys else 0
        self.keys = [key for key, _ in rows]
        wanted = cursor if cursor is not None and cursor in self.keys else self.cursor
        before = self.cursor
        if wanted not in self.keys or not wanted:
            wanted = self._nearest(place)
        self.cursor = wanted
        self.show([line for _, line in rows])
        self._into_view()
        if wanted != before:
            self.refresh()
            self.post_message(self.Moved(self, wanted))

    def _nearest(self, place: int) -> str:
        free = [(abs(i - place), key) for i, key in enumerate(self.keys) if key]
        return min(free, key=lambda pair: pair[0])[1] if free else ""

    def point(self, key: str) -> None:
        """Put the cursor on a row."""
        if key == self.cursor or key not in self.keys:
            return
        old = self.keys.index(self.cursor) if self.cursor in self.keys else -1
        self.cursor = key
        if not self._into_view():
            rows = (old - self.top, self.keys.index(key) - self.top)
            self._repaint([y for y in rows if 0 <= y < self.size.height])
        self.post_message(self.Moved(self, key))

    def _into_view(self) -> bool:
        """Scroll so that the cursor is seen; True if that moved the window."""
        if self.cursor not in self.keys or not self.size.height:
            return False
        at, height = self.keys.index(self.cursor), self.size.height
        first = next((i for i, key in enumerate(self.keys) if key), 0)
        last = next((i for i in range(len(self.keys) - 1, -1, -1) if self.keys[i]), 0)
        lowest = 0 if at == first else at
        under = len(self.keys) - 1 if at == last else at  # rows without a key below the last one come into sight with it
        top = min(max(min(self.top, lowest), under - height + 1, 0), at)
        top = max(0, min(top, len(self.lines) - height))
        if top == self.top:
            return False
        self.top = top
        self.refresh()
        return True

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.top = max(0, min(self.top, len(self.lines) - self.size.height))
        self._into_view()

    def render_line(self, y: int) -> Strip:
        """Draw one row; the cursor's with a pointer, so that it is seen without colour."""
        index = y + self.top
        line = self._at(self.lines, index)
        key = self.keys[index] if index < len(self.keys) else ""
        if key and key == self.cursor:
            mark: Span = ("▸", "accent")
            return self._strip((mark, *line), "cursor" if self.has_focus else "", y)
        return self._strip(((" ", ""), *line) if line else (), "", y)

    def action_move(self, by: int) -> None:
        """Move the cursor over rows that can have it."""
        free = [key for key in self.keys if key]
        if free:
            at = free.index(self.cursor) if self.cursor in free else 0
            self.point(free[max(0, min(at + by, len(free) - 1))])

    def texts(self) -> Sequence[str]:
        """Rows that can have the cursor."""
        rows = self.plain().split("\n")
        return [row if key else "" for key, row in zip(self.keys, rows, strict=False)]

    def place(self) -> int:
        """The cursor's."""
        return self.keys.index(self.cursor) if self.cursor in self.keys else -1

    def go_to(self, place: int) -> None:
        """With the cursor."""
        self.point(self.keys[place])

    def action_choose(self) -> None:
        """Say that this row is meant."""
        if self.cursor:
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Point; on the row that already has the cursor: choose."""
        index = event.y + self.top - self.gutter.top
        key = self.keys[index] if 0 <= index < len(self.keys) else ""
        if not key:
            return
        if key == self.cursor:
            self.action_choose()
        else:
            self.point(key)

    def on_focus(self) -> None:
        """The cursor's row looks different with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor's row looks different without the focus."""
        self.refresh()
