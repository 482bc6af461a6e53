"""`adaptive` through whole runs on the demo: two plans, their rule, the share that ran again, and each plan alone beside."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edgetui.engine.report.text import run_report
from edgetui.engine.schema.escalation import decode_rule
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.schema.steps import Adaptive, QuantizeInt8, Recipe
from laid_boards import write_files
from powered_boards import DEMO, PoweredBoard

DATA = Dataset(kind="npz", path=str(DEMO / "digits.npz"))


def adaptive(spec, **fields):
    recipe = Recipe(name="two", step=(QuantizeInt8(samples=64), Adaptive(samples=200, **fields)))
    return msgspec.structs.replace(spec, recipe=recipe, dataset=DATA)


async def done(engine, spec):
    run = await engine.submit(spec)
    said = [event async for event in engine.watch(run)]
    result = await engine.result(run)
    assert (result.state, result.error) == ("done", None), said[-3:]
    return result


@pytest.mark.long
async def test_two_plans_are_one_candidate(engine, spec, monkeypatch):
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.05")
    result = await done(engine, adaptive(spec, threshold=0.9))
    told, artifacts = result.candidate.escalation, result.artifacts
    rule = decode_rule(Path(artifacts["adaptive"]).read_bytes(), "adaptive.json")
    assert (rule.threshold, rule.fitted) == (0.9, None)
    assert {rule.narrow, rule.wide} == {Path(artifacts[word]).name for word in ("plan", "plan_wide")}
    assert result.candidate.plan_bytes == sum(Path(artifacts[word]).stat().st_size for word in ("plan", "plan_wide"))
    assert 0 < told.share_low <= told.share <= told.share_high < 1
    assert told.n == result.dataset.evaluated
    assert told.timed_samples > 100
    for alone in (told.narrow, told.wide):
        assert alone.latency_ms > 0
        assert alone.latency_ratio.value > 0
        assert alone.process_peak_mb > 10
        assert alone.quality > 0.9
        assert alone.quality_points.low <= alone.quality_points.value <= alone.quality_points.high
    assert told.wide.quality == pytest.approx(result.baseline.accuracy.top1)
    assert result.correction.variants == 4
    shown = run_report(result, 160)
    assert "of inputs ran again in FP32" in shown
    assert "On the front of latency adaptive" in shown
    missing = [path for path in result.reasons if path.startswith("candidate.escalation")]
    assert all("energy" in path for path in missing)
    assert (await engine.plan_of(result.run, "second")).plan == artifacts["plan_wide"]
    inside = await engine.inspect_plan(await engine.plan_of(result.run, "second"))
    assert {layer.precision for layer in inside.layers} == {"FP32"}


@pytest.mark.long
async def test_with_threshold_0_it_is_int8(engine, spec, monkeypatch):
    """The negative control: nothing runs again, outputs are those of INT8, and the report does not call it a win."""
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.05")
    result = await done(engine, adaptive(spec, threshold=0.0))
    told = result.candidate.escalation
    assert (told.share, told.timed_share) == (0.0, 0.0)
    points = told.narrow.quality_points
    assert points.value == 0.0
    assert -0.02 < points.low < 0 < points.high < 0.02  # that none differs here does not show that none would
    assert result.candidate.accuracy.top1 == told.narrow.quality
    assert "beats both plans" not in run_report(result, 160)


@pytest.mark.long
async def test_with_threshold_1_it_is_the_higher_precision(engine, spec, monkeypatch):
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.05")
    result = await done(engine, adaptive(spec, threshold=1.0))
    told = result.candidate.escalation
    assert (told.share, told.timed_share) == (1.0, 1.0)
    assert result.candidate.accuracy.top1 == told.wide.quality == result.baseline.accuracy.top1
    assert result.fidelity.cosine > 0.999999


@pytest.mark.parametrize(
    ("limit", "value", "degrees", "moved"),
    [
        pytest.param("power_w", 4.5, 40, True, marks=pytest.mark.long),
        pytest.param("power_w", 60.0, 40, False, marks=pytest.mark.rare),
        pytest.param("temperature_c", 60.0, 92, True, marks=pytest.mark.rare),
        pytest.param("temperature_c", 60.0, 40, False, marks=pytest.mark.long),
    ],
)
def test_watts_and_heat_of_a_board_lower_the_threshold(tmp_path, monkeypatch, limit, value, degrees, moved):
    """A board that draws 7 W and more while a core is busy, and whose module is as warm as it is laid out."""
    monkeypatch.setenv("EDGETUI_MEASURE_S", "1")
    recipe = tmp_path / "limited.toml"
    steps = '[[step]]\nmethod = "quantize.int8"\nsamples = 64\n\n[[step]]\nmethod = "adaptive"\nthreshold = 1.0\n'
    recipe.write_text(f"{steps}{limit} = {value}\n")
    with PoweredBoard(tmp_path) as board:
        zone = {"type": "tj-thermal\n", "temp": f"{degrees}000\n"}
        write_files(board.root, {f"/sys/class/thermal/thermal_zone0/{name}": text for name, text in zone.items()})
        document = board.run("--calibration", str(DEMO / "digits.toml"), "--threads", "1", recipe=str(recipe))
    told = document["candidate"]["escalation"]
    assert told["limits"] == {limit: value}
    if moved:
        assert told["threshold_mean"] < 0.9
        assert told["timed_share"] < 0.9
    else:
        assert told["threshold_mean"] == told["timed_share"] == 1.0
    assert document["candidate"]["energy_j_per_inference"]["gross"] > 0
