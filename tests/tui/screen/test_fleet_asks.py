"""Boards asked from the screen: the form, what is refused, how it is followed and cancelled, and what stays of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import BackendRefused, UsageError
from edgetui.engine.fleet.followed_asks import FollowedAsks
from edgetui.engine.runs.folder import RunDir, run_paths
from edgetui.engine.runs.sweep_folder import sweep_folders
from edgetui.engine.schema.fleet import BoardHello, BoardStanding
from edgetui.engine.schema.steps import PruneMagnitude, Recipe
from edgetui.engine.schema.training_steps import TrainFinetune
from edgetui.tui.command_list import _parted_on
from edgetui.tui.screens.dialogs import Confirm
from edgetui.tui.screens.fleet import FleetScreen
from edgetui.tui.screens.page import Page
from edgetui.tui.screens.run_on_boards import BoardsWanted, RunOnBoards
from edgetui.tui.screens.searches import SearchesScreen
from edgetui.tui.screens.studies import StudiesScreen
from edgetui.tui.screens.sweep_setup import SweepSetup
from edgetui.tui.screens.sweeps import SweepsScreen
from fleets import LoopbackFleet, needs_fleet
from measuring import short_elsewhere
from processes import wait_until
from screens import screen_text, shows, until
from textual.widgets import Input
from told_boards import BOARDS, open_fleet

DEMO = PACKAGE / "profiles" / "demo"
TRAINED = Recipe(name="tuned", step=(PruneMagnitude(amount=0.3), TrainFinetune(epochs=1, samples=256)))
STANDING = (
    BoardStanding(board="orin", host="o", state="up", hello=BoardHello(machine="Orin Nano"), resources=("gpu",)),
    BoardStanding(board="nano", host="n", state="away", reason="no route to host"),
)


def form(taken: list[BoardsWanted], *, learns: bool = False, marked: tuple[str, ...] = ("orin",)) -> RunOnBoards:
    async def take(wanted: BoardsWanted) -> None:
        if "nano" in wanted.on:
            raise BackendRefused("board nano is away: no route to host", fix="switch it on")
        taken.append(wanted)

    return RunOnBoards(["digits.onnx: int8", "no data, onnxruntime"], STANDING, marked, take, learns=learns)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 45)])
async def test_the_form_asks_marked_boards_and_says_what_is_refused(bare_app, size):
    taken: list[BoardsWanted] = []
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        asked = form(taken, learns=True)
        await bare_app.push_screen(asked)
        await shows(pilot, "digits.onnx: int8", "✓ orin", "Orin Nano", "away: no route to host", "any one of them", "enter ask")
        await shows(pilot, "trained", "on each board, by itself", "anew", "is found")
        await pilot.press("space", "enter")
        await shows(pilot, "no board is marked")
        await pilot.press("j", "space", "enter")
        await shows(pilot, "board nano is away: no route to host; switch it on")
        assert bare_app.screen is asked
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        await pilot.press("space", "j", "right")  # the resource gpu
        assert asked.marked == ["gpu"]
        await pilot.press("j", "j", "l", "l", "h", "j", "space")
        await shows(pilot, "on orin, for all of them", "yes, whatever")
        await pilot.press("enter")
        await until(pilot, lambda: bare_app.screen is not asked)
    assert taken == [BoardsWanted(("gpu",), "orin", again=True)]


async def test_where_nothing_learns_it_is_not_asked_where(bare_app):
    taken: list[BoardsWanted] = []
    async with bare_app.run_test(size=(80, 24), notifications=True) as pilot:
        await bare_app.push_screen(form(taken))
        await shows(pilot, "anew")
        assert "trained" not in screen_text(bare_app)
        await pilot.press("enter")
        await until(pilot, lambda: taken)
    assert taken == [BoardsWanted(("orin",))]


async def test_without_model_or_fleet_it_is_said_before_the_form(app, bare_app, model, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "none.toml"))
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_fleet(pilot)
        await pilot.press("r")
        await shows(pilot, "no model is chosen")
        await pilot.press("c")
        await shows(pilot, "no board is asked for anything from here")
        await pilot.press("o")
        await shows(pilot, "nothing was asked of boards from here yet")
        await pilot.press("escape")
        assert bare_app.screen is screen
    del model
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model)
        screen = await open_fleet(pilot)
        await shows(pilot, "there is none")
        await pilot.press("r")
        await shows(pilot, "error: there is no ")
        screen._show(BOARDS)  # was up a moment ago
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunOnBoards))
        await pilot.press("enter")
        await until(pilot, lambda: "there is no" in app.screen.query_one("#ask-said").plain())
        assert isinstance(app.screen, RunOnBoards)


@pytest.mark.parametrize(
    ("words", "parted"),
    [
        ([], ([], None)),
        (["int8"], (["int8"], None)),
        (["on"], ([], [])),
        (["int8", "on", "a,b", "c"], (["int8"], ["a", "b", "c"])),
        (["--on", "a"], ([], ["a"])),
    ],
)
def test_boards_stand_behind_on(words, parted):
    assert _parted_on(words) == parted


def test_more_than_one_recipe_is_refused():
    with pytest.raises(UsageError, match="one recipe"):
        _parted_on(["int8", "prune-5"])


async def test_typed_boards_are_completed_and_a_fleet_that_is_down_is_said(app, model, tmp_path, monkeypatch):
    del model
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "fleet.toml"))
    boards = ('[[board]]\nname = "one"\nhost = "localhost"\nresources = { gpu = 1 }\n', '[[board]]\nname = "two"\nhost = "b"\n')
    (tmp_path / "fleet.toml").write_text("".join(boards))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.models.model and app.workbench.settings.draft is not None)
        assert app.colon.choices("run int8 on ") == ["one", "two", "gpu", "any"]
        assert app.colon.choices("run prune-5 o") == ["on", "one"]
        await pilot.press("colon", *"run", "space", *"on", "space", *"two", "enter")
        await shows(pilot, "down; u brings it up", "error: the fleet is down; u brings it up")
        assert isinstance(app.screen, FleetScreen)
        await pilot.press("r")
        await pilot.pause()
        assert isinstance(app.screen, FleetScreen)


@pytest.fixture
def fleet(tmp_path, monkeypatch, bare_app):
    needs_fleet()
    short_elsewhere(monkeypatch)
    made = LoopbackFleet(tmp_path, monkeypatch)
    made.add("one", "two")
    bare_app.engine.home = made.home
    yield made
    made.close()


async def on_the_bench(pilot, fleet: LoopbackFleet, preset: str = "quick") -> None:
    """The demo's model and a recipe, and the fleet's screen over them."""
    app = pilot.app
    await fleet.fleet.bring_up()
    await until(pilot, lambda: app.workbench.settings.draft is not None)
    app.workbench.open_path(str(DEMO / "digits.onnx"))
    await until(pilot, lambda: Path(app.workbench.models.model).stem == "digits")
    app.workbench.settings.put("recipe", "prune-5")
    app.workbench.settings.put("preset", preset)
    await open_fleet(pilot)
    await shows(pilot, "2 of 2 boards are up", "nothing")


@pytest.mark.long
async def test_boards_run_what_the_workbench_has_and_what_they_have_done_is_found(bare_app, fleet):
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_the_bench(pilot, fleet)
        await pilot.press("r")
        await shows(pilot, "Run on boards", "digits.onnx: prune-5", "✓ one", "quick")
        await pilot.press("j", "space", "enter")
        await shows(pilot, "digits prune-5 on one, two", "boards go on when you quit")
        await pilot.press("escape")  # it goes on when the screen is left
        await until(pilot, lambda: app.board_asks.asks[0].state == "done", 150)
        await shows(pilot, "boards: digits prune-5 on one, two", "one: ", "two: ")
        await pilot.press("colon", *"run", "space", *"on", "space", *"one", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunOnBoards))
        assert app.screen.marked == ["one"]
        await pilot.press("enter")
        await until(pilot, lambda: len(app.board_asks.asks) == 2 and app.board_asks.asks[1].state == "done", 150)
        assert [each.found for each in app.board_asks.asks[1].followed.ended] == [True]
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, Page))
        await shows(pilot, "digits prune-5 on one", "digits prune-5 on one, two", "prune-5", "ms")
    assert [len(fleet.runs(name)) for name in ("one", "two")] == [1, 1]


@pytest.mark.long
async def test_an_ask_is_cancelled_on_its_boards_and_quitting_leaves_them_going(bare_app, fleet, monkeypatch):
    app = bare_app
    monkeypatch.delenv("EDGETUI_MEASURE_S")  # it has to go on until it is cancelled
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_the_bench(pilot, fleet, "precise")
        await pilot.press("r", "enter")
        await until(pilot, lambda: fleet.runs("one"))
        await until(pilot, lambda: app.screen.boards["one"].now is not None and app.screen.boards["one"].now.run)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        (run,) = map(RunDir, fleet.runs("one"))
        await until(pilot, lambda: run.result() is not None, 150)
        assert run.result().state == "cancelled"
        await shows(pilot, "2 of 2 boards are up")
        await pilot.press("r", "G", "space", "enter")  # anew
        await until(pilot, lambda: len(fleet.runs("one")) == 2)
        second = RunDir(max(fleet.runs("one")))
        await until(pilot, second.alive)
    assert app.board_asks.asks[1].worker.is_finished
    assert second.alive()
    told: list[str] = []  # what was left going is collected, not what was before it
    ask = app.board_asks.asks[1].followed.asks[0]._replace(again="")
    again = asyncio.ensure_future(FollowedAsks(fleet.fleet, [ask], hear=lambda each: told.append(each.run)).follow())
    await asyncio.to_thread(wait_until, lambda: told)
    again.cancel()
    assert told[0] == second.path.name


@pytest.mark.long
async def test_one_board_trains_what_this_machine_measures(bare_app, fleet):
    pytest.importorskip("torch", reason="needs torch")
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_the_bench(pilot, fleet)
        app.workbench.settings.put("dataset", str(DEMO / "digits.npz"))
        app.workbench.settings.draft.change(recipe=TRAINED)
        await pilot.press("r")
        await shows(pilot, "on each board, by itself")
        await pilot.press("space", "enter")
        await shows(pilot, "no board is marked", "measured here")
        await pilot.press("G", "k", "right", "right", "enter")
        await shows(pilot, "trained on two, measured here")
        await until(pilot, lambda: app.board_asks.asks[0].state == "done", 150)
        await shows(pilot, "trained on two; it runs here now")
    (here,) = run_paths(fleet.home)
    await asyncio.to_thread(wait_until, lambda: RunDir(here).result() is not None)
    assert RunDir(here).result().trained_on == "two"
    assert [len(fleet.runs(name)) for name in ("one", "two")] == [0, 1]


@pytest.mark.long
async def test_a_board_trains_for_a_study_that_this_machine_measures(bare_app, fleet, own_state, tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    folder = own_state.parents[1] / "config" / "edgetui" / "studies"
    folder.mkdir(parents=True)
    (tmp_path / "t.toml").write_text(
        '[[step]]\nmethod = "prune.magnitude"\namount = 0.3\n[[step]]\nmethod = "train.finetune"\nepochs = 1\nsamples = 256\n'
    )
    (folder / "mine.toml").write_text(
        f'title = "mine"\n[[model]]\nname = "digits"\nfile = "{DEMO / "digits.onnx"}"\n'
        f'dataset = "{DEMO / "digits.npz"}"\nweights = "w"\n[[variant]]\nname = "tuned"\n'
        f'recipe = "{tmp_path / "t.toml"}"\n[[experiment]]\nname = "e"\nworkload = "flat-out"\n'
    )
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_the_bench(pilot, fleet)
        await pilot.press("escape", "P")
        await until(pilot, lambda: isinstance(app.screen, StudiesScreen) and "mine" in app.screen.entries)
        await pilot.press("slash", *"mine", "enter", "B")
        await shows(pilot, "study mine", "1 runs, 1 times together", "on each board, by itself")
        await pilot.press("space", "G", "k", "right", "right", "enter")
        await until(pilot, lambda: app.board_asks.asks and app.board_asks.asks[0].state == "done", 150)
        await shows(pilot, "study mine: trained on two; it runs here now")
        (study,) = [each for each in await app.engine.studies() if each.study == "mine"]
    (here,) = run_paths(fleet.home)
    await asyncio.to_thread(wait_until, lambda: RunDir(here).result() is not None)
    assert RunDir(here).result().trained_on == "two"
    assert len(study.here) == 1
    assert [len(fleet.runs(name)) for name in ("one", "two")] == [0, 1]


@pytest.mark.long
async def test_sweeps_searches_and_studies_are_asked_of_boards_too(bare_app, fleet):
    app = bare_app
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await on_the_bench(pilot, fleet)
        await pilot.press("escape", "P")
        await until(pilot, lambda: isinstance(app.screen, StudiesScreen) and app.screen.listed.cursor)
        await pilot.press("B")
        await shows(pilot, "Run on boards", "study ", "times together", "✓ one")
        await pilot.press("escape", "escape", "f")
        await until(pilot, lambda: isinstance(app.screen, SearchesScreen))
        await pilot.press("B", "enter")
        await shows(pilot, "Run on boards", "search over formats of digits.onnx", "fastest drop<=0.01")
        await pilot.press("enter")
        await until(pilot, lambda: "samples" in app.screen.query_one("#ask-said").plain())  # there are no data
        await pilot.press("escape", "escape", "W")
        await until(pilot, lambda: isinstance(app.screen, SweepsScreen))
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, SweepSetup))
        for name, text in (("modes", "none"), ("threads", "1,2")):
            app.screen.query_one(f"#sweep-{name}", Input).value = text
        await pilot.press("enter")
        await shows(pilot, "Run on boards", "sweep of digits")
        await pilot.press("enter")
        await until(pilot, lambda: app.board_asks.asks and app.board_asks.asks[0].state == "done", 150)
        (ended,) = app.board_asks.asks[0].followed.ended
        assert ended.sweep.state == "done"
        assert len(ended.sweep.rows) == 2
        await pilot.press("escape", "F", "o")
        await shows(pilot, "sweep digits on one", "cheapest row", "frames/s")
    for folder in sweep_folders(fleet.home_of("one")):
        await asyncio.to_thread(wait_until, lambda driver=folder: not driver.alive())
