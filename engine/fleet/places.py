"""Where files can be put: a folder here, or one at the other end of ssh; which boards and places there are to choose from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..config import typed_path
from ..errors import DAMAGED, ConfigRefused, UsageError
from ..schema.fleet import FleetBoard
from ..schema.ready import ready
from ..system.atomic_write import write_atomic
from .fleet_file import HERE, fleet_file, read_fleet

MOST_KNOWN = 12
_USED = "deployed.json"
_HOW = "write FOLDER, or HOST:FOLDER with a host as ssh takes it or a board of fleet.toml"


class DeployPlace(NamedTuple):
    """A folder, and how it is reached."""

    board: FleetBoard
    """A board of fleet.toml, or what stands for a host or for this machine."""
    folder: str
    """As a shell there takes it: never with a minus at its beginning."""
    text: str
    """As it was typed; of a folder here its whole path."""
    of_fleet: bool = False

    @property
    def here(self) -> bool:
        """Whether it is a folder of this machine."""
        return self.board.host == HERE

    @property
    def title(self) -> str:
        """In sentences: `on orin`, `here`."""
        return "here" if self.here else f"on {self.board.name}"


def fleet_boards() -> tuple[FleetBoard, ...]:
    """The boards of fleet.toml; none where there is no such file.

    Raises:
        ConfigRefused: it is not valid.
    """
    return read_fleet() if os.path.lexists(fleet_file()) else ()


def parse_place(text: str) -> DeployPlace:
    """A place as it is typed.

    Raises:
        UsageError: it names no folder, or a host that can be none.
        ConfigRefused: fleet.toml is not valid, and a host is named.
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise UsageError(f"`{text}` has letters that no folder has", fix=_HOW)
    host, colon, folder = text.partition(":")
    if "://" in text:
        raise UsageError(f"`{text}` is no HOST:FOLDER", fix="write HOST:FOLDER; a port stands in ~/.ssh/config")
    if not colon or "/" in host:
        return _here(text)
    if not host or host.startswith("-") or any(letter.isspace() for letter in host):
        raise UsageError(f"`{host}` is no host", fix=_HOW)
    if not folder.strip():
        raise UsageError(f"`{text}` does not say which folder", fix=f"write e.g. {host}:models")
    board = next((board for board in fleet_boards() if board.name == host), None)
    if host == HERE or (board is not None and board.host == HERE):
        path = str(Path.home() / typed_path(folder))
        return DeployPlace(
            board or FleetBoard(name="this machine", host=HERE), path, text if board else path, board is not None
        )
    folder = folder.removeprefix("~/") or "."
    where = folder if folder.startswith("/") else f"./{folder}"
    return DeployPlace(board or FleetBoard(name=host, host=host), where, text, board is not None)


def _here(text: str) -> DeployPlace:
    path = typed_path(text).absolute()
    if "/" not in text and not path.exists():
        with suppress(ConfigRefused):  # a file of boards that is damaged keeps nobody from copying to a folder
            if "@" in text or text in (board.name for board in fleet_boards()):
                raise UsageError(f"`{text}` is a host, and no folder of it", fix=f"write e.g. {text}:models, or ./{text}")
    return DeployPlace(FleetBoard(name="this machine", host=HERE), str(path), str(path))


def used_places(home: Path) -> tuple[str, ...]:
    """Where files were put before, the newest first; none where that was never done, or is damaged."""
    with suppress(OSError, *DAMAGED):
        return msgspec.json.decode((home / _USED).read_bytes(), type=ready(tuple[str, ...]))
    return ()


def remember_place(home: Path, text: str) -> None:
    """For the next time; a disk that is full loses it."""
    known: Sequence[str] = [text, *(each for each in used_places(home) if each != text)]
    with suppress(OSError):
        write_atomic(home / _USED, msgspec.json.encode(known[:MOST_KNOWN]))
