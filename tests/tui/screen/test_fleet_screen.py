"""The screen Fleet: boards as they stand, live while they work, and what is wrong with them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.fleet.asks import FleetAsk
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, Recipe
from edgetui.tui.screens.fleet import FleetScreen
from fleets import LoopbackFleet, needs_fleet
from measuring import short_elsewhere
from screens import same_as_snapshot, screen_text, shows, until
from told_boards import BOARDS, open_fleet


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_boards_are_rows_and_the_one_under_the_cursor_is_told(bare_app, size, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "none.toml"))
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        screen = await open_fleet(pilot)
        await shows(pilot, "there is no", "[[board]]")
        screen._show(BOARDS)
        await shows(pilot, "2 of 3 boards are up", "measure", "47.1", "9.8", "41", "Orin Nano", "4.1/7.4", "21.2 ms")
        await shows(pilot, "study filippou2024: 18 of 27 runs done", "study filippou2024: 11 of 14", "last", "measure, 1 of 3")
        same_as_snapshot(bare_app, f"fleet-{size[0]}x{size[1]}")
        await pilot.press("G")
        await shows(pilot, "its clock is 30.0 years behind", "set it there", "43 s ago")
        (row,) = [row for row in screen_text(bare_app).splitlines() if "○ nano" in row]
        assert row.rstrip().endswith(" 43 s")
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        await pilot.press("escape")
        assert not isinstance(bare_app.screen, FleetScreen)


@pytest.mark.long
async def test_a_fleet_comes_up_works_and_goes_down_from_the_screen(bare_app, tmp_path, monkeypatch):
    needs_fleet()
    fleet = LoopbackFleet(tmp_path, monkeypatch)
    fleet.add("one")
    bare_app.engine.home = fleet.home
    try:
        async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
            await open_fleet(pilot)
            await shows(pilot, "down; u brings it up", "u up", "esc back")
            assert "x down" not in screen_text(bare_app)
            await pilot.press("u")
            await shows(pilot, "1 of 1 boards are up", "nothing", "x down")
            assert "u up" not in screen_text(bare_app).splitlines()[-1]
            recipe = Recipe(name="p", step=(PruneMagnitude(amount=0.3),))
            spec = RunSpec(model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"), recipe=recipe, measure=False)
            found = await fleet.fleet.carry([FleetAsk((spec,), "one")], lambda told: None)
            assert found[0].error is None
            await pilot.press("x", "y")
            await shows(pilot, "down; u brings it up")
            assert not fleet.keeping.up()
    finally:
        fleet.close()


@pytest.mark.long
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_enter_follows_a_boards_run_to_its_verdict(bare_app, tmp_path, monkeypatch, size):
    needs_fleet()
    short_elsewhere(monkeypatch)
    fleet = LoopbackFleet(tmp_path, monkeypatch)
    fleet.add("one")
    bare_app.engine.home = fleet.home
    await fleet.fleet.bring_up()
    try:
        async with bare_app.run_test(size=size, notifications=True) as pilot:
            await open_fleet(pilot)
            await shows(pilot, "1 of 1 boards are up", "nothing")
            await pilot.press("enter")
            await shows(pilot, "nothing was asked of one yet")
            spec = RunSpec(
                model=str(PACKAGE / "profiles" / "demo" / "digits.onnx"),
                recipe=Recipe(name="pruned", step=(PruneMagnitude(amount=0.3),)),
                preset="quick",
            )
            going = asyncio.ensure_future(fleet.fleet.carry([FleetAsk((spec,), "one")], lambda told: None))
            await until(pilot, lambda: pilot.app.screen.boards["one"].now.run)
            await pilot.press("enter")
            await shows(pilot, "Fleet   one", "digits · pruned")
            (found,) = await going
            assert found.error is None
            await until(pilot, lambda: pilot.app.screen.view is not None and pilot.app.screen.view.state == "done")
            await shows(pilot, found.runs[0].verdict["latency"], "FP32", "candidate")
            keep_picture(bare_app, f"board-run-{size[0]}x{size[1]}")
            assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
            await pilot.press("escape")
            await shows(pilot, "1 of 1 boards are up", "last run")
            keep_picture(bare_app, f"fleet-{size[0]}x{size[1]}")
            await pilot.press("enter")  # the run that was done last is there to look at
            await until(pilot, lambda: getattr(pilot.app.screen, "view", None) is not None)
            await shows(pilot, found.runs[0].verdict["latency"])
            fleet.worker("one").kill()
    finally:
        fleet.close()


def keep_picture(app, name):
    """Where EDGETUI_PICTURES names a folder, for people to look at."""
    if folder := os.environ.get("EDGETUI_PICTURES"):
        (Path(folder) / f"{name}.svg").write_text(app.export_screenshot())
