"""How often the screen draws: by the rate that is set, by whether it is looked at, and by what is being measured."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgetui.engine.telemetry.sample import Sample
from edgetui.tui import pace
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.feed import same_readings
from edgetui.tui.widgets.lines import Lines
from msgspec import structs
from screens import until


async def test_slower_when_not_looked_at(bare_app: EdgetuiApp):
    app = bare_app
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        assert app.pace.wanted_hz == 4
        app.app_focus = False
        assert app.pace.wanted_hz == 1
        app.app_focus = True
        assert app.pace.wanted_hz == 4


async def test_slower_while_a_measurement_window_is_open(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("measure")
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: app.link.view is not None and app.link.view.state == "crashed")
        await until(pilot, lambda: app.pace.wanted_hz == 4)
        app.link.view.state = ""  # as if it were alive
        app.workbench.tick()
        assert app.pace.wanted_hz == 1


async def test_slower_while_nothing_moves_and_a_key_ends_that(bare_app: EdgetuiApp, monkeypatch: pytest.MonkeyPatch):
    app = bare_app
    monkeypatch.setattr(pace, "STILL_AFTER_S", 0.3)
    moves = False
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        if app.link.feed is not None:
            app.workbench.action_pause()
        await until(pilot, lambda: app.pace.wanted_hz == 1)
        app.pace.tick()
        assert app.pace.wanted_hz == 1
        await pilot.press("j")
        assert app.pace.wanted_hz == 4
        await until(pilot, lambda: app.pace.wanted_hz == 1)
        app.pace.add(app.workbench.live, lambda: None, lambda: moves)
        moves = True
        app.pace.tick()
        assert app.pace.wanted_hz == 4


def test_readings_that_are_equal_stand_still_whatever_their_time():
    sample = Sample(t_s=1.0, wall="a", rails_mw={"VDD_IN": 5000})
    assert not same_readings(None, sample)
    assert same_readings(sample, structs.replace(sample, t_s=2.0, wall="b"))
    assert not same_readings(sample, structs.replace(sample, t_s=2.0, rails_mw={"VDD_IN": 5001}))


@pytest.mark.parametrize("name", ["log", "live"])
async def test_what_is_hidden_is_not_drawn(bare_app: EdgetuiApp, name: str):
    app = bare_app
    drawn: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.pace.add(app.workbench.query_one(f"#{name}"), lambda: drawn.append(name))
        app.pace.tick()
        assert drawn == []
        await pilot.press("5" if name == "log" else "3")
        await until(pilot, lambda: drawn)


async def test_rows_that_are_equal_are_not_repainted(bare_app: EdgetuiApp):
    app = bare_app
    asked: list[object] = []

    class Seen(Lines):
        def refresh(self, *regions, **rest):
            asked.extend(regions or ["all"])
            return super().refresh(*regions, **rest)

    async with app.run_test(size=(80, 24)) as pilot:
        lines = Seen([(("one", ""),), (("two", ""),)])
        lines.styles.height = 2
        await app.workbench.mount(lines)
        await pilot.pause()
        asked.clear()
        lines.show([(("one", ""),), (("two", ""),)])
        assert asked == []
        lines.show([(("one", ""),), (("three", ""),)])
        assert [region.y for region in asked] == [1]
