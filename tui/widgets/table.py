"""A table whose rows are walked through as those of every other list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.widgets import DataTable

from .finding import Findable
from .motion import motion


class Table(DataTable[Text], Findable):
    """Textual's, with the keys of `lines.Rows`; Textual's own home and end go to the first and last column."""

    BINDINGS: ClassVar[list[BindingType]] = motion(
        "cursor_up", "cursor_down", "page_up", "page_down", "scroll_top", "scroll_bottom"
    )

    def texts(self) -> Sequence[str]:
        """Every row, its cells one after another."""
        return [" ".join(map(str, self.get_row_at(at))) for at in range(self.row_count)]

    def place(self) -> int:
        """The cursor's."""
        return self.cursor_row

    def go_to(self, place: int) -> None:
        """With the cursor."""
        self.move_cursor(row=place)
