"""What ssh, a shell or a worker says on standard error when it ends, and what that means: by a table.

Apart from `transport.py`, which starts them.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import Fix, Refusal
from ..schema.fleet import FleetBoard
from .fleet_file import HERE
from .transport import login_of
from .worker_process import NO_STATE


class Complaint(NamedTuple):
    """What a program said on standard error, and what it means."""

    sign: str
    """Stands in a line, in letters of either size."""
    refuses: bool
    """Somebody must do something; else it may pass by itself."""
    what: str
    fix: str
    of_python: bool = False
    """Only in a line with the name of the Python: login scripts say the same of other things."""


_NAME_ONE = "name one with `python` in fleet.toml"
_BY_ITSELF = "it is connected again by itself; is it on, and in the same network?"
_NO_HOST = "Could not resolve hostname"
_OF_SSH = (
    Complaint(
        "REMOTE HOST IDENTIFICATION HAS CHANGED", True, "its host key is another than before",
        "if the board was set up anew, `{forget}` and connect once with `ssh {login}`; else somebody is between",
    ),
    Complaint("Host key verification failed", True, "its host key is not known here", "connect once with `ssh {login}`"),
    Complaint(
        "Permission denied (", True, "it does not take our ssh key", "`ssh-copy-id {login}`, then try `ssh {login}`"
    ),
    Complaint(_NO_HOST, True, "no host has that name", "correct `host` in fleet.toml"),
    Complaint(
        "Too many authentication failures", True, "it does not take our ssh keys", "name one with IdentityFile in ~/.ssh/config"
    ),
    Complaint("Connection refused", False, "nobody answers ssh there", "start its ssh server, or wait until it has booted"),
    Complaint("Connection timed out", False, "it does not answer", "is it on, and in the same network?"),
    Complaint("No route to host", False, "it cannot be reached", "is it on, and in the same network?"),
    Complaint("closed by remote host", False, "its link was cut", _BY_ITSELF),
    Complaint("not responding", False, "its link was cut", _BY_ITSELF),
    Complaint("Broken pipe", False, "its link was cut", _BY_ITSELF),
    Complaint("Connection reset", False, "its link was cut", _BY_ITSELF),
    Complaint("Network is unreachable", False, "it cannot be reached", "is this machine in its network?"),
)  # fmt: skip
_COMPLAINTS = (
    *_OF_SSH,
    Complaint(
        "remote port forwarding failed", False, "its port for the fleet is taken, maybe by a link that has just died",
        "wait a minute, or end the other `edgetui fleet` that holds it",
    ),
    Complaint("python-too-old", True, "its Python is older than 3.10", "name another with `python` in fleet.toml"),
    Complaint(
        "No module named 'edgetui", True, "its Python has no edgetui that can be in a fleet",
        "`{python} -m pip install 'edgetui[fleet]'` there, or name another with `python` in fleet.toml",
    ),
    Complaint(
        "No module named", True, "its Python lacks a package of edgetui", "`{python} -m pip install 'edgetui[fleet]'` there"
    ),
    Complaint("No space left on device", True, "its disk is full", "free some space there"),
    Complaint(
        NO_STATE, True, "its state folder cannot be used ({why})",
        "let this user write there, or name another folder: XDG_STATE_HOME in its `env`",
    ),
    Complaint("not found", True, "it has no such Python", _NAME_ONE, of_python=True),
    Complaint("no such file or directory", True, "it has no such Python", _NAME_ONE, of_python=True),
    Complaint("unknown command", True, "it has no such Python", _NAME_ONE, of_python=True),
    Complaint("permission denied", True, "its Python may not be executed", _NAME_ONE, of_python=True),
)  # fmt: skip


def ssh_complaint(board: FleetBoard, said: str, fix: str = "") -> Refusal | None:
    """What ssh itself complained of on standard error, of a link that nobody mends; None: of nothing that we know, or that it
    was cut. `fix`: what mends a name that no host has, where it did not come from fleet.toml.
    """
    found = _found([each for each in _OF_SSH if each.fix != _BY_ITSELF], board, said)
    if found is None:
        return None
    each, what, mend = found
    return Refusal.of(f"{board.name}: {what}", fix if fix and each.sign == _NO_HOST else mend)


def complaint_of(board: FleetBoard, said: str, status: int | None, overdue: str = "") -> tuple[Refusal, bool]:
    """Why a worker ended, from what it said on standard error; and whether somebody must mend it. `overdue`: what it did not
    do in time, for which it was ended.
    """
    if (found := _found(_COMPLAINTS, board, said)) is not None:
        each, what, mend = found
        return Refusal(f"board {board.name}: {what}", (Fix(mend),)), each.refuses
    there = "" if board.host == HERE else f"{login_of(board)} "
    by_hand = (Fix(f"try it by hand: `{there}{board.python or 'python3'} -m edgetui doctor`"),)
    if overdue:
        return Refusal(f"board {board.name}: {overdue}", by_hand), False
    ended = f"was ended by {_signal(-status)}" if status is not None and status < 0 else f"ended ({status})"
    last = next((f": {line[:200]}" for line in reversed(_lines(said))), "")
    return Refusal(f"board {board.name}: its worker {ended}{last}", by_hand), False


def _found(known: Sequence[Complaint], board: FleetBoard, said: str) -> tuple[Complaint, str, str] | None:
    """The first of the known complaints that was made, what it means, and what mends it."""
    login, python, lines = board.host or shlex.join(board.command), board.python or "python3", _lines(said)
    for each in known:
        for line in lines:
            if each.sign.lower() in line.lower() and (not each.of_python or python.removeprefix("~/") in line):
                usual = f"ssh-keygen -R {login.rpartition('@')[2]}"
                forget = next((line for line in lines if line.startswith("ssh-keygen ")), usual)
                why = line.partition(each.sign)[2].strip(" :")[:200]
                names = {"login": login, "python": python, "forget": forget, "why": why}
                return each, each.what.format(**names), each.fix.format(**names)
    return None


def _lines(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.strip()]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
