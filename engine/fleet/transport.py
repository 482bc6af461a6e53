"""How a worker is started on a board: by ssh, here, or through a command.

All three are a program with standard input and output. Over ssh both directions of the fleet's traffic go through its tunnel:
the board reaches the scheduler on its own loopback address, and the scheduler the board's worker on ours.
"""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ..schema.fleet import FleetBoard
from .fleet_file import HERE

LOOPBACK = "127.0.0.1"
_BOOT = (
    "import sys;v=sys.version_info;v<(3,10) and sys.exit('python-too-old %d.%d'%v[:2]);"
    "sys.path[0]=='' and sys.path.pop(0);"
    "import runpy;runpy.run_module('edgetui.engine.fleet.worker_process',run_name='__main__',alter_sys=True)"
)
"""Read by every Python there is: one that is too old says so. Without the folder it is started in, where a checkout may lie."""
_SSH = (
    "ssh", "-T", "-x", "-a", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3", "-o", "ExitOnForwardFailure=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none",
)  # fmt: skip
"""Never asks, and notices within 15 s that the link is gone. Whether the host's key is known decides the user's own ssh."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return int(free.getsockname()[1])


class Start(NamedTuple):
    """What starts a board's worker."""

    argv: tuple[str, ...]
    env: dict[str, str] | None
    """None: ours."""
    scheduler: str
    """HOST:PORT as the board sees it."""
    port: int = 0
    """Where its worker shall listen; 0: anywhere."""
    contact: str = ""
    """HOST:PORT at which the scheduler reaches the worker; empty: where that listens."""


def start_of(board: FleetBoard, scheduler_port: int) -> Start:
    """How to start the worker of a board; without a `scheduler_port` (0) it will only say hello.

    At both ends of ssh's tunnel ports are drawn anew each time: one that is taken there costs a try, and a board may be in
    several fleets' files, or be this machine.
    """
    here = f"{LOOPBACK}:{scheduler_port}"
    if board.host == HERE:
        argv = (os.path.expanduser(board.python or sys.executable), "-c", _BOOT)  # noqa: PTH111 - `python3` is no path
        return Start(argv, {**os.environ, **board.env}, here)
    program = _program(board)
    if board.command:
        return Start((*board.command, "sh", "-c", program), None, board.scheduler or here)
    if not scheduler_port:
        return Start((*_SSH, "--", board.host, program), None, here)
    theirs, contact, back = free_port(), f"{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{free_port()}"
    tunnels = ("-R", f"{back}:{here}", "-L", f"{contact}:{LOOPBACK}:{theirs}")
    return Start((*_SSH, *tunnels, "--", board.host, program), None, back, theirs, contact)


def shell_of(board: FleetBoard, script: str, words: Sequence[str]) -> tuple[str, ...]:
    """A program that runs a line of sh there, with `words` as its `$1`, `$2`, ...: what a person typed is never part of the
    line. A shell there that reads it first (ssh) gets each word in quotes.
    """
    variables = ("env", *(f"{name}={value}" for name, value in board.env.items())) if board.env else ()
    argv = (*variables, "sh", "-c", script, "edgetui", *words)
    if board.host == HERE:
        return argv
    return (*board.command, *argv) if board.command else (*_SSH, "--", board.host, shlex.join(argv))


def login_of(board: FleetBoard) -> str:
    """The words before a command that somebody does there by hand."""
    return shlex.join(board.command) if board.command else f"ssh {board.host}"


def _program(board: FleetBoard) -> str:
    """A line for the shell there."""
    python = board.python or "python3"
    quoted = f"~/{shlex.quote(python[2:])}" if python.startswith("~/") else shlex.quote(python)
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in board.env.items())
    return f"{variables} exec {quoted} -c {shlex.quote(_BOOT)}".lstrip()
