"""What goes over the wire between who asks and a board: what shall be done once, what became of it, what is said meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from ..schema.failure import Failure
from ..schema.fleet import BoardRun
from ..schema.result import Result
from ..schema.search import SearchDocument
from ..schema.sweep import SweepReport
from .bundles import Bundle

LOOK_S = 0.5
TELL_S = 2.0
"""How often at most a board says what it is at: it measures meanwhile."""


class AskedOnce(Struct, frozen=True, kw_only=True):
    """What shall be done once: runs that are measured together, or a whole search or sweep."""

    once: str
    """Its key, by content."""
    plain: msgspec.Raw
    """Made by `bundles.portable`: specs of runs; or what `asked_of_board.py` reads."""
    driven: bool = False
    """It is a search or a sweep, which a driver of its own carries there."""
    again: bool = False
    """Of these: one like it, asked for there or under another key, is left aside."""
    of_any: bool = False
    """Any board of a resource was asked: the first that takes it has it."""
    bundles: tuple[str, ...]
    stages: dict[str, str] = {}
    """Outputs that its runs go on from: keys of the cache, each with its bundle."""


class LeftStage(Struct, frozen=True, kw_only=True):
    """What a stage left on a board."""

    name: str
    key: str
    """Of its output in the cache."""
    bundle: Bundle
    """Of the files of that."""


class BoardAnswer(Struct, frozen=True, kw_only=True):
    """What became of them on a board."""

    board: str = ""
    missing: tuple[str, ...] = ()
    """Bundles that have to be sent first; empty: none."""
    taker: str = ""
    """Another board has taken it before, and has to be asked; nothing was begun here."""
    found: bool = False
    """They had been done before."""
    results: tuple[Result, ...] = ()
    search: SearchDocument | None = None
    sweep: SweepReport | None = None
    left: tuple[LeftStage, ...] = ()
    data: bytes = b""
    note: str = ""
    run: BoardRun | None = None
    offset: int = 0
    """Of a bundle: how many bytes of it are here."""
    error: Failure | None = None


class BoardTold(Struct, frozen=True, kw_only=True):
    """What a board says meanwhile."""

    board: str
    once: str
    run: str
    """Or the search or sweep."""
    stage: str = ""
    """Of those: what they are at, in words."""
    waiting_for: str = ""
    trouble: str = ""
    """What keeps it from being asked, said by this machine; empty: nothing does."""

    @property
    def text(self) -> str:
        """What it is at, or what keeps it from that."""
        return self.trouble or (f"waiting for {self.waiting_for}" if self.waiting_for else self.stage)


Tell = Callable[[BoardTold], None]
