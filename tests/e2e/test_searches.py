"""Searches of real runs: to an answer, killed and taken up again, ended, refused before they begin."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import onnx
import psutil
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import DataRefused, RecipeRefused, RunFailed, UsageError
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.library.recipes import find_recipe
from edgetui.engine.report.json_schemas import schema_of
from edgetui.engine.runs.carrying import Carrier
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.runs.search_folder import SearchDir, create_search, search_folders
from edgetui.engine.schema.events import RunBegan, StageBegan
from edgetui.engine.schema.search import SearchDocument, SearchRequest
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.work.run_answers import Candidate, RunAnswers
from live_runs import end_all
from measuring import short_elsewhere
from onnx import numpy_helper
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"
GOAL = "smallest drop<=0.1"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    short_elsewhere(monkeypatch)


@pytest.fixture(autouse=True)
def no_driver_left(own_state: Path):
    yield
    for folder in search_folders(own_state):
        if folder.alive():
            os.killpg(driver_of(folder), signal.SIGKILL)
    end_all(own_state)


def driver_of(folder: SearchDir) -> int:
    return int((folder.path / "alive.lock").read_text())


def spec_of(engine: Engine, **changes: object) -> RunSpec:
    spec = RunSpec(
        model=str(DEMO / "digits.onnx"),
        recipe=find_recipe("int8", engine.config),
        dataset=read_dataset(str(DEMO / "digits.toml"), {}),
        preset="quick",
        guard=False,
    )
    return msgspec.structs.replace(spec, **changes)


async def planned(engine: Engine, goal: str = GOAL, builds: int = 5) -> SearchRequest:
    return await engine.plan_search(spec_of(engine), goal, builds)


async def to_its_end(engine: Engine, search: str, limit_s: float = 400) -> SearchDocument:
    async def wait() -> None:
        while await engine.search_alive(search):
            await asyncio.sleep(0.1)

    await asyncio.wait_for(wait(), limit_s)
    return await engine.search_document(search)


@pytest.mark.long
async def test_a_search_answers_once_and_the_same_when_it_was_killed_twice(engine: Engine):
    """Of size, which is the same whenever it is measured."""
    asked = await planned(engine)
    assert (await engine.search_time(asked)).runs > asked.builds
    first = await engine.begin_search(asked)
    found = await to_its_end(engine, first)
    assert (found.state, found.goal) == ("done", GOAL), found.why
    assert found.choice is not None
    assert found.choice.run is not None
    assert "quantize.int8" in found.choice.recipe
    assert found.held_out is not None
    assert found.held_out.half == "B"
    assert 2 <= found.checks <= 14
    assert 3 <= found.builds <= asked.builds
    assert {unit.format for unit in found.sensitivity} == {"int8"}
    assert {"fp32", "int8"} >= set(found.front[0].formats)
    result = await engine.result(found.choice.run)
    assert result.difference.size_ratio < 0.6
    assert_of_the_schema(found)
    assert await engine.begin_search(await planned(engine)) == first, "what is done is left as it is"
    assert not await engine.search_alive(first)
    search = await engine.begin_search(asked, again=True)
    await killed_after(engine, search, (3, 6))
    again = await to_its_end(engine, search)
    assert again.state == "done"
    assert again.choice is not None
    assert again.choice.recipe == found.choice.recipe
    assert (again.checks, again.builds) == (found.checks, found.builds)
    assert len(again.runs) == len(found.runs), "no run is left over"


def assert_of_the_schema(found: SearchDocument) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    jsonschema.validate(json.loads(msgspec.json.encode(found)), schema_of("search"))


async def killed_after(engine: Engine, search: str, found: Sequence[int]) -> None:
    """The driver, once so much has been found, and taken up again each time."""
    folder = SearchDir(engine.home / "searches" / search)
    for lines in found:
        await asyncio.wait_for(until(lambda lines=lines: len(folder.found()) >= lines), 200)
        with suppress(ProcessLookupError):
            os.killpg(driver_of(folder), signal.SIGKILL)
        wait_until(lambda: not folder.alive())
        assert folder.state() == "crashed"
        assert await engine.begin_search(folder.asked()) == search


@pytest.mark.rare
@pytest.mark.parametrize("beside", [False, True])
async def test_a_search_for_shares_killed_in_each_phase_gives_a_choice_the_same_as_undisturbed(engine: Engine, beside: bool):
    """While groups are asked, before and after the first check; one of them also half way, and while what was found stands
    beside one share for all.
    """
    pytest.importorskip("optuna", reason="needs optuna")
    spec = spec_of(engine, recipe=find_recipe("channels-25", engine.config))
    asked = await engine.plan_search(spec, "smallest drop<=0.1", 9, over="channels")
    undisturbed = await to_its_end(engine, await engine.begin_search(asked)) if beside else None
    shutil.rmtree(engine.home / "cache", ignore_errors=True)
    search = await engine.begin_search(asked, again=True)
    whole = 0 if undisturbed is None else len(SearchDir(engine.home / "searches" / undisturbed.search).found())
    await killed_after(engine, search, (1, 2, 3, *((whole // 2, whole - 2) if whole else ())))
    found = await to_its_end(engine, search)
    assert (found.state, found.over) == ("done", "channels"), found.why
    assert found.choice is not None
    assert found.choice.run is not None
    assert "prune.channels" in found.choice.recipe
    assert (await engine.result(found.choice.run)).difference.size_ratio < 0.6
    assert_of_the_schema(found)
    if undisturbed is not None:
        assert undisturbed.choice is not None
        assert found.choice.recipe == undisturbed.choice.recipe
        assert (found.checks, found.builds) == (undisturbed.checks, undisturbed.builds)
        assert len(found.runs) == len(undisturbed.runs), "no run is left over"


async def until(true) -> None:
    while not true():
        await asyncio.sleep(0.05)


@pytest.mark.rare
async def test_what_is_ended_goes_on_when_it_is_asked_again(engine: Engine):
    asked = await planned(engine)
    search = await engine.begin_search(asked)
    folder = SearchDir(engine.home / "searches" / search)
    await asyncio.wait_for(until(lambda: folder.runs()), 200)
    await engine.end_search(search)
    assert (await engine.search_document(search)).state == "cancelled"
    assert await engine.begin_search(asked) == search
    assert (await to_its_end(engine, search)).state == "done"


def killed_as_they_come(folder: SearchDir, times: int, pids_of) -> threading.Thread:
    """Kills what `pids_of` says of the search's first run, so many times, each once it has begun anew and works at a stage."""

    def kill() -> None:
        for before in range(times):
            while not (runs := [run for run in folder.runs().get(0, {}).values() if begun_again(run, before)]):
                time.sleep(0.02)
            for pid in pids_of(runs[0]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def begun_again(run: RunDir, before: int) -> bool:
    borders = [event for event in run.events() if isinstance(event, RunBegan | StageBegan)]
    return sum(isinstance(event, RunBegan) for event in borders) > before and isinstance(borders[-1], StageBegan)


def supervisor_of(run: RunDir) -> list[int]:
    return [pid for pid in (run.pid(),) if pid]


def stages_of(run: RunDir) -> list[int]:
    """Processes of the stage that works, and of those that wait for their turn."""
    return [child.pid for child in psutil.Process(run.pid()).children(recursive=True) if not child.children()]


@pytest.mark.long
@pytest.mark.parametrize("pids_of", [supervisor_of, stages_of], ids=["supervisor", "stage"])
async def test_a_run_that_was_killed_is_taken_up_once_more(engine: Engine, pids_of):
    folder = create_search(engine.home, await planned(engine))
    answers = RunAnswers(folder, folder.asked(), Carrier(folder))
    killing = killed_as_they_come(folder, 1, pids_of)
    candidate = Candidate(("int8",), folder.asked().spec.recipe)
    found = await asyncio.to_thread(answers.checked_as, candidate, "A")
    killing.join(5)
    assert not killing.is_alive(), "nothing was killed"
    assert not found.failed
    assert found.difference.low is not None
    assert "is taken up once more" in "".join(line.note for line in folder.found() if line.note)


@pytest.mark.long
async def test_one_that_is_killed_twice_ends_the_search(engine: Engine):
    folder = create_search(engine.home, await planned(engine))
    answers = RunAnswers(folder, folder.asked(), Carrier(folder))
    killed_as_they_come(folder, 2, supervisor_of)
    candidate = Candidate(("int8",), folder.asked().spec.recipe)
    with pytest.raises(RunFailed, match="it was broken off twice"):
        await asyncio.to_thread(answers.checked_as, candidate, "A")


@pytest.mark.long
async def test_a_goal_that_none_reaches_is_answered_with_the_nearest(engine: Engine):
    found = await to_its_end(engine, await engine.begin_search(await planned(engine, "smallest size_mb<=0.0001")))
    assert found.state == "done"
    assert found.choice is None
    assert "none reaches it; nearest is" in found.why
    assert "size_mb" in found.why


@pytest.mark.long
async def test_settings_are_searched_for_from_what_ships(engine: Engine):
    pytest.importorskip("optuna", reason="needs optuna")
    asked = await engine.plan_search(spec_of(engine), "smallest drop<=0.1", 9, over="settings")
    found = await to_its_end(engine, await engine.begin_search(asked))
    assert (found.state, found.over) == ("done", "settings"), found.why
    assert found.choice is not None
    assert found.choice.run is not None
    assert found.held_out is not None
    assert found.built[0].settings == {"format": "int8", "channels": "0.0", "factors": "1.0", "calibrator": "percentile"}
    assert found.builds <= 9
    assert (await engine.result(found.choice.run)).difference.size_ratio < 0.6
    with pytest.raises(UsageError, match="too few"):
        await engine.plan_search(spec_of(engine), "fastest", 8, over="settings")


async def test_how_long_it_takes_is_said_of_what_is_searched(engine: Engine):
    """Settings are checked far more often than mixes: 29 checks and 11 measurements of 14 allowed, of a ResNet-20."""
    pytest.importorskip("optuna", reason="needs optuna")
    formats = await engine.search_time(await engine.plan_search(spec_of(engine), "fastest", 12))
    settings = await engine.search_time(await engine.plan_search(spec_of(engine), "fastest", 14, over="settings"))
    assert formats.runs == 11
    assert settings.runs == 35
    assert settings.about_s > 1.5 * formats.about_s
    assert settings.most_s > settings.about_s


async def test_what_cannot_come_to_an_answer_is_refused_before_it_begins(engine: Engine):
    with pytest.raises(UsageError, match="too few"):
        await engine.plan_search(spec_of(engine), "fastest", 2)
    with pytest.raises(UsageError, match="more than any search makes"):
        await engine.plan_search(spec_of(engine), "fastest", 10**14)
    with pytest.raises(UsageError, match="no goal"):
        await engine.plan_search(spec_of(engine), "quickest", 8)
    with pytest.raises(UsageError, match="2 aims"):
        await engine.plan_search(spec_of(engine), "fastest smallest", 8)
    with pytest.raises(UsageError, match="no sensor here tells the power"):
        await engine.plan_search(spec_of(engine), "fastest power_w<=5", 8)
    with pytest.raises(UsageError, match="map50 is of labels for detection"):
        await engine.plan_search(spec_of(engine), "fastest map50>=0.5", 8)
    with pytest.raises(UsageError, match="2 s are too few for an answer: a single candidate takes about"):
        await engine.plan_search(spec_of(engine), "fastest", 8, seconds=2.0)
    assert (await engine.plan_search(spec_of(engine), "fastest", 8, seconds=7200.0)).seconds == 7200.0
    with pytest.raises(DataRefused, match="no samples to check accuracy on"):
        await engine.plan_search(spec_of(engine, dataset=None), "fastest", 8)
    with pytest.raises(RecipeRefused, match=r"no step quantize\.int8"):
        await engine.plan_search(spec_of(engine, recipe=find_recipe("fp16", engine.config)), "fastest", 8)
    with pytest.raises(RecipeRefused, match=r"not one step prune\.channels"):
        await engine.plan_search(spec_of(engine), "fastest", 9, over="channels")
    assert search_folders(engine.home) == []


@pytest.mark.long
def test_the_command_ends_shows_takes_up_and_follows_a_search_by_its_id_and_prints_it_again(own_state: Path):
    def edgetui(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgetui", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)

    asked = ("search", str(DEMO / "digits.onnx"), "--dataset", str(DEMO / "digits.toml"), "--goal", GOAL, "--preset", "quick")
    assert edgetui(*asked, "--budget", "soon").returncode == 2
    asked += ("--budget", "3 builds")
    begun = edgetui(*asked, "--detach").stdout.split()[-1]
    ended = edgetui("cancel", "search-digits")
    assert ended.returncode == 0, ended.stderr
    assert f"search {begun} is cancelled" in ended.stdout
    again = edgetui("cancel", begun)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is not running" in again.stderr
    shown = edgetui("show", begun)
    assert shown.returncode == 1
    assert "it was ended before its answer" in shown.stderr
    resumed = edgetui("resume", begun, "--detach")
    assert resumed.returncode == 0, resumed.stderr
    watched = edgetui("watch", begun)
    assert watched.returncode == 0, watched.stderr
    assert "units; the most sensitive is" in watched.stdout
    assert "on half A" in watched.stdout
    assert "answer  " in watched.stdout
    printed = edgetui(*asked, "--json")
    assert printed.returncode == 0, printed.stderr
    found = json.loads(printed.stdout)
    assert (found["search"], found["state"]) == (begun, "done")
    assert "answer  " in edgetui("show", begun).stdout
    assert "is done" in edgetui("resume", begun).stderr


@pytest.mark.long
def test_what_is_no_model_is_refused_by_a_dry_run_too(own_state: Path, tmp_path: Path):
    (tmp_path / "cut.onnx").write_bytes((DEMO / "digits.onnx").read_bytes()[:3000])
    command = [sys.executable, "-m", "edgetui", "search", str(tmp_path / "cut.onnx"), "--dataset", str(DEMO / "digits.toml")]
    said = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, timeout=100, check=False)
    assert said.returncode == 1
    assert "cut off or damaged" in said.stderr


@pytest.mark.rare
async def test_a_model_that_was_trained_again_begins_with_what_was_learnt_of_its_layers(engine: Engine, tmp_path: Path):
    """Smaller is the same whenever it is measured: the learnt table holds."""
    first = await to_its_end(engine, await engine.begin_search(await planned(engine, builds=8)))
    assert first.taken is None
    model = onnx.load(DEMO / "digits.onnx")
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim > 1:
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(array * 1.001, np.float32), tensor.name))
    onnx.save(model, tmp_path / "again.onnx")
    asked = await engine.plan_search(spec_of(engine, model=str(tmp_path / "again.onnx")), GOAL, 8)
    found = await to_its_end(engine, await engine.begin_search(asked))
    assert found.state == "done", found.why
    assert found.taken is not None
    assert found.taken.search == first.search
    assert found.taken.held
    assert found.builds < first.builds
    assert found.held_out is not None
    assert found.choice is not None
    anew = await engine.begin_search(asked, again=True)
    await engine.end_search(anew)
    assert not SearchDir(engine.home / "searches" / anew).asked().learnt
    assert await engine.begin_search(asked) == anew, "what is asked again is that, and not another question"
    await engine.end_search(anew)
