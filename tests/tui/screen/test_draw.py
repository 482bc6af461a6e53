"""What is drawn is chosen once, for the workbench and the monitor, and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.kept_look import MonitorLook, keep_look, kept_look
from edgetui.tui.panes.telemetry import choose_slots
from edgetui.tui.screens.draw import DrawScreen
from edgetui.tui.screens.monitor import MonitorScreen
from laid_boards import lay_out_board
from screens import same_as_snapshot, shows, until


@pytest.fixture
def board(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Orin Nano."""
    for name, value in lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1].items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("board")
async def test_what_is_chosen_on_the_workbench_is_drawn_there_and_in_the_monitor_and_the_next_time(own_state: Path, config):
    app = EdgetuiApp(config, Engine(config, own_state))
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        live = app.workbench.live
        await until(pilot, lambda: len(live.slots) == 4 and app.link.feed.newest.gpu_load_pct is not None)
        await pilot.press("3", "d")
        await until(pilot, lambda: isinstance(app.screen, DrawScreen))
        page = app.screen
        rows = page.query_one("#draw-rows")
        for key in page.chosen[2:]:
            rows.point(key)
            await pilot.press("space")
        await pilot.pause()
        same_as_snapshot(app, "draw-160x45")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: rows.size.height < 24)
        same_as_snapshot(app, "draw-80x24")
        await pilot.resize_terminal(160, 45)
        rows.point("temps_c.cpu-thermal")
        await pilot.press("space", "left_square_bracket", "left_square_bracket", "escape")
        assert live.slots == ["temps_c.cpu-thermal", "total_mw", "fps"]
        await shows(pilot, "cpu-thermal  °C")
        assert not live.charts[2].has_class("-empty")
        assert live.charts[3].has_class("-empty")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.past.chosen)
        assert app.screen.past.chosen == ["temps_c.cpu-thermal", "total_mw"]
        await until(pilot, lambda: "total_mw" in app.screen.sensors.rows.keys and app.screen.sensors.rows.has_focus)
        app.screen.sensors.rows.point("total_mw")
        await pilot.press("space")
        wanted = ("temps_c.cpu-thermal", "fps")
        await until(pilot, lambda: kept_look(own_state).charts == wanted)
        await pilot.press("escape")
        await until(pilot, lambda: tuple(live.slots) == wanted)
        sample = app.link.feed.newest
    assert choose_slots(sample, kept_look(own_state)) == list(wanted)
    assert choose_slots(sample, MonitorLook()) == ["total_mw", "fps", "hottest_c", "gpu_load_pct"]
    of_monitor = MonitorLook(charts=("gpu_load_pct", "of another board", "hottest_c"))
    assert choose_slots(sample, of_monitor) == ["gpu_load_pct", "fps", "hottest_c", "latency"]


@pytest.mark.usefixtures("board")
async def test_what_was_chosen_on_another_board_is_left_out_and_named(app: EdgetuiApp, engine: Engine):
    away = ("rails_mw.OTHER_RAIL", "temps_c.other-zone", "gpu_load_pct.of_another")
    keep_look(engine.home, MonitorLook(charts=(away[0], "total_mw")))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "OTHER_RAIL not on this board")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and app.screen.past.drawn == ["total_mw"])
        await shows(pilot, "OTHER_RAIL not on this board")
        past = app.screen.past
        assert [chart.series for chart in past.charts if not chart.has_class("-empty")] == ["total_mw"]
        past.choose(list(away))
        await until(pilot, lambda: past.chosen == list(away))
        await shows(pilot, "3 of what was chosen not on this board")
        assert kept_look(engine.home).charts == (away[0], "total_mw"), "it is there again on the other board"
