"""What a run made is put behind a real sshd: with its verdict said before, a wrong host key, a link that is cut."""

from __future__ import annotations

import asyncio
import os
import subprocess

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.errors import StorageRefused
from edgetui.engine.runs.folder import create
from edgetui.engine.schema.spec import RunRequest, RunSpec
from link_proxy import LinkProxy
from ssh_server import know, known_as_orin
from told_runs import RECIPE, difference, outcome

SIZE = 12_000_000
RUN = "20261120-2311-tiny-both"


@pytest.fixture
def server(tmp_path, tool, monkeypatch):
    with known_as_orin(tmp_path, tool, monkeypatch) as made:
        yield made


@pytest.fixture
def engine(own_state):
    """With a finished run that is not shown to be faster."""
    spec = RunSpec(model="/gone/tiny.onnx", recipe=RECIPE)
    asked = RunRequest(run=RUN, ticket=1, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
    folder = create(own_state, asked)
    model = folder.artifacts / "model.onnx"
    model.write_bytes(os.urandom(SIZE))
    (folder.artifacts / "model.onnx.data").write_bytes(b"weights")
    slow = msgspec.structs.replace(outcome(RUN, model), difference=difference(1.02, 0.3, within=0.1), verdict={})
    folder.write_result(msgspec.structs.replace(slow, artifacts={"onnx": str(model), "latencies": "/gone/latencies.npz"}))
    return Engine(Config(), own_state)


async def anyway(looked):
    return "go"


async def test_over_ssh_a_cut_link_goes_on_where_it_was(engine, server, tmp_path):
    proxy, folder, to = LinkProxy(lambda: server.port), tmp_path / "ssh", tmp_path / "there now"
    await proxy.start()
    client = (folder / "client").read_text().replace(f"Port {server.port}", f"Port {proxy.port}")
    (folder / "client").write_text(client)
    know(folder, proxy.port, (folder / "host.pub").read_text())
    prepared = await engine.deployable(RUN)
    assert [file.name for file in prepared.files] == ["model.onnx", "model.onnx.data"]
    (note,) = prepared.notes
    assert "Keep FP32" in note

    async def cut():
        while proxy.passed < SIZE / 3:
            await asyncio.sleep(0.002)
        proxy.cut()

    cutting = asyncio.create_task(cut())
    with pytest.raises(StorageRefused, match=r"the link to orin was lost after .* of 12\.0 MB of model\.onnx; try again"):
        await engine.deploy(prepared, f"orin:{to}", anyway)
    await cutting
    (part,) = to.iterdir()
    assert 0 < part.stat().st_size < SIZE
    assert (await engine.deploy_places()) == ()
    before, come = proxy.passed, part.stat().st_size
    await proxy.start()
    done = await engine.deploy(prepared, f"orin:{to}", anyway)
    assert proxy.passed - before < SIZE - come + 200_000
    assert {file.state for file in done.files} == {"copied"}
    assert sorted(each.name for each in to.iterdir()) == ["model.onnx", "model.onnx.data"]
    again = await engine.deploy(prepared, f"orin:{to}", anyway)
    assert {file.state for file in again.files} == {"was there"}
    assert (await engine.deploy_places()) == ((f"orin:{to}", "used before"),)
    await proxy.close()


async def test_what_ssh_refuses_is_said(engine, server, tmp_path, tool):
    prepared, folder = await engine.deployable(RUN), tmp_path / "ssh"
    with pytest.raises(StorageRefused, match="there is no folder missing on orin; make it"):
        await engine.deploy(prepared, "orin:missing/there", anyway)
    subprocess.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "other")], check=True)
    know(folder, server.port, (folder / "other.pub").read_text())
    with pytest.raises(StorageRefused, match="orin: its host key is another than before"):
        await engine.deploy(prepared, "orin:there", anyway)
    know(folder, server.port, (folder / "host.pub").read_text())
    (folder / "user.pub").write_text("")
    with pytest.raises(StorageRefused, match="orin: it does not take our ssh key; `ssh-copy-id orin`"):
        await engine.deploy(prepared, "orin:there", anyway)
    with pytest.raises(StorageRefused, match=r"nobody\.invalid: no host has that name; check the host's name"):
        await engine.deploy(prepared, "nobody.invalid:there", anyway)
