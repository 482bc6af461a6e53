"""Recipes that are given together: measured together, and each of them whole when another is cancelled, fails or goes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import psutil
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.errors import StorageRefused
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, QuantizeInt8, Recipe
from live_runs import ended, kill_supervisor, until_stage
from measuring import short_elsewhere
from processes import wait_until

INT8 = Recipe(name="int8", step=(QuantizeInt8(samples=64),))
PRUNED = Recipe(name="pruned", step=(PruneMagnitude(amount=0.3),))
HALF = Recipe(name="half", step=(PrecisionFp16(),))
TOO_STRICT = Recipe(name="strict", step=(QuantizeInt8(samples=64, scheme="affine"),), least_cosine=1.0)
SHARED = {"measure", "evaluate", "energy"}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    short_elsewhere(monkeypatch)


def asked(spec: RunSpec, *recipes: Recipe) -> list[RunSpec]:
    return [msgspec.structs.replace(spec, recipe=recipe) for recipe in recipes]


async def all_ended(engine: Engine, runs: tuple[str, ...]) -> list[Result]:
    await asyncio.gather(*(ended(engine, run) for run in runs))
    return [await engine.result(run) for run in runs]


def made(result: Result) -> list[str]:
    return [stage.name for stage in result.stages if not stage.cached]


async def test_two_recipes_share_a_baseline_one_measuring_and_all_that_is_the_same(engine: Engine, spec: RunSpec) -> None:
    runs = await engine.submit_all(asked(spec, INT8, PRUNED))
    int8, pruned = await all_ended(engine, runs)
    assert (int8.state, pruned.state) == ("done", "done"), (int8.error, pruned.error)
    assert int8.group == pruned.group == f"{runs[0]}+1"
    assert await engine.members(f"{runs[0]}+1") == runs
    assert int8.baseline.latency_ms == pruned.baseline.latency_ms
    assert int8.baseline.memory_mb == pruned.baseline.memory_mb
    assert int8.baseline.latency_ms.mean is not None
    assert "normalise" not in made(pruned)
    assert set(made(pruned)) >= SHARED
    assert (int8.correction.variants, int8.correction.comparisons) == (3, 3)
    assert int8.correction.confidence == pytest.approx(1 - 0.05 / 3)
    (pair,) = int8.pairs
    assert int8.pairs == pruned.pairs
    assert (pair.a, pair.b) == runs
    assert pair.latency_ratio is not None
    both = [result.difference.latency_ratio.value for result in (int8, pruned)]
    assert None not in both
    assert pair.latency_ratio.value == pytest.approx(both[1] / both[0])  # type: ignore[operator]
    assert int8.candidate.accuracy.top1 is not None
    assert pruned.candidate.accuracy.top1 is not None
    assert int8.candidate.size_bytes != pruned.candidate.size_bytes
    assert all(Path(result.artifacts["latencies"]).is_file() for result in (int8, pruned))
    found = await engine.compare([f"{runs[0]}+1"])
    assert found.runs == ("", *runs)


@pytest.mark.long
async def test_the_same_recipe_twice_shows_no_difference(engine: Engine, spec: RunSpec) -> None:
    runs = await engine.submit_all(asked(spec, PRUNED, PRUNED))
    one, other = await all_ended(engine, runs)
    assert (one.state, other.state) == ("done", "done"), other.error
    assert one.fidelity == other.fidelity
    (pair,) = one.pairs
    assert pair.latency_ratio is not None
    assert pair.latency_ratio.low is not None
    assert pair.latency_ratio.high is not None
    assert pair.latency_ratio.low <= 1.05  # an interval of 98 % misses 1 by a little once in sixty times
    assert pair.latency_ratio.high >= 0.95


@pytest.mark.long
async def test_a_member_whose_plan_is_refused_takes_no_other_with_it(engine: Engine, spec: RunSpec) -> None:
    runs = await engine.submit_all(asked(spec, TOO_STRICT, PRUNED))
    strict, pruned = await all_ended(engine, runs)
    assert strict.state == "failed"
    assert strict.error is not None
    assert strict.error.stage == "verify"
    assert pruned.state == "done", pruned.error
    assert pruned.correction.variants == 2
    assert not pruned.pairs


@pytest.mark.parametrize("stage", [pytest.param("lower", marks=pytest.mark.long), "measure"])
async def test_cancelling_one_member_leaves_the_others_whole_and_it_can_be_taken_up_again(
    engine: Engine, spec: RunSpec, stage: str
) -> None:
    first, second, third = await engine.submit_all(asked(spec, INT8, PRUNED, HALF))
    await until_stage(engine, first, stage)
    await engine.cancel(first)
    gone = await engine.result(first)
    assert gone.state == "cancelled"
    assert RunDir.find(engine.home, second).alive()
    pruned, half = await all_ended(engine, (second, third))
    assert (pruned.state, half.state) == ("done", "done"), (pruned.error, half.error)
    assert [(pair.a, pair.b) for pair in pruned.pairs] == [(second, third)]
    assert pruned.correction.variants == 3
    assert await engine.resume(first) == (first,)
    (again,) = await all_ended(engine, (first,))
    assert again.state == "done", again.error
    assert again.group == pruned.group
    assert not again.pairs
    assert "inspect" not in made(again)


@pytest.mark.long
async def test_a_killed_group_is_taken_up_again_as_one(engine: Engine, spec: RunSpec) -> None:
    runs = await engine.submit_all(asked(spec, INT8, PRUNED))
    kill_supervisor(await until_stage(engine, runs[0], "measure"))
    states = [(await engine.result(run)).state for run in runs]
    assert states == ["crashed", "crashed"]
    group = (await engine.result(runs[0])).group
    assert group is not None
    assert await engine.resume(group) == runs
    for result in await all_ended(engine, runs):
        assert result.state == "done", result.error
        assert len(result.pairs) == 1
        assert set(made(result)) == SHARED
    with pytest.raises(StorageRefused, match="is done"):
        await engine.resume(group)


@pytest.mark.long
async def test_cancelling_a_group_ends_all_of_it(engine: Engine, spec: RunSpec) -> None:
    runs = await engine.submit_all(asked(spec, INT8, PRUNED))
    await until_stage(engine, runs[0], "quantize.int8")
    await engine.cancel(f"{runs[0]}+1")
    assert [(await engine.result(run)).state for run in runs] == ["cancelled", "cancelled"]
    assert not any(RunDir.find(engine.home, run).alive() for run in runs)


@pytest.mark.long
async def test_a_deleted_member_is_missed_by_nobody(engine: Engine, light: RunSpec) -> None:
    runs = await engine.submit_all(asked(light, INT8, PRUNED))
    with pytest.raises(StorageRefused, match="is running"):
        await engine.delete(runs[1])
    await all_ended(engine, runs)
    await engine.delete(runs[0])
    left = await engine.result(runs[1])
    assert left.group is not None
    assert await engine.members(left.group) == runs[1:]
    assert left.state == "done"


@pytest.mark.long
async def test_one_member_that_waits_can_be_cancelled_and_the_rest_still_has_its_turn(engine: Engine, light: RunSpec) -> None:
    before = await engine.submit(light)
    runs = await engine.submit_all(asked(light, INT8, PRUNED))
    await engine.cancel(runs[0])
    wait_until(lambda: not RunDir.find(engine.home, runs[0]).alive())
    await all_ended(engine, (before, *runs))
    assert [(await engine.result(run)).state for run in runs] == ["cancelled", "done"]


@pytest.mark.parametrize("together", [pytest.param(False, marks=pytest.mark.long), True])
async def test_plans_that_do_not_fit_into_memory_together_are_measured_one_after_the_other(
    engine: Engine, spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    """The machine says that 0.4 MB are free: with any ONNX Runtime two plans of the demo take more."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 4000000 kB\nMemFree: 200 kB\nMemAvailable: 400 kB\n")
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    runs = await engine.submit_all(asked(spec, INT8, PRUNED) if together else asked(spec, INT8))
    results = await all_ended(engine, runs)
    for result in results:
        assert result.state == "done", result.error
        ratio = result.difference.latency_ratio
        assert ratio.value is not None
        assert ratio.low is not None
        assert not ratio.interleaved
        assert any("do not fit into memory together" in warning for warning in result.warnings)
        assert result.candidate.accuracy.top1 is not None
        assert result.reasons["difference.energy_ratio"] == "the plans do not fit into memory together"
    assert all(pair.latency_ratio is not None and not pair.latency_ratio.interleaved for pair in results[0].pairs)


@pytest.mark.long
async def test_what_kills_the_stage_of_all_is_tried_for_each_alone(engine: Engine, spec: RunSpec) -> None:
    runs = await engine.submit_all(asked(spec, INT8, PRUNED))
    folder = await until_stage(engine, runs[0], "measure")
    supervisor = folder.pid()
    assert supervisor
    wait_until(lambda: bool(stage_processes(supervisor)))
    for process in stage_processes(supervisor):
        process.kill()
    int8, pruned = await all_ended(engine, runs)
    assert (int8.state, pruned.state) == ("done", "done"), (int8.error, pruned.error)
    assert all(any("each was done alone" in warning for warning in result.warnings) for result in (int8, pruned))
    assert not [pair for pair in int8.pairs if pair.latency_ratio is not None]
    assert int8.difference.latency_ratio.value is not None


def stage_processes(supervisor: int) -> list[psutil.Process]:
    """Those that the fork server of a supervisor has forked."""
    return [child for server in psutil.Process(supervisor).children() for child in server.children()]
