"""The screen Sensitivity: found, kept, swept, and marked units that go into the recipe's `exclude`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Defaults, Models
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.sensitivity import SensitivityScreen
from screens import screen_text, shows, until

DEMO = PACKAGE / "profiles" / "demo"


@pytest.fixture
def digits_app(own_state: Path) -> EdgetuiApp:
    """The demo's model, with its data chosen."""
    config = Config(models=Models(folders=(str(DEMO),)), defaults=Defaults(dataset=str(DEMO / "digits.toml"), recipe="int8"))
    return EdgetuiApp(config, Engine(config, own_state))


async def opened(pilot) -> SensitivityScreen:
    app = pilot.app
    await until(pilot, lambda: app.workbench.settings.draft is not None and app.workbench.models.model.endswith("digits.onnx"))
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, SensitivityScreen))
    await shows(pilot, "not known yet: r begins")
    return app.screen


def fits(app: EdgetuiApp, width: int) -> bool:
    return all(len(row) <= width for row in screen_text(app).splitlines())


def picture(app: EdgetuiApp, name: str) -> None:
    """For looking at it, where somebody wants to."""
    if folder := os.environ.get("EDGETUI_PICTURES"):
        app.save_screenshot(f"{name}.svg", folder)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_units_are_ranked_marked_and_excluded(digits_app: EdgetuiApp, size):
    async with digits_app.run_test(size=size, notifications=True) as pilot:
        screen = await opened(pilot)
        await pilot.press("r")
        await until(pilot, lambda: screen.found is not None and screen.found.state == "done")
        await shows(pilot, "quantize.int8", "each unit alone", "KL", "exclude", "ranked by the divergence")
        assert fits(digits_app, size[0])
        effects = [row.kl for row in screen.rows]
        assert effects == sorted(effects, reverse=True)
        picture(digits_app, f"units-{size[0]}")
        await pilot.press("space", "j", "space")
        assert screen.marked == {row.unit for row in screen.rows[:2]}
        wanted = {name for row in screen.rows[:2] for name in row.exclude}
        await pilot.press("e")
        step = next(step for step in digits_app.workbench.settings.draft.recipe.step if step.method == "quantize.int8")
        assert set(step.exclude) == wanted
        await pilot.press("escape", "u")
        step = next(step for step in digits_app.workbench.settings.draft.recipe.step if step.method == "quantize.int8")
        assert step.exclude == ()


async def test_a_sweep_is_drawn_with_its_knee_and_known_when_one_comes_back(digits_app: EdgetuiApp):
    async with digits_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await opened(pilot)
        while screen.view.over != "threshold":
            await pilot.press("right")
        await shows(pilot, "threshold of the whole model", "not known yet")
        assert "exclude" not in screen_text(digits_app).splitlines()[-1]
        await pilot.press("r")
        await until(pilot, lambda: screen.found is not None and screen.found.state == "done")
        await shows(pilot, "1e-06", "█", "|offset", "3e-6")
        assert fits(digits_app, 80)
        picture(digits_app, "sweep-80")
        assert ("^knee" in screen_text(digits_app)) == (screen.found.knee is not None)
        await pilot.press("i")
        await shows(pilot, "before   0 zeros", "after threshold", "weight")
        picture(digits_app, "weights-80")
        await pilot.press("i", "left", "right")
        await until(pilot, lambda: screen.found is not None and len(screen.rows) == 11)
        await pilot.press("r")
        await shows(pilot, "all rows are known")


async def test_what_was_stopped_is_kept_and_goes_on(digits_app: EdgetuiApp):
    async with digits_app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await opened(pilot)
        await pilot.press("r")
        await until(pilot, lambda: screen.rows)
        await pilot.press("c")
        await until(pilot, lambda: screen.found is not None)
        before = list(screen.rows)
        assert before
        assert screen.found.state == "done" or "r goes on" in screen_text(digits_app)
        await pilot.press("r")
        await until(pilot, lambda: screen.found is not None and screen.found.state == "done")
        assert len(screen.rows) == 4
        assert all(row in screen.rows for row in before), "rows that were found are not found again"


async def test_what_cannot_be_done_is_said(bare_app: EdgetuiApp, own_state: Path, tmp_path: Path):
    (tmp_path / "broken.onnx").write_bytes(b"no model at all")
    config = Config(models=Models(folders=(str(tmp_path),)))
    app = EdgetuiApp(config, Engine(config, own_state))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None and app.workbench.models.model)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, SensitivityScreen))
        await shows(pilot, "r begins", "made-up inputs")
        await pilot.press("r")
        await shows(pilot, "✗")
        await pilot.press("escape")
        assert app.screen is app.workbench
