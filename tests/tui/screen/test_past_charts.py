"""Charts of the past: windows that were measured are marked along the foot, at their own times."""

from __future__ import annotations

import pytest
from edgetui.engine.telemetry.history import History
from edgetui.engine.telemetry.sample import Sample
from edgetui.tui.widgets.chart import DOTTED, GUTTER, SOLID
from edgetui.tui.widgets.pastchart import PastChart
from textual.app import App, ComposeResult


class OnePast(App[None]):
    CSS = "PastChart { width: 46; height: 5; }"

    def compose(self) -> ComposeResult:
        self.chart = PastChart(graph="block")
        yield self.chart


@pytest.mark.parametrize("still", [True, False])
async def test_windows_are_marked_at_their_times(still: bool):
    history = History()
    for n in range(600):
        history.add(Sample(t_s=1000 + n / 10, total_mw=9000))
    app = OnePast()
    async with app.run_test(size=(50, 6)) as pilot:
        app.chart.series = "total_mw"
        app.chart.become_series("Power  W", 1 / 1000, 0.0, 10.0)
        await pilot.pause()
        windows = [(1015.0, 1030.0, SOLID), (1045.0, float("inf"), DOTTED), (900.0, 950.0, SOLID)]
        app.chart.look(history, 1000.0, 1060.0, hold_s=1.0, still=still, marked=windows)
        app.chart.draw()
        foot = app.chart.render_line(app.chart.size.height - 1).text[GUTTER:]
        app.chart.look(history, 1000.0, 1060.0, hold_s=1.0, still=still)
        app.chart.draw()
        unmarked = app.chart.render_line(app.chart.size.height - 1).text[GUTTER:]
    assert not unmarked.strip()
    solid = [n for n, cell in enumerate(foot) if cell == "▄" and n < 25]
    assert solid[0] in (9, 10, 11)
    assert solid == list(range(solid[0], solid[0] + 10))
    assert set(foot[31:39]) == {"▄", " "}
    assert foot[31:39].count("▄") == 4
    assert not foot[:9].strip()
    assert not foot[21:29].strip()
