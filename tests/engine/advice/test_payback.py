"""What compressing costs, and when it has paid that back."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.payback import compress_joules, compress_seconds, payback, with_payback
from edgetui.engine.runs.outcome import judged
from edgetui.engine.schema.figures import Difference, Energy, Latency, Metrics, Ratio
from edgetui.engine.schema.result import Result, StageFigures
from edgetui.engine.schema.steps import STEPS


def took(**seconds: float | None) -> Result:
    return Result(run="r", state="done", stages=tuple(StageFigures(name=name, seconds=s) for name, s in seconds.items()))


@pytest.mark.parametrize("method", [*STEPS, *(f"{method}#2" for method in STEPS)])
def test_every_step_counts_and_so_do_lower_and_build(method):
    assert compress_seconds(took(inspect=50, normalise=60, **{method: 1.0}, lower=2.0, build=4.0, verify=70, measure=80)) == 7


def test_a_step_needs_no_dot_in_its_name(monkeypatch):
    monkeypatch.setitem(STEPS, "clip", next(iter(STEPS.values())))
    assert compress_seconds(took(clip=3.0, evaluate=9.0)) == 3


@pytest.mark.parametrize("state", ["failed", "cancelled", "crashed"])
def test_what_broke_off_before_its_plan_has_no_time(state):
    """The stage that failed is not among those that tell their time, and a sum of the others is no time to compress."""
    broken = msgspec.structs.replace(took(**{"prune.magnitude": 0.2}), state=state)
    found = payback(broken)
    assert (found.figures.compress_s, found.figures.compress_j) == (None, None)
    assert found.reasons["compress_s"] == found.reasons["compress_j"] == "the run ended before its plan was made"
    made = msgspec.structs.replace(took(**{"prune.magnitude": 0.2}, build=0.3), state=state)
    assert payback(made).figures.compress_s == 0.5


def test_what_no_stage_tells_is_not_known():
    assert compress_seconds(took(inspect=1.0, lower=None)) is None


def stages(**each: tuple[float | None, float | None]) -> tuple[StageFigures, ...]:
    return tuple(StageFigures(name=name, seconds=s, energy_j=j) for name, (s, j) in each.items())


def test_joules_of_compressing_are_those_of_its_stages():
    told = stages(inspect=(1.0, 99.0), lower=(2.0, 10.0), build=(8.0, 40.0), measure=(30.0, 500.0))
    assert compress_joules(Result(run="r", state="done", stages=told)) == 50.0


def test_a_stage_too_short_for_the_sensor_draws_what_the_others_do():
    told = stages(lower=(0.5, None), build=(9.5, 38.0))
    assert compress_joules(Result(run="r", state="done", stages=told)) == pytest.approx(40.0)


@pytest.mark.parametrize("told", [stages(lower=(1.0, None), build=(9.0, 36.0)), stages(lower=(1.0, None)), ()])
def test_joules_of_a_tenth_of_the_time_are_not_made_up(told):
    assert compress_joules(Result(run="r", state="done", stages=told)) is None


def saving(ms: float | None = 1.0, net: float | None = 0.002, ratios: tuple[float, float] = (0.5, 0.4)) -> Result:
    """A run that was done in 10 s and 50 J, of a baseline of 2 ms and 5 mJ."""

    def side(ms: float | None, net: float | None) -> Metrics:
        return Metrics(latency_ms=Latency(mean=ms), energy_j_per_inference=Energy(net=net))

    time, energy = (Ratio(value=value, low=value * 0.95, high=value * 1.05) for value in ratios)
    return judged(
        Result(
            run="r",
            state="done",
            stages=stages(lower=(2.0, 10.0), build=(8.0, 40.0)),
            baseline=side(2.0, 0.005),
            candidate=side(ms, net),
            difference=Difference(latency_ratio=time, energy_ratio=energy if net is not None else None),
        )
    )


def test_it_pays_back_in_time_and_in_energy():
    found = saving()
    assert found.payback.by_time == pytest.approx(10_000)
    assert found.payback.by_energy == pytest.approx(50 / 0.003)
    assert not [path for path in found.reasons if path.startswith("payback")]
    rows = {row.label: row.cells[1] for row in compare([found]).rows}
    assert rows["time to compress"] == "10 s, 50.0 J"
    assert (rows["pays back after"], rows["in energy"]) == ("10 000 inferences", "17 000 inferences")
    said = "Compressing it has paid back after 10 000 inferences in time and after 17 000 inferences in energy."
    assert said in compare([found]).advice


@pytest.mark.parametrize(
    ("ratios", "begin", "cell"), [((1.0, 1.0), "the", "not shown to"), ((1.2, 1.3), "never: the", "never")]
)
def test_what_is_not_shown_to_save_anything_never_pays_back(ratios, begin, cell):
    found = saving(ratios=ratios)
    assert (found.payback.by_time, found.payback.by_energy) == (None, None)
    assert payback(found).never == {"by_time", "by_energy"}
    assert found.reasons["payback.by_energy"].startswith(f"{begin} candidate is not shown to save energy")
    assert {row.label: row.cells[1] for row in compare([found]).rows}["in energy"] == cell


def test_without_joules_of_an_inference_there_is_no_payback_in_energy():
    found = saving(net=None)
    assert found.payback.by_energy is None
    assert found.reasons["payback.by_energy"] == "no energy an inference was measured"
    assert "in energy" not in {row.label for row in compare([found]).rows}


def test_where_a_stage_has_no_joules_its_reason_is_said():
    told = stages(lower=(2.0, 10.0), build=(8.0, None))
    reasons = {"stages.1.energy_j": "no sensor told the power meanwhile", "payback.by_time": "of an older look"}
    found = with_payback(msgspec.structs.replace(saving(), stages=told, reasons=reasons))
    assert found.payback.compress_s == 10
    assert found.reasons["payback.compress_j"] == "build: no sensor told the power meanwhile"
    assert found.reasons["payback.by_energy"] == "what compressing took in energy is not known"
    assert "payback.by_time" not in found.reasons
