"""Whether a board fits the fleet, from what it says of itself before it joins: versions, clock, disk, who else it is."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping

from ... import __version__
from ..errors import Refusal
from ..schema.fleet import BoardHello

CLOCK_S = 86_400.0
"""A clock that is further off than a day is no clock: certificates are good from two days before they were made."""
LEAST_FREE_MB = 50.0


def refusal_of(
    board: str, hello: BoardHello, homes: Mapping[str, str], now_s: float | None = None, login: str = "", python: str = ""
) -> Refusal | None:
    """Why a board may not join; None: it may. `homes`: state folders of boards that are up, to their names; `login`: the words
    before a command that is to be done there, `python` what its Python is called.

    The versions of Python may differ: only names of functions, and bytes, go over the wire.
    """
    ours = importlib.metadata.version("distributed")
    pip = f"`{python or 'python3'} -m pip install"
    off_s = hello.wall_s - (time.time() if now_s is None else now_s)
    if hello.edgetui != __version__:
        return _no(
            board,
            f"it has edgetui {hello.edgetui}, this machine {__version__}",
            f"{pip} edgetui=={__version__}` there, or the newer of both on both",
        )
    if hello.distributed is None:
        return _no(board, "its Python has no distributed", f"{pip} 'edgetui[fleet]'` there")
    if hello.distributed != ours:
        what = f"it has distributed {hello.distributed}, this machine {ours}"
        return _no(board, what, f"{pip} distributed=={ours}` there")
    if hello.home in homes:
        what = f"it is {homes[hello.home]}: they share the state folder {hello.home}"
        return _no(board, what, "take one of them out of fleet.toml, or give it XDG_STATE_HOME in its `env`")
    if hello.taken:
        what = f"another fleet has it (its state folder is {hello.home})"
        return _no(board, what, "`edgetui fleet down` on that machine")
    if abs(off_s) > CLOCK_S:
        many = abs(off_s) / 86_400
        far = f"{many / 365.25:.1f} years" if many > 365 else f"{many:.0f} days"
        there = f"set it from here: `{login or f'ssh {board}'} sudo date -s @$(date +%s)`; or ours, if that is the wrong one"
        return _no(board, f"its clock is {far} {'ahead' if off_s > 0 else 'behind'}", there)
    if hello.free_mb is not None and hello.free_mb < LEAST_FREE_MB:
        return _no(board, f"its disk is full ({hello.free_mb:.0f} MB are free)", f"free some space at {hello.home}")
    return None


def _no(board: str, what: str, fix: str) -> Refusal:
    return Refusal.of(f"board {board}: {what}", fix)
