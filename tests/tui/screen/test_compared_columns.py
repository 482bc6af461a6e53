"""The columns of a comparison: their names stay above their figures, and arrows go no further than there are any to see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.stamps import RecipeStamp
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.layers import LayersScreen
from screens import screen_text, shows, until
from told_runs import outcome

Several = Callable[..., list[str]]


@pytest.fixture
def several(past_run: Callable[..., str], own_state: Path, tmp_path: Path) -> Several:
    """`several("int8", "prune")`: a run that is done for each of these recipes."""

    def write(*recipes: str) -> list[str]:
        runs = []
        for name in recipes:
            run = past_run()
            told = msgspec.structs.replace(outcome(run, tmp_path / "gone" / "tiny.onnx"), recipe=RecipeStamp(name=name))
            RunDir.find(own_state, run).write_result(told)
            runs.append(run)
        return runs

    return write


async def compared(pilot, runs: list[str]) -> CompareScreen:
    app = pilot.app
    await until(pilot, lambda: app.link.view)
    screen = CompareScreen(runs)
    app.push_screen(screen)
    await shows(pilot, "FP32", "Goal:")
    return screen


def rows(app: EdgetuiApp) -> list[str]:
    """What the table shows, its border left out."""
    text = screen_text(app).splitlines()
    end = next(n for n, row in enumerate(text) if row.startswith("╰"))
    return [row.strip("│") for row in text[2:end]]


@pytest.mark.parametrize("size", [(80, 24), (100, 24)])
@pytest.mark.parametrize("keys", [["G"], ["j"] * 4])
async def test_names_of_columns_stay_above_rows_that_scroll(
    bare_app: EdgetuiApp, several: Several, size: tuple[int, int], keys: list[str]
) -> None:
    async with bare_app.run_test(size=size) as pilot:
        screen = await compared(pilot, several("int8", "prune"))
        table = screen.query_one("#compare-table")
        before = rows(bare_app)
        assert before[0].split() == ["FP32", "int8", "prune"]
        await pilot.press(*keys)
        await until(pilot, lambda: table.top)
        after = rows(bare_app)
        assert after[0] == before[0]
        assert after[1].endswith("↑")
        assert "latency, mean" not in "\n".join(after)
        if keys == ["G"]:
            assert "SQNR" in "\n".join(after[-2:])
        await pilot.press("g")
        await until(pilot, lambda: rows(bare_app) == before)


async def test_what_is_found_lies_below_the_names(bare_app: EdgetuiApp, several: Several) -> None:
    async with bare_app.run_test(size=(80, 24)) as pilot:
        screen = await compared(pilot, several("int8", "prune"))
        table = screen.query_one("#compare-table")
        for letters in ("offset", "latency"):
            await pilot.press("slash", *letters, "enter")
            await until(pilot, lambda letters=letters: letters in table.texts()[table.found])
            shown = rows(bare_app)
            assert "FP32" in shown[0]
            assert any(letters in row for row in shown[1:])


@pytest.mark.parametrize(("width", "many", "most"), [(80, 2, 0), (160, 3, 0), (80, 4, 3)])
async def test_arrows_go_no_further_than_to_the_last_column(
    bare_app: EdgetuiApp, several: Several, width: int, many: int, most: int
) -> None:
    """With all columns in sight one more step hid a candidate, and left its room blank."""
    names = [f"int{n}" for n in range(many)]
    async with bare_app.run_test(size=(width, 40)) as pilot:
        screen = await compared(pilot, several(*names))
        assert screen.check_action("column", (1,)) is bool(most)
        for _ in range(many + 2):
            await pilot.press("right")
            await pilot.pause()
        seen = rows(bare_app)[0].split()
        assert seen[-1] == names[-1]
        assert screen.first == most
        assert (seen[-1 - many :] == ["FP32", *names]) is not bool(most)
        await pilot.resize_terminal(220, 40)
        await until(pilot, lambda: rows(bare_app)[0].split() == ["FP32", *names])
        assert screen.first == 0


async def test_layers_are_those_of_the_first_candidate_that_is_seen(bare_app: EdgetuiApp, several: Several) -> None:
    """Unscrolled it was the baseline's plan, and after one step the second candidate's."""
    names = [f"int{n}" for n in range(5)]
    async with bare_app.run_test(size=(80, 24)) as pilot:
        screen = await compared(pilot, several(*names))
        opened = []
        for _ in range(3):
            await pilot.press("L")
            await until(pilot, lambda: isinstance(bare_app.screen, LayersScreen))
            opened.append(bare_app.screen.plans[bare_app.screen.at].label)
            bare_app.screen.dismiss()
            await until(pilot, lambda: bare_app.screen is screen)
            await pilot.press("right")
            await pilot.pause()
        assert opened == ["int0", "int1", "int2"]


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_columns_of_one_name_say_which_run_each_is(bare_app: EdgetuiApp, several: Several, size: tuple[int, int]) -> None:
    async with bare_app.run_test(size=size) as pilot:
        await compared(pilot, several("int8", "int8"))
        names, runs = rows(bare_app)[:2]
        assert names.split() == ["FP32", "int8", "int8", "#2"]
        assert runs.split() == ["run", "20261120-2311", "20261120-2312"]
