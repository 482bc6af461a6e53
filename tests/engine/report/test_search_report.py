"""A search in words: nothing of what it found is cut off, however narrow."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.report.search_report import search_report
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.search import SearchChoice, SearchDocument, SearchPoint, SearchUnit, TakenOver

LONG = {"format": "int8", "calibrator": "percentile", "channels": "0.25", "factors": "0.75"}


def _found(settings: dict[str, str]) -> SearchDocument:
    point = SearchPoint(
        settings=settings,
        run="r1",
        measured=Ratio(value=0.436, low=0.43, high=0.442),
        difference=Ratio(value=-0.0036, low=-0.009, high=0.0018),
    )
    return SearchDocument(search="s1", state="done", goal="fastest", over="settings", built=(point,), why="found")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("settings", [LONG, {"format": "fp32"}])
def test_what_was_found_stands_whole(width: int, settings: dict[str, str]):
    told = search_report(_found(settings), width)
    assert all(len(line) <= width for line in told.split("\n"))
    assert "0.436 [0.430, 0.442]" in told
    assert "-0.36 [-0.90, +0.18]" in told
    assert settings["format"] in told
    assert ("factors 0.75" in " ".join(told.split())) == (settings is LONG)


def test_what_a_plan_is_run_with_what_was_taken_over_and_what_goes_on_are_said():
    choice = SearchChoice(recipe="x", run="r1", settings={"threads": "1", "graph": "basic"})
    taken = TakenOver(search="s0", units=20)
    found = msgspec.structs.replace(_found(LONG), choice=choice, taken=taken, sweep="edgetui sweep r1 --modes all")
    told = " ".join(search_report(found, 80).split())
    assert "run it with threads = 1, graph = basic" in told
    assert "what each of 20 units costs is from s0; what was built here bears it out" in told
    assert "then edgetui sweep r1 --modes all" in told
    lost = msgspec.structs.replace(found, taken=msgspec.structs.replace(taken, held=False))
    assert "what s0 had learnt of these layers did not hold here" in " ".join(search_report(lost, 80).split())


def test_settings_that_do_nothing_are_left_out():
    settings = {**LONG, "zeros": "0.5", "threads": "1"}
    assert "zeros 0.5, threads 1" in " ".join(search_report(_found(settings), 120).split())
    assert "zeros" not in search_report(_found({**settings, "zeros": "0.0"}), 120)


def test_mixes_are_a_table_as_long_as_their_figures_have_room():
    """Within the box at 80 columns a row is a line: what is spared first is the effect, then what was foretold."""
    ratio, points = Ratio(value=0.382, low=0.092, high=1.581), Ratio(value=0.0028, low=-0.0016, high=0.0076)
    mixes = tuple(
        SearchPoint(
            formats={"int8": n, "fp32": 20 - n}, run="r", effect=0.003, foretold=0.836, measured=ratio, difference=points
        )
        for n in (10, 15)
    )
    found = SearchDocument(search="s1", state="done", goal="fastest", built=mixes, why="found")
    for width, heads in ((100, 5), (76, 4), (66, 3)):
        told = search_report(found, width).split("\n")
        rows = [line for line in told if "10 FP32, 10 INT8" in line or "10 INT8, 10 FP32" in line]
        assert len(rows) == 1
        assert "0.382 [0.092, 1.581]" in rows[0]
        assert len(rows[0]) <= width
        head = next(line for line in told if line.startswith("units in"))
        assert len(head.replace("units in", "units_in").split()) == heads


@pytest.mark.parametrize("width", [40, 61, 76, 100])
def test_layers_have_their_figures_whole_and_names_lose_their_middle(width: int):
    """Beside the picture at 120 columns `KL 2.8e-05` was `KL 2.8e-`."""
    long = "/layer3/layer3.2/conv2/Conv_with_a_long_name"
    units = tuple(SearchUnit(unit=f"{long}{n}", format="int8", kl=2.8e-05, sqnr_db=None) for n in range(2))
    found = msgspec.structs.replace(_found(LONG), over="formats", sensitivity=units)
    told = [line for line in search_report(found, width).split("\n") if "int8  " in line and "KL" in line]
    assert [line.endswith("KL 2.8e-05") for line in told] == [True, True]
    assert all(len(line) <= width and "…" in line for line in told)
    assert ["0  " in told[0], "1  " in told[1]] == [True, True]
