"""Boards of this machine, each a state folder with a worker: brought up, asked, asked again, broken, taken down."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import msgspec
import pytest
from edgetui import __version__
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import BackendRefused, EdgetuiError
from edgetui.engine.fleet.asks import FleetAsk
from edgetui.engine.fleet.board_tasks import left
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.events import RunBegan
from edgetui.engine.schema.spec import Dataset
from fleet_storm import storm
from fleets import silent
from live_runs import end_all
from measuring import short_elsewhere
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"


def run(*words):
    return subprocess.run([sys.executable, "-m", "edgetui", *words], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.long
async def test_a_run_is_done_on_each_board_once_however_often_it_is_asked(fleet, light):
    fleet.add("one", "two")
    up = await fleet.fleet.bring_up()
    assert [(each.standing.board, each.standing.state) for each in up.boards] == [("one", "up"), ("two", "up")]
    told = []
    asks = [FleetAsk((light,), name) for name in fleet.fleet.wanted("one,two")]
    found = await fleet.fleet.carry(asks, told.append)
    assert [(each.on, each.board, each.found, each.error) for each in found] == [
        ("one", "one", False, None),
        ("two", "two", False, None),
    ]
    assert {each.runs[0].state for each in found} == {"done"}
    assert {each.board for each in told} == {"one", "two"}
    again = await fleet.fleet.carry(asks, silent)
    assert [each.found for each in again] == [True, True]
    assert [each.runs[0].run for each in again] == [each.runs[0].run for each in found]
    assert [len(fleet.runs(name)) for name in ("one", "two")] == [1, 1]


@pytest.mark.long
async def test_a_worker_and_a_scheduler_that_are_killed_lose_nothing(fleet, light):
    fleet.add("one")
    await fleet.fleet.bring_up()
    going = asyncio.ensure_future(fleet.fleet.carry([FleetAsk((light,), "one")], silent))
    while not fleet.runs("one"):
        await asyncio.sleep(0.05)
    fleet.worker("one").kill()
    await asyncio.to_thread(wait_until, lambda: fleet.keeping.standing()["one"].tries > 1)
    fleet.processes("scheduler_process")[0].kill()
    found = await asyncio.wait_for(going, 90)
    assert found[0].error is None
    assert found[0].runs[0].state == "done"
    assert len(fleet.runs("one")) == 1


async def test_a_look_at_boards_whose_link_is_closed_meanwhile_tells_less_and_leaves_no_connection(fleet):
    """As it is when the screen that looks is left, or takes the fleet down: at any moment of connecting and of asking."""
    from distributed import Client

    fleet.add("one")
    await fleet.fleet.bring_up()
    for turns in (0, 30, 300):
        for pause_s in (0.0, 0.03):
            looking = asyncio.ensure_future(fleet.fleet.status())
            await asyncio.sleep(pause_s)
            for _ in range(turns):
                await asyncio.sleep(0)
            link = fleet.fleet._looking
            asking = asyncio.ensure_future(link.ask("one", left, "of no run", patience_s=0.1))
            await fleet.fleet.close()
            (board,) = (await looking).boards
            assert board.standing.state == "up"
            with suppress(EdgetuiError):
                await asking
            assert {client.status for client in Client._instances} <= {"closed"}
    assert (await fleet.fleet.status()).boards[0].now is not None, "the next look makes another link"
    await fleet.fleet.close()


@pytest.mark.long
async def test_two_names_for_one_state_folder_are_refused_by_name(fleet):
    fleet.add("one")
    fleet.add("twin", env={"XDG_STATE_HOME": str(fleet.folder / "one")})
    up = await fleet.fleet.bring_up()
    states = {each.standing.state for each in up.boards}
    assert states == {"up", "refused"}
    refused = next(each.standing for each in up.boards if each.standing.state == "refused")
    assert "share the state folder" in refused.reason or "another fleet has it" in refused.reason
    with pytest.raises(BackendRefused, match=f"board {refused.board} is refused"):
        fleet.fleet.wanted(refused.board)


@pytest.mark.long
async def test_nothing_listens_beyond_loopback_and_strangers_are_turned_away(fleet):
    fleet.add("one")
    await fleet.fleet.bring_up()
    ours = [*fleet.processes("fleet"), *fleet.processes("worker_process")]
    listening = [c for p in ours for c in p.net_connections() if c.status == "LISTEN"]
    assert listening
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
    port = fleet.keeping.kept().port
    stranger = (
        "import asyncio; from distributed import Client, Security\n"
        f"asyncio.run(asyncio.wait_for(Client('tls://127.0.0.1:{port}', asynchronous=True, timeout=3,"
        f" security=Security(tls_ca_file={str(fleet.keeping.keys / 'authority.pem')!r}, require_encryption=True)), 10))"
    )
    told = subprocess.run([sys.executable, "-c", stranger], capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode != 0
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.settimeout(5)
        plain.sendall(b"hello\n" * 100)
        try:
            said = plain.recv(1)
        except ConnectionResetError:
            said = b""
        assert said in (b"", b"\x15")  # closed, or an alert of TLS


def test_everything_ends_with_it(fleet):
    fleet.add("one")
    assert run("fleet", "up").returncode == 0
    assert len([*fleet.processes("fleet.keeper"), *fleet.processes("fleet.scheduler_process"), fleet.worker("one")]) == 3
    assert run("fleet", "down").stdout == "the fleet is down; runs on its boards go on\n"
    wait_until(lambda: not fleet.processes("fleet."))
    told = json.loads(run("fleet", "status", "--json").stdout)
    assert (told["up"], told["boards"][0]["standing"]["state"]) == (False, "down")
    refused = run("run", "digits", "--on", "one")
    assert (refused.returncode, refused.stderr) == (1, "error: the fleet is down; `edgetui fleet up`\n")


@pytest.mark.long
async def test_killed_workers_a_cut_link_and_another_scheduler_lose_none_of_twenty_runs(fleet):
    told = await storm(fleet, boards=4, runs=20, measured=20)
    assert told.lost == []
    assert len(told.outcomes) == 20
    assert told.overlaps == []
    # Two killed, one cut off, and those that the scheduler's end met: one that was down just then is begun once for both.
    assert told.restarts >= 5
    assert len({each.board for each in told.outcomes}) == 4


STUDY = f"""
title = "One group of the demo's model"
paper = "none"
board = "none"
[[model]]
name = "digits"
file = "{DEMO / "digits.onnx"}"
dataset = "{DEMO / "digits.toml"}"
weights = "the demo's"
[[variant]]
name = "FP32"
[[variant]]
name = "pruned"
recipe = "prune-5"
[[experiment]]
name = "one"
preset = "quick"
[[row]]
figure = "time"
unit = "ms"
experiment = "one"
metric = "latency"
paper = {{ FP32 = 3.0, pruned = 2.0 }}
"""


@pytest.mark.long
def test_a_study_is_done_by_each_board_and_its_table_has_a_column_for_each(fleet, tmp_path, monkeypatch):
    short_elsewhere(monkeypatch)
    fleet.add("one", "two")
    (tmp_path / "tiny.toml").write_text(STUDY)
    assert run("fleet", "up").returncode == 0
    told = run("study", str(tmp_path / "tiny.toml"), "--on", "one,two")
    assert told.returncode == 0, told.stderr
    assert "pruned, one" in told.stdout
    table = json.loads(run("study", str(tmp_path / "tiny.toml"), "--on", "one,two", "--json").stdout)
    assert (table["state"], table["done"], table["groups"]) == ("done", 2, 2)
    here = table["rows"][0]["here"]
    assert list(here) == ["FP32, one", "FP32, two", "pruned, one", "pruned, two"]
    assert all(cell["value"] > 0 for cell in here.values())
    assert len({cell["value"] for cell in here.values()}) == 4
    assert [len(fleet.runs(name)) for name in ("one", "two")] == [1, 1]


@pytest.mark.long
async def test_boards_that_do_not_fit_are_refused_by_name_before_the_first_task(fleet, tmp_path, disk):
    other = tmp_path / "other" / "edgetui"
    other.mkdir(parents=True)
    for path in PACKAGE.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            (other / path.name).symlink_to(path)
    (other / "__init__.py").write_text('__version__ = "9.9.9"\n')
    old = tmp_path / "old" / "distributed-2023.5.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: distributed\nVersion: 2023.5.0\n")
    (tmp_path / "python2").write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'edgetui'\" >&2\nexit 1\n")
    (tmp_path / "python2").chmod(0o755)
    fleet.add("good")
    fleet.add("newer", env={"PYTHONPATH": str(other.parent)})
    fleet.add("older", env={"PYTHONPATH": str(old.parent)})
    fleet.add("bare", python=str(tmp_path / "python2"))
    fleet.add("nowhere", python=str(tmp_path / "no-python"))
    fleet.add("full", env={"XDG_STATE_HOME": str(disk("4m"))})
    up = await fleet.fleet.bring_up()
    told = {each.standing.board: (each.standing.state, each.standing.reason) for each in up.boards}
    assert told["good"] == ("up", "")
    assert {state for board, (state, _) in told.items() if board != "good"} == {"refused"}
    assert told["newer"][1] == f"it has edgetui 9.9.9, this machine {__version__}"
    assert told["older"][1].startswith("it has distributed 2023.5.0, this machine ")
    assert told["bare"][1] == "its Python has no edgetui that can be in a fleet"
    assert "cannot be started" in told["nowhere"][1]
    assert told["full"][1].startswith("its disk is full (4 MB")
    with pytest.raises(BackendRefused, match=r"board newer is refused: it has edgetui 9\.9\.9"):
        fleet.fleet.wanted("good,newer")


@pytest.mark.long
async def test_a_board_that_goes_off_in_the_middle_takes_the_run_up_again(fleet, spec, monkeypatch):
    short_elsewhere(monkeypatch)
    fleet.add("one")
    await fleet.fleet.bring_up()
    going = asyncio.ensure_future(fleet.fleet.carry([FleetAsk((spec,), "one")], silent))
    while not (fleet.runs("one") and RunDir(fleet.runs("one")[0]).pid()):
        await asyncio.sleep(0.05)
    (board,) = map(RunDir, fleet.runs("one"))
    fleet.worker("one").kill()
    end_all(fleet.home_of("one"))
    (found,) = await asyncio.wait_for(going, 120)
    assert found.error is None
    assert found.runs[0].state == "done"
    assert [each.resumed for each in board.events() if isinstance(each, RunBegan)] == [False, True]


@pytest.mark.long
def test_ctrl_c_cancels_on_the_board(fleet):
    fleet.add("one")
    assert run("fleet", "up").returncode == 0
    words = ["run", str(DEMO / "digits.onnx"), "--recipe", "prune-5", "--preset", "precise", "--on", "any", "--again"]
    going = subprocess.Popen([sys.executable, "-m", "edgetui", *words], stdout=subprocess.DEVNULL)
    wait_until(lambda: fleet.runs("one") and RunDir(fleet.runs("one")[0]).events())
    going.send_signal(signal.SIGINT)
    assert going.wait(60) == 130
    (board,) = map(RunDir, fleet.runs("one"))
    wait_until(lambda: not board.alive())
    result = board.result()
    assert result is not None
    assert result.state == "cancelled"


@pytest.mark.long
def test_who_leaves_finds_what_was_done_meanwhile(fleet, monkeypatch):
    short_elsewhere(monkeypatch)
    fleet.add("one")
    assert run("fleet", "up").returncode == 0
    words = ["run", str(DEMO / "digits.onnx"), "--recipe", "prune-5", "--preset", "quick", "--on", "one"]
    laptop = subprocess.Popen([sys.executable, "-m", "edgetui", *words], stdout=subprocess.DEVNULL)
    wait_until(lambda: fleet.runs("one"))
    laptop.terminate()
    assert laptop.wait(30) == 143
    assert run("fleet", "down").returncode == 0
    (board,) = map(RunDir, fleet.runs("one"))
    wait_until(lambda: board.result() is not None)
    assert run("fleet", "up").returncode == 0
    told = json.loads(run(*words, "--json").stdout)
    assert [(each["board"], each["found"], each["runs"][0]["state"]) for each in told["on"]] == [("one", True, "done")]
    assert len(fleet.runs("one")) == 1


@pytest.mark.long
async def test_one_boards_lost_key_ends_no_other_board(fleet):
    fleet.add("one", "two")
    await fleet.fleet.bring_up()
    (fleet.keeping.keys / "board-one.pem").unlink()
    fleet.worker("one").kill()
    await asyncio.to_thread(wait_until, lambda: fleet.keeping.standing()["one"].state == "refused")
    assert "board-one.pem" in fleet.keeping.standing()["one"].reason
    assert fleet.keeping.standing()["two"].state == "up"


@pytest.mark.long
async def test_a_run_for_any_board_stays_with_the_first_that_took_it(fleet, spec, light, monkeypatch):
    monkeypatch.setenv("EDGETUI_MEASURE_S", "3")
    fleet.add("one", "two")
    await fleet.fleet.bring_up()
    await fleet.fleet.carry([FleetAsk((light,), "one"), FleetAsk((light,), "two")], silent)  # files are there: none is sent
    before = {name: set(fleet.runs(name)) for name in ("one", "two")}

    def new(name):
        return set(fleet.runs(name)) - before[name]

    going = asyncio.ensure_future(fleet.fleet.carry([FleetAsk((spec,), "any")], silent))
    while not (new("one") or new("two")):
        await asyncio.sleep(0.05)
    has, other = ("one", "two") if new("one") else ("two", "one")
    key = fleet.keeping.keys / f"board-{has}.pem"
    kept = key.read_bytes()
    key.unlink()
    fleet.worker(has).kill()
    await asyncio.to_thread(wait_until, lambda: fleet.keeping.standing()[has].state == "refused")
    done, _ = await asyncio.wait({going}, timeout=8)
    assert not done, "the other board is idle, and is not given it"
    key.write_bytes(kept)
    (found,) = await asyncio.wait_for(going, 120)
    assert (found.board, found.error, found.runs[0].state) == (has, None, "done")
    (again,) = await fleet.fleet.carry([FleetAsk((spec,), "any")], silent)
    assert (again.board, again.found) == (has, True)
    assert [len(new(name)) for name in (has, other)] == [1, 0]


@pytest.mark.long
async def test_what_a_board_took_that_is_in_no_fleet_any_more_is_done_by_another(fleet, light):
    fleet.add("one", "two")
    await fleet.fleet.bring_up()
    (first,) = await fleet.fleet.carry([FleetAsk((light,), "any")], silent)
    gone = fleet.boards.pop([board.name for board in fleet.boards].index(first.board))
    fleet.write()
    await fleet.fleet.bring_up()
    (second,) = await fleet.fleet.carry([FleetAsk((light,), "any")], silent)
    assert second.error is None
    assert second.board != first.board
    end_all(fleet.home_of(gone.name))


@pytest.mark.long
async def test_a_dataset_that_a_board_has_is_not_sent_and_one_that_differs_is(fleet, light, tmp_path):
    data = tmp_path / "digits.npz"
    data.write_bytes((DEMO / "digits.npz").read_bytes())
    other = tmp_path / "other.npz"
    other.write_bytes(b"x")
    named = msgspec.structs.replace(light, dataset=Dataset(kind="npz", path=str(DEMO / "digits.npz"), name="digits"))
    fleet.add("has", datasets={"digits": str(data)})
    fleet.add("differs", datasets={"digits": str(other)})
    await fleet.fleet.bring_up()
    told = []
    found = await fleet.fleet.carry([FleetAsk((named,), "has"), FleetAsk((named,), "differs")], told.append)
    assert [(each.error, each.runs[0].state) for each in found] == [(None, "done")] * 2
    links = [path for path in (fleet.home_of("has") / "fleet" / "files").rglob("*.npz") if path.is_symlink()]
    assert [path.resolve() for path in links] == [data.resolve()]
    assert not [path for path in (fleet.home_of("differs") / "fleet" / "files").rglob("*.npz") if path.is_symlink()]
    said = [each.stage for each in told if each.board == "differs" and "is not what is here" in each.stage]
    assert said == [f"its own {other} is not what is here: digits.npz is another; it is sent"]
