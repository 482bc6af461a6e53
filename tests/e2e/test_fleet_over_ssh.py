"""A board behind a real sshd: both directions through the tunnel, a cut link, and what ssh refuses."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

import psutil
import pytest
from edgetui.engine.fleet import link
from edgetui.engine.fleet.asks import FleetAsk
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.events import RunBegan
from fleets import LoopbackFleet, needs_fleet, silent
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


async def test_a_board_that_goes_off_in_the_middle_is_told_waited_for_and_taken_up_again(fleet, server, light, monkeypatch):
    fleet.add("orin", host="orin", python=sys.executable)
    await fleet.fleet.bring_up()
    said = []
    going = asyncio.ensure_future(fleet.fleet.carry([FleetAsk((light,), "orin")], said.append))
    while not (fleet.runs("orin") and RunDir(fleet.runs("orin")[0]).pid()):
        await asyncio.sleep(0.05)
    monkeypatch.setattr(link, "_SLICE_S", 0.5)
    go_off(fleet, server)
    run = RunDir(fleet.runs("orin")[0])
    await asyncio.to_thread(wait_until, lambda: any(each.trouble for each in said))
    (orin,) = (await asyncio.wait_for(fleet.fleet.status(), 10)).boards
    assert (orin.standing.state, orin.now) == ("away", None)
    assert f"is away: {orin.standing.reason}; it is waited for" in said[-1].trouble
    assert orin.heard_s is not None
    assert server.serve()
    (found,) = await asyncio.wait_for(going, 120)
    assert (found.error, found.runs[0].state, found.runs[0].run) == (None, "done", run.name)
    assert [event.resumed for event in run.events() if isinstance(event, RunBegan)] == [False, True]
    assert "is up again" in [each.stage for each in said]
    monkeypatch.setattr(link, "PATIENCE_S", 1.0)
    go_off(fleet, server)
    (lost,) = await asyncio.wait_for(fleet.fleet.carry([FleetAsk((light,), "orin", again="x")], silent), 60)
    assert lost.error is not None
    assert "board orin does not answer" in lost.error.what


def go_off(fleet, server):
    """As a power cut: the ssh server, its sessions, the worker and all of a run at once."""
    sessions = psutil.Process(server.server.pid).children(recursive=True)
    mine = [*fleet.processes("worker_process"), *sessions]
    mine += [process for process in fleet.processes("edgetui.engine") if str(fleet.folder / "orin") in where(process)]
    for process in {process.pid: process for process in mine}.values():
        with contextlib.suppress(psutil.Error):
            process.kill()
    server.server.kill()
    server.server.wait(10)


def where(process):
    """The state folder of a process."""
    try:
        return str(process.environ().get("XDG_STATE_HOME", ""))
    except psutil.Error:
        return ""


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
