"""Studies of real runs: begun, killed, taken up again, asked for again; their documents are what the schema says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE
from edgetui.engine.report.json_schemas import schema_of
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.runs.study_folder import StudyDir, study_folders
from edgetui.engine.schema.study import StudyRequest
from edgetui.engine.schema.study_table import StudyTable
from live_runs import end_all
from measuring import short_elsewhere
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"
TEXT = f"""
title = "Two groups of the demo's model"
paper = "none"
board = "none"

[[model]]
name = "digits"
of = "a larger one"
file = "{DEMO / "digits.onnx"}"
dataset = "{DEMO / "digits.toml"}"
weights = "the demo's"

[[variant]]
name = "FP32"
[[variant]]
name = "pruned"
recipe = "prune-5"
[[variant]]
name = "weights"
recipe = "weights-8"
[[variant]]
name = "trained"
recipe = "prune-50-finetune"
[[variant]]
name = "nowhere"
recipe = "no-such-recipe"

[[variant]]
name = "strict"
recipe = "strict.toml"

[[experiment]]
name = "one"
preset = "quick"
[[experiment]]
name = "two"
preset = "quick"
variants = ["pruned"]

[[row]]
figure = "storage"
unit = "%"
experiment = "one"
metric = "size"
show = "change"
paper = {{ weights = -75 }}
[[row]]
figure = "accuracy"
experiment = "one"
metric = "accuracy"
[[row]]
figure = "accuracy, again"
experiment = "two"
metric = "accuracy"
[[row]]
figure = "peak power"
unit = "W"
experiment = "one"
metric = "power"

[[choice]]
experiment = "one"
metrics = ["size"]
rule = {{ size = "weights" }}
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    short_elsewhere(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "two-groups.toml"
    path.write_text(TEXT)
    strict = 'least_cosine = 1.0\n[[step]]\nmethod = "quantize.int8"\nscheme = "affine"\nsamples = 64\n'
    (tmp_path / "strict.toml").write_text(strict)
    return path


@pytest.fixture(autouse=True)
def no_driver_left(own_state: Path):
    yield
    for folder in study_folders(own_state):
        if folder.alive():
            os.killpg(driver_of(folder), signal.SIGKILL)
    end_all(own_state)


def driver_of(folder: StudyDir) -> int:
    return int((folder.path / "alive.lock").read_text())


async def to_its_end(engine: Engine, study: str, limit_s: float = 240) -> StudyTable:
    async def wait() -> None:
        while await engine.study_alive(study):
            await asyncio.sleep(0.1)

    await asyncio.wait_for(wait(), limit_s)
    return await engine.study_table(study)


def untimed(table: StudyTable) -> list[object]:
    """What is the same whenever and however often it is done."""
    return [
        (row.figure, row.unit, row.paper, row.model, row.weights, row.data, msgspec.to_builtins(row.here))
        for row in table.rows
        if row.figure != "peak power"
    ]


async def planned(engine: Engine, file: Path) -> StudyRequest:
    return await engine.plan_study(str(file), small=True)


async def test_a_study_runs_to_its_table_and_is_not_done_twice(engine: Engine, file: Path):
    asked = await planned(engine, file)
    told = await engine.study_time(asked)
    assert (told.groups, told.runs) == (2, 4)
    study = await engine.begin_study(asked)
    table = await to_its_end(engine, study)
    assert (table.state, table.done, table.groups) == ("done", 2, 2)
    assert (len(table.runs), table.small) == (4, True)
    assert len(table.failed) == 1
    storage, accuracy, again, _, choice = table.rows
    assert storage.paper == {"FP32": None, "pruned": None, "weights": -75.0, "trained": None, "nowhere": None, "strict": None}
    assert storage.here["weights"].value is not None
    assert storage.here["weights"].value < -50
    assert storage.here["trained"].reason == "prune-50-finetune trains, and --small trains nothing"
    assert "no recipe `no-such-recipe`" in (storage.here["nowhere"].reason or "")
    assert storage.here["strict"].value is None, "a run that failed is a dash with its reason"
    assert "cosine" in (storage.here["strict"].reason or "")
    assert accuracy.here["FP32"].value == pytest.approx(0.97, abs=0.02)
    assert again.here["pruned"].value == accuracy.here["pruned"].value
    assert (choice.here["oracle"].choice, choice.here["paper's rule"].value) == ("weights", 0.0)
    assert choice.here["forecast"].choice == "weights"
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    jsonschema.validate(json.loads(msgspec.json.encode(table)), schema_of("study"))
    assert await engine.known_study(await planned(engine, file)) == study
    assert await engine.begin_study(await planned(engine, file)) == study, "what is done is left as it is"
    assert not await engine.study_alive(study)
    assert (await engine.study_time(asked)).groups == 0
    file.write_text(TEXT.replace("prune-5", "prune-30-global"))
    assert await engine.known_study(await planned(engine, file)) == "", "another recipe is another question"
    (listed,) = [each for each in await engine.studies() if each.study == "qin2018"]
    assert listed.here == ()


@pytest.mark.long
async def test_killed_twice_and_taken_up_again_gives_the_same_table(engine: Engine, file: Path, tmp_path: Path):
    asked = await planned(engine, file)
    undisturbed = await to_its_end(engine, await engine.begin_study(asked))
    study = await engine.begin_study(asked, again=True)
    folder = StudyDir(engine.home / "studies" / study)
    for number in (0, 1):
        run = await member_of(folder, number)
        os.kill(driver_of(folder), signal.SIGKILL)
        pid = run.pid()
        assert pid is not None
        os.killpg(pid, signal.SIGKILL)
        wait_until(lambda run=run: not (folder.alive() or run.alive()))
        assert (await engine.study_table(study)).state == "crashed"
        assert await engine.begin_study(asked) == study
    table = await to_its_end(engine, study)
    assert table.state == "done"
    assert untimed(table) == untimed(undisturbed)
    assert len(table.runs) == len(undisturbed.runs), "no run is left over"


@pytest.mark.rare
async def test_a_group_whose_supervisor_is_killed_is_done_before_the_study_ends(engine: Engine, file: Path):
    file.write_text(TEXT.replace('name = "one"\n', 'name = "one"\nvariants = ["weights"]\n'))
    study = await engine.begin_study(await planned(engine, file))
    run = await member_of(StudyDir(engine.home / "studies" / study), 0)
    pid = run.pid()
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    table = await to_its_end(engine, study, limit_s=900)
    assert (table.state, table.done) == ("done", 2)
    assert table.rows[0].here["weights"].value is not None


async def member_of(folder: StudyDir, number: int) -> RunDir:
    """A run of a group, once it works."""
    for _ in range(1200):
        for run in folder.runs().get(number, {}).values():
            if run.pid() is not None and len(run.events()) > 3 and run.result() is None:
                return run
        await asyncio.sleep(0.05)
    raise AssertionError(f"group {number} was not begun")


@pytest.mark.long
async def test_a_driver_that_is_killed_ends_no_run_and_a_study_that_is_ended_submits_no_other(engine: Engine, file: Path):
    asked = await planned(engine, file)
    study = await engine.begin_study(asked)
    folder = StudyDir(engine.home / "studies" / study)
    run = await member_of(folder, 0)
    os.kill(driver_of(folder), signal.SIGKILL)
    wait_until(lambda: not folder.alive())
    assert await engine.begin_study(asked) == study
    assert run.alive() or run.result() is not None, "its supervisor went on"
    await engine.end_study(study)
    table = await engine.study_table(study)
    assert table.state == "cancelled"
    assert table.done < 2
    assert await engine.begin_study(asked) == study
    assert (await to_its_end(engine, study)).state == "done"


@pytest.mark.long
def test_the_command_follows_to_the_table_and_prints_it_again(own_state: Path, file: Path):
    def study(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgetui", "study", str(file), "--small", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    first = study()
    assert first.returncode == 0, first.stderr
    assert "for 4 runs in 2 groups" in first.stdout
    assert "1 of 2: one, digits" in first.stdout
    assert "2 of 2: two, digits" in first.stdout
    assert "measure" in first.stdout, "its stages are followed"
    assert "two-groups, small  done  2 of 2 groups" in first.stdout
    assert first.stderr.startswith("warning: run "), "the run that failed is named"
    again = study("--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["state"] == "done"
    assert "for 4 runs" not in again.stderr, "nothing is left to do"


async def test_repeats_compress_anew_and_share_what_comes_before(engine: Engine, file: Path):
    text = TEXT.replace('name = "two"\n', 'name = "two"\nrepeats = 2\n')
    file.write_text(
        text.replace('variants = ["pruned"]', 'variants = ["weights"]').replace(
            'name = "one"', 'name = "one"\nvariants = ["weights"]'
        )
    )
    asked = await planned(engine, file)
    assert [group.repeat for group in asked.groups] == [0, 0, 1]
    keys = [[stage.key for stage in stages_of(spec)] for spec in (group.specs[0] for group in asked.groups)]
    assert keys[0][:2] == keys[2][:2], "inspect and normalise"
    assert keys[0][2] == keys[1][2]
    assert keys[0][2] != keys[2][2], "the recipe's step"


def stages_of(spec):
    from edgetui.engine.runs.stages import plan_stages, versions
    from edgetui.engine.schema.spec import RunRequest

    asked = RunRequest(run="r", ticket=1, wall="", edgetui="", python="", versions=versions(), model_sha256="m", spec=spec)
    return plan_stages(asked)
