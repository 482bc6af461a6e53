"""Boards of a fleet: what fleet.toml says of them, how each stands, and what runs on them gave."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .events import AnyEvent
from .failure import Failure
from .numbers import Positive
from .result import Result
from .search import SearchDocument
from .sweep import SweepReport

BoardName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=60,
        description="letters, digits, `.`, `_` and `-`, a letter or digit first, 60 at most",
    ),
]


class FleetBoard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One board of fleet.toml."""

    name: BoardName
    host: str = ""
    """What ssh calls it, e.g. `user@orin.local` or a Host of ~/.ssh/config; `localhost`: this machine, without ssh."""
    command: tuple[str, ...] = ()
    """In place of `host`: what a program is put behind to run it there, with its standard input and output, e.g.
    `["docker", "exec", "-i", "box"]`."""
    scheduler: str = ""
    """HOST:PORT at which a board of `command` reaches this machine's scheduler; empty: where it listens, on loopback."""
    python: str = ""
    """The Python there that has edgetui, e.g. `~/edgetui/.venv/bin/python`; empty: `python3`, on this machine ours."""
    env: dict[str, str] = {}
    """Variables of the environment of all that runs there."""
    datasets: dict[str, str] = {}
    """Datasets that it has already, by their names here, and where they lie there: held against our hashes, not sent."""
    resources: dict[BoardName, Positive] = {}
    """What it has, for `--on RESOURCE`: any one board that has it. Every board has `any`."""


class FleetFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """fleet.toml."""

    board: tuple[FleetBoard, ...] = ()


class BoardHello(Struct, frozen=True, kw_only=True):
    """What a board says of itself before it joins."""

    edgetui: str = ""
    distributed: str | None = None
    """None: it is not installed there."""
    python: str = ""
    machine: str = ""
    """Which board it is, by its profile."""
    home: str = ""
    """Its state folder."""
    wall_s: float = 0.0
    """Its clock, seconds since 1970."""
    free_mb: float | None = None
    """Room in its state folder."""
    packages: dict[str, str] = {}
    """Of those that steps need which not every board has, what is installed there, with its version."""
    taken: bool = False
    """Another worker has that state folder."""


BoardState = Literal["starting", "up", "away", "refused", "down"]


class BoardStanding(Struct, frozen=True, kw_only=True):
    """How a board stands."""

    board: str
    host: str
    state: BoardState
    """`up`: it takes runs. `away`: it cannot be reached, and is tried again. `refused`: it must be mended first; it is tried
    again as well. `down`: the fleet is."""
    reason: str = ""
    fix: str = ""
    tries: int = 0
    """How often its worker was started."""
    hello: BoardHello = BoardHello()
    resources: tuple[str, ...] = ()
    heard_wall_s: float = 0.0
    """When it was heard last, seconds since 1970, of one that is not up; 0: not since the fleet came up."""


class BoardAsked(Struct, frozen=True, kw_only=True):
    """Runs that somebody waits for on this machine."""

    on: str
    """Where they were asked for: a board, or a resource."""
    what: str = ""
    """What they are of, e.g. `study qin2018`; empty: of nothing else."""
    done: int
    of: int


class BoardGlance(Struct, frozen=True, kw_only=True):
    """What a board is doing."""

    run: str = ""
    """Empty: nothing."""
    stage: str = ""
    waiting: int = 0
    """Runs that wait for the board."""
    latency_ms: float | None = None
    """Of the candidate, from the newest block that was timed; None: nothing is timed."""
    fps: float | None = None
    power_w: float | None = None
    """None: it has no sensor of its total power."""
    temp_c: float | None = None
    """Of its warmest zone."""
    ram_used_mb: float | None = None
    """Units of 10^6 bytes, as all that ends in `_mb` here."""
    ram_total_mb: float | None = None
    free_mb: float | None = None
    """Room in its state folder."""
    driven: str = ""
    """The search, sweep or study that goes on there, and what it is at; empty: none does."""
    last: str = ""
    """The run that was asked for last there, going or ended; empty: none was."""
    done: int = 0
    of: int = 0
    """Of the runs that are measured together with the one that goes on: how many are done, of how many."""


class BoardRun(Struct, frozen=True, kw_only=True):
    """A run of a board, from some byte of its events on."""

    run: str
    model: str
    """The file's stem."""
    recipe: str
    events: tuple[AnyEvent, ...] = ()
    offset: int = 0
    """Behind the last of them."""
    more: bool = False
    """There are more already."""
    alive: bool = False
    result: Result | None = None


class BoardNow(Struct, frozen=True, kw_only=True):
    """A board's standing, and what it is doing where it answers."""

    standing: BoardStanding
    now: BoardGlance | None = None
    heard_s: float | None = None
    """How long ago it was heard last; None: not since the fleet came up."""


class FleetStatus(Struct, frozen=True, kw_only=True):
    """A fleet: whether it is up, and its boards."""

    up: bool
    file: str
    """Its fleet.toml."""
    boards: tuple[BoardNow, ...] = ()
    asked: tuple[BoardAsked, ...] = ()
    """What somebody on this machine waits for."""


class BoardOutcome(Struct, frozen=True, kw_only=True):
    """What a board gave for what was asked of it."""

    on: str
    """As it was asked for: a board, or a resource."""
    board: str = ""
    """The board that did it; empty: none has."""
    found: bool = False
    """It had been done there before, and was not done again."""
    runs: tuple[Result, ...] = ()
    """In the order of the recipes; their ids and paths are those of the board."""
    search: SearchDocument | None = None
    """Of `search --on`."""
    sweep: SweepReport | None = None
    """Of `sweep --on`."""
    error: Failure | None = None
    """Why there is no result; None: there is, or it was left going."""

    @property
    def done(self) -> bool:
        """Whether all of it has ended well."""
        driven = self.search or self.sweep
        states = [result.state for result in self.runs] + ([driven.state] if driven else [])
        return self.error is None and all(state == "done" for state in states)


class FleetOutcome(Struct, frozen=True, kw_only=True):
    """Of each board that was asked."""

    on: tuple[BoardOutcome, ...]
