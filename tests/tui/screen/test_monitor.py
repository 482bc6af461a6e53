"""The Monitor screen: a recording that is replayed (so the picture is known), and the sensors of a board that is laid out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.telemetry.alerts import AlertRule
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.feed import MOST_AT_ONCE
from edgetui.tui.screens.monitor import MonitorScreen
from edgetui.tui.screens.monitor_asked import Shown
from laid_boards import lay_out_board, write_recording
from screens import same_as_snapshot, screen_text, shows, until
from textual.pilot import Pilot


@pytest.fixture
def replayed(engine: Engine, tmp_path: Path) -> Callable[..., EdgetuiApp]:
    """The monitor alone, on a recording that stands still at a place."""

    def make(at_s: float = 100.0, seconds: int = 240) -> EdgetuiApp:
        player = engine.replay(write_recording(tmp_path / "field.jsonl", seconds), 0.0)
        player.seek(at_s)
        return EdgetuiApp(engine.config, engine, Shown(player))

    return make


@pytest.fixture
def live(engine: Engine, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., EdgetuiApp]:
    """The monitor alone, on a board's sensors."""

    def make(board: str, record: Path | None = None, rules: tuple[AlertRule, ...] = ()) -> EdgetuiApp:
        for name, value in lay_out_board(shared / "sysfs" / f"{board}.json", tmp_path)[1].items():
            monkeypatch.setenv(name, value)
        engine.config = Config(alerts=rules)
        return EdgetuiApp(engine.config, engine, Shown(rate_hz=20.0, record=record))

    return make


def monitor_of(app: EdgetuiApp) -> MonitorScreen:
    assert isinstance(app.screen, MonitorScreen)
    return app.screen


async def read(pilot: Pilot) -> MonitorScreen:
    """The recording has been read and drawn."""
    screen = monitor_of(pilot.app)
    await until(pilot, lambda: screen.replay is not None and screen.replay.share_read == 1 and screen.replay.newest)
    pilot.app.pace.tick()
    await pilot.pause()
    return screen


@pytest.mark.parametrize("size", [(160, 45), (120, 40)])
async def test_a_replay_at_a_glance(replayed, size: tuple[int, int]):
    app = replayed()
    async with app.run_test(size=size) as pilot:
        await read(pilot)
        same_as_snapshot(app, f"monitor-{size[0]}x{size[1]}")


@pytest.mark.parametrize(("key", "name"), [("1", "sensors"), ("2", "past"), ("3", "happened")])
async def test_every_pane_at_80x24(replayed, key: str, name: str):
    app = replayed()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot)
        await pilot.press(key)
        await read(pilot)
        same_as_snapshot(app, f"monitor-{name}-80x24")


async def test_a_replay_plays_stands_still_and_goes_faster(replayed):
    app = replayed(at_s=0.0)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        assert screen.replay.paused
        await pilot.press("plus", "plus", "p")
        assert screen.replay.player.speed == screen.replay.speed == 5.0
        await until(pilot, lambda: screen.replay.player.position_s > 1)
        await pilot.press("minus", "p")
        assert (screen.replay.player.speed, screen.replay.speed) == (0.0, 2.0)
        await shows(pilot, "‖ paused")


async def test_seeking_by_tenths_and_to_marks(replayed):
    app = replayed(at_s=0.0)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        await pilot.press("right", "right", "left")
        assert screen.replay.player.position_s == pytest.approx(23.9)
        await pilot.press("n")
        assert screen.replay.player.position_s == pytest.approx(60.5)
        await shows(pilot, "mark: the drone turns")
        await pilot.press("n")
        await shows(pilot, "! ALERT", "temperature above 54 °C (cpu-thermal 54.5)")
        await pilot.press("n")
        await shows(pilot, "alert over")
        assert "! ALERT" not in screen_text(app)
        await pilot.press("n")
        assert screen.replay.player.position_s == pytest.approx(60.5)


async def test_a_far_place_is_read_beside_the_screen(replayed):
    app = replayed(at_s=0.0, seconds=MOST_AT_ONCE * 4)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        screen.replay.seek(MOST_AT_ONCE * 3)
        assert screen.replay.behind
        await until(pilot, lambda: screen.replay.newest.t_s == 1000 + MOST_AT_ONCE * 3)
        history, begin, end = screen.replay.view(60)
        assert all(history.buckets("total_mw", begin + 1, end, 50))


async def test_a_chart_comes_and_goes_with_space(replayed):
    app = replayed()
    async with app.run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        assert screen.past.chosen == ["total_mw", "hottest_c", "gpu_load_pct", "cpu_mean_pct", "ram_used_mb"]
        await pilot.press("space", "down", "space")
        assert screen.past.chosen == ["hottest_c", "gpu_load_pct", "cpu_mean_pct", "ram_used_mb", "rails_mw.VDD_IN"]
        await shows(pilot, "VDD_IN  W   5.0 … 11.0", "● VDD_IN", "  total")
        await pilot.press("end", "space")
        assert "throttled" not in screen.past.chosen


async def test_the_window_goes_from_a_minute_to_a_day(replayed):
    app = replayed(at_s=239.0)
    async with app.run_test(size=(160, 45)) as pilot:
        screen = await read(pilot)
        await shows(pilot, "window all of it", "total  W   5.0 … 11.0")
        seen = []
        for _ in range(5):
            seen.append(screen.past.border_subtitle)
            await pilot.press("w")
        assert seen[:3] == ["w window all of it"] * 3
        screen.past.window = 0
        screen.past.tick()
        await shows(pilot, "window 1 min", "RAM  GB   3.1 … 3.2")


async def test_keys_of_a_replay_are_not_offered_live_and_the_other_way_round(replayed, live):
    app = replayed()
    async with app.run_test(size=(160, 45)) as pilot:
        await read(pilot)
        keys = screen_text(app).splitlines()[-1]
        assert "n next mark" in keys
        assert "r record" not in keys
        await pilot.press("r", "m")
        assert app.screen is monitor_of(app)
    app = live("nano_r32")
    async with app.run_test(size=(160, 45)) as pilot:
        await shows(pilot, "POM_5V_IN", "r record")
        assert "next mark" not in screen_text(app)


async def test_a_live_board(live):
    app = live("nano_r32")
    async with app.run_test(size=(160, 45)) as pilot:
        await shows(pilot, "● total                 1.75 W    module", "POM_5V_CPU", "40.0 °C", "jetson  20 Hz", "Jetson Nano")


async def test_coarse_sensors_have_no_decimals(live):
    app = live("agx_orin_r35")
    async with app.run_test(size=(160, 45)) as pilot:
        await shows(pilot, "● total                    7 W    module", "GPU-therm                – off")


async def test_a_machine_without_sensors_says_so_in_words(engine: Engine, tmp_path: Path):
    (tmp_path / "machine" / "proc").mkdir()
    (tmp_path / "machine" / "proc" / "meminfo").write_text("MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: 4000000 kB\n")
    (tmp_path / "machine" / "proc" / "stat").write_text("cpu 1 0 1 9 0\ncpu0 1 0 1 9 0\n")
    app = EdgetuiApp(engine.config, engine, Shown(rate_hz=20.0))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "– no power sensor here", "– no sensor here")


async def test_a_bare_folder_says_why_nothing_can_be_read(engine: Engine):
    app = EdgetuiApp(engine.config, engine, Shown(source="jetson"))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "no sensors can be read:")


async def test_recording_marking_and_leaving(live, engine: Engine):
    app = live("nano_r32")
    async with app.run_test(size=(160, 45)) as pilot:
        await shows(pilot, "POM_5V_IN")
        await pilot.press("m")
        await shows(pilot, "A note for this mark (on the screen only; r records)")
        await pilot.press(*"first", "enter")
        await shows(pilot, "▸ mark: first")
        await pilot.press("r")
        await shows(pilot, "● recording")
        await pilot.press("m")
        await shows(pilot, "A note for this mark (in the recording)", "mark 2")
        await pilot.press("enter")
        await shows(pilot, "▸ mark: mark 2", "▸ mark: first")
        await pilot.press("r")
        await until(pilot, lambda: app.link.feed.recorder is None)
        await pilot.press("r")  # a second one, which ends with the app
        await shows(pilot, "● recording")
    files = sorted((engine.home / "recordings").iterdir())
    assert (engine.home / "recordings").stat().st_mode & 0o777 == 0o700
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert lines[0]["board"] == "Jetson Nano"
    assert [line["note"] for line in lines if line.get("kind") == "mark"] == ["mark 2"]
    assert any(line.get("total_mw") == 1750 for line in lines)


async def test_a_recording_that_was_asked_for_begins_with_the_first_sample(live, tmp_path: Path):
    app = live("nano_r32", record=tmp_path / "asked.jsonl")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "● recording")
    assert (tmp_path / "asked.jsonl").read_text().endswith("}\n")


async def test_a_recording_that_cannot_be_is_said(live, engine: Engine):
    app = live("nano_r32")
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "POM_5V_IN")
        engine.home.mkdir(parents=True, exist_ok=True)
        (engine.home / "recordings").write_text("a file where the folder should be")
        await pilot.press("r")
        await shows(pilot, "error: ")
        assert app.link.feed.recorder is None


async def test_an_alert_is_said_with_word_and_glyph(live):
    app = live("nano_r32", rules=(AlertRule(watch="temperature", above=39.0),))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "! ALERT  temperature above 39 °C (", "3 Marks and alerts ! 1")
        await pilot.press("3")
        await shows(pilot, "! alert: temperature above 39 °C")


async def test_the_picture_stops_and_the_data_go_on(live):
    app = live("nano_r32")
    async with app.run_test(size=(160, 45)) as pilot:
        await shows(pilot, "POM_5V_IN")
        await pilot.press("p")
        await shows(pilot, "Past  paused")
        heard, before = app.link.feed.heard, screen_text(app).splitlines()[2:38]
        await until(pilot, lambda: app.link.feed.heard > heard + 10)
        assert screen_text(app).splitlines()[2:38] == before
        await pilot.press("p")
        await until(pilot, lambda: screen_text(app).splitlines()[2:38] != before)


async def test_one_column_which_has_no_frames_says_that_the_picture_stands_and_what_it_shows(live):
    app = live("nano_r32")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "POM_5V_IN")
        await pilot.press("2")
        await shows(pilot, "window ")
        await pilot.press("p", "c")
        await shows(pilot, "paused   │ ", " ago")
        await pilot.press("1")
        await shows(pilot, "paused")
        await pilot.press("p")
        await until(pilot, lambda: "paused" not in screen_text(app))


async def test_samples_wait_once_for_the_charts_of_the_workbench(live):
    app = live("nano_r32")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.heard > 10)
        waiting = app.link.feed.fresh()
        assert len(waiting) == app.link.feed.heard
        assert waiting == sorted(waiting, key=lambda sample: sample.t_s)
        assert waiting[-1] is app.link.feed.newest
        assert app.link.feed.fresh() == []


async def test_from_the_workbench_and_back(app: EdgetuiApp):
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        await pilot.press("m")
        await shows(pilot, "Monitor", "[1 Sensors]")
        await pilot.press("question_mark")
        await shows(pilot, "Help  Sensors", "Begin a recording")
        await pilot.press("escape", "tab")
        await shows(pilot, "[2 Past]")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.workbench)


async def test_alone_escape_leaves(replayed):
    app = replayed()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot)
        await pilot.press("escape")
    assert app.return_code == 0
