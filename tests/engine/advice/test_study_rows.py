"""The rows of a study, from results: figures over the baseline with their intervals, means over repeats, reasons for dashes."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.study_choice import FORECAST, ORACLE, RULE, choice_rows, foretell, ranking_rows
from edgetui.engine.advice.study_rows import Gathered, mean_of, study_rows
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneChannels, QuantizeWeights, Recipe
from edgetui.engine.schema.study import (
    Study,
    StudyChoice,
    StudyExperiment,
    StudyGroup,
    StudyModel,
    StudyRanking,
    StudyRequest,
    StudyRow,
    StudyVariant,
)
from edgetui.engine.schema.workload_figures import Tracking, WorkloadFigures

MODEL = StudyModel(name="m", file="m.onnx", of="the paper's", weights="by hand")
VARIANTS = (StudyVariant(name="FP32"), StudyVariant(name="small", recipe="weights-8"), StudyVariant(name="fast", recipe="c"))


def asked(*rows: StudyRow, repeats: int = 1, **parts: object) -> StudyRequest:
    study = Study(
        title="t",
        model=(MODEL,),
        variant=VARIANTS,
        experiment=(StudyExperiment(name="e", repeats=repeats, workload="paced:30"),),
        row=rows,
        **parts,  # type: ignore[arg-type]
    )
    return StudyRequest(study=study, models=(MODEL,))


def found(*repeats: dict, left: dict[str, str] | None = None, going: bool = False) -> dict:
    return {("e", "m"): Gathered(repeats=repeats, left_out=left or {}, going=going)}


def row(metric: str, show: str = "value", **more: object) -> StudyRow:
    return StudyRow(figure="f", experiment="e", metric=metric, show=show, **more)  # type: ignore[arg-type]


def cells(study_row: StudyRow, experiments: dict, repeats: int = 1) -> dict:
    (only,) = study_rows(asked(study_row, repeats=repeats), experiments)
    return only.here


def test_a_row_says_model_weights_data_and_workload_and_the_papers_figures(make):
    (only,) = study_rows(asked(row("size", "change", paper={"small": -75.0})), found({"small": make(), "fast": make()}))
    assert (only.model, only.in_place_of, only.weights, only.data) == ("m", "the paper's", "by hand", "cifar10")
    assert only.workload == "paced 30 Hz"
    assert only.paper == {"FP32": None, "small": -75.0, "fast": None}


def test_change_of_a_ratio_has_the_interval_of_the_pair(make):
    here = cells(row("latency", "change"), found({"small": make(ratio=0.5)}))
    assert here["FP32"].value == 0
    assert here["small"].value == pytest.approx(-50)
    assert (here["small"].low, here["small"].high) == (pytest.approx(-50.6), pytest.approx(-49.4))
    assert here["fast"].reason == "there is no run of it"


@pytest.mark.parametrize(("metric", "value"), [("latency", -50), ("fps", 100)])
def test_an_interval_that_is_not_known_has_its_reason(make, metric, value):
    result = make(ratio=0.5)
    open_one = msgspec.structs.replace(result.difference, latency_ratio=Ratio(value=0.5, interleaved=True))
    result = msgspec.structs.replace(result, difference=open_one, reasons={"difference.latency_ratio.low": "too few rounds"})
    here = cells(row(metric, "change"), found({"small": result}))["small"]
    assert (here.value, here.low, here.reason) == (pytest.approx(value), None, "too few rounds")


def test_a_rate_is_one_over_its_metric_and_its_interval_turns_round(make):
    here = cells(row("fps", "change"), found({"small": make(ratio=0.5)}))
    assert here["small"].value == pytest.approx(100)
    assert here["small"].low == pytest.approx(100 * (1 / 0.506 - 1))
    assert here["small"].high == pytest.approx(100 * (1 / 0.494 - 1))
    times = cells(row("latency", "times"), found({"small": make(ratio=0.5)}))
    assert times["FP32"].value == 1
    times = times["small"]
    assert (times.value, times.low, times.high) == (2.0, pytest.approx(1 / 0.506), pytest.approx(1 / 0.494))


def test_values_are_of_both_sides_with_their_intervals(make):
    here = cells(row("latency"), found({"small": make(ratio=0.5)}))
    assert here["FP32"].value == pytest.approx(2.44)
    assert (here["FP32"].low, here["FP32"].high) == (pytest.approx(2.44 * 0.98), pytest.approx(2.44 * 1.02))
    assert here["small"].value == pytest.approx(1.22)
    rate = cells(row("fps"), found({"small": make(ratio=0.5)}))["small"]
    assert rate.low is not None
    assert rate.low < 1000 / 1.22 < rate.high


@pytest.mark.parametrize(("metric", "interval"), [("tracking", (40.0, 60.0)), ("tracking_never", (None, None))])
def test_an_interval_beside_a_figure_is_that_figures_alone(make, metric, interval):
    tracked = WorkloadFigures(kind="tracking", tracking_s=Tracking(mean=50.0, low=40.0, high=60.0, never=587, runs=1024))
    result = make()
    result = msgspec.structs.replace(result, candidate=msgspec.structs.replace(result.candidate, workload=tracked))
    here = cells(row(metric), found({"small": result}))["small"]
    assert (here.low, here.high) == interval


def test_points_are_the_paired_difference(make):
    here = cells(row("accuracy", "points"), found({"small": make(points=-0.02)}))
    assert (here["small"].value, here["small"].low, here["small"].high) == pytest.approx((-2.0, -2.4, -1.6))


def test_what_no_sensor_tells_is_a_dash_with_the_reason(make):
    told = make()
    told = msgspec.structs.replace(told, reasons={**told.reasons, "candidate.power_w.peak": "no power was measured"})
    here = cells(row("power", "change"), found({"small": told}))
    assert (here["small"].value, here["small"].reason) == (None, "no power was measured")


def test_what_is_left_out_failed_or_still_comes_says_so(make):
    failed = msgspec.structs.replace(make(), state="failed")
    here = cells(row("size"), found({"small": failed}, left={"fast": "it trains"}))
    assert here["small"].reason == "its run is failed"
    assert here["fast"].reason == "it trains"
    assert here["FP32"].value is None
    assert cells(row("size"), found({}, going=True))["small"].reason == "not measured yet"


@pytest.mark.parametrize(("metric", "field"), [("tracking", "tracking_ratio"), ("fps", "latency_ratio")])
def test_what_was_not_compared_has_no_change_though_both_sides_have_figures(make, metric, field):
    """A robot that reaches the person in 3 of 64 runs had a mean, and a change of 1.92 % stood in the table."""
    told = make()
    sides = {
        side: msgspec.structs.replace(
            getattr(told, side),
            workload=WorkloadFigures(tracking_s=Tracking(mean=mean, low=40.0, high=50.0, runs=64, never=61)),
        )
        for side, mean in (("baseline", 47.7), ("candidate", 48.6))
    }
    told = msgspec.structs.replace(told, **sides, difference=msgspec.structs.replace(told.difference, **{field: Ratio()}))
    told = msgspec.structs.replace(told, reasons={**told.reasons, f"difference.{field}.value": "in too few runs"})
    here = cells(row(metric, "change"), found({"small": told}))
    assert (here["small"].value, here["small"].reason) == (None, "in too few runs")
    assert cells(row(metric), found({"small": told}))["small"].value is not None


def test_repeats_have_a_mean_with_students_interval(make):
    runs = [{"small": make(ratio=ratio)} for ratio in (0.4, 0.5, 0.6)]
    here = cells(row("latency", "change"), found(*runs), repeats=3)["small"]
    assert here.value == pytest.approx(-50)
    half = 4.303 * 10 / 3**0.5
    assert (here.low, here.high) == (pytest.approx(-50 - half, rel=1e-3), pytest.approx(-50 + half, rel=1e-3))


def test_one_value_has_no_interval_over_repeats():
    assert mean_of([3.0]) == msgspec.structs.replace(mean_of([3.0]), low=None, high=None)


def with_top1(run, top1: float):
    accuracy = msgspec.structs.replace(run.candidate.accuracy, top1=top1)
    return msgspec.structs.replace(run, candidate=msgspec.structs.replace(run.candidate, accuracy=accuracy))


def test_ranks_are_by_each_metric_and_the_front_is_of_all(make):
    runs = {"small": with_top1(make(ratio=0.9, size=0.25), 0.7), "fast": with_top1(make(ratio=0.5, size=0.8), 0.6)}
    ranking = StudyRanking(experiment="e", metrics=("accuracy", "latency", "size"))
    rows = {each.figure: each.here for each in ranking_rows(asked(ranking=(ranking,)), found(runs))}
    assert {name: cell.value for name, cell in rows["rank by top-1"].items()} == {"small": 1, "fast": 2}
    assert {name: cell.value for name, cell in rows["rank by latency"].items()} == {"small": 2, "fast": 1}
    assert rows["mean rank"]["small"].value == pytest.approx(4 / 3)
    assert {cell.value for cell in rows["on the front of all of these"].values()} == {1.0}


def test_one_that_is_worse_in_all_is_not_on_the_front_and_equals_share_a_rank(make):
    good, bad = make(ratio=0.5, size=0.25), make(ratio=0.9, size=0.8, points=-0.2)
    ranking = StudyRanking(experiment="e", metrics=("accuracy", "latency", "size"))
    rows = {each.figure: each.here for each in ranking_rows(asked(ranking=(ranking,)), found({"small": good, "fast": bad}))}
    assert [cell.value for cell in rows["on the front of all of these"].values()] == [1.0, 0.0]
    rows = {each.figure: each.here for each in ranking_rows(asked(ranking=(ranking,)), found({"small": good, "fast": good}))}
    assert {cell.value for cell in rows["mean rank"].values()} == {1.5}
    lacking = found({"small": good}, left={"fast": "it trains"})
    rows = {each.figure: each.here for each in ranking_rows(asked(ranking=(ranking,)), lacking)}
    assert rows["mean rank"]["fast"].reason == "it trains"


CHOICE = StudyChoice(experiment="e", metrics=("size", "latency"), rule={"size": "small", "latency": "small"})


def test_regret_is_over_the_best_that_was_measured(make):
    runs = {"small": make(ratio=0.9, size=0.25), "fast": make(ratio=0.6, size=0.8)}
    size, latency = choice_rows(asked(choice=(CHOICE,)), found(runs))
    assert (size.here[RULE].choice, size.here[RULE].value) == ("small", 0.0)
    assert latency.here[ORACLE].choice == "fast"
    assert (latency.here[RULE].choice, latency.here[RULE].value) == ("small", pytest.approx(50))
    assert latency.here[FORECAST].reason == "it takes none"


def test_what_loses_too_much_is_no_choice_and_the_baseline_may_be_the_best(make):
    runs = {"small": make(ratio=0.5, points=-0.2), "fast": make(ratio=1.3, verdict="slower")}
    latency = choice_rows(asked(choice=(CHOICE,)), found(runs))[1]
    assert latency.here[ORACLE].choice == "FP32"
    assert latency.here[RULE].value is None
    assert "loses more" in latency.here[RULE].reason


def test_without_a_figure_nothing_is_chosen(make):
    energy = StudyChoice(experiment="e", metrics=("energy",), rule={"energy": "fast"})
    told = make()
    reasons = {**told.reasons, "baseline.energy_j_per_inference": "no power was measured"}
    (only,) = choice_rows(asked(choice=(energy,)), found({"fast": msgspec.structs.replace(told, reasons=reasons)}))
    assert only.here[ORACLE].value is None
    assert only.here[ORACLE].reason == "no power was measured"


def test_the_forecast_takes_by_what_steps_say():
    recipes = (Recipe(name="w", step=(QuantizeWeights(),)), Recipe(name="c", step=(PruneChannels(amount=0.25),)))
    specs = tuple(RunSpec(model="/m.onnx", recipe=recipe) for recipe in recipes)
    request = msgspec.structs.replace(
        asked(choice=(CHOICE,)), groups=(StudyGroup(experiment="e", model="m", variants=("small", "fast"), specs=specs),)
    )
    facts = ModelFacts(name="m", size_bytes=4_100, parameters=1000, nonzero=1000, prunable=1000, prunable_bytes=4000, scales=10)
    told = {each.metric: each.variant for each in foretell(request, {"m": facts})}
    assert told == {"size": "small", "latency": "fast"}
    slow = tuple(msgspec.structs.replace(spec, recipe=recipes[0]) for spec in specs)
    request = msgspec.structs.replace(request, groups=(msgspec.structs.replace(request.groups[0], specs=slow),))
    assert {each.metric: each.variant for each in foretell(request, {"m": facts})}["latency"] == "FP32"


def test_a_difference_is_no_ratio(make):
    """Change of an accuracy is over the baseline's accuracy, not the paired difference taken for a ratio."""
    here = cells(row("accuracy", "change"), found({"small": make(points=-0.081)}))
    assert here["small"].value == pytest.approx(-10)


def test_a_figure_over_another_experiments_says_which_is_missing(make):
    over = row("latency", "change", over="e")
    here = cells(over, found({"small": make(ratio=0.5)}))
    assert here["small"].value == pytest.approx(0), "over itself"
    assert (here["small"].low, here["small"].high) == (None, None)
    request = asked(row("latency", "change", over="other"))
    experiments = found({"small": make(ratio=0.5)})
    experiments["other", "m"] = Gathered(repeats=(), left_out={"small": "needs PyTorch"}, going=False)
    (only,) = study_rows(request, experiments)
    assert (only.here["small"].value, only.here["small"].reason) == (None, "needs PyTorch")
    assert only.here["FP32"].reason == "needs PyTorch", "its baseline is not run either"
