"""Charts, histograms and scatters as rows of characters; no app where none is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from edgetui.tui.theme import choose_graph, choose_theme
from edgetui.tui.widgets.chart import DOTTED, GUTTER, SOLID, Chart, label, nice_range
from edgetui.tui.widgets.dots import DOTS, Graph
from edgetui.tui.widgets.histogram import bars
from edgetui.tui.widgets.lazyrows import LazyRows
from edgetui.tui.widgets.lines import Scrolling
from edgetui.tui.widgets.scatter import Dot, scatter
from hypothesis import given
from hypothesis import strategies as st
from screens import until
from textual.app import App, ComposeResult
from textual.geometry import Region


class Seen(Chart):
    """A chart that keeps what it asked to be repainted."""

    def refresh(self, *regions: Region, **rest: bool) -> Chart:
        self.__dict__.setdefault("asked", []).extend(regions or [None])
        return super().refresh(*regions, **rest)


class OneChart(App[None]):
    CSS = "Chart { width: 26; height: 5; }"

    def __init__(self, **how) -> None:
        super().__init__()
        self.chart = Seen("Power  W", **how)

    def compose(self) -> ComposeResult:
        yield self.chart


def rows(app: OneChart) -> list[str]:
    return [app.chart.render_line(y).text for y in range(app.chart.size.height)]


async def drawn(values: Sequence[float], **how) -> list[str]:
    app = OneChart(**how)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        for value in values:
            app.chart.push(value)
        app.chart.draw()
        return rows(app)


@pytest.mark.parametrize(
    ("graph", "all_of_them", "every_other"), [("braille", "⣀", "⡀"), ("block", "▄", "▄ "), ("ascii", ".", ". ")]
)
async def test_windows_are_marked_along_the_foot_and_the_line_stays(graph: Graph, all_of_them: str, every_other: str):
    app = OneChart(points=40, low=0, high=10, graph=graph)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        for n in range(40):
            app.chart.push(9.0, mark=SOLID if 8 <= n < 16 else DOTTED if 24 <= n < 32 else 0)
        app.chart.draw()
        marked = rows(app)
        app.chart.clear()
        for _ in range(40):
            app.chart.push(9.0)
        app.chart.draw()
        plain = rows(app)
    foot = marked[-1][GUTTER:]
    assert plain[-1][GUTTER:].strip() == ""
    assert marked[1:-1] == plain[1:-1]
    solid, dotted = foot.split()[0], "".join(foot.split(maxsplit=1)[1]).rstrip()
    assert set(solid) == {all_of_them}
    assert dotted == (every_other * len(dotted))[: len(dotted)]
    assert len(solid) in (4, 8)


async def test_a_ramp_rises_from_the_lower_left_to_the_upper_right():
    text = await drawn(range(101), points=40, low=0, high=100)
    picture = [row[GUTTER:] for row in text[1:]]
    columns = ["".join(column) for column in zip(*picture, strict=True)]
    heights = [next(y for y, ch in enumerate(column) if ch != " ") for column in columns if column.strip()]
    assert heights == sorted(heights, reverse=True)
    assert text[1].startswith("  100 ")
    assert text[-1].startswith("    0 ")


@pytest.mark.parametrize("graph", ["braille", "block", "ascii"])
async def test_each_kind_of_dots_uses_its_own_characters(graph):
    text = "".join(row[GUTTER:] for row in (await drawn([1, 5, 2, 8, 3] * 8, points=40, graph=graph))[1:])
    assert set(text) <= set(DOTS[graph].cells)
    assert text.strip()
    assert graph != "ascii" or text.isascii()


async def test_the_picture_does_not_shimmer_only_cells_at_the_edge_change_within_a_bucket():
    app = OneChart(points=320, low=0, high=10)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        for n in range(400):
            app.chart.push(n % 7)
        app.chart.draw()
        before = rows(app)
        app.chart.push(9.0)
        app.chart.draw()
        after = rows(app)
    assert before != after
    assert [row[:-1] for row in before[1:]] == [row[:-1] for row in after[1:]]


async def test_the_picture_moves_by_whole_cells():
    app = OneChart(points=40, low=0, high=10)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        for n in range(80):
            app.chart.push(n * n % 10)
        app.chart.draw()
        before = [row[GUTTER:] for row in rows(app)[1:]]
        app.chart.push(3)
        app.chart.push(4)
        app.chart.draw()
        after = [row[GUTTER:] for row in rows(app)[1:]]
    assert [row[1:-1] for row in before] == [row[:-2] for row in after]


async def test_nothing_is_repainted_when_nothing_has_changed_and_little_when_little_has():
    app = OneChart(points=320, low=0, high=10)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        for _ in range(640):
            app.chart.push(5.0)
        app.chart.draw()
        app.chart.asked.clear()
        app.chart.draw()
        assert app.chart.asked == []
        app.chart.push(9.0)
        app.chart.draw()
        assert sum(region.area for region in app.chart.asked) <= 4


async def test_without_room_for_a_picture_the_last_value_is_still_said():
    app = OneChart(points=40)
    async with app.run_test(size=(30, 6)) as pilot:
        app.chart.styles.height = 2
        await pilot.pause()
        app.chart.push(3.0)
        app.chart.value = "3.00 W"
        app.chart.draw()
        assert rows(app)[0].endswith("3.00 W")
        assert not rows(app)[1].strip()
        app.chart.become("CPU  %")
        app.chart.draw()
        assert "CPU" in rows(app)[0]
        assert "Power" not in rows(app)[0]


async def test_a_gap_is_a_gap_and_a_spike_inside_a_bucket_is_not_lost():
    text = await drawn([0.0] * 30 + [100.0] + [0.0] * 29, points=600, low=0, high=100)
    assert any(ch != " " for ch in text[1][GUTTER:])
    app = OneChart(points=40, low=0, high=10)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        for n in range(40):
            app.chart.push(None if 10 <= n < 30 else 5.0)
        app.chart.draw()
        middle = "".join(row[GUTTER + 7 : GUTTER + 13] for row in rows(app)[1:])
    assert middle.strip() == ""


async def test_the_axis_widens_at_once_and_narrows_late():
    app = OneChart(points=20)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        app.chart.push(10.0)
        app.chart.push(12.0)
        app.chart.draw()
        narrow = app.chart.range
        app.chart.push(40.0)
        app.chart.draw()
        wide = app.chart.range
        for n in range(80):
            app.chart.push(20.0 + n % 8)
            app.chart.draw()
        late = app.chart.range
        for n in range(80):
            app.chart.push(20.0 + n % 2)
            app.chart.draw()
    assert wide[1] >= 40 > narrow[1]
    assert late != narrow
    assert late[1] - late[0] <= wide[1] - wide[0]
    assert app.chart.range[1] - app.chart.range[0] < late[1] - late[0]


@given(st.floats(-1e6, 1e6, allow_subnormal=False), st.floats(0, 1e6, allow_subnormal=False))
def test_a_nice_range_holds_what_it_was_made_for(low: float, span: float):
    bottom, top = nice_range(low, low + span)
    assert bottom <= low
    assert top >= low + span
    assert top > bottom


def test_an_axis_of_which_all_is_0_has_short_labels():
    bottom, top = nice_range(0.0, 0.0)
    assert len(label(top, top - bottom)) <= 4


def test_labels_of_a_short_axis_differ():
    assert label(0.8, 0.02) != label(0.81, 0.02)
    assert label(100.0, 100.0) == "100"
    assert label(25_000.0, 1e4) == "25k"


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=64), st.integers(1, 40), st.integers(1, 4))
def test_a_histogram_has_its_size_and_shows_all_that_is_there(counts: list[int], width: int, height: int):
    drawn = bars(counts, width, height)
    assert len(drawn) == height
    assert {len(row) for row in drawn} == {min(width, len(counts))}
    assert ("".join(drawn).strip() != "") == any(counts)


def test_a_histogram_without_room_is_empty():
    assert bars((1, 2, 3), -2, 2) == ["", ""]
    assert bars((), 10, 1) == [""]


def test_a_histogram_of_one_peak():
    assert bars((0, 1, 8, 1, 0), 10, 1) == [" ▁█▁ "]
    assert bars((0, 1, 8, 1, 0), 10, 2) == ["  █  ", " ▂█▂ "]
    assert bars((0, 1, 8, 1, 0), 10, 1, "ascii") == [" .#. "]


def test_the_scatter_marks_the_front_and_names_points():
    text = [
        "".join(t for t, _ in line)
        for line in scatter([Dot(1.0, 0.8, "int8", True), Dot(2.4, 0.81, "FP32", False)], 50, 12, "ms", "top-1")
    ]
    assert len(text) == 12
    assert any("● int8" in row for row in text)
    assert any("○" in row and "FP32" in row for row in text)
    assert any("ms" in row for row in text)


def test_a_point_at_the_edge_is_named_below_and_ticks_are_round():
    """`FP32` had no name where another point stands left of it; ticks were 0.788 for 0.7875, and then 0.7875."""
    dots = [Dot(3.88, 0.81, "FP32", False), Dot(3.83, 0.81, "prune-threshold-1e-3", True), Dot(1.6, 0.76, "int8", True)]
    text = ["".join(t for t, _ in line) for line in scatter(dots, 76, 13, "ms", "top-1")]
    at = next(n for n, row in enumerate(text) if "prune-threshold-1e-3 ●○" in row)
    assert text[at + 1].rstrip().endswith("FP32")
    marks = [row.split()[0] for row in text if "┤" in row]
    assert marks == ["0.80", "0.78", "0.76"]
    assert text[-2].split() == ["1.5", "2.0", "2.5", "3.0", "3.5", "ms"]


def pictured(dots: list[Dot], width: int = 76, height: int = 16) -> list[str]:
    return ["".join(text for text, _ in line) for line in scatter(dots, width, height, "ms", "top-1")]


def test_no_name_stands_nearer_to_another_point_than_to_its_own():
    """`int8 #2` stood above the point of `int8-dynamic`, and nothing above its own."""
    dots = [Dot(1.42 + 0.026 * n, 0.8, name, name == "int8") for n, name in enumerate(("int8", "int8 #2", "int8-dynamic"))]
    text = pictured([*dots, Dot(2.9, 0.81, "FP32", False)])
    row = next(n for n, line in enumerate(text[:-1]) if "●" in line)
    points = [at for at, letter in enumerate(text[row]) if letter in "●○"]
    assert points[-1] - points[0] == 2
    assert "int8 ●○○ int8-dynamic" in text[row]
    assert "int8 #2" not in text[row - 1]
    assert text[-1].endswith("no room for: int8 #2")


def test_names_that_have_no_room_are_listed_below():
    dots = [Dot(1.0 + n, 0.8, f"{'long' * 12}{n}", n == 0) for n in range(3)]
    assert pictured(dots, 55)[-1].endswith("3 without names")
    assert "without" not in pictured(dots, 200)[-1]


def test_numbers_beside_a_scatter_never_push_it():
    dots = [Dot(1.0, 12_345_678.0, "a", True), Dot(2.0, 9_000_000.0, "b", True)]
    widths = {len("".join(t for t, _ in line)) for line in scatter(dots, 60, 12, "ms", "J")[1:-2]}
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("wanted", "environ", "found"),
    [
        ("auto", {"LANG": "C"}, "ascii"),
        ("auto", {"LANG": "de_DE.UTF-8"}, "braille"),
        ("auto", {"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, "ascii"),
        ("auto", {"LANG": "C.UTF-8", "TERM": "linux"}, "block"),
        ("block", {"LANG": "C"}, "block"),
    ],
)
def test_which_dots_a_terminal_gets(wanted: str, environ: dict[str, str], found: str):
    assert choose_graph(wanted, environ) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [({"LANG": "C"}, "ascii"), ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "braille"), ({"LANG": "C.UTF-8"}, "braille")],
)
def test_what_python_says_of_a_plain_locale_is_not_taken_for_the_terminals_word(said: dict[str, str], found: str):
    """Where LANG is C, Python sets LC_CTYPE=C.UTF-8: charts were braille there."""
    program = (
        "from edgetui.tui.theme import *; from edgetui.tui.locale_told import *; print(choose_graph('auto', told_environ()))"
    )
    environ = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_ALL", "LC_CTYPE")} | said
    told = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == found


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"COLORTERM": "truecolor"}, "edgetui-dark"),
        ({"COLORTERM": "truecolor", "COLORFGBG": "0;15"}, "edgetui-light"),
        ({"COLORFGBG": "15;0"}, "ansi-dark"),
        ({}, "ansi-dark"),
    ],
)
def test_which_theme_a_terminal_gets(environ: dict[str, str], found: str):
    assert choose_theme("auto", environ, ("textual-dark",)) == found
    assert choose_theme("textual-dark", environ, ("textual-dark",)) == "textual-dark"
    assert choose_theme("textual-dark", environ, ("textual-dark",), no_color=True).startswith("ansi-")


class OneList(App[None]):
    CSS = "Scrolling { height: 3; }"

    def compose(self) -> ComposeResult:
        yield Scrolling([((str(n), ""),) for n in range(9)])


async def test_a_list_at_its_foot_leaves_no_empty_room_when_it_grows_or_its_rows_are_fewer() -> None:
    async with OneList().run_test(size=(20, 12)) as pilot:
        rows = pilot.app.query_one(Scrolling)
        rows.focus()
        await pilot.press("end")
        await until(pilot, lambda: rows.top == 6)
        rows.styles.height = 8
        await until(pilot, lambda: rows.size.height == 8)
        assert rows.top == 1
        rows.show(rows.lines[:4])
        assert rows.top == 0


class OneLazyList(App[None]):
    CSS = "LazyRows { height: 5; }"

    def compose(self) -> ComposeResult:
        yield LazyRows()


async def test_rows_that_nobody_has_seen_are_not_drawn_when_others_come() -> None:
    """A folder that was read again at once: what draws a row knew its name no more."""
    async with OneLazyList().run_test(size=(20, 12)) as pilot:
        rows = pilot.app.query_one(LazyRows)
        known = {str(n): ((f"row {n}", ""),) for n in range(100)}
        rows.take(list(known), known.__getitem__)
        await until(pilot, lambda: rows.size.height == 5)
        rows.point("60")
        assert rows.top > 50  # and nothing was drawn there yet
        known.clear()
        known["b"] = (("another", ""),)
        rows.take(["b"], known.__getitem__)
        await pilot.pause()
        assert rows.plain() == "another"


@pytest.mark.parametrize("width", [40, 45, 58, 61, 110, 200])
def test_what_is_told_below_a_scatter_fits(width: int):
    dots = [Dot(1.0 + n / 1000, 0.8, f"recipe-with-a-long-name-{n % 2}" * 2, n == 0) for n in range(4)]
    told = pictured([*dots, Dot(9.0, 0.9, "FP32", False)], width)[-1]
    assert len(told) <= width
    assert "intervals aside" in told
