"""Deploying a run: where its files lie, what speaks against it, and places to copy them to; the copy is followed here."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.worker import Worker

from ...engine.advice.words import size
from ...engine.config import here
from ...engine.errors import EdgetuiError
from ...engine.report.width import shortened
from ..background import in_background, refusal
from ..desk import Desk
from ..fix_words import on_screen
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines, Rows, hanging, wrap
from ..widgets.sharebar import share_bar
from .dialog import Dialog
from .safe_dismiss import dismiss_once

if TYPE_CHECKING:
    from ...engine.front.deploying import Answer
    from ...engine.schema.deployment import Deployment

FOLDER, HOST, REPORT = "a folder here", "a host, by ssh", "a report"
BAR = 24
_PATH, _PLACE = "path ", "place "
"""What keys of rows begin with: a file's path, a place to copy to."""
_SIGNS = {"was there": ("·", "dim"), "copied": ("✓", "good"), "replaced": ("✓", "warn")}


class DeployScreen(Dialog[None]):
    """One run's files and where they may go."""

    DEFAULT_CSS = """
    DeployScreen { align: center middle; }
    DeployScreen > Vertical {
        width: 100%; max-width: 124; height: auto; max-height: 100%; border: round $accent; background: $background;
    }
    DeployScreen #deploy-state { height: 1; }
    DeployScreen KeyBar { height: 1; }
    """
    HELP = (
        "What the run made: its plan, what built it, and the lowered file that plans are made of. Enter on one copies its\n"
        "path to the clipboard of your terminal. Enter on a place copies all of them there: each is held against its hash at\n"
        "the other end, another file of that name is asked about first, and a copy that was cut off goes on where it was.\n"
        "Places are those that were used before and boards of fleet.toml. `edgetui deploy RUN --to HOST:FOLDER` does it too."
    )
    EXAMPLE = "j down to orin:models, enter, and once more enter where the folder is right."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy paths", id="deploy.copy", tooltip="Copy all paths to the clipboard of your terminal"),
        Binding("escape", "back", "back", id="deploy.back", tooltip="Stop the copying; then to where you came from"),
    ]

    def __init__(self, run: str, to: str = "", goal: str = "") -> None:
        super().__init__()
        self.run_id = run
        self._goal = goal
        """What the advice is for; empty: the usual goal."""
        self.found: Deployment | None = None
        self.places: tuple[tuple[str, str], ...] = ()
        self._to = to
        """Where to begin to copy to, once it is known what; empty: it is chosen here."""
        self._copying: Worker[None] | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Files and places, how the copying stands, keys."""
        with Vertical() as frame:
            frame.border_title = Content(f"Deploy  {self.run_id}")
            yield Rows(id="deploy-rows")
            yield Lines(id="deploy-state")
            yield KeyBar()

    def on_mount(self) -> None:
        """Hashing a large plan takes a moment."""
        self.query_one(Rows).focus()
        self._state([((" reading its files …", "dim"),)])
        in_background(self, self._prepare, "deploy-prepare")

    async def _prepare(self) -> None:
        engine = self.desk.engine
        try:
            self.found = await engine.deployable(self.run_id, goal=self._goal)
            self.places = await engine.deploy_places()
        except (EdgetuiError, OSError) as error:
            self._refuse(refusal(error))
        else:
            self._state([])
        self.run_id = self.found.run if self.found is not None else self.run_id
        self.query_one(Vertical).border_title = Content(f"Deploy  {self.run_id}")
        self.write()
        if self._to and self.found is not None:
            self._begin(self._to)

    def on_resize(self) -> None:
        """Paths fit the new width."""
        self.call_after_refresh(self.write)

    def write(self) -> None:
        """All rows."""
        found = self.found
        if found is None:
            return
        width = max(30, self._room())
        names = max(len(file.name) for file in found.files)
        rows: list[tuple[str, Line]] = []
        for file in found.files:
            about = f"  {size(file.bytes):>9}  sha256 {file.sha256[:12]}"
            rows.append((_PATH + file.path, ((f"{file.name:<{names}}", "value"), (about, "dim"))))
            rows += [("", ((f"   {row}", ""),)) for row in wrap(file.path, width - 4)]
        for note in found.notes:
            rows += [("", ()), *(("", line) for line in hanging(((" ! ", "warn"),), note, width - 2, "warn"))]
        rows += [("", ()), ("", ((" copy to", "title"),))]
        choices = (*self.places, (FOLDER, "asks which"), (HOST, "asks which"), (REPORT, "in a new folder"))
        beside = max(len(about) for _, about in choices)
        wide = min(max(len(text) for text, _ in choices), max(width // 2, width - beside - 4))
        for text, about in choices:
            rows.append((_PLACE + text, ((f"{shortened(text, wide):<{wide}}", "value"), (f"  {about}", "dim"))))
        self.query_one(Rows).fill(rows)
        self._settle()

    def _settle(self) -> None:
        """The frame is as high as what is in it: its rows get what the state and the keys leave."""
        rows, state = self.query_one(Rows), self.query_one("#deploy-state", Lines)
        state.styles.height = len(state.lines)
        rows.styles.height = max(1, min(len(rows.lines), self.app.size.height - 3 - len(state.lines)))

    def _room(self) -> int:
        return min(self.app.size.width, 124) - 4

    def _state(self, lines: list[Line]) -> None:
        self.query_one("#deploy-state", Lines).show(lines)
        self._settle()

    def _refuse(self, error: EdgetuiError) -> None:
        self._state([((f" {row}", "bad"),) for row in wrap(f"error: {on_screen(error)}", self._room())])

    # what is chosen

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """A path, or a place."""
        event.stop()
        if event.key.startswith(_PATH):
            path = event.key.removeprefix(_PATH)
            self._clip(path, f"copied {Path(path).name}'s path")
        else:
            self._choose(event.key.removeprefix(_PLACE))

    def action_copy(self) -> None:
        """All paths, a line each."""
        if self.found is not None:
            self._clip("\n".join(file.path for file in self.found.files), "copied")

    def _clip(self, text: str, said: str) -> None:
        self.app.copy_to_clipboard(text)
        self._state([((f" {said}; tmux needs `set -g set-clipboard on`", "dim"),)])

    def _choose(self, text: str) -> None:
        from .dialogs import Ask
        from .report_folder import ask_for_report

        if self._copying is not None:
            self.notify("a copy is going; esc stops it", timeout=3)
        elif text == REPORT:
            ask_for_report(self.desk, [self.run_id])
        else:
            name = self.run_id.split("-", 2)[-1]  # without day and minute
            proposed = {FOLDER: str(here() / name), HOST: ""}.get(text, f"{text}{name}" if text.endswith(":") else text)
            self.app.push_screen(Ask("Copy to FOLDER, or HOST:FOLDER", proposed, _check, example="orin:models"), self._take)

    def _take(self, text: str | None) -> None:
        if text:
            self._begin(text)

    # the copying

    def _begin(self, to: str) -> None:
        self._state([((f" looking at {to} …", "dim"),)])
        self._copying = in_background(self, partial(self._copy, to), "deploy")

    async def _copy(self, to: str) -> None:
        assert self.found is not None
        try:
            done = await self.desk.engine.deploy(self.found, to, self._seen, self._told)
        except (EdgetuiError, OSError) as error:
            self._refuse(refusal(error))
            return
        finally:
            self._copying = None
        self._say(done)
        self.places = await self.desk.engine.deploy_places()
        self.write()

    def _say(self, done: Deployment) -> None:
        if done.left:
            self._state([((" nothing was copied", "dim"),)])
            return
        new = ", a new folder" if done.made_folder else ""
        names = max(len(file.name) for file in done.files)
        rows: list[Line] = [((f" {row}", ""),) for row in wrap(f"in {done.to}{new}", self._room())]
        for file in done.files:
            sign, tone = _SIGNS[file.state]
            rows.append(
                ((f"   {sign} ", tone), (f"{file.name:<{names}}  ", "value"), (f"{file.state}, its hash is right", tone))
            )
        self._state(rows)

    def _told(self, name: str, done: int, whole: int) -> None:
        share = done / whole if whole else 1.0
        bar = share_bar(share, BAR, self.desk.graph)
        figures = f"{size(done):>9} of {size(whole)}"
        self._state([((" ▶ ", "accent"), (f"{name}  ", "value"), (bar, "accent"), (f" {figures}", "dim"))])

    async def _seen(self, looked: Deployment) -> Answer:
        """Go on, unless something speaks against it that was not on this page."""
        from .dialogs import Confirm

        others = [file.name for file in looked.files if file.state == "differs there"]
        notes = [note for note in looked.notes if self.found is None or note not in self.found.notes]
        if not (others or notes):
            return "go"
        question = f"Replace {', '.join(others)} in {looked.to}?" if others else f"Copy to {looked.to} all the same?"
        why = [*notes, *(["What is there under that name is another file, and would be gone."] if others else [])]
        answered: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()

        def answer(yes: bool | None) -> None:
            if not answered.done():  # the copying may have been stopped in the moment in which it was asked
                answered.set_result(yes)

        self.app.push_screen(Confirm(question, "\n".join(why)), answer)
        if not await answered:
            return "stop"
        return "replace" if others else "go"

    def action_back(self) -> None:
        """Stop the copying, else leave."""
        if self._copying is None:
            dismiss_once(self)
            return
        self._copying.cancel()
        self._copying = None
        self._state([((" stopped; what has come is kept there, and goes on when it is asked for again", "warn"),)])


def _check(text: str) -> None:
    """Refused while the place can still be changed.

    Raises:
        UsageError: it names none.
        ConfigRefused: fleet.toml is not valid.
    """
    from ...engine.fleet.places import parse_place

    parse_place(text)


def open_deploy(desk: Desk, run: str, to: str = "", goal: str = "") -> None:
    """Over whatever is on screen."""
    if run:
        desk.push_screen(DeployScreen(run, to, goal))
