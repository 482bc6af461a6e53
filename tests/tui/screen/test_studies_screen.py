"""The screen Studies: the list, what a study is, its table, and how it is begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.dialogs import Confirm
from edgetui.tui.screens.studies import StudiesScreen
from screens import opened, same_as_snapshot, screen_text, shows, until


async def open_studies(pilot) -> StudiesScreen:
    return await opened(pilot, "P", StudiesScreen, lambda screen: screen.entries)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_studies_are_listed_with_what_they_are(bare_app: EdgetuiApp, own_state: Path, size):
    async with bare_app.run_test(size=size, notifications=True) as pilot:
        screen = await open_studies(pilot)
        await shows(pilot, "zhang2023", "zhang2023 --small", "qin2018", "Filippou et al. 2024", "r begins it")
        assert all(len(row) <= size[0] for row in screen_text(bare_app).splitlines())
        await pilot.press("G")
        await shows(pilot, "Zhang et al. 2023", "Orin Nano")
        same_as_snapshot(bare_app, f"studies-{size[0]}x{size[1]}")
        await pilot.press("d", "escape")
        assert screen.listed.has_focus
        await pilot.press("escape")
        assert not isinstance(bare_app.screen, StudiesScreen)


async def test_a_study_says_how_long_it_takes_before_it_is_begun(bare_app: EdgetuiApp, own_state: Path):
    async with bare_app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_studies(pilot)
        screen.listed.point("rachmanto2024 --small")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(bare_app.screen, Confirm))
        assert "for 30 runs in 5 groups" in bare_app.screen.consequence
        await pilot.press("n")
        await until(pilot, lambda: isinstance(bare_app.screen, StudiesScreen))
        assert not list((own_state / "studies").glob("*"))
        await pilot.press("c")
        await shows(pilot, "this study is not going")
