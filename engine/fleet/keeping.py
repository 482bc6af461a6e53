"""The fleet's folder in the state folder: what is kept up, by whom, and how each board stands. Light: read by every front."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import DAMAGED
from ..schema.fleet import BoardStanding, FleetBoard
from ..schema.ready import ready
from ..system.locks import is_held
from .certificates import AUTHORITY, board_file
from .fleet_file import ANY
from .transport import Start
from .worker_process import WorkerOrder

_END_S, _HURRY_S = 8.0, 1.0


class KeptFleet(Struct, frozen=True, kw_only=True):
    """What was brought up."""

    port: int
    """Of the scheduler, on loopback."""
    boards: tuple[FleetBoard, ...]


class Keeping:
    """`fleet/` of a state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "fleet"
        self.keys = self.folder / "keys"
        self.lock = self.folder / "keeper.lock"
        self.standings = self.folder / "boards.json"
        self._asked = self.folder / "fleet.json"

    def up(self) -> bool:
        """Whether a keeper lives."""
        return is_held(self.lock)

    def kept(self) -> KeptFleet:
        """What it keeps.

        Raises:
            OSError, msgspec.DecodeError: it was never brought up, or the file is damaged.
        """
        return msgspec.json.decode(self._asked.read_bytes(), type=ready(KeptFleet))

    def ask(self, fleet: KeptFleet) -> None:
        """Write what shall be kept.

        Raises:
            OSError: it cannot be written.
        """
        from ..system.atomic_write import write_atomic

        self.standings.unlink(missing_ok=True)
        write_atomic(self._asked, msgspec.json.encode(fleet))

    def standing(self) -> dict[str, BoardStanding]:
        """How each board stands, by name; empty: no keeper has said it."""
        try:
            told = msgspec.json.decode(self.standings.read_bytes(), type=ready(list[BoardStanding]))
        except (OSError, *DAMAGED):
            return {}
        return {each.board: each for each in told}

    def hurry(self) -> None:
        """Have boards that are not up tried at once; returns when they are."""
        with suppress(OSError, ValueError):
            os.kill(int(self.lock.read_text()), signal.SIGUSR1)
            end = time.monotonic() + _HURRY_S
            while time.monotonic() < end and not any(each.state == "starting" for each in self.standing().values()):
                time.sleep(0.02)

    def end(self) -> bool:
        """End the keeper, and all that it started; returns whether there was one. Runs go on."""
        if not self.up():
            return False
        with suppress(OSError, ValueError):
            keeper = int(self.lock.read_text())
            os.kill(keeper, signal.SIGTERM)
            end = time.monotonic() + _END_S
            while self.up() and time.monotonic() < end:
                time.sleep(0.05)
            if self.up():
                os.kill(keeper, signal.SIGKILL)
        end = time.monotonic() + _END_S
        while self.up() and time.monotonic() < end:
            time.sleep(0.05)
        return True


def order_of(board: FleetBoard, start: Start, keeping: Keeping) -> WorkerOrder:
    """What a board's worker is told. It has itself and `any` once each, so that it does one thing at a time.

    Raises:
        OSError: the fleet's keys are not there.
    """
    return WorkerOrder(
        board=board.name,
        scheduler=start.scheduler,
        port=start.port,
        contact=start.contact,
        resources={board.name: 1.0, ANY: 1.0, **board.resources},
        authority=(keeping.keys / AUTHORITY).read_text(),
        key=(keeping.keys / board_file(board.name)).read_text(),
    )
