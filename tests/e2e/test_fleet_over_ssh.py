"""A board behind a real sshd: both directions through the tunnel, a cut link, and what ssh refuses."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from edgetui.engine.fleet.asks import FleetAsk
from fleets import LoopbackFleet, needs_fleet
from processes import wait_until
from ssh_server import know, known_as_orin

pytestmark = pytest.mark.long


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    needs_fleet()
    (tmp_path / "fleet").mkdir()
    made = LoopbackFleet(tmp_path / "fleet", monkeypatch)
    yield made
    made.close()


@pytest.fixture
def server(tmp_path, tool, monkeypatch):
    with known_as_orin(tmp_path, tool, monkeypatch) as made:
        yield made


def silent(told):
    del told


async def test_a_run_goes_through_the_tunnel_and_outlives_a_cut_link(fleet, server, light):
    fleet.add("orin", host="orin", python=sys.executable)
    up = await fleet.fleet.bring_up()
    assert [(each.standing.state, each.standing.reason) for each in up.boards] == [("up", "")]
    assert fleet.worker("orin").net_connections()
    asks = [FleetAsk((light,), "orin")]
    going = asyncio.ensure_future(fleet.fleet.carry(asks, silent))
    while not fleet.runs("orin"):
        await asyncio.sleep(0.05)
    for process in fleet.tunnels():
        process.kill()
    (found,) = await asyncio.wait_for(going, 120)
    assert found.error is None
    assert found.runs[0].state == "done"
    assert len(fleet.runs("orin")) == 1
    await fleet.fleet.take_down()
    await asyncio.to_thread(wait_until, lambda: not fleet.processes("worker_process"))


async def test_what_ssh_refuses_is_said_by_board_and_mended_without_a_restart(fleet, server, tmp_path, tool):
    fleet.add("orin", host="orin", python=sys.executable)
    fleet.add("lost", host="ssh://127.0.0.1:1", python=sys.executable)
    fleet.add("empty", host="orin", python="/usr/bin/nothing-here")
    folder = tmp_path / "ssh"
    subprocess.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "other")], check=True)
    know(folder, server.port, (folder / "other.pub").read_text())
    up = await fleet.fleet.bring_up()
    told = {each.standing.board: (each.standing.state, each.standing.reason) for each in up.boards}
    assert told == {
        "orin": ("refused", "its host key is another than before"),
        "lost": ("away", "nobody answers ssh there"),
        "empty": ("refused", "its host key is another than before"),
    }
    know(folder, server.port, (folder / "host.pub").read_text())
    await asyncio.to_thread(wait_until, lambda: fleet.keeping.standing()["orin"].state == "up")
    await asyncio.to_thread(wait_until, lambda: fleet.keeping.standing()["empty"].reason == "it has no such Python")


async def test_a_wrong_key_is_said(fleet, server, tmp_path):
    (tmp_path / "ssh" / "user.pub").write_text("")
    fleet.add("orin", host="orin", python=sys.executable)
    (orin,) = (await fleet.fleet.bring_up()).boards
    assert (orin.standing.state, orin.standing.reason) == ("refused", "it does not take our ssh key")
    (check,) = [check for check in await fleet.fleet.examine() if check.name == "orin"]
    assert check.state == "bad"
    assert "ssh-copy-id orin" in check.mend
