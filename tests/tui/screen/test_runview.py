"""A run's events folded into what panes show, and the rows that are made of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edgetui.engine.advice.verdict import verdict_words
from edgetui.engine.schema import events as ev
from edgetui.engine.schema.result import StageFigures
from edgetui.tui.panes.run_rows import (
    bar_rows,
    fitting_rows,
    learning_rows,
    run_lines,
    share_done,
    stage_rows,
    stages_row,
    strip_lines,
    verdict_lines,
)
from edgetui.tui.panes.telemetry import mark_at
from edgetui.tui.runview import RunView
from edgetui.tui.widgets.chart import DOTTED, SOLID
from told_runs import STAGES, outcome, went


def told(said: list[ev.AnyEvent]) -> RunView:
    view = RunView("r")
    for event in said:
        view.take(event)
    return view


def text(lines: list) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def test_a_model_is_known_whatever_its_name_holds():
    view = RunView("r", "day · night", "")
    assert (view.model, view.recipe, view.title) == ("day · night", "", "day · night · recipe")


def test_in_the_middle_of_measuring():
    view = told(went(to="measure"))
    assert [stage.state for stage in view.stages.values()] == ["done"] * 7 + ["going"]
    assert view.measuring
    assert share_done(view) == 19 / 28
    shown = text(run_lines(view, 120))
    for word in ("✓ inspect 0.4 s", "✓ normalise cached", "▶ measure", "19 of 28 pairs", "FP32", "2.50 ms", "1.20 ms", "0.480"):
        assert word in shown


def test_windows_of_one_variant_are_marked_and_those_of_all_are_not():
    view = told(
        [
            ev.MeasuredWindow(stage="measure", begin_s=10.0),
            ev.MeasuredWindow(stage="measure", begin_s=10.0, end_s=20.0),
            ev.MeasuredWindow(stage="energy", side="baseline", begin_s=30.0),
            ev.MeasuredWindow(stage="energy", side="baseline", begin_s=30.0, end_s=32.0),
            ev.MeasuredWindow(stage="energy", side="candidate", begin_s=33.0),
        ]
    )
    first, second = view.bars()
    assert first == (30.0, 32.0, True)
    assert (second.begin_s, second.solid) == (33.0, False)
    assert [mark_at(view.bars(), t_s) for t_s in (29.9, 31.0, 32.5, 33.1, 900.0)] == [0, SOLID, 0, DOTTED, DOTTED]


def test_without_a_total_the_boards_history_says_how_far():
    view = told([ev.RunBegan(stages=("build",)), ev.StageBegan(stage="build", eta_s=1e9)])
    assert share_done(view) is not None
    assert "of about" in text(bar_rows(view, 120))
    unknown = told([ev.RunBegan(stages=("build",)), ev.StageBegan(stage="build")])
    assert share_done(unknown) is None
    assert "%" not in text(bar_rows(unknown, 120))


def test_progress_never_goes_back_within_a_stage():
    view = told([ev.RunBegan(stages=("build", "verify")), ev.StageBegan(stage="build", eta_s=1e9)])
    seen = []
    for done, total in ((0, 2), (80, 100), (None, None), (1, 2), (10, 100), (3, 4), (95, 100)):
        view.take(ev.Progress(stage="build", done=done or 0, total=total))
        seen.append(share_done(view))
    assert seen == sorted(seen)
    assert seen[-1] == 0.95
    assert " 95 %" in text(bar_rows(view, 120))
    view.take(ev.StageEnded(stage="build"))
    view.take(ev.StageBegan(stage="verify"))
    assert share_done(view) is None


def begun(ago_s: float, eta_s: float | None) -> RunView:
    """A stage that has gone for so long."""
    view = told([ev.RunBegan(stages=("build",)), ev.StageBegan(stage="build", eta_s=eta_s)])
    view.take(ev.Note(stage="build", t=ago_s, text="so late is it"))
    return view


def test_the_time_in_all_is_of_the_share_that_is_done_once_the_estimate_is_short():
    view = begun(1000.0, 1000.5)
    assert " of about 1000 s" in text(bar_rows(begun(500.0, 1000.5), 120))
    view.take(ev.Progress(stage="build", t=1000.0, done=29, total=100))
    assert " 29 %   1000 s of about 3448 s" in text(bar_rows(view, 120))
    assert view.stage_takes_s() == pytest.approx(3448, abs=5)


def test_past_the_estimate_nothing_is_said_of_what_is_left_without_a_share_that_tells_it():
    for progress in (ev.Progress(stage="build", t=1000.0), ev.Progress(stage="build", t=1000.0, done=0, total=9)):
        view = begun(1000.0, 5.0)
        view.take(progress)
        shown = text(bar_rows(view, 120))
        assert "1000 s" in shown
        assert "about" not in shown
    again = begun(1000.0, 5.0)
    for done in (90, 10):  # what counts anew says nothing of the whole
        again.take(ev.Progress(stage="build", t=1000.0, done=done, total=100))
    assert "about" not in text(bar_rows(again, 120))


def test_a_done_run_with_cut_events_shows_no_stage_at_work():
    view = told(went(to="measure"))
    stages = tuple(StageFigures(name=name, seconds=1.5) for name in STAGES)
    view.end(msgspec.structs.replace(outcome("r", Path("/m.onnx"), "done"), stages=stages))
    assert {stage.state for stage in view.stages.values()} == {"done"}
    shown = text(run_lines(view, 120))
    assert "✓ measure 1.5 s" in shown
    assert "▶" not in shown


@pytest.mark.parametrize("state", ["cancelled", "crashed"])
def test_the_stage_in_which_a_run_was_ended_is_not_at_work(state: str):
    view = told(went(to="measure"))
    view.end(msgspec.structs.replace(outcome("r", Path("/m.onnx"), "done"), state=state))
    assert "– measure" in text(run_lines(view, 120))
    assert "▶" not in text(strip_lines(view, 120))


def test_a_run_that_waits_says_who_has_the_board_and_how_many_come_before():
    view = told([ev.RunBegan(stages=STAGES), ev.Queued(waiting_for="next-run", holder="other-run", before=2)])
    assert "queued  2 others wait before it; other-run has the board" in text(run_lines(view, 100))
    view.take(ev.Queued(waiting_for="other-run", holder="other-run"))
    assert "queued  other-run has the board" in text(run_lines(view, 100))
    view.take(ev.Queued(waiting_for="other-run", to_end=True))
    assert "queued  it begins when other-run has ended well" in text(run_lines(view, 100))
    view.take(ev.StageBegan(stage="inspect"))
    assert "queued" not in text(run_lines(view, 100))


def test_a_run_taken_up_again_begins_anew_but_keeps_its_log():
    view = told([*went(to="failed"), ev.RunBegan(stages=STAGES, resumed=True)])
    assert view.state == ""
    assert view.failure is None
    assert {stage.state for stage in view.stages.values()} == {"waiting"}
    assert "taken up again" in [line.text for line in view.log]
    assert "it was killed; give it more memory" in [line.text for line in view.log]


@pytest.mark.parametrize(
    "anew", [ev.RunBegan(stages=STAGES, resumed=True), ev.StageBegan(stage="measure")], ids=["resumed", "begun anew"]
)
def test_figures_of_a_measurement_that_was_cut_off_are_not_of_the_next(anew: ev.AnyEvent):
    view = told(went(to="measure"))
    assert "so far" in text(run_lines(view, 120))
    view.take(anew)
    assert not view.sides
    assert "so far" not in text(run_lines(view, 120))
    view.take(ev.StageBegan(stage="measure"))
    view.take(ev.Reading(side="baseline", latency_ms=7.5, mean_ms=7.5))
    view.take(ev.StageBegan(stage="evaluate"))
    assert "7.50 ms" in text(run_lines(view, 120)), "the next stage leaves them"


def test_the_verdict_is_said_in_words_that_need_no_colour(model):
    lines = text(verdict_lines(outcome("r", model), 200))
    assert "▲ faster  0.480 [0.470, 0.490] of the time" in lines
    assert "▲ smaller" in lines
    assert "= top-1: no difference shown  0.810 → 0.800" in lines


def test_the_verdict_calls_metrics_by_words_and_not_by_keys(model):
    verdict = {
        "map": "worse",
        "frame": "faster",
        "oks_map": "better",
        "mae": "nearer",
        "f1": "worse",
        "not_known_here": "worse",
    }
    lines = text(verdict_lines(msgspec.structs.replace(outcome("r", model), verdict=verdict), 400))
    for words in ("mAP50-95: worse", "whole frame: faster", "OKS mAP: better", "mean absolute error: nearer", "F1: worse"):
        assert words in lines
    assert "not known here: worse" in lines
    spoken = verdict_words(verdict)
    assert "whole frame faster" in spoken
    assert "mAP50-95 worse" in spoken


def test_a_worse_verdict_points_down(model):
    worse = msgspec.structs.replace(outcome("r", model), verdict={"latency": "slower"})
    assert "▼ slower" in text(verdict_lines(worse, 200))


@pytest.mark.parametrize("ruined", ["", "the outputs are ruined"])
def test_rows_fit_the_width(model, ruined):
    view = told(went())
    done = outcome("r", model)
    view.result, view.state = (
        msgspec.structs.replace(done, fidelity=msgspec.structs.replace(done.fidelity, ruined=ruined)),
        "done",
    )
    assert ("▼ outputs ruined" in text(verdict_lines(view.result, 200))) == bool(ruined)
    for width in (58, 78, 118, 158):
        for line in (*run_lines(view, width), *strip_lines(view, width)):
            words = "".join(part for part, _ in line)
            assert len(words.rstrip()) <= width, words
    assert len(stage_rows(list(view.stages.values()), 58)) > len(stage_rows(list(view.stages.values()), 158))


@pytest.mark.parametrize("width", [58, 78, 118, 158])
def test_stages_stand_still_while_a_run_goes(width: int):
    """The row of the bar went down as times came beside the stages, and all of them to the right."""
    places = set()
    for end in range(2, len(went())):
        view = told(went()[:end])
        rows = [text([line]) for line in run_lines(view, width)]
        names = ("inspect", "normalise", "lower", "build", "verify")
        at = [next((n, row.index(name)) for n, row in enumerate(rows) if name in row) for name in names]
        places.add((*at, next(n for n, row in enumerate(rows) if "░" in row)))
        if view.sides:
            break
    assert len(places) == 1


@pytest.mark.parametrize("height", range(6, 16))
@pytest.mark.parametrize("width", [78, 118, 158])
def test_the_bar_stays_in_its_row_when_readings_come(width: int, height: int):
    """At 120x36 it went up by two rows, as blank ones made place for the table."""
    rows = set()
    for end in range(9, len(went())):
        view = told(went()[:end])
        shown = [text([line]) for line in fitting_rows(view, [view, view], None, width, height)]
        rows.add(next(n for n, row in enumerate(shown) if "░" in row))
        if len(view.sides) > 1:
            break
    assert view.sides
    assert len(rows) == 1


def test_where_rows_are_few_the_verdict_and_both_sides_come_first(model):
    view = told(went())
    view.result, view.state = outcome("r", model), "done"
    everything = run_lines(view, 118)
    assert fitting_rows(view, [view], None, 118, 40) == everything
    for height in (7, 8, 9):
        shown = text(fitting_rows(view, [view], None, 118, height)[:height])
        for word in ("faster", "FP32", "candidate", "ratio"):
            assert word in shown, (height, shown)
    assert "✓ 5 stages 11 s, 1 cached" in text([stages_row(list(view.stages.values()), 90)])
    few = fitting_rows(view, [view], None, 118, 7)
    assert {line for line in everything if line and "✓" not in text([line])} <= set(few), "the rest is there to scroll to"


@pytest.mark.parametrize("height", [6, 8])
def test_of_a_run_at_work_the_stage_its_bar_and_both_sides_have_room(height: int):
    view = told(went(to="measure"))
    shown = text(fitting_rows(view, [view], None, 78, height)[:height])
    for word in ("▶ measure", "68 %", "19 of 28 pairs", "FP32", "candidate"):
        assert word in shown, shown


def test_the_strip_says_whose_verdict_it_shows(model):
    view = told(went())
    view.result, view.state = outcome("r", model), "done"
    view.title = "tiny · both"
    low, high = text(strip_lines(view, 78)), text(strip_lines(view, 98, 7, "2 of 3"))
    assert "tiny · both" in low
    assert "faster" in low
    assert "candidate" not in low
    for word in ("tiny · both   2 of 3", "faster", "FP32", "candidate", "ratio"):
        assert word in high
    going = told(went(to="measure"))
    assert len(strip_lines(going, 78)) <= 3
    assert "▶ measure" in text(strip_lines(going, 78))


def test_the_narrow_table_keeps_what_matters_most(model):
    view = told(went())
    view.result, view.state = outcome("r", model), "done"
    narrow = text(run_lines(view, 62))
    assert "mean" in narrow
    assert "top-1" in narrow
    assert "first" not in narrow
    assert "first" in text(run_lines(view, 158))


def training(*learnt: ev.Learning) -> RunView:
    """A run in the middle of a training."""
    began = [ev.RunBegan(stages=("inspect", "train.distill", "lower"), pid=1), ev.StageBegan(stage="train.distill")]
    return told(
        [*began, ev.Progress(stage="train.distill", done=700, total=1800, text="samples, epoch 2 of 5, loss 0.4"), *learnt]
    )


def epoch(number: int, *, ended: bool = True, best: int = 1, right: float | None = 0.8125) -> ev.Learning:
    figures = {"loss": 1 / number, "held_loss": 2 / number, "accuracy": right, "held_accuracy": right}
    return ev.Learning(stage="train.distill", epoch=number, epochs=12, best=best, ended=ended, **figures)


def test_a_training_shows_its_epochs():
    ended = [epoch(number, best=number) for number in range(1, 8)]
    view = training(*ended, epoch(8, ended=False, best=7))
    rows = text(run_lines(view, 78)).splitlines()
    table = rows[rows.index(next(row for row in rows if "held out: loss" in row)) :]
    assert [row.split()[0:2] for row in table[1:]] == [
        ["epoch", "4"],
        ["epoch", "5"],
        ["epoch", "6"],
        ["✓epoch", "7"],
        ["epoch", "8"],
    ]
    assert table[-1].split() == ["epoch", "8", "of", "12", "0.125", "81.2", "%", "0.250", "81.2", "%"]
    assert "700 of 1800 samples, epoch 2 of 5" in text(run_lines(view, 78))
    assert text(strip_lines(view, 78)).splitlines()[-1] == table[-1]


def test_what_nobody_says_of_a_training_is_a_dash():
    view = training(ev.Learning(stage="train.distill", epoch=1, epochs=3, loss=2.5))
    assert text(run_lines(view, 78)).splitlines()[-1].split() == ["epoch", "1", "of", "3", "2.500", "–", "–", "–"]


def test_the_epochs_go_when_the_training_has_ended():
    ended = training(epoch(1))
    ended.take(ev.StageEnded(stage="train.distill", seconds=3))
    assert "held out" not in text(run_lines(ended, 78))
    ended.take(ev.StageBegan(stage="lower"))
    assert ended.learning is None
    assert not ended.epochs


def test_epochs_fit_the_narrowest_pane():
    rows = learning_rows(training(*(epoch(number) for number in range(97, 101)), epoch(101, ended=False)))
    assert len(rows) == 6
    assert max(len("".join(part for part, _ in row)) for row in rows) <= 58
