"""Searches: begin one for the model under the cursor, follow its front as it grows, take what it found as the recipe."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from ...engine.advice.budget import USUAL_BUILDS, WITHIN, parse_budget
from ...engine.advice.goals import parse_goal
from ...engine.advice.metrics import AIMS
from ...engine.errors import UsageError
from ...engine.report.width import shortened
from ..panes.pane import Parts
from ..widgets.keybar import KeyBar
from ..widgets.lines import Details, Line, Lines, Rows, begun, wrap
from ..widgets.scatter import Dot, scatter
from .listed import ListedScreen

if TYPE_CHECKING:
    from ...engine.fleet.followed_asks import FollowedAsks
    from ...engine.front.driven_asks import SearchAsked
    from ...engine.schema.search import Over, SearchDocument, SearchLine, SearchPoint, SearchRequest
    from ..draft import Draft
    from .run_on_boards import BoardsWanted

WIDE = 110
"""Columns from which picture and words stand side by side."""


class SearchesScreen(ListedScreen):
    """The list of searches; below it the front of the one under the cursor, and its answer."""

    KIND = "searches"
    CSS_PATH = "searches.tcss"
    EXAMPLE = "r, then least-energy top1>=0.80 within 2h, begins a search; t takes the best so far as the recipe."
    HELP = (
        "Which layers to put into INT8 for a goal (`formats`), how much of channels and ranks goes and which calibrator\n"
        "(`settings`), or a share of its own for each group of channels (`channels`); o turns over them.\n"
        "Each layer alone says what it does to the outputs; plans are built, measured and checked\n"
        "on half of the samples; the other half, which chose nothing, has the last word. A search is ordinary runs: it goes\n"
        "on when you quit, and goes on where it ended when it is begun again. t makes the best so far the recipe of the\n"
        "workbench, at any time. The picture has the cost of what was measured, over FP32's, and the points of accuracy that\n"
        "it won or lost; the front is what no other beats. `edgetui search` prints the same. B has boards\n"
        "of the fleet search, each for itself, as its --on does; the screen Fleet tells how far they are, and what each chose."
    )
    PARTS: ClassVar[Parts] = {
        "searches-details": (
            "The answer of the search under the cursor, and what led to it.",
            "/ stays enter goes to the first layer that stays in FP32, n to the next.",
        ),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "r", "run", "begin", id="searches.run", tooltip="Begin a search for the workbench's model; says how long it takes"
        ),
        Binding(
            "o", "over", "over what", id="searches.over", tooltip="What the next search goes over: formats, settings, channels"
        ),
        Binding("c", "cancel", "end", id="searches.cancel", tooltip="End the search that is going; asks first"),
        Binding("t", "take", "take it", id="searches.take", tooltip="Make the best so far the recipe of the workbench"),
        Binding(
            "a", "picture", "picture", id="searches.picture", tooltip="The front, or the words, where there is room for one"
        ),
        Binding("B", "boards", "boards", id="searches.boards", tooltip="Have boards of the fleet search, each for itself"),
        Binding("d", "details", "details", id="searches.details", show=False, tooltip="Go into the words, to scroll"),
        Binding("y", "copy", "copy", id="searches.copy", show=False, tooltip="Copy the words to the clipboard"),
        Binding("escape", "back", "back", id="searches.back", tooltip="To the workbench"),
    ]

    def __init__(self, model: str, draft: Draft | None, changed: Callable[[], None]) -> None:
        """`changed` is called when the draft has another recipe."""
        super().__init__()
        self.model, self.draft, self.changed = model, draft, changed
        self.over: Over = "formats"
        self.found: dict[str, SearchDocument] = {}
        self._going: dict[str, tuple[Sequence[SearchLine], str, str]] = {}
        """Of those that go: what was found, the run that is waited for, and its stage."""

    def compose(self) -> ComposeResult:
        """Title, searches, picture and words, keys."""
        yield Lines(id="searches-title")
        yield Rows(id="searches-list")
        with Container(id="searches-below"):
            yield Lines(id="searches-picture")
            yield Details(id="searches-details")
        yield KeyBar()

    @property
    def shown(self) -> SearchDocument | None:
        """The search under the cursor."""
        return self.found.get(self.listed.cursor)

    def on_mount(self) -> None:
        """Say whose model the next search is for."""
        self._title()

    def on_resize(self, event: events.Resize) -> None:
        """One of picture and words, or both."""
        self.set_class(event.size.width < WIDE, "-one")
        self.call_after_refresh(self._show)
        self._read()  # the list's rows

    def _title(self) -> None:
        name = self.model.rpartition("/")[2] or "no model is chosen"
        self.query_one("#searches-title", Lines).show(
            [((" edgetui  Searches", "title"), (f"   {name}", "value"), (f"   r searches over {self.over}", "dim"))]
        )

    async def fill(self) -> None:
        """The searches that were made."""
        from ...engine.report.study_report import STATE_WORDS

        engine = self.desk.engine
        self.found = {each.search: each for each in await engine.searches()}
        self._going = {key: await self._now(key) for key, each in self.found.items() if each.state == "running"}
        rows: list[tuple[str, Line]] = []
        for key, each in self.found.items():
            key_room = 40 if self.size.width >= 110 else 28
            room = max(10, self.size.width - key_room - 20)
            said = f"{each.goal or 'fastest'}: {each.why}"
            rows.append(
                (
                    key,
                    (
                        (f"{shortened(key, key_room):<{key_room + 1}}", ""),
                        (f"{STATE_WORDS[each.state]:<14}", "accent"),
                        (begun(said, room), "dim"),
                    ),
                )
            )
        self.listed.fill(rows)
        self._show()

    async def _now(self, search: str) -> tuple[Sequence[SearchLine], str, str]:
        engine = self.desk.engine
        run = await engine.search_run(search)
        stage = next((each.stage for each in await engine.list() if each.run == run), "") if run else ""
        return await engine.search_lines(search), run, stage

    def on_rows_moved(self) -> None:
        """Another search."""
        self._show()

    def _show(self) -> None:
        from ...engine.report.search_report import now_lines, search_report

        found = self.shown
        self.set_class(found is None, "-none")
        width = max(30, (self.size.width - 2 if found is None else self.details.size.width) - 2)
        if found is None:
            told = [
                "no searches yet: r begins one for the model under the workbench's cursor",
                "",
                " ".join(self.HELP.split("\n")),
            ]
            self.details.show([((f" {row}", ""),) for each in told for row in wrap(each, width) or [""]])
            self.query_one("#searches-picture", Lines).show([])
            return
        now = now_lines(found, *self._going[found.search], width) if found.search in self._going else []
        self.details.show([((f" {row}", ""),) for row in (*now, *search_report(found, width).split("\n"))])
        picture = self.query_one("#searches-picture", Lines)
        dots = [_dot(point, found) for point in found.built if point.measured is not None and point.difference is not None]
        if not dots:
            picture.show([((f" nothing was measured and checked{'' if found.state == 'done' else ' yet'}", "dim"),)])
            return
        dots.append(Dot(1.0, 0.0, "FP32", not any(dot.x < 1 and dot.y >= 0 for dot in dots)))
        aim = AIMS[parse_goal(found.goal).aim]
        picture.show(scatter(dots, picture.size.width, picture.size.height, f"× FP32's {aim.name}", "points of accuracy"))

    # what can be done

    def action_over(self) -> None:
        """Formats, settings, channels, and again."""
        kinds = list(USUAL_BUILDS)
        self.over = kinds[(kinds.index(self.over) + 1) % len(kinds)]
        self._title()

    def action_run(self) -> None:
        """Ask for the goal, say how long it takes, and begin it."""
        self._ask_goal(self._plan)

    def action_boards(self) -> None:
        """Ask for the goal, and which boards shall search."""
        self._ask_goal(self._form)

    def _ask_goal(self, then: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        from .dialogs import Ask

        if not self.model or self.draft is None:
            self.notify("choose a model in the workbench first", timeout=3)
            return
        question = (
            "Goal: fastest, smallest, least-memory or least-energy, with limits (drop<=0.01 top1>=0.80); "
            "and what it may cost, where that is not the usual (within 90min, within 8 builds)"
        )

        def answer(goal: str | None) -> None:
            if goal:
                self.do(partial(then, goal))

        self.app.push_screen(
            Ask(question, "fastest drop<=0.01", self._asked, example="least-energy top1>=0.80 within 2h"), answer
        )

    def _asked(self, text: str) -> tuple[str, int, float | None]:
        """Goal, measured candidates at most, and seconds, of a line that was typed.

        Raises:
            UsageError: it is no goal, or no budget.
        """
        goal, within, budget = text.partition(WITHIN)
        parse_goal(goal)
        return goal.strip(), *parse_budget(budget if within else None, self.over)

    async def _form(self, text: str) -> None:
        from ...engine.front.driven_asks import SearchAsked
        from .run_on_boards import open_form

        assert self.draft is not None
        spec = await self.desk.link.search_spec(self.draft.setup, self.model, self.over)
        goal, builds, seconds = self._asked(text)
        asked = SearchAsked(spec=spec, goal=goal, over=self.over, builds=builds, seconds=seconds)
        what = [f"search over {self.over} of {Path(self.model).name}", goal]
        await open_form(self.desk, what, partial(self._ask_boards, asked))

    async def _ask_boards(self, asked: SearchAsked, wanted: BoardsWanted) -> None:
        from ...engine.report.driven_tables import searched_table
        from ...engine.report.table import plain

        async def table(found: FollowedAsks, width: int) -> str:
            return searched_table(found.document, width, plain)

        engine, fleet = self.desk.engine, self.desk.engine.fleet()
        asks = await engine.plan_search_on_boards(fleet, asked, ",".join(wanted.on), again=wanted.again)
        self.desk.board_asks.run(fleet, asks, f"search {Path(self.model).stem} {asked.goal}", table)
        engine.ask_no_more()

    async def _plan(self, text: str) -> None:
        from msgspec import structs

        from ...engine.report.study_report import time_words

        assert self.draft is not None
        engine = self.desk.engine
        spec = await self.desk.link.search_spec(self.draft.setup, self.model, self.over)
        goal, builds, seconds = self._asked(text)
        asked = await engine.plan_search(spec, goal, builds, seconds, self.over)
        asked = structs.replace(asked, warnings=await engine.check(asked.spec, backend=True, goal=goal))
        cost = f"{time_words(await engine.search_time(asked))}, and what finds out about each layer before"
        cost = "\n".join((cost, *(f"! {text}" for text in asked.warnings)))
        self.ask(f"Search over {self.over}: {goal}?", cost, partial(self._begin, asked))

    async def _begin(self, asked: SearchRequest) -> None:
        begun = await self.desk.engine.begin_search(asked)
        self.desk.engine.ask_no_more()
        await self.fill()
        self.listed.point(begun)
        self._show()

    def action_cancel(self) -> None:
        """Ask, then end the search."""
        going = found.search if (found := self.shown) is not None and found.state == "running" else ""
        self.ask_to_end("search", going, "What was found stays; the same search goes on.", self.desk.engine.end_search)

    def action_take(self) -> None:
        """The best so far becomes the recipe of the workbench."""
        from ...engine.library.recipes import recipe_of

        found = self.shown
        choice = found.choice if found is not None else None
        if found is None or choice is None or not (choice.recipe or choice.settings) or self.draft is None:
            self.notify("nothing but FP32 serves the goal so far", timeout=3)
            return
        said = []
        if choice.settings:
            try:
                backend = self.desk.engine.backend_with(self.draft.setup.backend, choice.settings)
            except UsageError as error:  # it was found with another backend
                self.notify(str(error), timeout=5)
                return
            self.draft.change(backend=backend)
            said.append(f"the backend runs with {', '.join(f'{name} {value}' for name, value in choice.settings.items())}")
        if choice.recipe:
            recipe = recipe_of(choice.recipe, f"found-{found.search[:13]}")
            self.draft.change(recipe=recipe)
            said.append(f"{recipe.name} is the recipe of the workbench now; s there saves it")
        self.changed()
        self.notify("; ".join(said), timeout=4)

    def action_picture(self) -> None:
        """The picture in place of the words."""
        self.toggle_class("-picture")
        self.call_after_refresh(self._show)


def _dot(point: SearchPoint, found: SearchDocument) -> Dot:
    """Cost over FP32's, points of accuracy; on the front where no other has less of one and no less of the other."""

    def place(each: SearchPoint) -> tuple[float, float]:
        return cast("float", each.measured and each.measured.value), 100 * cast(
            "float", each.difference and each.difference.value
        )

    x, y = place(point)
    known = [each for each in found.built if each.measured is not None and each.difference is not None]
    others = [place(each) for each in known if each is not point]
    beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b in [*others, (1.0, 0.0)])
    count = point.formats.get("int8", 0)
    name = f"{count} INT8" if point.formats else point.settings.get("format", "")
    if point.macs is not None:
        name = f"{100 * point.macs:.0f} % MACs"
    best = found.choice is not None and point.run == found.choice.run
    return Dot(x, y, f"★ {name}" if best else name, not beaten)
