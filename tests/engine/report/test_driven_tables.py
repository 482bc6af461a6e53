"""A row a board for whole searches and sweeps: what was chosen, what is unknown, and why."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.report.driven_tables import searched_table, swept_table
from edgetui.engine.report.fleet_table import outcome_table
from edgetui.engine.report.table import plain
from edgetui.engine.report.width import width_of
from edgetui.engine.schema.failure import Failure
from edgetui.engine.schema.figures import Difference, Latency, Metrics, Ratio
from edgetui.engine.schema.fleet import BoardOutcome, FleetOutcome
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.search import CandidateChecked, SearchChoice, SearchDocument, SearchPoint
from edgetui.engine.schema.stamps import RecipeStamp
from edgetui.engine.schema.sweep import SweepReport, SweepRow, SweptFigure

SEARCHED = SearchDocument(
    search="20261201-search-resnet20",
    state="done",
    goal="least-energy drop<=0.01",
    choice=SearchChoice(recipe="", run="r-7"),
    built=(
        SearchPoint(formats={"int8": 61}, measured=Ratio(value=0.39, low=0.38, high=0.40), run="r-1"),
        SearchPoint(formats={"fp32": 8, "int8": 53}, measured=Ratio(value=0.436, low=0.43, high=0.442), run="r-7"),
    ),
    held_out=CandidateChecked(of=("int8",), half="B", difference=Ratio(value=-0.0036, low=-0.009, high=0.0018)),
    checks=6,
    builds=5,
    why="53 units in INT8 keep it",
)
GONE = BoardOutcome(on="nano", board="nano", error=Failure(stage="", what="its disk is full", fix="free some"))


@pytest.mark.parametrize("width", [80, 160])
def test_what_a_search_chose_stands_with_its_cost_and_what_the_held_out_half_says(width):
    told = searched_table(FleetOutcome(on=(BoardOutcome(on="orin", board="orin", search=SEARCHED), GONE)), width, plain)
    assert "energy of FP32's" in told
    assert "nano: its disk is full" in told
    row = next(line for line in told.splitlines() if line.startswith("orin "))
    for part in ("53 INT8, 8 FP32", "0.436 [0.430, 0.442]"):
        assert all(word in told for word in part.split())
    assert row.split()[0] == "orin"
    nano = next(line for line in told.splitlines() if line.startswith("nano"))
    assert set(nano.removeprefix("nano").split()) == {"–"}
    assert "53 units in INT8 keep it" in " ".join(told.split())
    assert all(len(line) <= width for line in told.splitlines())


def test_the_choice_of_nothing_is_no_choice_and_fp32_is_one():
    none = SearchDocument(search="s", state="done", goal="", why="nothing serves it")
    plain_fp32 = SearchDocument(search="s", state="done", goal="", choice=SearchChoice(recipe="", run=None))
    told = searched_table(
        FleetOutcome(on=(BoardOutcome(on="a", board="a", search=none), BoardOutcome(on="b", board="b", search=plain_fp32))),
        100,
        plain,
    ).splitlines()
    assert [line.split()[:2] for line in told if line[:2] in ("a ", "b ")] == [["a", "none"], ["b", "FP32"]]


def test_each_boards_cheapest_row_or_that_there_is_none():
    row = SweepRow(mode="15W", batch=1, fps=41.2, latency_ms=24.3, power_w=7.9, energy_j_per_inference=SweptFigure(value=0.192))
    done = SweepReport(sweep="s1", rows=(row,), answer=row, why="the cheapest that reaches it")
    short = SweepReport(sweep="s2", rows=(row,), why="no row reaches fps>=60")
    told = swept_table(
        FleetOutcome(on=(BoardOutcome(on="a", board="a", sweep=done), BoardOutcome(on="b", board="b", sweep=short), GONE)),
        100,
        plain,
    ).splitlines()
    rows = {line.split()[0]: line for line in told if line.split()[0] in ("a", "b", "nano")}
    assert "15W" in rows["a"]
    assert "7.90 W" in rows["a"] or "7.9 W" in rows["a"]
    assert rows["b"].split()[1] == "none"
    assert any("no row reaches" in line for line in told)


def test_a_table_of_runs_says_where_they_were_trained_once():
    result = Result(run="r", state="done", recipe=RecipeStamp(name="qat"), trained_on="shop")
    here = Result(run="s", state="done", recipe=RecipeStamp(name="int8"))
    outcomes = tuple(BoardOutcome(on=name, board=name, runs=(result, here)) for name in ("nano", "orin"))
    lines = outcome_table(FleetOutcome(on=outcomes), 120, plain).splitlines()
    assert lines[-1] == "qat: trained on shop"
    assert len(lines) == 6


def outcomes_of_one() -> FleetOutcome:
    ratio = Ratio(value=0.531, low=0.435, high=0.649)
    result = Result(
        run="r",
        state="done",
        recipe=RecipeStamp(name="int8"),
        difference=Difference(latency_ratio=ratio),
        baseline=Metrics(latency_ms=Latency(mean=4.2)),
        candidate=Metrics(latency_ms=Latency(mean=2.2)),
        verdict={"latency": "faster"},
    )
    return FleetOutcome(on=(BoardOutcome(on="one", board="one", runs=(result,)), GONE))


@pytest.mark.parametrize("width", [40, 60, 72, 80, 160])
def test_what_runs_gave_stands_whole_at_every_width(width: int):
    lines = outcome_table(outcomes_of_one(), width, plain).splitlines()
    assert all(width_of(line) <= width for line in lines), lines
    told = " ".join("\n".join(lines).split())
    for word in ("one", "int8", "×0.531", "faster", "nano"):
        assert word in told
    assert "4.2 ms" in told
    assert "energy" not in told, "nothing is known of it on any board"


@pytest.mark.parametrize(("lost", "shown"), [(-0.0004, "0.0"), (-0.0006, "-0.1"), (0.0004, "0.0")])
def test_a_difference_that_rounds_to_zero_has_no_minus(make, lost, shown):
    run = make()
    run = msgspec.structs.replace(run, difference=msgspec.structs.replace(run.difference, top1_points=Ratio(value=lost)))
    told = outcome_table(FleetOutcome(on=(BoardOutcome(on="orin", board="orin", runs=(run,)),)), 160, plain)
    assert shown in told.split()
