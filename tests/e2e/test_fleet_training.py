"""What learns is trained on one board, and measured on others that have no torch; or it is refused before anything starts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.fleet.asks import FleetAsk
from edgetui.engine.fleet.worker_process import OF_STEPS
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs import stages
from edgetui.engine.runs.folder import RunDir, run_paths
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, Recipe
from edgetui.engine.schema.training_steps import TrainFinetune
from fleets import LoopbackFleet, needs_fleet
from live_runs import end_all
from measuring import short_elsewhere
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"
WITHOUT_TORCH = """
import importlib.metadata, sys
sys.modules["torch"] = None
_version = importlib.metadata.version

def version(name):
    if name == "torch":
        raise importlib.metadata.PackageNotFoundError(name)
    return _version(name)

importlib.metadata.version = version
"""
RECIPE = """
title = "pruned, trained, half"
[[step]]
method = "prune.magnitude"
amount = 0.3
[[step]]
method = "train.finetune"
epochs = 1
samples = 256
[[step]]
method = "precision.fp16"
"""


def test_a_worker_knows_the_packages_that_steps_need():
    assert stages.OF_STEPS == OF_STEPS


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    needs_fleet()
    short_elsewhere(monkeypatch)
    made = LoopbackFleet(tmp_path, monkeypatch)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(WITHOUT_TORCH)
    (tmp_path / "trained.toml").write_text(RECIPE)
    (tmp_path / "digits.toml").write_text(f'kind = "npz"\npath = "{DEMO / "digits.npz"}"\n')
    yield made
    made.close()
    end_all(made.home)


def without_torch(fleet):
    return {"PYTHONPATH": str(fleet.folder / "bare")}


def run(*words):
    return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, check=False, timeout=400)


def asked(fleet, *words):
    data = ("--dataset", str(fleet.folder / "digits.toml"), "--preset", "quick")
    return run("run", str(DEMO / "digits.onnx"), "--recipe", str(fleet.folder / "trained.toml"), *data, *words)


@pytest.mark.long
def test_it_is_trained_once_and_measured_where_there_is_no_torch(fleet):
    pytest.importorskip("torch", reason="needs torch")
    fleet.add("shop")
    fleet.add("nano", "orin", env=without_torch(fleet))
    assert run("fleet", "up").returncode == 0
    alone = asked(fleet, "--on", "nano")
    assert alone.returncode == 1
    assert alone.stderr.startswith("error: board nano cannot train: its Python has no torch; ")
    told = asked(fleet, "--on", "nano,orin", "--train-on", "shop", "--json")
    assert told.returncode == 0, told.stderr
    results = [each["runs"][0] for each in json.loads(told.stdout)["on"]]
    assert [(each["state"], each["trained_on"]) for each in results] == [("done", "shop")] * 2
    for result in results:
        stages_ = {stage["name"]: stage for stage in result["stages"]}
        assert stages_["train.finetune"]["cached"]
        assert "(on shop)" in stages_["train.finetune"]["summary"]
        assert not stages_["build"]["cached"]
        assert "(on shop)" not in stages_["lower"]["summary"]
        assert result["candidate"]["latency_ms"]["mean"] > 0
    same = {result["candidate"]["size_bytes"] for result in results}
    assert len(same) == 1
    assert len(fleet.runs("shop")) == 1
    (trained,) = map(RunDir, fleet.runs("shop"))
    assert "build" not in {stage.name for stage in trained.result().stages}
    again = json.loads(asked(fleet, "--on", "nano,orin", "--train-on", "shop", "--json").stdout)
    assert [each["found"] for each in again["on"]] == [True, True]
    assert [len(fleet.runs(name)) for name in ("shop", "orin")] == [1, 1]


@pytest.mark.long
def test_this_machine_trains_without_being_a_board(fleet):
    pytest.importorskip("torch", reason="needs torch")
    fleet.add("nano", env=without_torch(fleet))
    assert run("fleet", "up").returncode == 0
    told = asked(fleet, "--on", "any", "--train-on", "localhost", "--json")
    assert told.returncode == 0, told.stderr
    (result,) = [each["runs"][0] for each in json.loads(told.stdout)["on"]]
    assert (result["state"], result["trained_on"]) == ("done", "localhost")


@pytest.mark.long
def test_a_board_trains_what_is_measured_here(fleet):
    pytest.importorskip("torch", reason="needs torch")
    fleet.add("shop")
    assert run("fleet", "up").returncode == 0
    result = json.loads(asked(fleet, "--train-on", "shop", "--json").stdout)
    assert (result["state"], result["trained_on"]) == ("done", "shop")
    assert {stage["name"]: stage["cached"] for stage in result["stages"]}["train.finetune"]
    assert (len(fleet.runs("shop")), len(run_paths(fleet.home))) == (1, 1)


@pytest.mark.long
def test_who_cannot_train_is_refused_by_name_before_anything_starts(fleet):
    fleet.add("nano", env=without_torch(fleet))
    assert run("fleet", "up").returncode == 0
    refused = asked(fleet, "--on", "nano", "--train-on", "nano")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: board nano cannot train: its Python has no torch; `python3 -m pip install")
    nothing = run("run", str(DEMO / "digits.onnx"), "--recipe", "prune-5", "--on", "nano", "--train-on", "nano")
    assert (nothing.returncode, nothing.stderr) == (2, "error: no step of these recipes learns; leave --train-on out\n")
    unknown = asked(fleet, "--on", "nano", "--train-on", "shop")
    assert "there is no board shop" in unknown.stderr
    here = asked(fleet, "--train-on", "nano")
    assert here.stderr.startswith("error: board nano cannot train: its Python has no torch; ")
    study = fleet.folder / "study.toml"
    study.write_text(
        f'title = "t"\n[[model]]\nname = "digits"\nfile = "{DEMO / "digits.onnx"}"\n'
        f'dataset = "{fleet.folder / "digits.toml"}"\nweights = "w"\n[[variant]]\nname = "one"\n'
        f'recipe = "{fleet.folder / "trained.toml"}"\n[[experiment]]\nname = "e"\nworkload = "flat-out"\n'
    )
    whole = run("study", str(study), "--on", "nano")
    assert (whole.returncode, whole.stdout) == (1, "")
    assert whole.stderr.startswith("error: board nano cannot train: its Python has no torch; ")
    assert fleet.runs("nano") == []


@pytest.mark.long
async def test_what_was_trained_elsewhere_and_is_gone_is_never_trained_here(fleet, tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    fleet.add("shop", "nano")
    await fleet.fleet.bring_up()
    recipe = Recipe(name="t", step=(PruneMagnitude(amount=0.3), TrainFinetune(epochs=1, samples=256), PrecisionFp16()))
    spec = RunSpec(
        model=str(DEMO / "digits.onnx"),
        recipe=recipe,
        dataset=read_dataset(str(fleet.folder / "digits.toml"), {}),
        measure=False,
    )
    (first,) = await fleet.fleet.carry([FleetAsk((spec,), "nano", train_on="shop")], lambda told: None)
    assert first.error is None
    asked_ = RunDir(fleet.runs("nano")[0]).asked()
    key = asked_.spec.trained.keys["train.finetune"]
    assert {stage.name: stage.key for stage in stages.plan_stages(asked_)}["train.finetune"] == key
    for file in (fleet.home_of("nano") / "cache" / key).iterdir():
        file.unlink()
    # asked again with another recipe behind the same training: it is sent once more
    other = msgspec.structs.replace(spec, recipe=msgspec.structs.replace(recipe, step=recipe.step[:2]))
    (second,) = await fleet.fleet.carry([FleetAsk((other,), "nano", train_on="shop")], lambda told: None)
    assert second.error is None
    assert second.runs[0].state == "done"
    assert (fleet.home_of("nano") / "cache" / key / "outcome.json").is_file()


@pytest.mark.long
@pytest.mark.parametrize("where", ["shop", "localhost"])
def test_ctrl_c_ends_the_training_where_it_is(fleet, where):
    pytest.importorskip("torch", reason="needs torch")
    fleet.add("shop", "nano")
    assert run("fleet", "up").returncode == 0
    (fleet.folder / "trained.toml").write_text(RECIPE.replace("epochs = 1", "epochs = 500"))
    words = ["--recipe", str(fleet.folder / "trained.toml"), "--dataset", str(fleet.folder / "digits.toml")]
    words = ["run", str(DEMO / "digits.onnx"), *words, "--on", "nano", "--train-on", where]
    going = subprocess.Popen([sys.executable, "-m", "edgetui", *words], stdout=subprocess.DEVNULL)
    home = fleet.home if where == "localhost" else fleet.home_of("shop")
    wait_until(lambda: any(RunDir(path).last_events() for path in run_paths(home)), limit_s=60)
    going.send_signal(signal.SIGINT)
    assert going.wait(60) == 130
    (training,) = map(RunDir, run_paths(home))
    wait_until(lambda: not training.alive())
    assert training.result().state == "cancelled"
    assert fleet.runs("nano") == []
