"""What boards are asked for, and what of it goes over the wire."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ... import __version__
from ..schema.fleet import FleetBoard
from ..schema.spec import RunSpec
from .asked_anew import AskedAnew
from .asked_once import AskedOnce
from .bundles import PackedBundle, Plain, data_names, paths_of, portable
from .fleet_file import ANY

_NAMED = 3
"""Recipes that are named of many."""


class FleetAsk(NamedTuple):
    """Runs that are measured together, and where."""

    specs: tuple[RunSpec, ...]
    on: str
    """A board, or a resource: one board that has it."""
    again: str = ""
    """Whatever has not been asked with: it is done anew. Empty: what a board has done of the same is found, the newest."""
    train_on: str = ""
    """Where what learns is trained: a board, a resource, or `localhost`; empty: where it is measured."""


class DrivenAsk(NamedTuple):
    """A whole search or sweep, and where."""

    plain: Plain
    """One of `front/driven_asks.py`, as builtins."""
    paths: tuple[str, ...]
    """Of all files that it names."""
    on: str
    again: str = ""
    names: dict[str, str] = {}  # noqa: RUF012 - never written to
    """Where datasets lie here, to what they are called."""


class Sent(NamedTuple):
    """What goes over the wire, and the bundles that it needs by their ids."""

    asked: AskedOnce
    packed: dict[str, PackedBundle]
    names: dict[str, str]
    """Of bundles that are datasets, what these are called."""


class Sending:
    """Makes of what is asked what goes over the wire; a file that several asks have is read once."""

    def __init__(self, boards: Sequence[FleetBoard], folder: Path) -> None:
        """`folder`: the fleet's."""
        self._boards = [board.name for board in boards]
        self._anew = AskedAnew(folder)
        self._known: dict[str, tuple[PackedBundle, str]] = {}

    def has(self, board: str) -> bool:
        """Whether a board of the fleet is called so."""
        return board in self._boards

    def sent(self, ask: FleetAsk | DrivenAsk, stages: dict[str, PackedBundle] | None = None) -> Sent:
        """Of one ask. `stages`: outputs of stages that go with it, by their keys.

        Raises:
            DataRefused: a file cannot be read.
        """
        plain, packed = portable(*_plain(ask), self._known)
        again = self._anew.salt(plain, ask.on, ask.again)
        asked = AskedOnce(
            once=once_key(plain, again),
            plain=msgspec.Raw(plain),
            driven=isinstance(ask, DrivenAsk),
            again=bool(again),
            of_any=ask.on not in self._boards,
            bundles=tuple(packed),
            stages={key: each.bundle.id for key, each in (stages or {}).items()},
        )
        names = {self._known[path][0].bundle.id: name for path, name in _names(ask).items()}
        return Sent(asked, packed | {each.bundle.id: each for each in (stages or {}).values()}, names)


def never_asked(again: bool) -> str:
    """What makes an ask one that no board has done; empty: what one has done of the same is found."""
    return secrets.token_hex(8) if again else ""


def runs_words(specs: Sequence[RunSpec]) -> str:
    """What runs are of, e.g. `digits int8, prune-5`."""
    names = [spec.recipe.name for spec in specs]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{Path(specs[0].model).stem} {', '.join(names[:_NAMED])}{more}" if specs else ""


def able(boards: Sequence[FleetBoard], name: str) -> tuple[str, ...]:
    """The boards that a word behind `--on` means."""
    return tuple(board.name for board in boards if name in (board.name, ANY) or name in board.resources)


def _plain(ask: FleetAsk | DrivenAsk) -> tuple[Plain, list[str]]:
    """As builtins, and the paths in them."""
    if isinstance(ask, DrivenAsk):
        return ask.plain, list(ask.paths)
    return [msgspec.to_builtins(spec) for spec in ask.specs], [path for spec in ask.specs for path in paths_of(spec)]


def _names(ask: FleetAsk | DrivenAsk) -> dict[str, str]:
    if isinstance(ask, DrivenAsk):
        return ask.names
    return {path: name for spec in ask.specs for path, name in data_names(spec).items()}


def once_key(plain: bytes, again: str = "") -> str:
    """What the same runs on the same board are found by: what is asked, by content, and the version that does it."""
    return hashlib.sha256(b"\0".join([plain, __version__.encode(), again.encode()])).hexdigest()[:32]
