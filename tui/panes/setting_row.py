"""One row of the settings pane: what it shows, what it edits, and what helps. The pane asks no row which one it is.

Apart from `settings_rows.py`, where the rows are, because a new one is added there without a change here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ...engine.config import shown_path
from ...engine.errors import UsageError, nearest
from ...engine.report.width import shortened
from ...engine.schema.steps import STEPS
from ..draft import Draft
from ..widgets.lines import Line, Span

if TYPE_CHECKING:
    from ...engine.schema.model_facts import ModelFacts

LABEL = 20


@dataclass
class Around:
    """What rows read beside the draft."""

    facts: ModelFacts | None = None
    """Of the model that is chosen; its open inputs ask for shapes."""
    method: str = next(iter(STEPS))
    """The step that would be added."""
    dataset_names: Callable[[], Sequence[str]] = tuple
    """Names of data to choose from."""
    check_dataset: Callable[[str], object] = str
    """Refuses a path or name where there are no data."""


class RowActions(Protocol):
    """What enter may begin: the settings pane does it at the cursor's row."""

    def begin_typing(self) -> None:
        """Type its value."""

    def nudge(self, by: int) -> None:
        """The value before or after."""

    def add_step(self) -> None:
        """Add the step that is offered."""

    def choose_recipe(self) -> None:
        """All recipes, to search in."""

    def unmark(self) -> None:
        """No recipe is measured together with this one."""


class SettingRow:
    """A row. It reads the draft whenever it is asked, and changes nothing but that."""

    step: int | None = None
    """Place of the step that it belongs to."""
    typed = False
    """Enter begins to type its value; else it takes the next one."""
    numeric = False
    """A digit begins to type its value."""
    switch = False
    """Its value is yes or no."""
    marked = True
    """Arrows are drawn around its value: ← → change it."""
    browsed = False
    """Its value is a path, which can be looked for in folders."""
    offers = False
    """Its value is shown under the cursor alone."""

    def __init__(self, draft: Draft, key: str, name: str) -> None:
        """`key`: the cursor stands on it by that; empty: never."""
        self.draft, self.key, self.name = draft, key, name

    @property
    def path(self) -> str:
        """Its name behind `:set`, as files have it: `steps.0.amount`, `preset`, `backend.threads`; empty: none."""
        kind, _, name = self.key.partition(":")
        if kind == "field":
            return f"steps.{name.replace(':', '.', 1)}"
        if kind == "step":
            return f"steps.{name}.on"
        if kind == "backend":
            return "backend" if name == "name" else f"backend.{name}"
        return f"shape.{name}" if kind == "shape" else name if kind == "run" else ""

    def value(self) -> str:
        """What stands in it."""
        return ""

    def beside(self) -> Sequence[Span]:
        """What stands behind the value."""
        return ()

    def help(self) -> str:
        """What it means: the sentences of the source."""
        return ""

    def takes(self) -> str:
        """What is typed or chosen there, with an example."""
        return ""

    def hint(self) -> str:
        """What it means, and what it takes where that does not say it by an example."""
        help_, takes = self.help(), self.takes()
        return help_ if "e.g." in help_ or not takes else f"{help_.removesuffix('.')}. {takes}"

    def text(self) -> str:
        """The value as it is typed."""
        return ""

    def put(self, text: str) -> None:
        """Take a value in words: what was typed, or what stands behind `:set`.

        Raises:
            EdgetuiError: it cannot be so.
        """

    def nudge(self, by: int) -> None:
        """The value before or after; of most rows there is one.

        Raises:
            EdgetuiError: it cannot be so.
        """

    def enter(self, pane: RowActions) -> None:
        """What the key does."""
        if self.typed:
            pane.begin_typing()
        else:
            pane.nudge(1)

    def line(self, entry: Line | None, *, here: bool, room: int = 200) -> Line:
        """As it is drawn, in `room` columns. here: the cursor stands on it. entry: what is being typed there."""
        if here and entry is not None:
            return ((f"{self.name:<{LABEL}}", "accent"), *entry)
        body: Line = ((shortened(shown_path(self.value()), room - LABEL - 4) if here or not self.offers else "", "value"),)
        if here and self.marked:
            body = (("‹ ", "accent"), *body, (" ›", "accent"))
        return ((f"{self.name:<{LABEL}}", "dim"), *body, *self.beside())


class Heading(SettingRow):
    """What stands between rows; without a name a row left free."""

    def __init__(self, draft: Draft, name: str = "") -> None:
        super().__init__(draft, "", name)

    def line(self, entry: Line | None, *, here: bool, room: int = 200) -> Line:
        return ((self.name, "title"),) if self.name else ()


class NamedRows:
    """Rows that hold something, by the names of files and documents."""

    def __init__(self, rows: Iterable[SettingRow]) -> None:
        self._rows = {row.path: row for row in rows if row.path}

    def told(self) -> dict[str, tuple[str, str]]:
        """Each name with its value as it stands, and what it means."""
        return {name: (row.value(), row.help()) for name, row in self._rows.items()}

    def find(self, name: str) -> SettingRow:
        """The row of that name, or the only one that stands so on the screen.

        Raises:
            UsageError: there is none.
        """
        path = name.replace("step.", "steps.", 1) if name.startswith("step.") else name
        if path in self._rows:
            return self._rows[path]
        shown = [row for row in self._rows.values() if row.name.strip() == name]
        if len(shown) != 1:
            raise UsageError(f"there is no setting `{shortened(name, 60)}`", fix=nearest(name, self._rows))
        return shown[0]
