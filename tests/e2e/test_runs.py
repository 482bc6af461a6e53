from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import onnx
import psutil
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.errors import RunFailed, StorageRefused
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.schema import events
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import PrecisionFp16, Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.job import Job
from edgetui.engine.work.stages import measure
from edgetui.engine.work.team import Team
from live_runs import end_all, ended, kill_supervisor, until_stage
from measuring import short_elsewhere
from processes import group, wait_until

STAGES = [
    "inspect",
    "normalise",
    "prune.magnitude",
    "quantize.int8",
    "lower",
    "build",
    "verify",
    "measure",
    "evaluate",
    "energy",
]


def lasting(result: Result) -> dict[str, object]:
    """What must be equal however often a run was interrupted: all but times and memory."""
    return {
        "sizes": (result.baseline.size_bytes, result.candidate.size_bytes, result.candidate.nonzero),
        "accuracy": (result.baseline.accuracy, result.candidate.accuracy),
        "fidelity": result.fidelity,
        "stages": [stage.name for stage in result.stages],
        "state": result.state,
    }


@pytest.mark.parametrize("measured", ["in short", pytest.param("as the preset says", marks=pytest.mark.long)])
async def test_a_whole_run(engine: Engine, spec: RunSpec, measured: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if measured == "in short":
        short_elsewhere(monkeypatch)
    run = await engine.submit(spec)
    assert isinstance((await ended(engine, run))[-1], events.RunEnded)
    whole = await engine.result(run)
    assert whole.state == "done", whole.error
    assert [stage.name for stage in whole.stages] == STAGES
    assert whole.difference.latency_ratio.value is not None
    assert whole.candidate.accuracy.top1 is not None
    assert whole.candidate.accuracy.top1 > 0.9
    assert whole.difference.size_ratio is not None
    assert whole.difference.size_ratio < 0.4
    assert Path(whole.artifacts["plan"]).is_file()
    assert Path(whole.artifacts["onnx_tensorrt"]).is_file()


@pytest.mark.long
async def test_a_run_that_was_killed_in_every_stage_ends_like_one_that_was_not(
    engine: Engine, spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_elsewhere(monkeypatch)
    calm = await engine.submit(spec)
    await ended(engine, calm)
    whole = await engine.result(calm)
    assert whole.state == "done", whole.error
    other = Engine(engine.config, tmp_path / "other")
    try:
        run = await other.submit(spec)
        for stage in STAGES:
            folder = await until_stage(other, run, stage)
            kill_supervisor(folder)
            broken = await other.result(run)
            assert (broken.state, broken.error and broken.error.what) == ("crashed", f"interrupted in stage {stage}")
            assert (await other.list())[0].state == "crashed"
            await other.resume(run)
        past = await ended(other, run)
        again = await other.result(run)
    finally:
        end_all(other.home)
    assert lasting(again) == lasting(whole)
    assert all(stage.cached for stage in again.stages[:-1])
    assert [event.n for event in past] == list(range(1, len(past) + 1))


async def test_two_at_once_one_waits_and_says_for_whom(engine: Engine, light: RunSpec) -> None:
    first = await engine.submit(light)
    working = RunDir.find(engine.home, first).pid()
    assert working
    os.kill(working, signal.SIGSTOP)  # it would be done before the second has begun to look
    second = await engine.submit(light)
    waiting = RunDir.find(engine.home, second)
    try:
        wait_until(lambda: any(isinstance(event, events.Queued) for event in waiting.events()))
    finally:
        os.kill(working, signal.SIGCONT)
    await asyncio.gather(ended(engine, first), ended(engine, second))
    queued = [event for event in RunDir.find(engine.home, second).events() if isinstance(event, events.Queued)]
    assert {event.waiting_for for event in queued} == {first}
    summaries = await engine.list()
    assert [(s.run, s.state) for s in summaries] == [(second, "done"), (first, "done")]
    assert all(stage.cached for stage in (await engine.result(second)).stages)


async def test_one_that_comes_after_another_waits_for_its_good_end_also_after_a_kill(engine: Engine, light: RunSpec) -> None:
    asked = RunRequest(run="before", ticket=0, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=light)
    before = create(engine.home, asked)
    with before.hold():
        run = (await engine.submit_all([light], "before"))[0]
        folder = RunDir.find(engine.home, run)
        wait_until(lambda: any(isinstance(event, events.Queued) and event.to_end for event in folder.events()))
        assert (await engine.queue()).after == {run: ("before",)}
        kill_supervisor(folder)
        await engine.resume(run)
        assert (await engine.queue()).waiting == ()
        assert (await engine.result(run)).state == "queued"
        before.write_result(Result(run="before", state="done"))
    await ended(engine, run)
    assert (await engine.result(run)).state == "done"
    assert (await engine.queue()).after == {}


async def test_a_run_that_waits_is_light_and_one_that_need_not_begins_with_all_imported(
    engine: Engine, light: RunSpec, spec: RunSpec
) -> None:
    first, second = [await engine.submit(which) for which in (spec, light)]
    numpy = ["numpy" in Path(f"/proc/{RunDir.find(engine.home, run).pid()}/maps").read_text() for run in (first, second)]
    waiting = RunDir.find(engine.home, second).pid()
    assert waiting
    assert numpy == [True, False]
    assert group(waiting) == [waiting]
    for run in (second, first):
        await engine.cancel(run)


async def test_no_process_of_another_stage_is_there_while_one_measures(engine: Engine, spec: RunSpec) -> None:
    run = await engine.submit(spec)
    pid = (await until_stage(engine, run, "quantize.int8")).pid()
    assert pid
    server = next(child for child in psutil.Process(pid).children() if child.children())
    wait_until(lambda: len(server.children()) == 4, "the next three stages do not get ready")
    await until_stage(engine, run, "measure")
    assert len(server.children()) == 1
    await engine.cancel(run)
    wait_until(lambda: not group(pid), "a process outlived its run")


@pytest.mark.long
async def test_a_process_that_got_ready_and_was_killed_is_begun_again(
    engine: Engine, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_elsewhere(monkeypatch)
    run = await engine.submit(spec)
    pid = (await until_stage(engine, run, "normalise")).pid()
    assert pid
    server = next(child for child in psutil.Process(pid).children() if child.children())
    wait_until(lambda: len(server.children()) == 4, "the next three stages do not get ready")
    for child in sorted(server.children(), key=lambda child: child.pid)[1:]:
        child.kill()
    await ended(engine, run)
    assert (await engine.result(run)).state == "done"


async def test_cancel_ends_all_processes_and_resume_finishes(engine: Engine, light: RunSpec) -> None:
    run = await engine.submit(light)
    folder = await until_stage(engine, run, "quantize.int8")
    pid = folder.pid()
    await engine.cancel(run)
    result = await engine.result(run)
    assert result.state == "cancelled", result.error
    assert pid is not None
    wait_until(lambda: not group(pid), "a process outlived its run")
    with pytest.raises(StorageRefused, match="is not running"):
        await engine.cancel(run)
    await engine.resume(run)
    await ended(engine, run)
    assert (await engine.result(run)).state == "done"
    with pytest.raises(StorageRefused, match="is done"):
        await engine.resume(run)


async def test_the_stage_process_dies_with_its_supervisor(engine: Engine, light: RunSpec) -> None:
    run = await engine.submit(light)
    folder = await until_stage(engine, run, "normalise")
    pid = folder.pid()
    kill_supervisor(folder)
    assert pid is not None
    wait_until(lambda: not group(pid), "a process outlived its run")


@pytest.mark.long
async def test_the_index_is_rebuilt_from_the_folders(engine: Engine, light: RunSpec) -> None:
    run = await engine.submit(light)
    await ended(engine, run)
    before = await engine.list()
    (engine.home / "index.db").write_bytes(b"this is no database" * 100)
    assert await engine.list() == before
    assert engine.index.rebuild() == 1
    assert await engine.list() == before


@pytest.mark.long
async def test_a_run_from_a_closed_terminal_goes_on(own_state: Path, engine: Engine, light: RunSpec) -> None:
    asked = msgspec.json.encode(light).decode()
    code = (
        "import asyncio, msgspec, os, pathlib, signal, sys\n"
        "from edgetui.engine.api import Engine\nfrom edgetui.engine.config import Config\n"
        "from edgetui.engine.schema.spec import RunSpec\n"
        f"engine = Engine(Config(), pathlib.Path({str(own_state)!r}))\n"
        "asyncio.run(engine.submit(msgspec.json.decode(sys.argv[1], type=RunSpec)))\n"
        "os.killpg(0, signal.SIGHUP)\n"
    )
    gone = subprocess.run([sys.executable, "-c", code, asked], start_new_session=True, check=False)
    assert gone.returncode == -1
    (summary,) = await engine.list()
    await ended(engine, summary.run)
    assert (await engine.result(summary.run)).state == "done"


@pytest.fixture
def small_disk(disk: Callable[[str], Path]) -> Iterator[Path]:
    """A disk of 12 MB."""
    folder = disk("12m")
    yield folder
    end_all(folder / "edgetui")


@pytest.mark.long
async def test_a_full_disk_in_every_stage_loses_nothing(
    small_disk: Path, engine: Engine, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_elsewhere(monkeypatch)
    home = small_disk / "edgetui"
    full = Engine(engine.config, home)
    run = await full.submit(spec)
    for stage in STAGES:
        await until_stage(full, run, stage)
        fill(small_disk / "ballast")
        await ended(full, run)
        result = await full.result(run)
        assert result.state == "failed", stage
        assert result.error is not None
        assert "no space left" in result.error.what
        assert "free some space" in result.error.fix
        with pytest.raises(StorageRefused, match="no space left"):
            await full.submit(spec)
        (small_disk / "ballast").unlink()
        await full.resume(run)
    await ended(full, run)
    assert (await full.result(run)).state == "done"


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        block = 1 << 20
        while block:
            try:
                file.write(bytes(block))
            except OSError:
                block //= 2


async def test_a_read_only_state_folder_is_refused_in_words(small_disk: Path, engine: Engine, light: RunSpec) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageRefused, match="cannot write") as told:
        await Engine(engine.config, small_disk / "edgetui").submit(light)
    assert "XDG_STATE_HOME" in told.value.fix


async def test_a_plan_that_is_as_large_as_before_is_told_beside_a_file_that_is_smaller(engine: Engine, light: RunSpec) -> None:
    """ONNX Runtime computes on a processor in FP32 what a file keeps in half precision."""
    half = msgspec.structs.replace(light, recipe=Recipe(name="fp16", step=(PrecisionFp16(),)))
    for asked, told in ((half, True), (light, False)):
        run = await engine.submit(asked)
        await ended(engine, run)
        result = await engine.result(run)
        assert result.state == "done"
        assert any("the model's file that is smaller" in warning for warning in result.warnings) is told


@pytest.mark.long
async def test_artifacts_that_a_user_wrote_into_do_not_reach_the_next_run(engine: Engine, light: RunSpec) -> None:
    """They are the cache's own files under a second name."""
    first = await engine.submit(light)
    await ended(engine, first)
    before = await engine.result(first)
    Path(before.artifacts["plan"]).write_bytes(b"something else")
    second = await engine.submit(light)
    await ended(engine, second)
    after = await engine.result(second)
    assert (after.state, after.fidelity) == ("done", before.fidelity)
    assert [stage.name for stage in after.stages if not stage.cached] == ["build"]


@pytest.mark.long
async def test_a_file_that_is_gone_from_the_cache_is_told_as_such_and_not_as_the_models(
    engine: Engine, light: RunSpec, tmp_path: Path
) -> None:
    run = await engine.submit(light)
    await ended(engine, run)
    job = Job(engine.home, RunDir.find(engine.home, run).asked(), "lower", tmp_path, NullReporter())
    job.before().unlink()
    with pytest.raises(RunFailed, match=r"quantize\.int8 is gone from the cache") as told:
        job.before()
    assert f"resume {run}" in told.value.fix


@pytest.mark.long
async def test_why_a_plan_could_not_be_loaded_alone_is_said(
    engine: Engine, spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_elsewhere(monkeypatch)
    run = await engine.submit(spec)
    await ended(engine, run)
    job = Job(engine.home, RunDir.find(engine.home, run).asked(), "measure", tmp_path, NullReporter())
    plan, candidate = job.plans()
    feeds, team = job.one_sample(), Team([job])
    with measure._probes(job) as (first, second):
        first.kill()
        with pytest.raises(RunFailed, match=r"the candidate alone failed: it was killed \(out of memory\?\)"):
            measure._answer(team, "candidate", candidate, feeds, first)
        plan.unlink()
        plan.write_bytes(b"damaged")
        with pytest.raises(RunFailed, match=r"the baseline alone failed: .*baseline\.onnx") as told:
            measure._answer(team, "baseline", plan, feeds, second)
        assert told.value.fixes


async def test_a_candidate_with_settings_of_its_own_stands_beside_the_baseline_as_it_was_asked_for(
    engine: Engine, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FP32 in other threads and as the graph came: no step, another plan, loaded with its own threads."""
    short_elsewhere(monkeypatch)
    own = BackendSettings(threads=3, graph="off")
    spec = msgspec.structs.replace(spec, recipe=Recipe(name="as it is"), backend=BackendSettings(threads=1), candidate=own)
    run = await engine.submit(spec)
    await ended(engine, run)
    result = await engine.result(run)
    assert result.state == "done", result.error
    assert (result.backend.threads, result.backend.graph) == (1, "all")
    assert result.candidate_backend is not None
    assert (result.candidate_backend.threads, result.candidate_backend.graph) == (3, "off")
    sizes = [len(onnx.load(result.artifacts[word]).graph.node) for word in ("baseline_plan", "plan")]
    assert sizes[0] < sizes[1], "the baseline's graph is rewritten, the candidate's is not"
    asked = RunDir.find(engine.home, run).asked()
    assert asked.spec == spec
    team = Team([Job(engine.home, asked, "measure", engine.home, NullReporter())])
    with team.sessions(team.plans(), cooperative=False) as sessions:
        threads = {name: session._session.get_session_options().intra_op_num_threads for name, session in sessions.items()}
    assert threads == {"baseline": 1, "candidate": 3}
