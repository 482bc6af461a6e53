"""A run and a screen behind a real sshd whose link is cut."""

from __future__ import annotations

import asyncio
import getpass
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE
from live_runs import ended
from ssh_server import SshServer

DEMO = PACKAGE / "profiles" / "demo"


class Link:
    """An sshd on the loopback address, and clients of it."""

    def __init__(self, folder: Path, tool: Callable[[str], str]) -> None:
        self._folder, self._served = folder, SshServer(folder, tool)

    def start(self, command: list[str], state: Path, size: str = "rows 45 cols 160") -> None:
        """Run a command with a terminal of a size on the other side."""
        where = f"TERM=xterm-256color XDG_STATE_HOME={shlex.quote(str(state.parent))}"
        line = f"stty {size}; {where} exec {shlex.join(command)}"
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        to = ["-F", "none", "-i", str(self._served.key), "-p", str(self._served.port), f"{getpass.getuser()}@127.0.0.1"]
        self.shown = self._folder / "shown"
        with self.shown.open("wb") as shown:
            self._client = subprocess.Popen(
                [self._served.ssh, "-tt", *options, *to, line], stdin=subprocess.PIPE, stdout=shown, stderr=shown
            )

    def cut(self) -> None:
        """The client is gone without a word."""
        self._client.kill()
        self._client.communicate()

    def close(self) -> None:
        """End client and server."""
        self.cut()
        self._served.close()


@pytest.fixture
def link(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Link]:
    made = Link(tmp_path, tool)
    yield made
    made.close()


async def begun(engine: Engine, link: Link, limit_s: float = 60) -> str:
    """The one run's id, once it works."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        runs = await engine.list()
        if runs and runs[0].state == "running":
            return runs[0].run
        await asyncio.sleep(0.05)
    raise AssertionError(link.shown.read_text(errors="replace"))


async def test_a_run_goes_on_when_the_link_is_cut(link: Link, engine: Engine, own_state: Path) -> None:
    command = [sys.executable, "-m", "edgetui", "build", str(DEMO / "digits.onnx"), "--recipe", "int8"]
    link.start([*command, "--calibration", str(DEMO / "digits.toml"), "--out", str(own_state.parent / "out")], own_state)
    run = await begun(engine, link)
    link.cut()
    await ended(engine, run)
    assert (await engine.result(run)).state == "done"


@pytest.mark.parametrize(("size", "words"), [("rows 45 cols 160", "Compression"), ("rows 10 cols 40", "too small")])
async def test_the_workbench_leaves_when_the_link_is_cut(link: Link, own_state: Path, size: str, words: str) -> None:
    link.start([sys.executable, "-m", "edgetui"], own_state, size)
    await until(lambda: words in link.shown.read_text(errors="replace"), "no workbench was shown")
    assert screens(own_state)
    link.cut()
    await until(lambda: not screens(own_state), "the screen outlived its terminal")


async def test_the_workbench_leaves_a_terminal_without_a_size(link: Link, own_state: Path) -> None:
    link.start([sys.executable, "-m", "edgetui"], own_state, "rows 0 cols 0")
    await until(lambda: b"\x1b[1;1H" in link.shown.read_bytes(), "no workbench was shown")
    assert screens(own_state)
    link.cut()
    await until(lambda: not screens(own_state), "the screen outlived its terminal")


async def until(true: Callable[[], bool], complaint: str, limit_s: float = 60) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, complaint
        await asyncio.sleep(0.1)


def screens(state: Path) -> list[int]:
    """Processes of the workbench that work on this state folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().split(b"\0")
            home = f"XDG_STATE_HOME={state.parent}".encode() in (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if home and line[1:] == [b"-m", b"edgetui", b""]:
            found.append(int(path.name))
    return found
