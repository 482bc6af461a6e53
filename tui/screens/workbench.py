"""The first screen: models, settings, live telemetry, the run and its log; three columns, two, or one with tabs."""

from __future__ import annotations

import asyncio
import gc
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer

from ...engine.errors import EdgetuiError, RecipeRefused
from ..aside import aside, refusal
from ..draft import Draft
from ..panes.log import LogPane
from ..panes.models import ModelsPane
from ..panes.pane import Pane
from ..panes.progress import RunPane, strip_lines
from ..panes.settings import SettingsPane
from ..panes.telemetry import LivePane
from ..runview import RunsLook
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines
from .headlines import TABS, WORDS, header_line, tabs_line
from .leaving import Leavable

if TYPE_CHECKING:
    from ..app import Workbench

EDIT_SETTLES_S = 0.2
"""A forecast is asked for when the keys have been still so long."""


class WorkbenchScreen(Leavable, Screen[None]):
    """All panes, and what can be done from any of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane(1)", "next", id="pane.next", tooltip="Focus the next pane"),
        Binding("shift+tab", "next_pane(-1)", "previous pane", id="pane.previous", show=False, tooltip="Focus the pane before"),
        *[
            Binding(
                str(n), f"pane('{name}')", WORDS[name], id=f"pane.{name}", show=False, tooltip=f"Go to the pane {WORDS[name]}"
            )
            for n, name in enumerate(TABS, 1)
        ],
        Binding("r", "run", "run", id="run", tooltip="Run the highlighted model with this recipe"),
        Binding("c", "cancel", "cancel", id="cancel", tooltip="End the run that is shown; asks first"),
        Binding("ctrl+r", "resume", "resume", id="resume", show=False, tooltip="Take an interrupted run up again"),
        Binding("R", "runs", "runs", id="runs", tooltip="All runs: open, compare, resume"),
        Binding("L", "layers", "layers", id="layers", show=False, tooltip="What is inside the plans of the run that is shown"),
        Binding("m", "monitor", "monitor", id="monitor", tooltip="All sensors and their past: record, mark, watch alerts"),
        Binding("u", "undo", "undo", id="undo", show=False, tooltip="Take the last change of the settings back"),
        Binding("s", "save", "save recipe", id="save", show=False, tooltip="Save the recipe under a name"),
        Binding("p", "pause", "pause", id="pause", tooltip="Stop the charts; the data go on"),
        Binding("w", "window", "window", id="window", show=False, tooltip="Show more or less of the past"),
        Binding("l", "pane('log')", "log", id="log", show=False, tooltip="Go to the log"),
        Binding("y", "copy", "copy", id="copy", show=False, tooltip="Copy the run's table to the clipboard of your terminal"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.tab = "models"
        self._settling: Timer | None = None
        self._head: Line = ()
        self._state = ""
        self.runs_look = RunsLook()

    @property
    def bench(self) -> Workbench:
        """The app, by its own type."""
        from ..app import Workbench

        assert isinstance(self.app, Workbench)
        return self.app

    def compose(self) -> ComposeResult:
        """Header, tabs (one column only), panes, a strip of the run (one column only), keys."""
        for steps, room in (
            (self.bench.HORIZONTAL_BREAKPOINTS, self.app.size.width),
            (self.bench.VERTICAL_BREAKPOINTS, self.app.size.height),
        ):
            self.add_class(
                max(step for step in steps if room >= step[0])[1]
            )  # before the first layout, which would be the wrong one
        self.models, self.settings, self.live, self.run_pane, self.log_pane = (
            ModelsPane(),
            SettingsPane(),
            LivePane(),
            RunPane(),
            LogPane(),
        )
        self.header = Lines(id="header")
        self.tabs = Lines(id="tabs")
        self.strip = Lines(id="strip")
        yield self.header
        yield self.tabs
        with Container(id="body"):
            yield from (self.models, self.settings, self.live, self.run_pane, self.log_pane)
        yield self.strip
        yield KeyBar()

    def on_mount(self) -> None:
        """The first paint shows the empty panes; everything that takes time comes after it."""
        self.models.add_class("-tab")
        self.bench.pace.add(self, self.tick)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Fill the panes."""
        gc.enable()
        gc.freeze()  # what was imported stays; later collections need not walk it
        recipes = self.bench.link.recipes()
        self.settings.take(Draft(self.bench.link.first_asked(recipes), recipes))
        self.models.take(self.bench.link.models())
        self.bench.pace.settle()
        self.bench.attempt(self._restore, "restore")
        self.bench.attempt(self._look_around, "telemetry")

    async def _look_around(self) -> None:
        """The board's name, and its sensors."""
        await asyncio.to_thread(self.bench.link.look_at_board)
        await self.bench.link.open_telemetry()

    async def _restore(self) -> None:
        """Show the newest run again, and what it was asked."""
        newest = await self.bench.link.latest()
        if newest is not None:
            await self.open_run(newest.run)
        else:
            self.add_class("-fresh")

    async def open_run(self, run: str) -> None:
        """Watch a run from its beginning; its recipe and settings come into the pane."""
        link = self.bench.link
        spec = await link.spec_of(run)
        if self.settings.draft is not None:
            self.settings.draft.change(**link.asked_fields(spec))
            self.settings.take(self.settings.draft)
        if Path(spec.model).is_file():
            self.models.take(link.models(), spec.model)
        self.bench.attempt(partial(self._follow, run), "follow")

    async def _follow(self, run: str) -> None:
        self.remove_class("-fresh")
        await self.bench.link.follow(run)
        self.run_pane.tick()
        self.log_pane.tick()

    # what is drawn by the pace

    def tick(self) -> None:
        """Header, tabs and strip; and the pace itself, by whether a measurement window is open."""
        view = self.bench.link.view
        self.bench.pace.hush = view is not None and view.measuring
        state = "" if view is None else f"{view.run} {view.state}"
        if state != self._state:
            self._state = state
            self.refresh_bindings()
        link = self.bench.link
        head = header_line(link.board, link.disk_free(), self.size.width)
        if head != self._head:
            self._head = head
            self.header.show([head])
        if self.has_class("-one"):
            self.tabs.show([tabs_line(view, self.tab)])
            shown = view is not None and self.tab not in ("run", "log")
            self.strip.set_class(shown, "-shown")
            if view is not None and shown:
                self.strip.show(strip_lines(view, self.size.width))

    def _show_tab(self) -> None:
        """In one column only this pane is shown."""
        for name in TABS:
            self.query_one(f"#{name}").set_class(name == self.tab, "-tab")
        self.call_after_refresh(self.bench.pace.tick)  # what was hidden has not been drawn for a while

    def on_descendant_focus(self) -> None:
        """The tab follows the focus."""
        for pane in self.query(Pane):
            if pane.has_focus_within and pane.id and pane.id != self.tab:
                self.tab = pane.id
                self._show_tab()
                self.tick()

    def on_resize(self) -> None:
        """Header and tabs fit the new width."""
        self.call_after_refresh(self.tick)

    # the model and the forecast

    def on_models_pane_picked(self) -> None:
        """Another model: read it when the cursor has stopped."""
        self.settings.model_facts(None)
        self._settle()

    def on_settings_pane_edited(self) -> None:
        """Another recipe or setting: say what will happen when the keys have stopped."""
        self._settle()

    def _settle(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(EDIT_SETTLES_S, lambda: aside(self, self._look, "look"))

    async def _look(self) -> None:
        """Inspect the model, then ask what will happen."""
        model, draft = self.models.model, self.settings.draft
        if not model or draft is None:
            self.settings.show_forecast(None)
            return
        try:
            facts = await self.bench.link.inspect(model, draft.asked.shapes.get(model))
            self.models.tell(model, facts)
            if facts != self.settings.facts:
                self.settings.model_facts(facts)
        except (EdgetuiError, OSError) as error:
            self.models.tell(model, None, f"✗ {refusal(error)}")
            self.settings.show_forecast(None, refusal(error))
            return
        try:
            self.settings.show_forecast(await self.bench.link.forecast(draft.asked, model))
            self.settings.show_forecast(await self.bench.link.foresee(draft.asked, model))
        except (EdgetuiError, OSError) as error:
            self.settings.show_forecast(None, refusal(error))

    # actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing now are not offered."""
        del parameters
        view = self.bench.link.view
        if action == "cancel":
            return view is not None and not view.state
        if action == "resume":
            return view is not None and view.state in ("crashed", "failed", "cancelled")
        return action != "layers" or view is not None

    def action_pane(self, name: str) -> None:
        """Go to a pane."""
        self.tab = name
        self._show_tab()
        pane = self.query_one(f"#{name}", Pane)
        target = pane if pane.can_focus else next(child for child in pane.query("*") if child.can_focus)
        target.focus()
        self.tick()

    def action_next_pane(self, by: int) -> None:
        """Go to the pane after or before this one; one that is not shown in this layout is passed over."""
        at = TABS.index(self.tab)
        for step in range(1, len(TABS) + 1):
            name = TABS[(at + by * step) % len(TABS)]
            if self.has_class("-one") or self.query_one(f"#{name}").display:
                self.action_pane(name)
                return

    def action_run(self) -> None:
        """Start a run, or say why it cannot be."""
        self.bench.attempt(self._run, "run")

    async def _run(self) -> None:
        model, draft = self.models.model, self.settings.draft
        if not model or draft is None:
            raise RecipeRefused("no model is chosen", fix="highlight one in the pane Models, or press o to open a folder")
        link = self.bench.link
        forecast = await link.foresee(draft.asked, model)
        self.settings.show_forecast(forecast)
        if forecast.errors:
            self.action_pane("settings")
            self.settings.refuse()
            return
        run = await link.submit(draft.asked, model)
        self.bench.attempt(partial(self._follow, run), "follow")
        self.notify(f"{Path(model).stem}: the run goes on when you quit", timeout=3, markup=False)

    def action_cancel(self) -> None:
        """Ask, then end the run."""
        from .dialogs import Confirm

        view = self.bench.link.view
        if view is None:
            return
        question = f"End the run {view.title}?"
        cost = "Finished stages stay in the cache; ctrl+r takes it up again."

        def answer(yes: bool | None) -> None:
            if yes:
                self.bench.attempt(partial(self.bench.link.cancel, view.run), "cancel")

        self.app.push_screen(Confirm(question, cost), answer)

    def action_resume(self) -> None:
        """Take the run up again."""
        view = self.bench.link.view
        if view is not None:
            self.bench.attempt(partial(self.resume, view.run), "resume")

    async def resume(self, run: str) -> None:
        """Take a run up again and watch it."""
        await self.bench.link.resume(run)
        self.bench.attempt(partial(self._follow, run), "follow")

    def action_runs(self) -> None:
        """The list of runs."""
        from .runs import RunsScreen

        self.app.push_screen(RunsScreen(self.runs_look))

    def action_layers(self) -> None:
        """What is inside the run's plans."""
        from .layers import LayersScreen, plans_of

        view = self.bench.link.view
        if view is not None:
            model, _, recipe = view.title.partition(" · ")
            self.app.push_screen(LayersScreen(plans_of(view.run, model, recipe)))

    def action_monitor(self) -> None:
        """Telemetry alone."""
        from .monitor import MonitorScreen

        self.app.push_screen(MonitorScreen())

    def action_undo(self) -> None:
        """Take the last change back."""
        self.settings.undo()

    def load_recipe(self, name: str) -> None:
        """Start from a recipe."""
        if self.settings.draft is not None:
            self.settings.draft.load(name)
            self.settings.take(self.settings.draft)

    def action_pause(self) -> None:
        """Stop the charts."""
        self.live.pause()

    def action_window(self) -> None:
        """More or less of the past."""
        self.live.next_window()

    def action_copy(self) -> None:
        """The run's rows to the clipboard of the user's own terminal (OSC 52)."""
        self.app.copy_to_clipboard(self.run_pane.rows.plain())
        self.notify("copied; tmux needs `set -g set-clipboard on`", timeout=3)

    def action_save(self) -> None:
        """Save the recipe under a name."""
        from .dialogs import Ask

        draft = self.settings.draft
        if draft is None:
            return

        def save(name: str | None) -> None:
            if name and draft is not None:
                self._save(draft, name)

        self.app.push_screen(Ask("Save this recipe as", draft.recipe.name, check_name, replaces=True), save)

    def _save(self, draft: Draft, name: str) -> None:
        try:
            path = self.bench.link.save_recipe(draft.named(name))
        except EdgetuiError as error:
            self.bench.complain(error)
            return
        draft.recipes = self.bench.link.recipes()
        draft.load(name)
        self.settings.rewrite()
        self.notify(f"saved {path}", markup=False)

    def ask_folder(self) -> None:
        """Ask for a folder of models, or one model."""
        from .dialogs import Ask

        link = self.bench.link

        def take(text: str | None) -> None:
            if text:
                model = link.open_folder(text)
                self.models.take(link.models(), model)

        self.app.push_screen(Ask("Open a folder of .onnx files, or one file", str(Path.cwd()) + os.sep, link.open_folder), take)


def check_name(name: str) -> str:
    """A recipe's name must be good for a file.

    Raises:
        RecipeRefused: it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise RecipeRefused(f"`{name}` is no name for a recipe", fix="use letters, digits, . _ and -")
    return name
