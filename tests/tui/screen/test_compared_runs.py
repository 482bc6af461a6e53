"""Comparisons from the list of runs: the table at every width, what is copied, and its words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.advice.compare import Comparison, compare
from edgetui.engine.advice.rows import TableRow
from edgetui.engine.advice.verdict import verdict_words
from edgetui.tui.app import EdgetuiApp
from edgetui.tui.screens.compare import CompareScreen
from edgetui.tui.screens.compare_table import broken, movable, parts, shorter, table_lines
from listed_runs import open_list
from screens import screen_text, shows, until
from told_runs import outcome


async def test_marked_runs_are_compared(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done"), past_run("done")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_list(pilot)
        await pilot.press("space", "space", "C")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.comparison)
        await shows(pilot, "2 runs", "FP32", "both", "0.480", "faster", "Front", "●", "Advice  goal: fastest")
        await pilot.press("t")
        await shows(pilot, "goal: smallest")
        await pilot.press("escape", "escape")
        assert app.screen is app.workbench


async def test_a_comparison_fits_a_narrow_screen_column_by_column(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done"), past_run("done"), past_run("done")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_list(pilot)
        await pilot.press("space", "space", "space", "C")
        await shows(pilot, "FP32", "1 more", "both #2")
        assert "both #3" not in screen_text(app).splitlines()[2]
        await pilot.press("l")
        await until(pilot, lambda: "both #3" in screen_text(app).splitlines()[2])
        assert "FP32" in screen_text(app).splitlines()[2], "the baseline stays"
        assert "Advice" in screen_text(app)
        await pilot.press("i")
        await shows(pilot, "no latencies are stored")
        await pilot.press("i")
        await shows(pilot, "Weights before and after")
        await pilot.press("a")
        await shows(pilot, "Front  ", "●")
        await pilot.press("t")
        await shows(pilot, "Advice  goal: smallest")


async def test_the_copied_table_goes_to_the_clipboard_with_tabs(bare_app: EdgetuiApp, past_run: Callable[..., str]):
    app = bare_app
    past_run("done")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_list(pilot)
        await pilot.press("y")
        assert "\ttiny\tboth\t" in app.clipboard
        await pilot.press("escape", "y")
        await shows(pilot, "copied")
        assert "frames/s" in app.clipboard


def test_a_verdict_begins_with_what_differs():
    verdict = {"latency": "no difference shown", "size": "smaller", "memory": "no difference shown", "accuracy": "worse"}
    assert verdict_words(verdict) == "smaller; top-1 worse; no difference shown: latency, memory"
    assert verdict_words(verdict, differing=True) == "smaller; top-1 worse"
    assert verdict_words({"outputs": "ruined", "latency": "faster"}, differing=True) == "outputs ruined; faster"
    assert verdict_words({"latency": "no difference shown"}, differing=True) == "no difference shown: latency"


@pytest.mark.parametrize(("width", "columns"), [(57, 2), (77, 3), (99, 4), (117, 4), (220, 4)])
def test_in_a_narrow_comparison_cells_take_more_rows_and_candidates_stay_beside_the_baseline(width: int, columns: int):
    names = ("FP32", "one", "two", "three")
    ratio = "0.962 [0.837, 1.106] no difference shown"
    rows = (
        TableRow("ratio to FP32", ("1", ratio, ratio, ratio), kind="detail"),
        TableRow("cosine · SQNR · largest error", ("[0.965, 0.986] of 797",) * 4, kind="detail"),
    )
    found = Comparison(title="", columns=names, runs=("", *names[1:]), rows=rows, advice=())
    drawn = ["".join(text for text, _ in line) for line in table_lines(found, 0, width)]
    assert max(len(row.rstrip()) for row in drawn) <= width
    assert [name for name in names if name in drawn[0]] == list(names[:columns])
    words = " ".join(" ".join(drawn).split())
    for word in ("shown" if columns > 1 else "1", "error", "of 797"):
        assert word in words
    assert (f"{4 - columns} more" in drawn[0]) == (columns < 4)
    beside = "".join(text for text, _ in table_lines(found, 2, width)[0]).split()
    assert "FP32" in beside, "the baseline stays"
    assert columns == 1 or "two" in beside


def test_intervals_are_written_shorter_and_nothing_else():
    assert shorter("0.452 [0.447, 0.458] faster") == "0.452 [.447,.458] faster"
    assert shorter("2.35 [1.62, 3.42]") == "2.35 [1.62,3.42]"
    assert shorter("-0.1 [-0.4, 0.2] of 0.5") == "-0.1 [-.4,.2] of 0.5"
    assert shorter("[10.5, 20.25] of 797") == "[10.5,20.25] of 797"


def test_goals_of_the_comparison_are_those_that_were_measured(tmp_path: Path):
    screen = CompareScreen(["r"])
    assert screen.goals == ["fastest"]
    screen.comparison = compare([outcome("r", tmp_path / "tiny.onnx")])
    assert screen.goals == ["fastest", "smallest", "least-memory"]


def test_cells_are_broken_between_what_is_read_as_one():
    """At 100 columns `no difference shown` stood in two rows, and intervals lost their percent signs."""
    whole = ("0.856", "[.182,4.656]", "no difference shown"), ("98.2 %", "[97.8 %,98.5 %]"), ("0.739 5.82 14.2",)
    whole += ("0.810", "McNemar p <0.001"), ("0.9990", "· 26.5 dB", "· 6.1"), ("17.1 mJ ± 0.3",), ("2 500 inferences",)
    whole += (("487,", "box 418", "to 604,", "sd 191"),)
    for cell in whole:
        assert tuple(parts(" ".join(cell))) == cell
    assert broken("0.856 [.182,4.656] no difference shown", 19) == ["0.856 [.182,4.656]", "no difference shown"]
    assert broken("0.81 0.83 – (have 480 of 662)", 12) == ["0.81 0.83 –", "(have 480 of", "662)"]


@pytest.mark.parametrize("width", [76, 96, 116, 156, 196])
@pytest.mark.parametrize("many", [2, 3, 4, 6])
def test_a_comparison_has_its_first_column_and_whole_phrases_at_every_width(many: int, width: int):
    words = ("1.94 ms ± 1.11", "0.856 [0.030, 24.678] no difference shown", "0.810  McNemar p <0.001", "0.821 0.810 0.809")
    labels = ("latency, mean", "ratio to FP32", "top-1", "precision recall F1")
    rows = tuple(TableRow(label, (words[0], *[word] * many)) for label, word in zip(labels, words, strict=True))
    columns = ("FP32", *(f"prune-{n}0-repair" for n in range(1, many + 1)))
    found = Comparison(title="", columns=columns, rows=rows, runs=("", *columns[1:]), advice=(), points=())
    for first in movable(found):
        drawn = ["".join(text for text, _ in line) for line in table_lines(found, first, width)]
        assert all(len(row.rstrip()) <= width for row in drawn)
        assert "FP32" in drawn[0]
        text = "\n".join(drawn)
        seen = sum(column in drawn[0] for column in columns[1:])
        assert first or seen >= min(many, (width - 38) // 20)
        assert text.count("no difference shown") == text.count("McNemar p <0.001") == seen
