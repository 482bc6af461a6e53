"""Two plans that are one win only where that is shown; where a plan alone is as good and as cheap it is named."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.escalated import front_places
from edgetui.engine.advice.forecast import size_after
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.advice.sentences import verdict_sentence
from edgetui.engine.advice.workload_needs import refuse_workload
from edgetui.engine.errors import BackendRefused, RecipeRefused
from edgetui.engine.report.method import method
from edgetui.engine.report.text import run_report
from edgetui.engine.schema.figures import Escalation, PlanAlone, Ratio
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.settings import BackendSettings, TensorRtSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import Adaptive, PruneMagnitude, QuantizeInt8, Recipe


def about(value: float, half: float = 0.01) -> Ratio:
    return Ratio(value=value, low=value - half, high=value + half, interleaved=True)


def alone(ratio: Ratio, points: Ratio | None, energy: Ratio | None = None) -> PlanAlone:
    return PlanAlone(
        latency_ms=1.0, latency_half_width_ms=0.01, latency_ratio=ratio, quality=0.8, quality_points=points, energy_ratio=energy
    )


def told(narrow: PlanAlone, wide: PlanAlone, **more: object) -> Escalation:
    return Escalation(
        share=0.123,
        share_low=0.11,
        share_high=0.137,
        n=5000,
        threshold=0.31,
        sure_by="margin",
        precision="float32",
        metric="accuracy",
        narrow=narrow,
        wide=wide,
        **more,  # type: ignore[arg-type]
    )


WINS = told(alone(about(1.3), about(0.006, 0.002)), alone(about(0.7), about(-0.001, 0.002)))


def run_with(make, escalation: Escalation):
    result = make("adaptive", 0.7)
    return msgspec.structs.replace(result, candidate=msgspec.structs.replace(result.candidate, escalation=escalation))


def test_it_beats_both_where_both_intervals_say_so(make):
    said = verdict_sentence(run_with(make, WINS))
    assert "12.3 % of inputs ran again in FP32" in said
    assert "beside INT8 alone 0.60 points better, 1.30 [1.29, 1.31] of its time" in said
    assert "beside FP32 alone 0.10 points worse (not shown), 0.700 [0.690, 0.710] of its time" in said
    assert "On the front of latency adaptive beats both plans." in said


@pytest.mark.parametrize(
    ("narrow", "wide", "by", "sentence"),
    [
        # INT8 slower than FP32 on this machine: both together are slower than FP32, and no better
        (
            alone(about(1.1), about(0.006)),
            alone(about(1.6), about(0.0)),
            "wide",
            "does not win: FP32 alone is as good and takes no more",
        ),
        # an advantage over FP32 that is none: its outputs are what they are made to agree with
        (
            alone(about(3.5), about(0.007)),
            alone(about(2.3), about(0.0002, 0.0015)),
            "wide",
            "does not win: FP32 alone is not shown to be worse and takes no more",
        ),
        (
            alone(about(1.2), about(0.0)),
            alone(about(0.7), about(-0.01)),
            "narrow",
            "does not win: INT8 alone is as good and takes no more",
        ),
        (alone(about(1.2), about(0.002, 0.004)), alone(about(0.7), about(-0.01)), "", "that it beats them is not shown"),
        (alone(about(1.2), about(0.006, 0.002)), alone(about(0.995), about(-0.01)), "", "that it beats them is not shown"),
    ],
)
def test_where_it_does_not_win_the_report_says_so(make, narrow, wide, by, sentence):
    escalation = told(narrow, wide)
    assert [(each.beaten_by, each.shown) for each in front_places(escalation)] == [(by, False)]
    result = run_with(make, escalation)
    assert sentence in verdict_sentence(result)
    found = compare([result])
    assert any(sentence in line for line in found.advice)
    assert found.choice == ("FP32" if by else "adaptive")
    assert ("adaptive is out: one of its two plans alone is as good and takes no more." in found.advice) == bool(by)


@pytest.mark.parametrize(
    ("goal", "less", "points", "serves"),
    [
        ("fastest", about(1.3), about(0.002, 0.004), True),
        ("fastest drop<=0.001", about(1.3), about(0.012, 0.004), False),
        ("fastest top1>=0.79", about(1.3), about(0.006, 0.002), True),
        ("fastest top1>=0.805", about(1.3), about(0.006, 0.002), False),
        ("fastest", about(1.0, 0.2), about(0.002, 0.004), False),
        ("smallest", about(1.3), about(0.002, 0.004), False),
    ],
)
def test_int8_alone_that_serves_a_goal_better_is_named(make, goal, less, points, serves):
    """No column stands for it in a run of adaptive alone, and `take adaptive` would not be the whole truth."""
    escalation = told(alone(less, points), alone(about(0.7), about(-0.01)))
    found = compare([run_with(make, escalation)], parse_goal(goal))
    assert any("INT8 alone, the first of its two plans, keeps what the goal asks" in line for line in found.advice) == serves


def test_energy_is_a_front_of_its_own(make):
    better, cheaper = about(0.006, 0.002), about(0.7)
    escalation = told(alone(about(1.3), better, about(1.4)), alone(cheaper, about(-0.001), about(0.8)))
    assert [(each.cost, each.beaten_by) for each in front_places(escalation)] == [("latency", ""), ("energy", "")]
    worse = told(alone(about(1.3), better, about(1.4)), alone(cheaper, about(0.0), about(1.1)))
    assert [each.beaten_by for each in front_places(worse)] == ["", "wide"]


def test_without_a_measure_of_quality_nothing_is_claimed(make):
    escalation = told(alone(about(1.3), None), alone(about(0.7), None))
    assert front_places(escalation) == []
    assert "front" not in verdict_sentence(run_with(make, escalation))


def test_share_threshold_and_both_plans_stand_in_the_table(make):
    shown = run_report(run_with(make, WINS), 200)
    assert "ran again, second plan" in shown
    assert "12.3 % [11.0, 13.7]" in shown
    assert "margin below 0.310" in shown
    assert "1.00 ms ± 0.01, 0.800" in shown
    assert "ran again" not in run_report(make(), 200)


def test_the_method_says_on_what_it_was_timed(make):
    escalation = msgspec.structs.replace(WINS, timed_samples=512, timed_share=0.124)
    told = dict(method(run_with(make, escalation)))
    assert "512 different samples in turn" in told["Two plans"]
    assert "12.4 % of the candidate's inferences" in told["Two plans"]
    assert "Two plans" not in dict(method(make()))


def test_what_limits_left_of_the_threshold_is_said(make):
    escalation = msgspec.structs.replace(WINS, limits={"deadline_ms": 2.0}, threshold_mean=0.12)
    assert "0.120 on average under its limits" in run_report(run_with(make, escalation), 200)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            (QuantizeInt8(), Adaptive(), PruneMagnitude(amount=0.1)),
            "adaptive is followed by prune.magnitude; put adaptive last",
        ),
        ((PruneMagnitude(amount=0.1), Adaptive()), "adaptive has no INT8 plan to begin with; put quantize.int8 before it"),
    ],
)
def test_it_is_the_last_step_behind_int8(steps, said):
    with pytest.raises(RecipeRefused) as caught:
        refuse_workload(RunSpec(model="/m.onnx", recipe=Recipe(step=steps)))
    assert str(caught.value) == said


def test_plans_for_a_gpu_elsewhere_are_no_two_plans():
    elsewhere = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(target="sm_87"))
    with pytest.raises(BackendRefused, match="do not run here"):
        refuse_workload(RunSpec(model="/m.onnx", recipe=Recipe(step=(QuantizeInt8(), Adaptive())), backend=elsewhere))


@pytest.mark.parametrize(("precision", "bytes_each"), [("float32", 4), ("float16", 2)])
def test_the_forecast_counts_both_files(precision, bytes_each):
    weights = 100_000
    facts = ModelFacts(name="m", size_bytes=4 * weights, parameters=weights, prunable=weights)
    alone = size_after(Recipe(step=(QuantizeInt8(),)), facts)
    both = size_after(Recipe(step=(QuantizeInt8(), Adaptive(precision=precision))), facts)
    assert both - alone == bytes_each * weights
