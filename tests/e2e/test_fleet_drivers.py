"""Whole searches and sweeps on boards of this machine: each does it for itself, once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.fleet.asks import DrivenAsk
from edgetui.engine.front.driven_asks import SweepAsked
from edgetui.engine.front.sweeping import SweepWords
from edgetui.engine.report.json_schemas import schema_of
from edgetui.engine.runs.search_folder import search_folders
from edgetui.engine.runs.sweep_folder import sweep_folders
from edgetui.engine.schema.settings import BackendSettings
from fleets import LoopbackFleet, needs_fleet
from measuring import short_elsewhere
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"
MODEL, DATA = str(DEMO / "digits.onnx"), str(DEMO / "digits.toml")


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    needs_fleet()
    short_elsewhere(monkeypatch)
    made = LoopbackFleet(tmp_path, monkeypatch)
    yield made
    drivers = [each for name in made.boards for each in folders(made, name.name)]
    for folder in drivers:
        if folder.alive():
            os.killpg(int((folder.path / "alive.lock").read_text()), signal.SIGKILL)
    made.close()


def folders(fleet, board):
    home = fleet.home_of(board)
    return [*search_folders(home), *sweep_folders(home)]


def run(*words):
    return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, check=False, timeout=400)


SWEPT = ("sweep", MODEL, "--modes", "none", "--threads", "1,2", "--preset", "quick")


@pytest.mark.long
def test_each_board_sweeps_for_itself_once_and_there_is_one_table(fleet):
    fleet.add("one", "two")
    assert run("fleet", "up").returncode == 0
    told = run(*SWEPT, "--on", "one,two")
    assert told.returncode == 0, told.stderr
    rows = [line.split() for line in told.stdout.splitlines()]
    assert [row[0] for row in rows if row[:1] in (["one"], ["two"])] == ["one", "two"]
    assert "frames/s" in told.stdout
    again = run(*SWEPT, "--on", "one,two", "--json")
    document = json.loads(again.stdout)
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    jsonschema.validate(document, schema_of("fleet_runs"))
    assert [(each["board"], each["found"], each["sweep"]["state"]) for each in document["on"]] == [
        ("one", True, "done"),
        ("two", True, "done"),
    ]
    assert all(each["sweep"]["answer"]["fps"] > 0 for each in document["on"])
    assert [len(folders(fleet, name)) for name in ("one", "two")] == [1, 1]
    limited = json.loads(run(*SWEPT, "--on", "one", "--want", "fps>=1", "--json").stdout)
    assert limited["on"][0]["found"], "the same windows answer another wish"
    assert len(folders(fleet, "one")) == 1
    anew = json.loads(run(*SWEPT, "--on", "one", "--again", "--json").stdout)
    assert not anew["on"][0]["found"]
    assert len(folders(fleet, "one")) == 2


@pytest.mark.long
async def test_a_killed_driver_and_a_killed_worker_cost_no_second_sweep(fleet):
    fleet.add("one")
    await fleet.fleet.bring_up()
    said = SweepWords(modes="none", threads=(1, 2), preset="quick", rounds=12)
    asked = SweepAsked(model=MODEL, name="digits", backend=BackendSettings(), said=said)
    ask = DrivenAsk(msgspec.to_builtins(asked), (MODEL,), "one")
    going = asyncio.ensure_future(fleet.fleet.carry([ask], lambda told: None))
    while not (folders(fleet, "one") and folders(fleet, "one")[0].shots()):
        await asyncio.sleep(0.05)
    (folder,) = folders(fleet, "one")
    told = ""
    while not told.startswith(folder.id):
        (board,) = (await fleet.fleet.status()).boards
        told = board.now.driven if board.now is not None else ""
    await fleet.fleet.close()
    os.killpg(int((folder.path / "alive.lock").read_text()), signal.SIGKILL)
    fleet.worker("one").kill()
    (found,) = await asyncio.wait_for(going, 200)
    assert found.error is None
    assert found.sweep is not None
    assert found.sweep.state == "done"
    assert len(folders(fleet, "one")) == 1
    assert len({(shot.point, shot.round) for shot in folder.shots()}) == len(folder.shots())


@pytest.mark.rare
def test_each_board_searches_for_itself_and_what_it_chose_stands_in_one_table(fleet):
    fleet.add("one", "two")
    assert run("fleet", "up").returncode == 0
    words = ("search", MODEL, "--dataset", DATA, "--goal", "smallest drop<=0.1", "--budget", "4 builds", "--preset", "quick")
    told = run(*words, "--on", "one,two")
    assert told.returncode == 0, told.stderr
    assert "held-out accuracy" in told.stdout
    assert "INT8" in told.stdout
    found = json.loads(run(*words, "--on", "one,two", "--json").stdout)
    assert [(each["found"], each["search"]["state"]) for each in found["on"]] == [(True, "done"), (True, "done")]
    assert all(each["search"]["held_out"]["half"] == "B" for each in found["on"])
    assert [len(folders(fleet, name)) for name in ("one", "two")] == [1, 1]


@pytest.mark.long
def test_ctrl_c_ends_a_sweep_on_its_board_and_the_same_command_goes_on(fleet):
    fleet.add("one")
    assert run("fleet", "up").returncode == 0
    words = (*SWEPT, "--rounds", "12", "--on", "one")
    going = subprocess.Popen([sys.executable, "-m", "edgetui", *words], stdout=subprocess.DEVNULL)
    wait_until(lambda: folders(fleet, "one") and folders(fleet, "one")[0].shots())
    going.send_signal(signal.SIGINT)
    assert going.wait(60) == 130
    (folder,) = folders(fleet, "one")
    assert folder.state() == "cancelled"
    before = len(folder.shots())
    told = json.loads(run(*words, "--json").stdout)
    assert told["on"][0]["sweep"]["state"] == "done"
    assert len(folders(fleet, "one")) == 1
    assert len(folder.shots()) > before


@pytest.mark.long
def test_what_a_board_or_every_machine_refuses_is_said(fleet, tmp_path):
    fleet.add("one")
    assert run("fleet", "up").returncode == 0
    nothing = run("search", MODEL, "--goal", "fastest", "--on", "one")
    assert (nothing.returncode, nothing.stderr.startswith("error: there are no samples")) == (1, True), nothing.stderr
    modes = run("sweep", MODEL, "--modes", "15W", "--on", "one")
    assert modes.returncode == 1
    assert "error: board one: this board has no power modes" in modes.stderr
    (tmp_path / "some.plan").write_bytes(b"x")
    plan = run("sweep", str(tmp_path / "some.plan"), "--on", "one")
    assert "error: board one: TensorRT plans cannot be run on this machine" in plan.stderr
    assert run("sweep", "--on", "one").returncode == 2
