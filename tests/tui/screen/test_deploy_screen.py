"""Deploying from the keyboard: the path, a folder, another file there that is asked about, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.deploy import DeployScreen
from edgetui.tui.screens.dialogs import Ask, Confirm
from screens import same_as_snapshot, screen_text, short_state, short_tmp_path, shows, until
from textual.widgets import Input

tmp_path, own_state = short_tmp_path, short_state


@pytest.fixture
def plan(past_run: Callable[..., str], own_state: Path) -> Path:
    """The plan of a finished run."""
    folder = RunDir(own_state / "runs" / past_run())
    made = folder.artifacts / "plan.onnx"
    made.write_bytes(b"a plan")
    result = folder.result()
    assert result is not None
    folder.write_result(msgspec.structs.replace(result, artifacts={"plan": str(made)}))
    return made


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_paths_and_places_have_room(bare_app: EdgetuiApp, plan: Path, size: tuple[int, int]):
    assert len(str(plan)) > 80
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: bare_app.link.view is not None)
        await pilot.press("E")
        await shows(pilot, "plan.onnx", "copy to", "a folder here")
        same_as_snapshot(bare_app, f"deploy-{size[0]}x{size[1]}")


async def copy_to(pilot, place: Path) -> None:
    """From the rows of places to the answer."""
    await pilot.press("G", "k", "k", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, Ask))
    pilot.app.screen.query_one(Input).value = str(place)
    await pilot.press("enter")


async def test_a_plan_is_copied_and_another_one_there_is_asked_about(bare_app: EdgetuiApp, plan: Path, tmp_path: Path):
    to, app = tmp_path / "to", bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view is not None)
        await pilot.press("E")
        await shows(pilot, "plan.onnx", "copy to")
        assert isinstance(app.screen, DeployScreen)
        assert str(plan) in "".join(line.strip(" │") for line in screen_text(app).splitlines())
        await pilot.press("enter")
        assert app.clipboard == str(plan)
        await copy_to(pilot, to)
        await shows(pilot, "✓ plan.onnx  copied, its hash is right")
        assert (to / "plan.onnx").read_bytes() == b"a plan"
        (to / "plan.onnx").write_bytes(b"another")
        for answer, left in (("n", b"another"), ("y", b"a plan")):
            await pilot.press("g", "j", "enter")
            await until(pilot, lambda: isinstance(app.screen, Ask))
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press(answer)
            await shows(pilot, "nothing was copied" if answer == "n" else "replaced")
            assert (to / "plan.onnx").read_bytes() == left
        await copy_to(pilot, tmp_path / "missing" / "to")
        await shows(pilot, "error: there is no folder")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.workbench)


async def test_what_speaks_against_it_is_for_the_goal_of_the_comparison(bare_app: EdgetuiApp, plan: Path):
    app = bare_app
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.link.view is not None)
        app.push_screen(CompareScreen([app.link.view.run]))
        await shows(pilot, "goal: fastest")
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one(Input).value = "smallest latency_ms<=0.5"
        await pilot.press("enter")
        await shows(pilot, "goal: smallest latency_ms<=0.5")
        await pilot.press("E")
        await shows(pilot, "not what is advised (goal: smallest")


async def test_of_a_run_that_goes_it_is_said_that_it_has_made_nothing_yet(bare_app: EdgetuiApp, past_run, own_state: Path):
    run = past_run("measure")
    with RunDir(own_state / "runs" / run).hold():
        async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, lambda: bare_app.workbench.settings.draft is not None)
            await pilot.press("colon", *"deploy", "space", *"last", "enter")
            await shows(pilot, "has made nothing to deploy yet: it is running; wait for its stage build")
