"""Field mode: five figures at any size from 40x12 on, record and mark with one key, and what is wrong in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.schema.events import Reading
from edgetui.engine.telemetry.alerts import AlertEvent, AlertRule
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.runview import RunView
from edgetui.tui.screens.field import FieldScreen, plain_words
from edgetui.tui.screens.monitor import MonitorScreen, Shown
from edgetui.tui.screens.small import TooSmall
from edgetui.tui.widgets.bigdigits import HALF, PLAIN, WHOLE, rows_of
from laid_boards import lay_out_board
from screens import same_as_snapshot, screen_text, shows, until


@pytest.fixture
def live(engine: Engine, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., EdgetuiApp]:
    """Field mode alone, on the sensors of a board that is laid out."""

    def make(*rules: AlertRule, field: bool = True) -> EdgetuiApp:
        for name, value in lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1].items():
            monkeypatch.setenv(name, value)
        engine.config = Config(alerts=rules)
        return EdgetuiApp(engine.config, engine, Shown(rate_hz=20.0, field=field))

    return make


def measures(app: EdgetuiApp, ms: float) -> None:
    """A run that measures is shown."""
    view = RunView("one")
    view.take(Reading(side="candidate", latency_ms=ms, mean_ms=ms))
    app.link.view = view


@pytest.mark.parametrize(("size", "large"), [((40, 12), PLAIN), ((80, 24), HALF), ((160, 45), WHOLE)])
async def test_figures_are_as_large_as_there_is_room_for(live, size: tuple[int, int], large: int):
    app = live()
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        measures(app, 12.5)
        screen = app.screen
        assert isinstance(screen, FieldScreen)
        screen.draw()
        await pilot.pause()
        text = screen_text(app)
        for name in ("FPS", "W", "°C", "RAM GB", "J/frame"):
            assert name in text
        rows = text.splitlines()
        assert len(rows) == size[1]
        assert max(map(len, rows)) <= size[0]
        for row in rows_of("80.0", large):
            assert row.rstrip() in text
        assert "not recording" in text
        assert "record" in rows[-1]
        assert "mark" in rows[-1]
        same_as_snapshot(app, f"field-{size[0]}x{size[1]}")


async def test_a_frame_takes_watts_over_frames_a_second(live):
    app = live()
    async with app.run_test(size=(60, 16), notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        assert app.screen._now()[0].value is None
        assert app.screen._now()[4].value is None
        measures(app, 20.0)
        fps, watts, *_, joules = app.screen._now()
        assert fps.value == 50.0
        assert joules.value == pytest.approx(watts.value / 50)
        app.link.view.state = "done"
        assert app.screen._now()[0].value is None


@pytest.mark.parametrize("size", [(40, 12), (160, 45)])
async def test_a_dash_has_its_reason(live, size: tuple[int, int]):
    app = live()
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        app.screen.draw()
        await pilot.pause()
        assert screen_text(app).count("no run measures") == 2  # frames, and joules a frame


async def test_one_key_records_and_one_marks(live, own_state: Path):
    app = live()
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        await pilot.press("r")
        await shows(pilot, "● recording 0:00:0")
        await pilot.press("m", "space")
        await shows(pilot, "2 marks")
        path = app.link.feed.recorder.path
        await pilot.resize_terminal(39, 12)
        await shows(pilot, "q quit (the recording ends)")
        await pilot.resize_terminal(40, 12)
        await pilot.press("r")
        await shows(pilot, f"recorded {path.name}")
        await pilot.resize_terminal(39, 12)
        await shows(pilot, "q quit")
        assert "recording" not in screen_text(app)
        kinds = [json.loads(line).get("kind") for line in path.read_text().splitlines()]
        assert kinds.count("mark") == 2


async def test_of_a_recording_with_a_long_name_the_whole_name_is_seen(live, tmp_path: Path):
    app, path = live(), tmp_path / f"flight-over-{'the-north-' * 3}field.jsonl"
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        app.link.feed.record(path)
        await pilot.press("r")
        await shows(pilot, "recorded")
        assert path.name in "".join(screen_text(app).split())


async def test_what_is_wrong_stands_there_in_plain_words_and_covers_nothing(live):
    app = live(AlertRule(watch="temperature", above=1.0))
    async with app.run_test(size=(60, 16), notifications=True) as pilot:
        await shows(pilot, "too hot: ", "above 1 °C")
        assert not app._notifications


async def test_from_the_monitor_and_back_with_less_room_below(live):
    app = live(field=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.link.feed is not None and app.link.feed.newest is not None)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FieldScreen))
        await pilot.resize_terminal(40, 12)
        await shows(pilot, "FPS", "not recording")
        await pilot.resize_terminal(39, 12)
        await shows(pilot, "edgetui needs 40x12")
        await pilot.resize_terminal(40, 12)
        await until(pilot, lambda: isinstance(app.screen, FieldScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        await shows(pilot, "edgetui needs 60x16")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))


async def test_without_sensors_it_says_why(engine: Engine):
    app = EdgetuiApp(engine.config, engine, Shown(field=True))
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        await shows(pilot, "FPS", "–")
        await pilot.press("r")
        await shows(pilot, "nothing to record yet")


def test_alerts_in_plain_words():
    hot = AlertEvent(t_s=1, rule="temperature gpu above 95 °C", raised=True, value=97.2, detail="gpu-thermal")
    assert plain_words(hot) == "too hot: gpu-thermal 97, gpu above 95 °C"
    assert plain_words(AlertEvent(t_s=1, rule="throttling", raised=True, detail="oc3 event")) == "slowed down: oc3 event"
    assert plain_words(AlertEvent(t_s=1, rule="throttling", raised=True)) == "slowed down"
