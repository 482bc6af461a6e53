"""Columns of the list of runs: a figure stands whole or not at all."""

from __future__ import annotations

import pytest
from edgetui.engine.schema.figures import Difference, Ratio
from edgetui.engine.schema.run_summary import RunSummary
from edgetui.tui.screens.run_columns import FIGURES, Room, fitted, verdict_of


@pytest.mark.parametrize("width", [80, 90, 100, 120, 160, 200])
def test_figures_are_never_cut(width: int) -> None:
    difference = Difference(top1_points=Ratio(value=-0.0123, low=-0.02, high=-0.004), size_ratio=0.278)
    run = RunSummary(run="r", state="done", model="resnet20_cifar10.onnx", recipe="prune-50-repair", difference=difference)
    room = Room(width)
    shown = {each.column.head: each.width for each in fitted([run], room)}
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
    assert {"took", "began", "top-1", "time ratio"} <= {each.column.head for each in fitted(runs, Room(100))}


@pytest.mark.parametrize("width", [120, 160, 200])
def test_columns_stand_still_while_a_run_goes_from_stage_to_stage(width: int) -> None:
    places = set()
    for state, stage in (("queued", ""), ("running", "inspect"), ("running", "measure"), ("running", "evaluate"), ("done", "")):
        run = RunSummary(run="r", state=state, stage=stage, model="net.onnx", recipe="int8", began="2026-11-20T23:11:00+00:00")
        fits = fitted([run], Room(width))
        assert fits[0].column.text(run, Room(width)).endswith(stage or state)
        places.add(tuple((each.column.head, each.width) for each in fits))
    assert len(places) == 1


def test_the_stage_of_a_run_that_goes_is_whole_where_there_is_room() -> None:
    """At 80 columns it was `qua…int8` beside thirty blanks."""
    widths = set()
    for stage in ("inspect", "quantize.int8", "measure"):
        run = RunSummary(
            run="r", state="running", stage=stage, model="net.onnx", recipe="int8", began="2026-11-20T23:11:00+00:00"
        )
        state = fitted([run], Room(80))[0]
        assert len(state.column.text(run, Room(80))) <= state.width
        widths.add(state.width)
    assert len(widths) == 1


def test_what_begins_after_a_run_is_told_from_what_waits_for_the_board() -> None:
    waits = RunSummary(run="r", state="queued", waiting_for="b")
    comes = RunSummary(run="r", state="queued", waiting_for="b", waits_for_end=True)
    assert [verdict_of(run, Room(100)) for run in (waits, comes)] == ["waits for b", "after b"]
