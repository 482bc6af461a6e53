"""A worker is started the same way through ssh, here and behind a command; and what went wrong there is said in words."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import msgspec
import pytest
from edgetui.engine.fleet.complaints import complaint_of
from edgetui.engine.fleet.transport import shell_of, start_of
from edgetui.engine.fleet.worker_process import WorkerOrder
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


def test_what_a_person_typed_is_a_word_and_never_part_of_the_line():
    words = ("a b", "$(reboot)", "it's; `x`", "-n")
    own = ("env", "A=it's", "sh", "-c", "echo $1", "edgetui", *words)
    far = shell_of(ORIN, "echo $1", words)
    assert far[-3:-1] == ("--", "me@orin.local")
    assert tuple(shlex.split(far[-1])) == own
    assert shell_of(FleetBoard(name="a", command=("docker", "exec", "-i", "box")), "x", ())[:4] == (
        "docker",
        "exec",
        "-i",
        "box",
    )
    assert shell_of(FleetBoard(name="a", host="localhost", env=ORIN.env), "echo $1", words) == own


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
    ("bash: line 1: /home/me/my env/bin/python: No such file or directory", True, "it has no such Python"),
    ("sh: 1: exec: /home/me/my env/bin/python: not found", True, "it has no such Python"),
    ("zsh:1: no such file or directory: /home/me/my env/bin/python", True, "it has no such Python"),
    ("bash: /home/me/my env/bin/python: Permission denied", True, "its Python may not be executed"),
    ("bash: nvcc: command not found\npython-too-old 3.8", True, "its Python is older than 3.10"),
    ("bash: nvcc: command not found", False, "its worker ended (255): bash: nvcc"),
    ("ModuleNotFoundError: No module named 'edgetui'", True, "its Python has no edgetui"),
    ("ModuleNotFoundError: No module named 'msgspec'", True, "its Python lacks a package"),
    ("state-folder: No space left on device: /home/me/.local", True, "its disk is full"),
    ("state-folder: Permission denied: /data/x", True, "its state folder cannot be used (Permission denied: /data/x)"),
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
    assert refusal.fixes[0].words == "try it by hand: `ssh me@orin.local ~/my env/bin/python -m edgetui doctor`"
    assert complaint_of(ORIN, "", -9)[0].what == "board orin: its worker was ended by SIGKILL"
    assert complaint_of(ORIN, "", -9, "it says nothing within 40 s")[0].what == "board orin: it says nothing within 40 s"


def test_a_state_folder_that_cannot_be_used_is_told_by_the_worker_before_it_imports_dask():
    order = msgspec.json.encode(WorkerOrder(board="a", scheduler="", port=0, resources={}, authority="", key=""))
    environment = os.environ | {"XDG_STATE_HOME": "/proc/1/nothing"}
    command = [sys.executable, "-m", "edgetui.engine.fleet.worker_process"]
    told = subprocess.run(command, input=order + b"\n", env=environment, capture_output=True, check=False)
    refusal, _ = complaint_of(ORIN, told.stderr.decode(), told.returncode)
    assert refusal.what.startswith("board orin: its state folder cannot be used (No such file or directory: /proc/1/nothing")


def test_a_changed_key_is_forgotten_by_the_command_that_ssh_names():
    said = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n  remove with:\n  ssh-keygen -f /k -R [10.0.0.2]:22\n"
    assert "`ssh-keygen -f /k -R [10.0.0.2]:22` and" in complaint_of(ORIN, said, 255)[0].fixes[0].words
    assert "`ssh-keygen -R orin.local` and" in complaint_of(ORIN, said.partition("remove")[0], 255)[0].fixes[0].words
