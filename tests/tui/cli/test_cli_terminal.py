"""`run` on a real terminal: progress in place, `d` leaves the run going, Ctrl+C ends it, a closed terminal does neither."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.runs.folder import RunDir, run_paths
from processes import wait_until

DEMO = PACKAGE / "profiles" / "demo"
RUN = ["run", str(DEMO / "digits.onnx"), "--recipe", "int8", "--dataset", str(DEMO / "digits.toml"), "--preset", "normal"]

pytestmark = pytest.mark.skipif(shutil.which("setsid") is None, reason="needs setsid of util-linux")


class Terminal:
    """A pseudo-terminal with a command in its foreground."""

    def __init__(self, *words: str, columns: int = 100) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", sys.executable, "-m", "edgetui", *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"TERM": "xterm", "LC_ALL": "C.UTF-8"},
        )
        self.text = ""

    def read(self, pattern: str, limit_s: float = 60) -> None:
        """Read until the pattern has been seen."""
        end = time.monotonic() + limit_s
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            assert ready or self.process.poll() is None, self.text
            assert time.monotonic() < end, self.text

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def close(self) -> None:
        for fd in (self.slave, self.master):
            os.close(fd)


@pytest.fixture
def terminal():
    made = []

    def start(*words, **more):
        made.append(Terminal(*words, **more))
        return made[-1]

    yield start
    for one in made:
        one.close()
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


def the_run(home) -> RunDir:
    (path,) = run_paths(home)
    return RunDir(path)


def test_ctrl_c_cancels_and_says_how_to_go_on(terminal, own_state):
    shown = terminal(*RUN)
    shown.read(r"✓ inspect.*(?s:.)*▶ ")
    shown.type("\x03")
    assert shown.process.wait(60) == 130
    shown.read("edgetui resume")
    assert "Traceback" not in shown.text
    folder = the_run(own_state)
    assert not folder.alive()
    assert folder.result().state == "cancelled"


def test_d_leaves_it_running_and_a_second_terminal_sees_its_past(terminal, own_state):
    shown = terminal(*RUN)
    shown.read("✓ inspect")
    shown.type("d")
    assert shown.process.wait(60) == 0
    shown.read("goes on")
    assert the_run(own_state).alive()
    other = terminal("watch", "last")
    other.read("✓ inspect.*(?s:.)*✓ normalise")
    other.type("\x03")
    assert other.process.wait(60) == 0
    assert the_run(own_state).alive()


@pytest.mark.long
def test_a_closed_terminal_ends_only_the_viewer(terminal, own_state):
    shown = terminal(*RUN)
    shown.read("✓ inspect")
    os.close(shown.slave)
    os.close(shown.master)
    shown.slave, shown.master = os.open(os.devnull, os.O_RDWR), os.open(os.devnull, os.O_RDWR)
    shown.process.wait(60)
    assert the_run(own_state).alive()
    seen = len(the_run(own_state).events())
    wait_until(lambda: len(the_run(own_state).events()) > seen)


@pytest.mark.long
def test_lines_of_stages_fit_a_narrow_terminal(terminal):
    shown = terminal(*RUN, columns=50)
    shown.read("✓ build")
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown.text))
    stages = [line for line in lines if line.startswith((" ✓", " ▶"))]
    assert len(stages) >= 5
    assert max(len(line) for line in stages) == 49


@pytest.mark.long
def test_the_keys_are_in_sight_on_a_small_terminal(terminal):
    terminal(*RUN, columns=80).read(r"▶ measure [^\r]*d detach · Ctrl\+C cancel")


def test_detach_prints_the_run_and_json_its_document(terminal, own_state):
    done = subprocess.run(
        [sys.executable, "-m", "edgetui", *RUN, "--detach"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == the_run(own_state).name
    assert "edgetui watch" in done.stderr
    shown = subprocess.run(
        [sys.executable, "-m", "edgetui", "show", "last", "--json"], capture_output=True, text=True, timeout=60, check=True
    )
    assert '"state": "running"' in shown.stdout
    ended = subprocess.run(
        [sys.executable, "-m", "edgetui", "cancel", "last"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "is cancelled" in ended.stdout
