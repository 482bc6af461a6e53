"""Boards of this machine, each a state folder with a worker: brought up, asked, asked again, broken, taken down."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys

import pytest
from edgetui.engine.errors import BackendRefused
from edgetui.engine.fleet.fleet_front import FleetAsk
from edgetui.engine.runs.folder import run_paths
from fleet_storm import storm
from fleets import LoopbackFleet, needs_fleet
from processes import wait_until


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    needs_fleet()
    made = LoopbackFleet(tmp_path, monkeypatch)
    yield made
    made.close()


def silent(told):
    del told


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
    assert [len(run_paths(fleet.home_of(name))) for name in ("one", "two")] == [1, 1]


@pytest.mark.long
async def test_a_worker_and_a_scheduler_that_are_killed_lose_nothing(fleet, light):
    fleet.add("one")
    await fleet.fleet.bring_up()
    going = asyncio.ensure_future(fleet.fleet.carry([FleetAsk((light,), "one")], silent))
    while not run_paths(fleet.home_of("one")):
        await asyncio.sleep(0.05)
    fleet.worker("one").kill()
    await asyncio.to_thread(wait_until, lambda: fleet.keeping.standing()["one"].tries > 1)
    fleet.processes("scheduler_process")[0].kill()
    found = await asyncio.wait_for(going, 90)
    assert found[0].error is None
    assert found[0].runs[0].state == "done"
    assert len(run_paths(fleet.home_of("one"))) == 1


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
    told = await storm(fleet, boards=4, runs=20, measured=4)
    assert told.lost == []
    assert len(told.outcomes) == 20
    assert told.overlaps == []
    assert told.restarts >= 3 + 4  # two killed, one cut off, all when the scheduler ended
    assert len({each.board for each in told.outcomes}) == 4
