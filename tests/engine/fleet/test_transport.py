"""A worker is started the same way through ssh, here and behind a command; and what went wrong there is said in words."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from edgetui.engine.fleet.transport import complaint_of, start_of
from edgetui.engine.schema.fleet import FleetBoard

ORIN = FleetBoard(name="orin", host="me@orin.local", python="~/my env/bin/python", env={"A": "it's"})


def test_over_ssh_both_ways_go_through_the_tunnel_and_nothing_is_asked():
    start = start_of(ORIN, 5000)
    words = " ".join(start.argv)
    assert f"-R {start.scheduler}:127.0.0.1:5000 -L {start.contact}:127.0.0.1:{start.port} -- me@orin.local" in words
    assert len({start.scheduler, start.contact, f"127.0.0.1:{start.port}", "127.0.0.1:5000"}) == 4
    assert "BatchMode=yes" in words
    assert "StrictHostKeyChecking" not in words
    assert start.argv[-1].startswith("A='it'\"'\"'s' exec ~/'my env/bin/python' -c ")
    assert "-R" not in start_of(ORIN, 0).argv


def test_a_python_that_is_too_old_says_so(tool):
    line = start_of(FleetBoard(name="a", host="b"), 1).argv[-1]
    boot = shlex.split(line)[-1]
    old = boot.replace("v=sys.version_info", "v=(3,8,10)")
    told = subprocess.run([tool("python3"), "-c", old], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.strip() == "python-too-old 3.8"


def test_a_command_is_put_before_a_shell_line():
    start = start_of(FleetBoard(name="a", command=("docker", "exec", "-i", "box"), scheduler="10.0.0.1:7"), 1)
    assert start.argv[:6] == ("docker", "exec", "-i", "box", "sh", "-c")
    assert start.scheduler == "10.0.0.1:7"
    assert start_of(FleetBoard(name="a", host="localhost"), 1).argv[0] == sys.executable


SAID = [
    ("ssh: Could not resolve hostname orin.local: Name or service not known", True, "no host has that name"),
    ("ssh: connect to host orin.local port 22: Connection refused", False, "nobody answers ssh"),
    ("ssh: connect to host orin.local port 22: Connection timed out", False, "it does not answer"),
    ("ssh: connect to host orin.local port 22: No route to host", False, "it cannot be reached"),
    ("me@orin.local: Permission denied (publickey,password).", True, "it does not take our ssh key"),
    (
        "@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
        True,
        "its host key is another than before",
    ),
    ("No ED25519 host key is known for orin.local\nHost key verification failed.", True, "its host key is not known here"),
    ("Error: remote port forwarding failed for listen port 5000", False, "its port for the fleet is taken"),
    ("python-too-old 3.8", True, "its Python is older than 3.10"),
    ("bash: line 1: /opt/py: No such file or directory", True, "it has no such Python"),
    ("ModuleNotFoundError: No module named 'edgetui'", True, "its Python has no edgetui"),
    ("ModuleNotFoundError: No module named 'msgspec'", True, "its Python lacks a package"),
    ("No space left on device: /home/me/.local", True, "its disk is full"),
]


@pytest.mark.parametrize(("said", "refuses", "meaning"), SAID)
def test_what_ssh_and_python_complain_of_is_said_by_board(said, refuses, meaning):
    refusal, must_be_mended = complaint_of(ORIN, said, 255)
    assert refusal.what.startswith(f"board orin: {meaning}")
    assert must_be_mended is refuses
    assert "{" not in refusal.fixes[0].words


def test_what_nobody_foresaw_is_said_as_it_is():
    refusal, _ = complaint_of(ORIN, "Segmentation fault", 139)
    assert refusal.what == "board orin: its worker ended (139): Segmentation fault"
