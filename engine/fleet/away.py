"""What whoever waits for a board is told while it is not up; apart from `link.py`, which waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..schema.fleet import BoardStanding
from .asked_once import BoardTold

PATIENCE_S = 300.0
"""How long a board may be away before what was asked of it is given up here. What it has begun goes on there."""
Hear = Callable[[BoardTold], None]


class Away:
    """Why a board, or each that has a resource, is not up, and that one is up again; each once."""

    def __init__(self, boards: tuple[str, ...], hear: Hear | None) -> None:
        self._boards, self._hear = boards, hear
        self._said = ""

    def tell(self, standing: Mapping[str, BoardStanding]) -> None:
        """As they stand now."""
        mine = [standing[board] for board in self._boards if board in standing]
        first = next((each for each in mine if each.state != "starting"), None)
        if first is None or self._hear is None:
            return
        why = "" if any(each.state == "up" for each in mine) else f"{first.state}: {first.reason}".rstrip(": ")
        if why and why != self._said:
            text = f"is {why}; it is waited for, {PATIENCE_S / 60:.0f} min at most, and what it has begun goes on there"
            self._hear(BoardTold(board=first.board, once="", run="", trouble=text))
        elif self._said and not why:
            self._hear(BoardTold(board=first.board, once="", run="", stage="is up again"))
        self._said = why
