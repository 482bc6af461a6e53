"""Columns of the list of runs: a figure stands whole or not at all."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.schema.figures import Difference, Ratio
from edgetui.engine.schema.run_summary import RunSummary
from edgetui.tui.screens.run_columns import FIGURES, Room, about, laid_out, queue_words, verdict_of


@pytest.mark.parametrize("width", [80, 90, 100, 120, 160, 200])
def test_figures_are_never_cut(width: int) -> None:
    difference = Difference(top1_points=Ratio(value=-0.0123, low=-0.02, high=-0.004), size_ratio=0.278)
    run = RunSummary(run="r", state="done", model="resnet20_cifar10.onnx", recipe="prune-50-repair", difference=difference)
    room, columns = laid_out([run], Room(width))
    shown = {each.column.head: each.width for each in columns}
    assert "model" in shown
    for head, column in FIGURES.items():
        if head in shown:
            assert len(column.text(run, room)) <= shown[head], head


def test_a_detector_among_classifiers_takes_no_column_from_a_list_of_100() -> None:
    """`mAP50-95 0.466` in the column of top-1 cost the one of the time that a run took."""
    began = "2026-11-20T23:11:00+00:00"
    ratio = Difference(latency_ratio=Ratio(value=0.512))
    runs = [
        RunSummary(
            run=name,
            state="done",
            model="resnet20_cifar10.onnx",
            recipe="prune-30-int8",
            began=began,
            seconds=84.0,
            difference=ratio,
            figures={figure: 0.466},
            verdict={"size": "smaller", "memory": "smaller"},
        )
        for name, figure in (("a", "top1"), ("b", "map50_95"), ("c", "oks_map"))
    ]
    assert {"took", "began", "top-1", "time ratio"} <= {each.column.head for each in laid_out(runs, Room(100))[1]}


@pytest.mark.parametrize("width", [120, 160, 200])
def test_columns_stand_still_while_a_run_goes_from_stage_to_stage(width: int) -> None:
    places = set()
    for state, stage in (("queued", ""), ("running", "inspect"), ("running", "measure"), ("running", "evaluate"), ("done", "")):
        run = RunSummary(run="r", state=state, stage=stage, model="net.onnx", recipe="int8", began="2026-11-20T23:11:00+00:00")
        run = msgspec.structs.replace(run, seconds=84.0 if state == "done" else None)
        room, fits = laid_out([run], Room(width))
        assert fits[0].column.text(run, room).endswith(stage or state)
        places.add(tuple((each.column.head, each.width) for each in fits))
    assert len(places) == 1


def test_the_stage_of_a_run_that_goes_is_whole_where_there_is_room() -> None:
    """At 80 columns it was `qua…int8` beside thirty blanks."""
    widths = set()
    for stage in ("inspect", "quantize.int8", "measure"):
        run = RunSummary(
            run="r", state="running", stage=stage, model="net.onnx", recipe="int8", began="2026-11-20T23:11:00+00:00"
        )
        state = laid_out([run], Room(80))[1][0]
        assert len(state.column.text(run, Room(80))) <= state.width
        widths.add(state.width)
    assert len(widths) == 1


def test_what_begins_after_a_run_is_told_from_what_waits_for_the_board() -> None:
    waits = RunSummary(run="r", state="queued", waiting_for="b")
    comes = RunSummary(run="r", state="queued", waiting_for="b", waits_for_end=True)
    assert [verdict_of(run, Room(100)) for run in (waits, comes)] == ["waits for b", "after b"]


def runs_of_names(**state: str) -> list[RunSummary]:
    began = "2026-11-20T23:11:00+00:00"
    ratio = Difference(latency_ratio=Ratio(value=0.512), size_ratio=0.278)
    verdict = {"latency": "faster", "size": "smaller", "memory": "smaller"}
    model = "resnet20_cifar10.onnx"
    done = [
        RunSummary(
            run=recipe,
            state="done",
            model=model,
            recipe=recipe,
            began=began,
            seconds=84.0,
            difference=ratio,
            figures={"top1": 0.916},
            verdict=verdict,
        )
        for recipe in ("int8", "prune-30-int8", "prune-50-repair")
    ]
    return [*done, RunSummary(run="r", model=model, recipe="int8", began=began, **state)] if state else done  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [90, 97, 100, 110, 120, 160])
def test_names_are_whole_where_columns_are_blank(width: int) -> None:
    """At 97 columns `prune-…8 2/2` stood beside 24 blank ones, at 100 both names and the verdict were cut."""
    runs = runs_of_names()
    place = {run.run: f" {n}/3" for n, run in enumerate(runs, 1)}
    room, columns = laid_out(runs, Room(width, place=place))
    for column in (fit for fit in columns if fit.column.head in ("model", "recipe")):
        assert column.width >= max(len(column.column.text(run, room)) for run in runs), column
    if width >= 100:
        verdicts = width - 3 - sum(fit.width + len(room.gap) for fit in columns)
        assert verdicts >= 24


@pytest.mark.parametrize("width", [80, 90, 97, 100, 110, 120, 160])
def test_among_others_columns_stand_still_from_stage_to_stage(width: int) -> None:
    """From `evaluate` to `measure` the first column lost one, and all others went with it."""
    places = set()
    pasts = (("inspect", None), ("quantize.int8", 5.0), ("measure", 34.0), ("evaluate", 119.0), ("prune.channels", 3300.0))
    for stage, took_s in pasts:
        runs = runs_of_names(state="running", stage=stage)
        runs[-1] = msgspec.structs.replace(runs[-1], seconds=took_s)
        places.add(tuple((fit.column.head, fit.width) for fit in laid_out(runs, Room(width))[1]))
    assert len(places) == 1


def test_what_waits_says_its_place_in_a_narrow_list_and_for_whom_at_its_foot() -> None:
    waits = RunSummary(run="r", state="queued", waiting_for="20261120-2311-resnet20-int8")
    room = Room(80, waits={"r": 3})
    assert verdict_of(waits, room) == "waits, 3rd"
    assert about(waits, room)[0] == "waits, 3rd, for 20261120-2311-resnet20-int8"


@pytest.mark.parametrize("rows", [4, 9])
def test_of_a_long_queue_what_is_around_the_moved_run_is_told(rows: int) -> None:
    """Twelve rows of it lay over the list, and their end was lost."""
    waiting = [f"run-{n}" for n in range(1, 1201)]
    for moved in ("run-1", "run-7", "run-1199", "run-1200"):
        told = queue_words(waiting, [moved], rows).split("\n")
        assert len(told) == rows
        assert f"{moved.removeprefix('run-')}. {moved}" in told
        assert told[-1] == f"and {'1 197' if rows == 4 else '1 192'} more that wait"
    assert queue_words(waiting[:3], ["run-2"], rows) == "1. run-1\n2. run-2\n3. run-3"
