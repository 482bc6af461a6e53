"""Histograms, box plots and bars of shares as rows of characters, and how the comparison shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Ui
from edgetui.engine.runs.folder import RunDir
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.widgets.axis import axis_lines, place, ticks, whole_parts
from edgetui.tui.widgets.boxplot import GUTTER, Box, boxplot
from edgetui.tui.widgets.histogram import Counted, bars, fold, histograms, placed
from edgetui.tui.widgets.lines import Line
from edgetui.tui.widgets.sharebar import share_bar
from hypothesis import given
from hypothesis import strategies as st
from screens import screen_text, shows, until


def text(lines: Sequence[Line]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


@given(counts=st.lists(st.integers(0, 1000), min_size=1, max_size=200), columns=st.integers(1, 200))
def test_folding_loses_nothing(counts, columns):
    folded = fold(counts, columns)
    assert len(folded) == columns
    assert sum(folded) == pytest.approx(sum(counts))


def test_folding_even_counts_makes_no_teeth():
    assert fold([5] * 200, 72) == pytest.approx([5 * 200 / 72] * 72)


def test_ticks_are_round_and_lie_where_their_values_are():
    assert ticks(0.2, 0.6, 41) == [(0, "0.2"), (10, "0.3"), (20, "0.4"), (30, "0.5"), (40, "0.6")]
    assert [number for _, number in ticks(0.2, 0.6, 81)][:5] == ["0.20", "0.25", "0.30", "0.35", "0.40"]
    assert [number for _, number in ticks(0, 100, 50)] == ["0", "20", "40", "60", "80", "100"]
    assert ticks(1, 1, 50) == []
    assert (place(0, 0, 1, 11), place(1, 0, 1, 11), place(9, 0, 1, 11), place(-9, 0, 1, 11)) == (0, 10, 10, 0)


@given(low=st.floats(0, 1e4), span=st.floats(1e-4, 1e5), width=st.integers(20, 150))
def test_numbers_below_an_axis_do_not_run_into_each_other(low, span, width):
    line, numbers = text(axis_lines(low, low + span, width, 8, "ms"))
    assert len(line) == len(numbers) == width + 8
    assert numbers.endswith(" ms")
    assert len(numbers.split()) <= line.count("┴") + 1


def test_words_are_left_out_as_a_whole():
    assert whole_parts("ab   cde   fg", 13) == "ab   cde   fg"
    assert [whole_parts("ab   cde   fg", room) for room in (12, 8, 7, 2, 1)] == ["ab   cde", "ab   cde", "ab", "ab", ""]


BOXES = [
    Box("FP32", "value", 2.0, 2.2, 2.4, 2.8, 3.4, 2.5, "3 outliers up to 9 ms"),
    Box("int8", "accent", 1.0, 1.1, 1.2, 1.3, 1.6, 1.25),
]


def test_a_flat_box_plot_has_every_number_in_its_place():
    rows = text(boxplot(BOXES, GUTTER + 101 + 1, 4, 0.0, 4.0, "ms"))
    first = rows[0][GUTTER:]
    assert (first.index("├"), first.index("┃"), first.index("┤")) == (50, 60, 85)
    assert first[55:71].replace("┃", "█") == "█" * 16
    assert first[51:55] == "─" * 4
    assert rows[0].startswith(" FP32 ")
    assert rows[1][GUTTER:].index("├") == 25
    assert rows[-1].rstrip().endswith("ms")


def test_a_tall_box_plot_has_frames_and_the_mean():
    rows = text(boxplot(BOXES, 100, 12, 0.0, 4.0, "ms"))
    assert len(rows) <= 12
    assert [row.count("┃") for row in rows[:3]] == [1, 1, 1]
    assert "┌" in rows[0]
    assert "◆" in rows[1]
    assert "└" in rows[2]
    assert "3 outliers up to 9 ms" in rows[3]


@pytest.mark.parametrize(("width", "height"), [(30, 12), (80, 3)])
def test_without_room_it_says_so(width, height):
    assert "not enough" in text(boxplot(BOXES, width, height, 0, 4, "ms"))[0]
    assert "not enough" in text(histograms([Counted("a", "", [1], 1)] * 9, width - 4, height, 0, 1, "ms", "braille"))[0]


def test_a_box_of_one_value_is_drawn():
    same = Box("x", "", 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)
    for height in (3, 9):
        assert "┃" in "".join(text(boxplot([same], 80, height, 1.9, 2.1, "ms")))


def test_histograms_have_one_scale():
    series = [Counted("a", "value", [0, 8, 0, 0], 8, "all in one"), Counted("b", "accent", [4, 0, 0, 4], 8)]
    rows = text(histograms(series, 60, 8, 0.0, 4.0, "ms", "braille"))
    assert rows[0].startswith(" a   all in one")
    assert "100 %" in rows[1]
    assert rows[1].endswith(" █  ")
    assert rows[4].endswith("┤    ")  # half as high as the other's
    assert rows[5].endswith("┤█  █")
    ascii_rows = text(histograms(series, 60, 8, 0.0, 4.0, "ms", "ascii"))
    assert ascii_rows[1].endswith(" #  ")


def test_bars_against_a_given_height():
    assert bars([1, 2], 2, 1, most=4) == ["▂▄"]


def test_a_bar_of_a_share_is_seen_and_no_wider_than_its_place():
    assert share_bar(1, 4) == "████"
    assert share_bar(0, 4) == "    "
    assert share_bar(0.0001, 4) == "▏   "
    assert share_bar(0.55, 4) == "██▎ "
    assert share_bar(0.5, 4, "ascii") == "##  "
    assert share_bar(0.5, 4, "block") == "██  "


@pytest.fixture
def measured(past_run: Callable[..., str], own_state) -> list[str]:
    """Two runs with the samples of each inference."""
    made = []
    for factor in (1.0, 0.7):
        run = past_run("done")
        folder = RunDir(own_state / "runs" / run)
        draw = np.random.default_rng(1)
        sides = {"baseline": draw.gamma(40, 60_000, 900), "candidate": draw.gamma(40, 30_000 * factor, 1200)}
        path = folder.artifacts / "latencies.npz"
        np.savez_compressed(path, **{f"{side}_ns": times.astype(np.int64) for side, times in sides.items()})
        folder.write_result(msgspec.structs.replace(folder.result(), artifacts={"latencies": str(path)}))
        made.append(run)
    return made


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 45)])
async def test_the_comparison_shows_histograms_and_boxes_over_one_axis(bare_app: EdgetuiApp, measured: list[str], size):
    app = bare_app
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.push_screen(CompareScreen(measured))
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.comparison)
        await pilot.press("i")
        await shows(pilot, "share of the inferences", "FP32   median", "both", "outliers up to", " ms")
        rows = [row for row in screen_text(app).splitlines() if "┴" in row]
        assert len(rows) == 1
        await pilot.press("b")
        await shows(pilot, "box: quartiles", "┃", "├", "┤", " ms")
        assert screen_text(app).count("outliers up to") == 3
        await pilot.press("b")
        await until(pilot, lambda: "Advice" in screen_text(app))


async def test_without_utf8_and_colour_they_are_ascii(config: Config, engine: Engine, measured: list[str], monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = EdgetuiApp(Config(models=config.models, ui=Ui(graph="ascii")), engine)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.workbench.settings.draft is not None)
        app.push_screen(CompareScreen(measured))
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.comparison)
        await pilot.press("b")
        await shows(pilot, "box: quartiles", "| median, * mean", "+---|-----+")
        assert screen_text(app).isascii()
        await pilot.press("i")
        await shows(pilot, "share of the inferences", "#")
        assert screen_text(app).isascii()
        assert "?" not in screen_text(app).replace("? help", "")


def test_histograms_over_one_axis_keep_their_counts_and_places():
    counts = [1, 2, 3, 4]
    assert placed(counts, (0.0, 1.0), (0.0, 1.0), 8) == pytest.approx([0.5, 0.5, 1, 1, 1.5, 1.5, 2, 2])
    beside = placed(counts, (0.0, 1.0), (-1.0, 1.0), 8)
    assert beside == pytest.approx([0, 0, 0, 0, 1, 2, 3, 4])
    odd = placed(counts, (-0.3, 0.7), (-1.1, 1.3), 7)
    assert sum(odd) == pytest.approx(10)
    assert odd[0] == odd[-1] == 0
