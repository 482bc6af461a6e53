"""A chart whose last cell alone is drawn again shows what one shows that is drawn anew."""

from __future__ import annotations

import random

import pytest
from edgetui.tui.widgets.chart import SOLID, Chart


@pytest.mark.parametrize("graph", ["braille", "block", "ascii"])
@pytest.mark.parametrize("series", [1, 2])
def test_the_last_cell_alone_is_drawn_again(graph, series: int):
    rng = random.Random(3)
    patched, anew = (Chart("x", graph=graph, series=series, points=300) for _ in range(2))
    for chart in (patched, anew):
        chart._shape = (50, 8)
        chart._rebuild()
    whole = 0
    for n in range(1500):
        values = [None if rng.random() < 0.03 else rng.gauss(50, 3 + n / 500) for _ in range(series)]
        for chart in (patched, anew):
            chart.push(*values, mark=SOLID if 700 < n < 720 else 0)
        before = patched._made_for
        shown = list(patched._latest_picture())
        whole += patched._made_for is not before
        anew._made_for, anew.range = (), patched.range
        if anew._latest_picture() != shown:
            assert anew.range != patched.range, n  # its axis narrows when the next cell begins
    assert whole < 700


@pytest.mark.parametrize("graph", ["braille", "block", "ascii"])
def test_a_flat_line_that_fills_the_chart_stands_still(graph):
    """Its last cell was half full and full in turns: the screen wrote to the link once a second for nothing."""
    chart = Chart("x", graph=graph, points=300, low=0.0, high=10.0)
    chart._shape = (50, 8)
    chart._rebuild()
    pictures = set()
    for n in range(900):
        chart.push(4.0)
        if n > 600:
            pictures.add(tuple(chart._latest_picture()))
    assert len(pictures) == 1
