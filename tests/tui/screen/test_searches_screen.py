"""The screen Searches: the list, a front as it grows, what can be taken, and how one is begun."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import PACKAGE, load_config
from edgetui.engine.library.recipes import find_recipe, recipe_toml
from edgetui.engine.runs.search_folder import create_search
from edgetui.engine.schema.search import (
    CandidateChecked,
    CandidateMeasured,
    EvenBeside,
    SearchChoice,
    SearchDocument,
    SearchLine,
    SearchPoint,
    SearchRequest,
    SearchUnit,
)
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.system.locks import take_lock
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dialogs import Ask, Confirm
from edgetui.tui.screens.searches import SearchesScreen
from screens import opened, same_as_snapshot, screen_text, shows, until
from told_searches import answered, of_that_day, ratio, searched


async def open_searches(pilot) -> SearchesScreen:
    return await opened(pilot, "f", SearchesScreen)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_a_search_shows_its_answer_its_front_and_its_layers(bare_app: EdgetuiApp, own_state: Path, size):
    answered(searched(own_state))
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        screen = await open_searches(pilot)
        await shows(pilot, "-search-digits", "done", "15 units INT8, 5 units FP32", "fastest drop<=0.01")
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        same_as_snapshot(bare_app, f"searches-{size[0]}x{size[1]}")
        if size[0] < 110:
            await pilot.press("a")
        await shows(pilot, "points of accuracy", "★ 15 INT8")
        if size[0] < 110:
            same_as_snapshot(bare_app, f"searches-front-{size[0]}x{size[1]}")
        if size[0] >= 110:
            await shows(pilot, "/stem/conv")
        await pilot.press("a", "d")
        assert screen.details.has_focus
        await pilot.press("escape")
        assert screen.listed.has_focus
        await pilot.press("escape")
        assert not isinstance(bare_app.screen, SearchesScreen)
        assert screen.found


def answered_shares(home: Path) -> None:
    """Shares of channels, and one share for all beside them."""
    recipe = find_recipe("channels-25", load_config())
    spec = RunSpec(model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"), recipe=recipe)
    folder = of_that_day(create_search(home, SearchRequest(goal="fastest drop<=0.04", spec=spec, builds=12, over="channels")))
    own = msgspec.structs.replace(recipe.step[0], amount=0.0, amounts={"/layer1/conv1": 0.5, "/layer3/conv2": 0.25})
    points = [
        SearchPoint(
            settings={f"/layer{n}/conv1": "0.25" for n in range(6)} | {"/layer9/conv1": "0.5"},
            macs=macs,
            effect=effect,
            measured=ratio(cost),
            difference=ratio(lost),
            run=run,
        )
        for macs, effect, cost, lost, run in (
            (0.78, 0.12, 0.85, -0.012, "a"),
            (0.65, 0.36, 0.74, -0.021, "b"),
            (0.57, 0.71, 0.69, -0.052, "c"),
        )
    ]
    document = SearchDocument(
        search=folder.id,
        state="done",
        goal="fastest drop<=0.04",
        over="channels",
        choice=SearchChoice(recipe=recipe_toml(msgspec.structs.replace(recipe, step=(own,))), run="b"),
        built=tuple(points),
        sensitivity=(SearchUnit(unit="/layer3/conv1", format="-50 %", kl=0.18, sqnr_db=None),),
        held_out=CandidateChecked(of=("/layer1/conv1=0.5",), half="B", difference=ratio(-0.019)),
        even=EvenBeside(
            amount=0.37, macs=0.66, macs_found=0.65, difference=ratio(0.025), measured=ratio(0.75), run="d", taken=False
        ),
        checks=11,
        builds=9,
        why="channels of 7 of 9 groups go, 65 % of multiplications left: 0.74 of FP32's latency_ms (95 %: 0.73 to 0.75)",
    )
    folder.add(SearchLine(answer=document))


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_shares_stand_beside_one_share_for_all(bare_app: EdgetuiApp, own_state: Path, size):
    answered_shares(own_state)
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        screen = await open_searches(pilot)
        await shows(pilot, "-search-digits", "channels of 7 of 9 groups", "beside", "one share for all (37 %")
        if size[0] < 110:
            await pilot.press("d", "G")
        await shows(pilot, "MACs", "65 %", "-2.10", "/layer3/conv1")
        if size[0] < 110:
            await pilot.press("escape", "a")
        await shows(pilot, "points of accuracy", "★ 65 % MACs")
        same_as_snapshot(bare_app, f"searches-channels-{size[0]}x{size[1]}")
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        await pilot.press("o", "o")
        await shows(pilot, "r searches over channels")
        await pilot.press("t")
        await until(pilot, lambda: bare_app.workbench.settings.draft.recipe.name.startswith("found-"))
        assert bare_app.workbench.settings.draft.recipe.step[0].amounts == {"/layer1/conv1": 0.5, "/layer3/conv2": 0.25}
        assert screen.over == "channels"


async def test_the_best_so_far_becomes_the_recipe(bare_app: EdgetuiApp, own_state: Path):
    answered(searched(own_state))
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_searches(pilot)
        await until(pilot, lambda: screen.shown is not None)
        await pilot.press("t")
        await until(pilot, lambda: bare_app.workbench.settings.draft.recipe.name.startswith("found-"))
        assert bare_app.workbench.settings.draft.recipe.step[0].exclude == ("/head/fc",)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"threads": "1", "graph": "basic"}, "the backend runs with threads 1, graph basic"),
        ({"cuda_graph": "on"}, "no setting"),
    ],
)
async def test_what_a_plan_is_run_with_is_taken_over(
    bare_app: EdgetuiApp, own_state: Path, settings: dict[str, str], said: str
):
    folder = searched(own_state)
    choice = SearchChoice(recipe="", run="b", settings=settings)
    folder.add(
        SearchLine(answer=SearchDocument(search=folder.id, state="done", goal="fastest", over="settings", choice=choice))
    )
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_searches(pilot)
        await until(pilot, lambda: screen.shown is not None)
        before = bare_app.workbench.settings.draft.setup
        await pilot.press("t")
        await shows(pilot, said)
        after = bare_app.workbench.settings.draft.setup
        assert not screen.draft.recipe.name.startswith("found-")
        if "threads" in settings:
            assert (after.backend.threads, after.backend.graph) == (1, "basic")
        else:
            assert after == before


async def test_one_that_was_interrupted_shows_what_is_known(bare_app: EdgetuiApp, own_state: Path):
    folder = searched(own_state)
    mix = ("int8", "fp32", "int8")
    folder.add(SearchLine(note="what each unit in INT8 does to the outputs"))
    folder.add(SearchLine(measured=CandidateMeasured(of=mix, ratios={"latency_ms": ratio(0.61)}, run="")))
    folder.add(SearchLine(checked=CandidateChecked(of=mix, half="A", difference=ratio(-0.004))))
    async with bare_app.run_test(size=(160, 45), notifications=True) as pilot:
        screen = await open_searches(pilot)
        await shows(pilot, "not finished", "given again, it goes on", "2 INT8")
        assert screen.shown.choice is None, "no run of it is here"
        await pilot.press("t")
        await shows(pilot, "nothing but FP32 serves the goal so far")
        await pilot.press("c")
        await shows(pilot, "this search is not going")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_one_that_goes_says_what_it_does_now_and_how_far_it_is(bare_app: EdgetuiApp, own_state: Path, size):
    folder = searched(own_state)
    folder.add(SearchLine(note="what each unit in INT8 does to the outputs"))
    folder.add(SearchLine(measured=CandidateMeasured(of=("int8", "fp32"), ratios={"latency_ms": ratio(0.61)}, run="")))
    lock = take_lock(folder.path / "alive.lock")
    assert lock is not None
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        await open_searches(pilot)
        await shows(pilot, "now     ▶ looks at layers", "found   1 units INT8", "1 of 8")
    lock.release()


async def test_nothing_begins_without_data_or_a_yes(bare_app: EdgetuiApp, own_state: Path):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_searches(pilot)
        await shows(pilot, "no searches yet")
        await pilot.press("o")
        await shows(pilot, "r searches over settings")
        await pilot.press("o", "r")
        if isinstance(bare_app.screen, Ask):
            await pilot.press("enter")
            await shows(pilot, "no samples to check accuracy on")
        assert not isinstance(bare_app.screen, Confirm)
        assert not list((own_state / "searches").glob("*"))


async def test_a_budget_is_typed_behind_the_goal(bare_app: EdgetuiApp):
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await open_searches(pilot)
        assert screen._asked("least-energy top1>=0.80 within 2h") == ("least-energy top1>=0.80", 12, 7200.0)
        assert screen._asked("fastest within 8 builds") == ("fastest", 8, None)
        assert screen._asked("smallest drop<=0.01") == ("smallest drop<=0.01", 12, None)
        bare_app.push_screen(Ask("Goal", "fastest within much", screen._asked, example="fastest"))
        await until(pilot, lambda: isinstance(bare_app.screen, Ask))
        await pilot.press("enter")
        await shows(pilot, "`much` is no budget; write `8 builds`, `90min` or `2h`")
