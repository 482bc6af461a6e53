"""Charts of the monitor: a cursor, looking closer, two quantities in one, stages and marks, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.schema.events import MeasuredWindow, RunBegan, StageBegan
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.kept_look import MonitorLook, keep_look, kept_look
from edgetui.tui.panes.sensors import ChartsPane
from edgetui.tui.runview import RunView
from edgetui.tui.screens.monitor import MonitorScreen, Shown
from edgetui.tui.widgets.uplines import UpLine, overlaid
from laid_boards import lay_out_board, write_recording
from screens import screen_text, shows, until
from textual.pilot import Pilot


@pytest.fixture
def replayed(engine: Engine, tmp_path: Path) -> EdgetuiApp:
    """A recording of four minutes that stands still at 1:40; a mark at 1:00."""
    player = engine.replay(write_recording(tmp_path / "field.jsonl", 240), 0.0)
    player.seek(100.0)
    return EdgetuiApp(engine.config, engine, Shown(player))


async def past_of(pilot: Pilot) -> ChartsPane:
    screen = pilot.app.screen
    assert isinstance(screen, MonitorScreen)
    await until(pilot, lambda: screen.replay is not None and screen.replay.share_read == 1 and screen.replay.newest)
    pilot.app.pace.tick()
    await pilot.press("2")
    await pilot.pause()
    return screen.past


async def test_the_cursor_says_values_and_its_time(replayed: EdgetuiApp):
    async with replayed.run_test(size=(160, 45), notifications=True) as pilot:
        past = await past_of(pilot)
        chart = past.charts[0]
        ends = (past._span[0], past._span[1])
        await pilot.press("c")
        await shows(pilot, "│")
        assert past.cursor_s == pytest.approx(sum(ends) / 2)
        at = past.cursor_s
        told = chart._values()
        recorded = replayed.screen.replay.player.recording
        near = min(range(len(recorded)), key=lambda k: abs(recorded.times_s[k] - at))
        watts = [(recorded.sample(k).total_mw or 0) / 1000 for k in range(near - 3, near + 4)]
        low, _, high = told.partition("…")
        assert min(watts) - 0.06 <= float(low) <= float(high or low) <= max(watts) + 0.06
        await pilot.press("left", "left")
        assert past.cursor_s == pytest.approx(at - 2 * chart.cell_s)
        await pilot.press("l", "right")
        assert past.cursor_s == pytest.approx(at)
        wall = recorded.sample(near).wall[11:17]
        await shows(pilot, wall, "ago")
        await pilot.press("g")
        assert past.cursor_s == ends[0]
        past.cursor_s = ends[0] - 50  # the picture has gone on by so much
        past.tick()
        assert past.cursor_s == ends[0], "it goes with the picture"
        await pilot.press("end")
        assert past.cursor_s == ends[1]
        await pilot.press("escape")
        assert past.cursor_s is None
        assert isinstance(replayed.screen, MonitorScreen)
        await pilot.press("left")  # the replay's own key again
        assert replayed.screen.replay.player.position_s < 100


async def test_looking_closer_keeps_the_cursor_and_comes_back(replayed: EdgetuiApp):
    async with replayed.run_test(size=(120, 40), notifications=True) as pilot:
        past = await past_of(pilot)
        whole = past._span[1] - past._span[0]
        await pilot.press("c", *["right"] * 4, "z", "z")
        begin, end = past.zoomed
        assert end - begin == pytest.approx(whole / 4)
        assert begin < past.cursor_s < end
        assert (begin + end) / 2 == pytest.approx(past.cursor_s)
        await shows(pilot, "closer: ")
        for _ in range(40):
            await pilot.press("z")
        assert past.zoomed[1] - past.zoomed[0] == pytest.approx(2.0)
        await pilot.press("escape", "escape")
        assert (past.zoomed, past.cursor_s) == (None, None)
        await pilot.press("z", "Z")
        assert past.zoomed is None


async def test_two_quantities_share_a_chart_each_with_its_axis(replayed: EdgetuiApp):
    async with replayed.run_test(size=(160, 45), notifications=True) as pilot:
        past = await past_of(pilot)
        screen = replayed.screen
        before = list(past.chosen)
        await pilot.press("1")
        screen.sensors.rows.point(before[1])
        await pilot.press("o")
        base = before[-1]
        assert past.over == {base: before[1]}
        assert past.chosen == [key for key in before if key != before[1]]
        chart = past.charts[len(past.chosen) - 1]
        await until(pilot, lambda: chart.second)
        assert "…" in chart.second
        assert any("2" in who for _, who in chart._rows)
        assert chart._over_range != chart.range
        await pilot.press("o")
        await pilot.pause()
        assert past.over == {}


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (140, 40)])
async def test_two_quantities_of_a_chart_are_both_named(replayed: EdgetuiApp, size: tuple[int, int]):
    """At 120 columns the first name was gone and the second's range was cut: `6.58 VDD_SOC W 3.14 (3.14…3.`."""
    async with replayed.run_test(size=size, notifications=True) as pilot:
        past = await past_of(pilot)
        await pilot.press("1")
        replayed.screen.sensors.rows.point(past.chosen[1])
        await pilot.press("o", "2")
        chart = past.charts[len(past.chosen) - 1]
        await until(pilot, lambda: chart.second and chart.size.width)
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: chart.over and chart._title_row(chart.size.width).endswith(chart.second))
        row = chart._title_row(chart.size.width)
        assert len(row) == chart.size.width
        assert chart.second.startswith(chart.over.title)
        assert row.startswith(chart._words.partition(" ")[0])


async def test_marks_stand_in_the_charts_with_their_names(replayed: EdgetuiApp):
    async with replayed.run_test(size=(160, 45), notifications=True) as pilot:
        await past_of(pilot)
        await shows(pilot, "┊")


async def test_stages_of_the_run_stand_in_the_charts(
    engine: Engine, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1].items():
        monkeypatch.setenv(name, value)
    app = EdgetuiApp(engine.config, engine, Shown(rate_hz=20.0))
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        view = RunView("one")
        view.take(RunBegan(t=0.0))
        view.take(StageBegan(t=0.0, stage="build"))
        app.link.view = view
        past = app.screen.past
        past.window = 0  # in the shortest there is soon room for a name
        await shows(pilot, "┊build")
        past.window = 1
        await pilot.press("2")
        past.tick()
        await pilot.press("c")
        assert past._span[1] - past.cursor_s < 100, "of five minutes it was in the middle, where nothing is drawn yet"


def test_when_stages_began_is_known_by_windows_or_not_at_all():
    view = RunView("one")
    for event in (StageBegan(t=5.0, stage="build"), StageBegan(t=9.0, stage="energy")):
        view.take(event)
    view.take(MeasuredWindow(t=20.0, stage="energy", side="baseline", begin_s=1019.0, end_s=1020.0))
    assert view.stage_begins() == [(1005.0, "build"), (1009.0, "energy")]
    ended = RunView("two")
    ended.take(StageBegan(t=5.0, stage="build"))
    ended.state = "done"
    assert ended.stage_begins() == []


async def test_what_is_drawn_is_remembered(engine: Engine, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1].items():
        monkeypatch.setenv(name, value)

    async def look(app: EdgetuiApp, *keys: str) -> tuple[list[str], dict[str, str], int]:
        async with app.run_test(size=(160, 45), notifications=True) as pilot:
            past = app.screen.past
            await until(pilot, lambda: len(past.chosen) > 1 and app.screen.sensors.drawable)
            if keys:
                app.screen.sensors.rows.point(past.chosen[0])
                await pilot.press(*keys)
                await until(pilot, lambda: kept_look(engine.home).window == past.window)
            return list(past.chosen), dict(past.over), past.window

    first = await look(EdgetuiApp(engine.config, engine, Shown(rate_hz=20.0)), "o", "w")
    assert first[1]
    assert await look(EdgetuiApp(engine.config, engine, Shown(rate_hz=20.0))) == first


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"charts": 3}', b"\xff", b"[" * 100_000, b'{"charts": ["gone"], "window": -7}']
)
async def test_a_damaged_memory_is_none(engine: Engine, content: bytes):
    keep_look(engine.home, MonitorLook())
    (engine.home / "screen.json").write_bytes(content)
    app = EdgetuiApp(engine.config, engine, Shown())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause(0.2)
        assert "Monitor" in screen_text(app)


def test_lines_stand_in_blank_cells_alone():
    rows = [("   5  ab   ", ""), ("   0    c  ", "")]
    lines = [UpLine(0, "│", "c"), UpLine(2, "┊", "d", "x"), UpLine(9, "┊", "d"), UpLine(-3, "┊", "d", "gone")]
    assert overlaid(rows, 6, lines) == [("   5  ab┊x ", "11dd1"), ("   0  │ c  ", "c1111")]
