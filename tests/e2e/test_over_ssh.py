"""The workbench behind a real sshd, as a person has it: come back, look twice, stall, and have tmux in between."""

from __future__ import annotations

import asyncio
import getpass
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.schema.spec import RunSpec
from live_runs import ended, until_stage
from ssh_server import SshServer

pytestmark = pytest.mark.long
WORKBENCH = shlex.join([sys.executable, "-m", "edgetui"])
ROWS, COLUMNS = 45, 160


class Seat:
    """An ssh client in a terminal of its own, and what that terminal shows."""

    def __init__(self, folder: Path, server: SshServer, state: Path, line: str) -> None:
        self._file = folder / f"shown-{time.monotonic_ns()}"
        self._read = 0
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        where = f"TERM=xterm-256color LANG=C.UTF-8 XDG_STATE_HOME={shlex.quote(str(state.parent))}"
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-e", "none"]
        to = ["-F", "none", "-i", str(server.key), "-p", str(server.port), f"{getpass.getuser()}@127.0.0.1"]
        command = f"stty rows {ROWS} cols {COLUMNS}; export {where}; exec {line}"
        with self._file.open("wb") as shown:
            self.client = subprocess.Popen(
                [server.ssh, "-tt", *options, *to, command], stdin=subprocess.PIPE, stdout=shown, stderr=subprocess.DEVNULL
            )

    def press(self, keys: str) -> None:
        """Type."""
        assert self.client.stdin is not None
        self.client.stdin.write(keys.encode())
        self.client.stdin.flush()

    def text(self) -> str:
        """The rows that the terminal shows now."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        # questions to a terminal, of which pyte draws the letters
        for asked in (b"\x1b[?2026$p", b"\x1b[>4;1m", b"\x1b[?u", b"\x1b[>1u", b"\x1b[<u"):
            data = data.replace(asked, b"")
        self._stream.feed(data)
        return "\n".join(row.rstrip() for row in self._screen.display)

    async def shows(self, *words: str, limit_s: float = 90) -> None:
        """Wait until it shows all words."""
        end = time.monotonic() + limit_s
        while not all(word in self.text() for word in words):
            assert time.monotonic() < end, f"never showed {words}:\n{self.text()}"
            await asyncio.sleep(0.1)

    def cut(self) -> None:
        """The client is gone without a word."""
        self.client.kill()
        self.client.communicate()


@pytest.fixture
def sit(tmp_path: Path, own_state: Path, tool: Callable[[str], str]) -> Iterator[Callable[..., Seat]]:
    """Open a seat: `sit()` for the workbench, `sit("tmux attach")` for a command."""
    server, seats = SshServer(tmp_path, tool), []

    def open_seat(line: str = WORKBENCH) -> Seat:
        seats.append(Seat(tmp_path, server, own_state, line))
        return seats[-1]

    yield open_seat
    for seat in seats:
        seat.cut()
    server.close()


async def test_who_comes_back_sees_the_whole_past(sit, engine: Engine, spec: RunSpec):
    run = await engine.submit(spec)
    first = sit()
    await first.shows("✓ inspect")
    await until_stage(engine, run, "measure")
    first.cut()
    second = sit()
    await second.shows("✓ inspect", "✓ normalise", "✓ quantize.int8", "✓ build", "✓ verify")
    second.press("5")
    await asyncio.sleep(0.5)
    second.press("g")
    await second.shows("parameters, opset")
    second.press("G")
    await second.shows("run done", "✓ evaluate", limit_s=180)
    assert (await engine.result(run)).state == "done"


async def test_two_terminals_show_the_same_run_and_either_may_leave(sit, engine: Engine, spec: RunSpec):
    run = await engine.submit(spec)
    one, other = sit(), sit()
    await one.shows("✓ inspect")
    await other.shows("✓ inspect")
    one.press("q")
    assert one.client.wait(60) == 0
    await other.shows("run done", limit_s=180)
    assert (await engine.result(run)).state == "done"


async def test_a_stalled_link_stops_no_run_and_shows_its_end_when_it_is_back(sit, engine: Engine, spec: RunSpec):
    run = await engine.submit(spec)
    seat = sit()
    await seat.shows("✓ inspect")
    os.kill(seat.client.pid, signal.SIGSTOP)
    try:
        assert "run done" not in seat.text()
        await ended(engine, run, 180)
        assert (await engine.result(run)).state == "done"
        assert "run done" not in seat.text()
    finally:
        os.kill(seat.client.pid, signal.SIGCONT)
    await seat.shows("run done")


async def test_tmux_keeps_the_workbench_when_the_link_is_cut(sit, tmp_path: Path, tool: Callable[[str], str]):
    tmux = shlex.join([tool("tmux"), "-S", str(tmp_path / "tmux"), "-f", "/dev/null"])
    try:
        first = sit(f"{tmux} -u new-session -s bench {shlex.quote(WORKBENCH)}")
        await first.shows("Compression", "digits")
        first.press("?")
        await first.shows("Go to the pane Compression")
        first.cut()
        second = sit(f"{tmux} -u attach -t bench")
        await second.shows("Go to the pane Compression")
        second.press("\x1b")
        await asyncio.sleep(1.0)  # an escape that is followed at once is another key
        second.press("q")
        assert second.client.wait(60) == 0
    finally:
        subprocess.run([*shlex.split(tmux), "kill-server"], capture_output=True, check=False)
