"""What charts draw, and in which order: chosen from all that this board tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ...engine.advice.words import DASH
from ...engine.report.width import shortened, width_of
from ..kept_look import LIVE_CHARTS, RUN_SERIES
from ..panes.sensors import MOST_CHARTS
from ..readings import chart_name, drawable
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Rows
from .dialog import Dialog
from .safe_dismiss import dismiss_once

if TYPE_CHECKING:
    from ...engine.api import Sample

RUN_WORDS = {"fps": ("Frames/s", "of the run that measures"), "latency": ("Latency", "of the run that measures")}


class DrawScreen(Dialog[None]):
    """A row for each series; those that are drawn stand first, in their order."""

    DEFAULT_CSS = """
    DrawScreen { align: center middle; }
    DrawScreen > Vertical { width: 80; max-width: 100%; height: auto; max-height: 96%; border: round $accent; }
    DrawScreen > Vertical { background: $background; }
    DrawScreen KeyBar { height: 1; }
    """
    EXAMPLE = "space on hottest draws it; [ [ takes it two places forward, onto the workbench."
    HELP = (
        "What is drawn stands first, with its place: of these the pane Live has the first four, the monitor eight, without\n"
        "what the measuring run says. Space draws the row under the cursor, or no longer; [ and ] move it; = is what is\n"
        "usual for this board. It is drawn at once, and remembered."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "flip", "draw or not", id="draw.flip", tooltip="Draw this, or no longer"),
        Binding("left_square_bracket", "shift(-1)", "earlier", id="draw.earlier", tooltip="One place earlier"),
        Binding("right_square_bracket", "shift(1)", "later", id="draw.later", tooltip="One place later"),
        Binding("equals_sign", "usual", "usual", id="draw.usual", tooltip="What is usual for this board"),
        Binding("escape", "back", "back", id="draw.back", tooltip="To where you came from; it is kept"),
    ]

    def __init__(self, sample: Sample, chosen: list[str], changed: Callable[[list[str]], None], *, run: bool) -> None:
        """`chosen`: what is drawn now; `changed` hears of each change, of nothing: of what is usual; `run`: what the measuring
        run says is there to choose as well.
        """
        super().__init__()
        about = {
            key: (chart_name(*found), f"{found[1].value or DASH} {found[1].unit}") for key, found in drawable(sample).items()
        }
        self.about = {**(RUN_WORDS if run else {}), **about}
        self.chosen = [each for each in chosen if each in self.about]
        self.changed = changed

    def compose(self) -> ComposeResult:
        """Rows and keys."""
        with Vertical() as frame:
            frame.border_title = "Draw"
            yield Rows(id="draw-rows")
            yield KeyBar()

    def on_mount(self) -> None:
        """The cursor begins on the first."""
        self.query_one(Rows).focus()
        self.write()

    def on_resize(self) -> None:
        """As many rows as there is room for."""
        self.call_after_refresh(self.write)

    def write(self, cursor: str | None = None) -> None:
        """All rows."""
        shown: list[tuple[str, Line]] = []
        wide = min(24, max(width_of(name) for name, _ in self.about.values()))
        monitor = [each for each in self.chosen if each not in RUN_SERIES][:MOST_CHARTS]
        for n, key in enumerate(self.chosen, 1):
            if n == LIVE_CHARTS + 1:
                shown.append(("", ((" in the monitor alone", "dim"),)))
            place = f"{n:>2}" if n <= LIVE_CHARTS or key in monitor else " –"
            shown.append((key, ((f"{place} ", "accent"), *self._words(key, wide))))
        shown.append(("", ((" not drawn", "dim"),)))
        shown += [(key, (("   ", ""), *self._words(key, wide))) for key in self.about if key not in self.chosen]
        rows = self.query_one(Rows)
        rows.fill(shown, cursor)
        rows.styles.height = max(1, min(len(shown), self.app.size.height - 4))

    def _words(self, key: str, wide: int) -> Line:
        name, now = self.about[key]
        return ((f"{shortened(name, wide):<{wide}}", "value"), (f"  {now}", "dim"))

    def _take(self, chosen: list[str], cursor: str) -> None:
        self.chosen = chosen
        self.changed(list(chosen))
        self.write(cursor)

    def action_flip(self) -> None:
        """Draw the row under the cursor, or no longer; one chart is the least."""
        key = self.query_one(Rows).cursor
        if key not in self.chosen:
            self._take([*self.chosen, key], key)
        elif len(self.chosen) > 1:
            self._take([each for each in self.chosen if each != key], key)
        else:
            self.notify("one is the least; = is what is usual", timeout=3)

    def action_shift(self, by: int) -> None:
        """Move what is drawn."""
        key = self.query_one(Rows).cursor
        if key in self.chosen:
            others = [each for each in self.chosen if each != key]
            others.insert(max(0, self.chosen.index(key) + by), key)
            self._take(others, key)

    def action_usual(self) -> None:
        """What the board tells, as before anybody chose."""
        self.changed([])
        dismiss_once(self)

    def action_back(self) -> None:
        """Close."""
        dismiss_once(self)

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Enter does what space does."""
        event.stop()
        self.action_flip()
