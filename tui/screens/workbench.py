"""The first screen: models, settings, live telemetry, the run and its log; three columns, two, or one with tabs."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.timer import Timer

from ...engine.errors import EdgetuiError, RecipeRefused
from ..background import in_background, refusal
from ..jump import JumpPlace
from ..panes.log import LogPane
from ..panes.models import ModelsPane
from ..panes.pane import Pane
from ..panes.progress import RunPane
from ..panes.settings import SettingsPane
from ..panes.telemetry import LivePane
from ..widgets.keybar import KeyBar
from ..widgets.lines import Line, Lines
from .doors import Doors
from .end_runs import ask_to_end
from .headlines import TABS, WORDS, header_line, tab_columns, tabs_line, with_note

if TYPE_CHECKING:
    pass

ROOMY = 28
"""Rows of the screen from which on the strip below a single column has those of the figures as well."""
STRIP = (3, 7)
"""Rows of the strip on a lower screen, and on a higher one."""
EDIT_SETTLES_S = 0.2
"""A forecast is asked for when the keys have been still so long."""


class WorkbenchScreen(Doors):
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
        Binding("v", "member", "member", id="member", tooltip="The next of the runs that were started together"),
        Binding("R", "runs", "runs", id="runs", tooltip="All runs: open, compare, resume"),
        Binding(
            "P", "studies", "studies", id="studies", show=False, tooltip="Papers, done again here: their figures beside ours"
        ),
        Binding("F", "fleet", "fleet", id="fleet", show=False, tooltip="Several boards: how each stands, what it is doing"),
        Binding("D", "dataset", "dataset", id="dataset", show=False, tooltip="Look into a dataset, and describe it in a file"),
        Binding("L", "layers", "layers", id="layers", show=False, tooltip="What is inside the plans of the run that is shown"),
        Binding(
            "f", "searches", "searches", id="searches", show=False, tooltip="Find which layers to put into INT8 for a goal"
        ),
        Binding("W", "sweeps", "sweeps", id="sweeps", show=False, tooltip="Find the cheapest power mode, batch, threads"),
        Binding("e", "sensitivity", "sensitivity", id="sensitivity", show=False, tooltip="What compressing each layer does"),
        Binding("E", "deploy", "deploy", id="deploy", show=False, tooltip="Copy what the shown run made, here or to a host"),
        Binding("m", "monitor", "monitor", id="monitor", tooltip="All sensors and their past: record, mark, watch alerts"),
        Binding("u", "undo", "undo", id="undo", show=False, tooltip="Take the last change of the settings back"),
        Binding("s", "save", "save recipe", id="save", show=False, tooltip="Save the recipe under a name"),
        Binding("p", "pause", "pause", id="pause", tooltip="Stop the charts; the data go on"),
        Binding("w", "window", "window", id="window", show=False, tooltip="Show more or less of the past"),
        Binding("y", "copy", "copy", id="copy", show=False, tooltip="Copy the run's table to the clipboard of your terminal"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.tab = self._shown_tab = "models"
        self._settling: Timer | None = None
        self._head: Line = ()
        self._state = ""

    def compose(self) -> ComposeResult:
        """Header, tabs (one column only), panes, a strip of the run (one column only), keys."""
        for steps, room in (
            (self.desk.HORIZONTAL_BREAKPOINTS, self.app.size.width),
            (self.desk.VERTICAL_BREAKPOINTS, self.app.size.height),
        ):
            self.add_class(
                max(step for step in steps or () if room >= step[0])[1]
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
        self.desk.pace.add(self, self.tick, self.desk.link.works)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Fill the panes."""
        from ..draft import Draft

        gc.enable()
        gc.freeze()  # what was imported stays; later collections need not walk it
        recipes = self.desk.engine.recipes()
        self.settings.take(Draft(self.desk.link.first_setup(recipes), recipes))
        self.models.take(self.desk.engine.models())
        self.desk.pace.settle()
        self.run_in_background(self._restore, "restore")
        self.run_in_background(self._look_around, "telemetry")

    async def _look_around(self) -> None:
        """The board's name, and its sensors."""
        await asyncio.to_thread(self.desk.link.look_at_board)
        await self.desk.link.open_telemetry()

    async def _restore(self) -> None:
        """Show the newest run again, and what it was asked."""
        newest = await self.desk.link.latest()
        if newest is not None:
            await self.open_run(newest.run)
        else:
            self.add_class("-fresh")

    async def open_run(self, run: str, *, chosen: bool = False) -> None:
        """Watch a run, or a group's first, from its beginning; its recipe and settings come into the pane. `run` may be a part
        of an id. `chosen`: see `Link.follow`.
        """
        link = self.desk.link
        run = (await self.desk.engine.members(run))[0]
        spec = await self.desk.engine.spec(run)
        if self.settings.draft is not None:
            self.settings.draft.change(**link.setup_of(spec))
            self.settings.take(self.settings.draft)
        if Path(spec.model).is_file():
            folders = self.desk.engine.models()
            if not any(each.path == spec.model for folder in folders for each in folder.models):
                link.open_folder(spec.model)  # it was opened in another session
                folders = self.desk.engine.models()
            self.models.take(folders, spec.model)
        self.run_in_background(partial(self.follow, run, chosen=chosen), "follow")

    async def show_run(self, run: str) -> None:
        """Open a run that was asked for, and go to it: where one pane is shown, it is the run's."""
        await self.open_run(run, chosen=True)
        self.action_pane("run")

    async def follow(self, run: str, *, chosen: bool = False) -> None:
        """Watch a run, and leave the settings as they are."""
        self.remove_class("-fresh")
        await self.desk.link.follow(run, chosen=chosen)
        self.run_pane.tick()
        self.log_pane.tick()

    # what is drawn by the pace

    def tick(self) -> None:
        """Header, tabs and strip; and the pace itself, by whether a measurement window is open."""
        self.desk.link.show_working()
        view = self.desk.link.view
        self.desk.pace.hush = view is not None and view.measuring
        state = "" if view is None else f"{view.run} {view.state}"
        if state != self._state:
            self._state = state
            self.refresh_bindings()
        link = self.desk.link
        now = link.feed.newest if link.feed is not None else None
        head = header_line(link.board, link.disk_free(), self.size.width, now)
        if head != self._head:
            self._head = head
            self.header.show([head])
        if self.has_class("-one"):
            notes = self.live.notes if self.tab == "live" else ()
            self.tabs.show([with_note(tabs_line(view, self.tab), notes, self.size.width)])
            shown = view is not None and self.tab not in ("run", "log")
            self.strip.set_class(shown, "-shown")
            if view is not None and shown:
                from ..panes.run_rows import strip_lines

                rows = STRIP[self.size.height >= ROOMY]
                self.strip.styles.height = rows
                members = link.members
                of = f"{members.index(view) + 1} of {len(members)}" if len(members) > 1 and view in members else ""
                self.strip.show(strip_lines(view, self.size.width, rows, of))

    def _show_tab(self) -> None:
        """In one column only this pane is shown; where there are more, only the log may be hidden."""
        if self.has_class("-one") or "log" in (self.tab, self._shown_tab):
            for name in TABS:
                self.query_one(f"#{name}").set_class(name == self.tab, "-tab")
            self._shown_tab = self.tab
            self.call_after_refresh(self.desk.pace.tick)  # what was hidden has not been drawn for a while

    def jump_places(self) -> list[JumpPlace]:
        """Panes that are not shown in this layout: on their tabs, else named."""
        shown = self.has_class("-one") and bool(self.tabs.lines)
        columns = tab_columns(self.tabs.lines[0]) if shown else {}
        row = self.tabs.region.y
        return [
            JumpPlace((columns[name], row) if name in columns else None, WORDS[name], partial(self.action_pane, name))
            for name in TABS
            if not self.query_one(f"#{name}").display
        ]

    def on_descendant_focus(self) -> None:
        """The tab follows the focus."""
        for pane in self.query(Pane):
            if pane.has_focus_within and pane.id and pane.id != self.tab:
                self.tab = pane.id
                self._show_tab()
                self.tick()

    def on_resize(self) -> None:
        """Header and tabs fit the new width."""
        if self.tab != self._shown_tab:
            self._show_tab()
        self.call_after_refresh(self.tick)

    # the model and the forecast

    def on_models_pane_picked(self) -> None:
        """Another model: read it when the cursor has stopped."""
        self.settings.model_facts(None)
        if self.models.model:
            self.settings.begin_forecast(Path(self.models.model).name)
        self._settle()

    def on_settings_pane_edited(self) -> None:
        """Another recipe or setting: say what will happen when the keys have stopped."""
        self._settle()

    def _settle(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(EDIT_SETTLES_S, lambda: in_background(self, self._look, "look"))

    async def _look(self) -> None:
        """Inspect the model, then ask what will happen."""
        model, draft = self.models.model, self.settings.draft
        if not model or draft is None:
            self.settings.show_forecast(None)
            return
        try:
            facts = await self.desk.link.inspect(model, draft.setup.shapes.get(model))
            self.models.tell(model, facts)
            if facts != self.settings.around.facts:
                self.settings.model_facts(facts)
        except (EdgetuiError, OSError) as error:
            self.models.tell(model, None, f"✗ {refusal(error)}")
            self.settings.show_forecast(None, refusal(error))
            return
        try:
            self.settings.show_forecast(await self.desk.link.forecast(draft.setup, model))
            self.settings.show_forecast(await self.desk.link.foresee(draft.setup, model))
        except (EdgetuiError, OSError) as error:
            self.settings.show_forecast(None, refusal(error))

    # actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing now are not offered."""
        del parameters
        view = self.desk.link.view
        if action == "cancel":
            return view is not None and not view.state
        if action == "resume":
            return view is not None and view.state in ("crashed", "failed", "cancelled")
        if action == "member":
            return len(self.desk.link.members) > 1
        return action not in ("layers", "deploy") or view is not None

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
        self.run_in_background(self._run, "run")

    async def run_after(self, run: str) -> None:
        """Start a run that begins once another has ended well."""
        await self._run(run)

    async def _run(self, after: str = "") -> None:
        model, draft = self.models.model, self.settings.draft
        if not model or draft is None:
            raise RecipeRefused("no model is chosen", fix="highlight one in the pane Models, or press o to open a folder")
        link = self.desk.link
        setups = [msgspec.structs.replace(draft.setup, recipe=recipe) for recipe in draft.recipes_to_run]
        for setup in setups:
            forecast = await link.foresee(setup, model)
            self.settings.show_forecast(forecast)
            if forecast.errors:
                draft.change(recipe=setup.recipe)
                self.settings.take(draft)
                self.action_pane("settings")
                self.settings.refuse()
                return
        run = await link.submit(setups, model, after)
        self.run_in_background(partial(self.follow, run), "follow")
        then = f"it begins when {after} has ended well" if after else "the run goes on when you quit"
        self.notify(f"{Path(model).stem}: {then}", timeout=3)

    def action_cancel(self) -> None:
        """Ask, then end the run."""
        ask_to_end(self.desk)

    def action_member(self) -> None:
        """Show the next of the runs that were started together."""
        self.desk.link.show_next()
        self.desk.pace.tick()

    def action_resume(self) -> None:
        """Take the run up again."""
        view = self.desk.link.view
        if view is not None:
            self.run_in_background(partial(self._resume, view.run), "resume")

    async def resume(self, run: str) -> None:
        """Take a run up again, and go to its pane."""
        await self._resume(run)
        self.action_pane("run")

    async def _resume(self, run: str) -> None:
        await self.desk.link.resume(run)
        self.run_in_background(partial(self.follow, run), "follow")

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
        self.tick()

    def action_window(self) -> None:
        """More or less of the past."""
        self.live.next_window()
        self.tick()

    def action_copy(self) -> None:
        """The run's rows to the clipboard of the user's own terminal (OSC 52)."""
        self.app.copy_to_clipboard(self.run_pane.rows.plain())
        self.notify("copied; tmux needs `set -g set-clipboard on`", timeout=3)

    def action_save(self) -> None:
        """Save the recipe under a name."""
        from .save_recipe import ask_to_save

        ask_to_save(self.desk, self.settings)
