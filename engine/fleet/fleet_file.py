"""fleet.toml: which boards there are, read and checked before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..config import config_home, read_toml, refuse_nul
from ..errors import ConfigRefused, EdgetuiError, few_of, nearest
from ..schema.converted import converted
from ..schema.fleet import FleetBoard, FleetFile

HERE = "localhost"
ANY = "any"
"""The resource that every board has."""


def fleet_file() -> Path:
    """Where fleet.toml is looked for: the file that EDGETUI_FLEET names, else in the configuration folder."""
    named = os.environ.get("EDGETUI_FLEET")
    return Path(named).expanduser() if named else config_home() / "fleet.toml"


def read_fleet() -> tuple[FleetBoard, ...]:
    """The boards.

    Raises:
        ConfigRefused: there is no such file, it is not valid, or two boards are called alike.
    """
    file = fleet_file()
    if not os.path.lexists(file):
        fix = 'write one: [[board]] with name = "orin" and host = "user@orin.local"; host = "localhost" is this machine'
        raise ConfigRefused(f"there is no {file}", fix=fix)
    table = read_toml(file, ConfigRefused)
    refuse_nul(table, file, ConfigRefused)
    boards = converted(table, FleetFile, file, ConfigRefused).board
    if not boards:
        raise ConfigRefused(f"{file} has no board", fix='add [[board]] with name = "orin" and host = "user@orin.local"')
    for board in boards:
        _refuse_odd(board, file)
    _refuse_twins(boards, file)
    return boards


def known_names() -> tuple[str, ...]:
    """Boards and resources, as `--on` takes them; of a file that is not there or not valid none."""
    with suppress(EdgetuiError, OSError):
        if os.path.lexists(fleet_file()):
            return _names(read_fleet())
    return ()


def _names(boards: Sequence[FleetBoard]) -> tuple[str, ...]:
    own = dict.fromkeys(name for board in boards for name in board.resources)
    return (*(board.name for board in boards), *own, *([] if ANY in own else [ANY]))


def _refuse_odd(board: FleetBoard, file: Path) -> None:
    if bool(board.host) == bool(board.command):
        both = "both `host` and `command`" if board.host else "neither `host` nor `command`"
        raise ConfigRefused(f"{file}: board {board.name} has {both}", fix="give one of them; most boards have a `host`")
    if board.host.startswith("-") or any(letter.isspace() for letter in board.host):
        raise ConfigRefused(f"{file}: `{board.host}` is no host", fix="write it as ssh takes it, e.g. user@orin.local")
    if board.scheduler and not re.fullmatch(r"[\w.:\[\]-]+:\d{1,5}", board.scheduler):
        raise ConfigRefused(f"{file}: `{board.scheduler}` is no HOST:PORT", fix="write e.g. 172.17.0.1:8786")
    for name in board.env:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ConfigRefused(f"{file}: `{name}` is no name of a variable", fix="letters, digits and _ alone")


def _refuse_twins(boards: Sequence[FleetBoard], file: Path) -> None:
    """Names of boards and of resources both stand behind --on."""
    names = [board.name for board in boards]
    for name in names:
        if names.count(name) > 1:
            raise ConfigRefused(f"{file}: two boards are called {name}", fix="give one of them another name")
    resources = {ANY, *(name for board in boards for name in board.resources)}
    for name in names:
        if name in resources:
            raise ConfigRefused(f"{file}: {name} is a board and a resource", fix="give one of them another name")


def wanted(boards: Sequence[FleetBoard], text: str) -> tuple[str, ...]:
    """What `--on A,B` names, each once: boards, or resources.

    Raises:
        ConfigRefused: there is no such board.
    """
    known = _names(boards)
    asked = dict.fromkeys(filter(None, (part.strip() for part in text.split(","))))
    for name in asked:
        if name not in known:
            raise ConfigRefused(f"there is no board {name} in {fleet_file()}", fix=nearest(name, known))
    if not asked:
        raise ConfigRefused("--on names no board", fix=f"give one of: {few_of(known)}")
    return tuple(asked)
