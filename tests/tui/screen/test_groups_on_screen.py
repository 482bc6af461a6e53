"""Recipes that are marked in the settings run together; Run, Runs and Compare show them side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config, Models
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.figures import Pair, Ratio
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.panes.run_rows import run_lines
from edgetui.tui.runview import RunView
from live_runs import end_all
from measuring import short_elsewhere
from screens import screen_text, shows, until
from told_runs import outcome

DEMO = PACKAGE / "profiles" / "demo"


@pytest.fixture
def group(past_run: Callable[..., str], own_state: Path) -> list[str]:
    """Two runs that were started together and are done."""
    runs = [past_run(), past_run()]
    for place, run in enumerate(runs):
        folder = RunDir.find(own_state, run)
        toml = (folder.path / "run.toml").read_text().replace('group = ""', f'group = "{runs[0]}+1"')
        (folder.path / "run.toml").write_text(toml.replace("place = 0", f"place = {place}"))
        result = folder.result()
        assert result is not None
        pair = Pair(a=runs[0], b=runs[1], latency_ratio=Ratio(value=1.0, low=0.9, high=1.1))
        folder.write_result(msgspec.structs.replace(result, group=f"{runs[0]}+1", pairs=(pair,)))
    return runs


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_recipes_are_marked_and_shown_in_the_settings(bare_app: EdgetuiApp, size: tuple[int, int]) -> None:
    async with bare_app.run_test(size=size) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: bare_app.workbench.settings.draft)
        draft = bare_app.workbench.settings.draft
        assert draft is not None
        first = draft.recipe.name
        await pilot.press("M")
        await shows(pilot, "✓ marked", "together")
        await pilot.press("right")
        second = draft.recipe.name
        assert second != first
        await shows(pilot, f"{first} + {second}")
        assert "✓ marked" not in screen_text(bare_app)
        assert [recipe.name for recipe in draft.recipes_to_run] == [first, second]
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        await pilot.press("down", "enter")
        await until(pilot, lambda: not draft.setup.marked)
        assert f"{first} + {second}" not in screen_text(bare_app)
        await pilot.press("u")
        assert [recipe.name for recipe in draft.setup.marked] == [first]


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_runs_that_were_started_together_stand_side_by_side(
    bare_app: EdgetuiApp, group: list[str], size: tuple[int, int]
) -> None:
    async with bare_app.run_test(size=size) as pilot:
        await until(pilot, lambda: bare_app.link.comparison)
        await pilot.press("4")
        await shows(pilot, "✓ both 0.480 faster", "both #2", "Goal: fastest", "v member")
        shown = bare_app.link.view
        await shows(pilot, "▸✓ both 0.480" if shown is bare_app.link.members[0] else "▸✓ both #2")
        await pilot.press("v")
        assert bare_app.link.view is not shown
        await shows(pilot, "▸✓ both 0.480" if shown is not bare_app.link.members[0] else "▸✓ both #2")
        assert {view.run for view in bare_app.link.members} == set(group)
        await pilot.press("R")
        await shows(pilot, "both 1/2", "both 2/2")
        await pilot.press("C")
        await shows(pilot, "Compare", "2 runs")


@pytest.mark.parametrize("words", ["show {part}", "show {whole}", "show last"])
async def test_a_run_that_is_asked_for_is_shown_whatever_of_its_id_was_typed(
    bare_app: EdgetuiApp, group: list[str], words: str
) -> None:
    """A part of an id showed the first run of its group."""
    asked = words.format(part=group[1][4:], whole=group[1])
    async with bare_app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: bare_app.link.comparison)
        bare_app.link.view = bare_app.link.members[0]
        await pilot.press("colon", *("space" if each == " " else each for each in asked), "enter")
        await until(
            pilot, lambda: bare_app.workbench.tab == "run" and bare_app.link.view and bare_app.link.view.run == group[1]
        )
        await pilot.press("colon", *("space" if each == " " else each for each in f"show {group[0]}+1"), "enter")
        await until(pilot, lambda: bare_app.link.view and bare_app.link.view.run == group[0])


@pytest.mark.long
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_a_group_is_started_with_one_key_and_followed_to_its_choice(
    own_state: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    short_elsewhere(monkeypatch)
    config = Config(models=Models(folders=(str(DEMO),)))
    app = EdgetuiApp(config, Engine(config, own_state))
    try:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.workbench.models.model and app.workbench.settings.draft)
            draft = app.workbench.settings.draft
            assert draft is not None
            draft.load("fp16")
            draft.mark()
            draft.load("prune-5")
            draft.change(preset="quick")
            app.workbench.settings.take(draft)
            await pilot.press("r")
            await until(pilot, lambda: len(app.link.members) == 2)
            await pilot.press("4")
            await shows(pilot, "fp16", "prune-5")
            await until(pilot, lambda: app.link.comparison, 120)
            await shows(pilot, "✓ fp16", "✓ prune-5", "Goal: fastest")
    finally:
        end_all(own_state)


@pytest.mark.parametrize("width", [60, 78, 150])
def test_a_guard_has_its_row_and_its_sentence(width: int) -> None:
    told = outcome("r", Path("/m.onnx"))
    to_guard = msgspec.structs.replace(told.difference, latency_ratio_to_guard=Ratio(value=1.0, low=0.98, high=1.02))
    view = RunView("r", "m", "int8")
    view.end(msgspec.structs.replace(told, guard=told.candidate, difference=to_guard))
    rows = ["".join(text for text, _ in line) for line in run_lines(view, width)]
    assert any(row.strip().startswith("FP16 guard") for row in rows)
    assert "deploy FP16" in " ".join(" ".join(rows).split())
    assert max(map(len, rows)) <= width
    view.end(told)
    assert not any("FP16" in "".join(text for text, _ in line) for line in run_lines(view, width))
