"""One command that can be typed behind a colon. Apart from `command_list.py`, because screens have commands of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..engine.errors import UsageError

Words = Sequence[str]


def nothing(_: int) -> Iterable[str]:
    """No choices."""
    return ()


class Worded(NamedTuple):
    """One command."""

    name: str
    help: str
    do: Callable[[Words], object]
    wants: str = ""
    least: int = 0
    most: int | None = 0
    """Of words behind it; None: any number."""
    choices: Callable[[int], Iterable[str]] = nothing
    """What the word of that place may be."""
    paths: bool = False
    """Its first word may be a path."""
    own: bool = True
    """Not what a key does already."""

    def check(self, words: Words) -> None:
        """How many words there are.

        Raises:
            UsageError: too few or too many.
        """
        if len(words) < self.least or (self.most is not None and len(words) > self.most):
            what = f"`{self.name}` wants {self.wants}" if self.wants else f"`{self.name}` takes no words"
            raise UsageError(what, fix=f"type :{self.name} {self.wants}".rstrip())
