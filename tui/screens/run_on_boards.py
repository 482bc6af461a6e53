"""The form that has boards run what the workbench has: which boards, where what learns is trained, anew or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ...engine.errors import EdgetuiError
from ...engine.fleet.fleet_file import ANY, HERE
from ...engine.report.width import shortened, width_of
from ..background import in_background, refusal
from ..fix_words import on_screen
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines, Rows, hanging
from ..widgets.motion import LEFT, RIGHT
from .dialog import Dialog
from .safe_dismiss import dismiss_once

if TYPE_CHECKING:
    from ...engine.schema.fleet import BoardStanding
    from ..desk import Desk

TRAINED, ANEW = ":trained", ":anew"
"""Rows that are no boards; no board is called so."""


class BoardsWanted(NamedTuple):
    """What stands in the form."""

    on: tuple[str, ...]
    """Boards, and resources; none: this machine, which goes on from what `train_on` has trained."""
    train_on: str = ""
    """Where what learns is trained; empty: on each board."""
    again: bool = False
    """Anew, whatever the boards have done of it."""


class AskRows(Rows):
    """Boards and what else is said; what enter and space do stands first among the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "ask", id="boards.ask", tooltip="Ask the marked boards"),
        Binding("space", "screen.flip", "mark", id="boards.mark", tooltip="Mark the board, or no longer; the next value"),
        Binding(LEFT, "screen.turn(-1)", "the value before", show=False, id="boards.before", tooltip="The value before"),
        Binding(RIGHT, "screen.turn(1)", "the next value", show=False, id="boards.after", tooltip="The next value"),
    ]


class RunOnBoards(Dialog[None]):
    """Enter hands over what is marked, and closes when that is taken; escape closes. What is refused is said below the rows."""

    DEFAULT_CSS = """
    RunOnBoards { align: center middle; }
    RunOnBoards > Vertical { width: 84; max-width: 100%; height: auto; max-height: 96%; border: round $accent; }
    RunOnBoards > Vertical { background: $background; }
    RunOnBoards Lines { height: auto; }
    RunOnBoards KeyBar { height: 1; }
    """
    HELP = (
        "What the workbench has, on boards of the fleet: each that is marked does all of it for itself, of a resource any one\n"
        "board that has it. What a board has done of the same is found there and not done again, unless it is asked for anew.\n"
        "Where a recipe learns, one board can train for all that are marked; where none is, for this machine, which measures.\n"
        "Enter asks, as `edgetui run --on` and `--train-on` do. Boards go on when you quit; asking again collects."
    )
    EXAMPLE = "space on each board that shall do it, then enter."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="boards.leave", tooltip="To the boards, without asking"),
    ]

    def __init__(
        self,
        what: Sequence[str],
        standing: Sequence[BoardStanding],
        marked: Sequence[str],
        take: Callable[[BoardsWanted], Awaitable[None]],
        *,
        learns: bool,
        here: bool = False,
    ) -> None:
        """`what`: what would be run, in words. `standing`: the boards. `marked`: those that are marked at first. `take` asks,
        or raises why not. `learns`: something of the runs does. `here`: of no board it is taken for
        this machine, which measures what another has trained.
        """
        super().__init__()
        self.what, self.take, self.learns, self.here = tuple(what), take, learns, here and learns
        self.boards = {each.board: each for each in standing}
        self.resources: dict[str, list[str]] = {}
        for each in standing:
            for resource in each.resources:
                self.resources.setdefault(resource, []).append(each.board)
        self.resources[ANY] = list(self.boards)
        names = [*self.boards, *self.resources]
        self.marked = [name for name in dict.fromkeys(marked) if name in names]
        self.places = ["", *self.boards, *self.resources, *([] if HERE in self.boards else [HERE])]
        """Where what learns may be trained."""
        self.train_on, self.again = "", False
        self._said: tuple[str, str] = ("", "")
        """What stands below the rows, and its tone."""

    def compose(self) -> ComposeResult:
        """What would be run, boards and what else is said, what was refused, keys."""
        with Vertical() as frame:
            frame.border_title = "Run on boards"
            yield Lines(id="ask-what")
            yield AskRows(id="ask-rows")
            yield Lines(id="ask-said")
            yield KeyBar()

    def on_mount(self) -> None:
        """The cursor begins on what is marked."""
        self.query_one(Rows).focus()
        self.write(self.marked[0] if self.marked else "")

    def on_resize(self) -> None:
        """Fit the new size."""
        self.call_after_refresh(self.write)

    def write(self, cursor: str = "") -> None:
        """All of it."""
        width = max(20, min(84, self.app.size.width) - 4)
        what = [line for text in self.what for line in hanging(((" ", ""),), text, width, "value")]
        said = hanging(((" ", ""),), self._said[0], width, self._said[1]) if self._said[0] else []
        shown = self._rows(width)
        self.query_one("#ask-what", Lines).show([*what, ()])
        self.query_one("#ask-what", Lines).styles.height = len(what) + 1
        self.query_one("#ask-said", Lines).show(said)
        self.query_one("#ask-said", Lines).styles.height = len(said)
        rows = self.query_one(Rows)
        rows.fill(shown, cursor or None)
        rows.styles.height = max(1, min(len(shown), self.app.size.height - len(what) - len(said) - 5))

    def _rows(self, width: int) -> list[tuple[str, Line]]:
        names = [*self.boards, *self.resources]
        wide = min(24, max(map(width_of, [*names, "trained"])))
        rows: list[tuple[str, Line]] = []
        for name in names:
            sign = ("✓ ", "good") if name in self.marked else ("  ", "")
            said, tone = self._about(name)
            rows.append(
                (name, (sign, (f"{shortened(name, wide):<{wide}}", "value"), (f"  {shortened(said, width - wide - 5)}", tone)))
            )
        rows.append(("", ()))
        if self.learns:
            whom = "for all of them" if self.marked or not self.here else "and measured on this machine"
            place = "this machine" if self.train_on == HERE else self.train_on
            said = f"on {place}, {whom}" if place else "on each board, by itself"
            rows.append((TRAINED, (("  ", ""), (f"{'trained':<{wide}}", "value"), (f"  {said}", ""))))
        anew = "yes, whatever the boards have done of it" if self.again else "no: what a board has done of it is found"
        rows.append((ANEW, (("  ", ""), (f"{'anew':<{wide}}", "value"), (f"  {anew}", ""))))
        return rows

    def _about(self, name: str) -> tuple[str, str]:
        """What is said of a board or a resource, and its tone."""
        board = self.boards.get(name)
        if board is None:
            those = self.resources[name]
            few = len(those) < len(self.boards)
            return f"any one board that has it: {', '.join(those)}" if few else "any one of them", "dim"
        if board.state == "up":
            return board.hello.machine or "up", "dim"
        return f"{board.state}: {board.reason}".removesuffix(": "), "warn"

    def action_flip(self) -> None:
        """Mark the board, or no longer."""
        key = self.query_one(Rows).cursor
        if key in (TRAINED, ANEW):
            self.action_turn(1)
            return
        self.marked = [each for each in self.marked if each != key] if key in self.marked else [*self.marked, key]
        self._say("")

    def action_turn(self, by: int) -> None:
        """Another value of the row; of a board: marked, or not."""
        key = self.query_one(Rows).cursor
        if key == ANEW:
            self.again = not self.again
        elif key == TRAINED:
            self.train_on = self.places[(self.places.index(self.train_on) + by) % len(self.places)]
        else:
            self.action_flip()
            return
        self._say("")

    def _say(self, text: str, tone: str = "dim") -> None:
        self._said = (text, tone)
        self.write()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Have it looked at, and asked."""
        event.stop()
        if not self.marked and not (self.here and self.train_on):
            here = "; what is trained on one of them is measured here" if self.here else ""
            self._say(f"no board is marked: space marks the one under the cursor{here}", "bad")
            return
        self._say("looking at model, data and boards …")
        in_background(self, self._take, "take")

    async def _take(self) -> None:
        try:
            await self.take(BoardsWanted(tuple(self.marked), self.train_on if self.learns else "", self.again))
        except (EdgetuiError, OSError) as error:
            self._say(on_screen(refusal(error)), "bad")
            return
        dismiss_once(self)

    def action_back(self) -> None:
        """Close."""
        dismiss_once(self)


async def open_form(
    desk: Desk,
    what: Sequence[str],
    take: Callable[[BoardsWanted], Awaitable[None]],
    *,
    learns: bool = False,
    here: bool = False,
) -> None:
    """The form on top of another screen; the first board that is up is marked. What else: see `RunOnBoards`.

    Raises:
        EdgetuiError: there is no fleet, or it is down.
    """
    fleet = desk.engine.fleet()
    fleet.refuse_down()
    standing = [each.standing for each in (await fleet.status(glances=False)).boards]
    up = [each.board for each in standing if each.state == "up"]
    desk.push_screen(RunOnBoards(what, standing, up[:1], take, learns=learns, here=here))
