"""A run that is looked at again: what it has kept of the board stands in the charts before the first sample of the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.events import Progress, RunBegan, StageBegan, encode
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.panes.telemetry import LivePane
from edgetui.tui.screens.monitor import MonitorScreen
from laid_boards import lay_out_board
from screens import until

KEPT_S = 1200


@pytest.fixture
def board(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1].items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def begun(engine: Engine, past_run: Callable[..., str]) -> RunDir:
    """A run that began twenty minutes ago and took 1 W in the first ten, then 3 W; who holds it has it going."""
    folder = RunDir.find(engine.home, past_run(to="measure"))
    lines = []
    for t in range(1, KEPT_S + 1):
        watts = [900.0, 1000.0, 1100.0] if t <= KEPT_S / 2 else [2900.0, 3000.0, 3100.0]
        lines.append(msgspec.json.encode({"t": float(t), "stage": "build", "total_mw": watts, "hottest_c": [41.0] * 3}))
    said = [
        RunBegan(n=1, t=0.0, stages=("build",)),
        StageBegan(n=2, t=0.0, stage="build"),
        Progress(n=3, t=float(KEPT_S), stage="build", done=1, total=2),
    ]
    (folder.path / "events.jsonl").write_bytes(b"".join(encode(event) + b"\n" for event in said))
    (folder.path / "telemetry.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.mark.usefixtures("board")
async def test_charts_of_the_workbench_begin_with_what_the_run_kept(engine: Engine, begun: RunDir):
    app = EdgetuiApp(engine.config, engine)
    with begun.hold():
        async with app.run_test(size=(160, 45), notifications=True) as pilot:
            pane = app.workbench.query_one(LivePane)
            await until(pilot, lambda: pane._pasts)
            power, heat = (pane.charts[pane.slots.index(key)] for key in ("total_mw", "hottest_c"))
            rate_hz = app.config.ui.rate_hz
            values = [values[0] for values, _ in power.samples]
            assert len(values) == pytest.approx(KEPT_S * rate_hz, rel=0.05)
            assert (values[0], min(values[:100]), max(values[:100])) == (0.9, 0.9, 1.1)
            assert values[-int(200 * rate_hz)] == pytest.approx(3.0, abs=0.11)
            assert None not in values
            assert next(iter(heat.samples))[0][0] == 41.0
            assert power._buckets[0][0] == pytest.approx((2.9, 3.1))
            pane.next_window()
            assert power._buckets[0][0] == pytest.approx((0.9, 1.1))


@pytest.mark.usefixtures("board")
async def test_the_monitor_has_it_too_and_keeps_what_it_has_seen(engine: Engine, begun: RunDir):
    app = EdgetuiApp(engine.config, engine)
    with begun.hold():
        async with app.run_test(size=(160, 45), notifications=True) as pilot:
            await until(pilot, lambda: app.link.feed is not None and app.link.feed.pasts)
            feed = app.link.feed
            history, _, now_s = feed.view(1800.0)
            zero_s = app.link.view.clock().zero_s
            assert now_s - KEPT_S - zero_s == pytest.approx(0.0, abs=60.0)
            early = history.buckets("total_mw", zero_s + 60, zero_s + 540, 8)
            late = history.buckets("total_mw", zero_s + 660, zero_s + 1140, 8)
            assert {found and found[1] for found in early} == {1000.0}
            assert {found and found[1] for found in late} == {3000.0}
            seen = history.buckets("total_mw", feed.first_s, time.monotonic() + 1, 1)[0]
            assert seen[2] > 3500
            await pilot.press("m")
            await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "2.9" in app.screen.past.charts[0].title)


@pytest.mark.usefixtures("board")
async def test_of_a_run_that_has_ended_nothing_is_read(engine: Engine, begun: RunDir):
    app = EdgetuiApp(engine.config, engine)
    async with app.run_test(size=(160, 45), notifications=True) as pilot:
        await until(
            pilot, lambda: app.link.feed is not None and app.link.feed.first_s and app.link.view and app.link.view.state
        )
        await pilot.pause(0.6)
        assert not app.link.feed.pasts
