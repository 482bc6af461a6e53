"""Why a run did not end well, as result.json and the list of runs hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ..errors import EdgetuiError, Fix, Refusal

if TYPE_CHECKING:
    from typing_extensions import Self


KILLED = "it was killed (out of memory?)"
"""What is said of a process that ended by SIGKILL."""


class SaysWhy:
    """What an event and a result say of a failure in one way; neither is part of the other."""

    __slots__ = ()
    if TYPE_CHECKING:
        what: str
        fix: str
        fixes: tuple[Fix, ...]
        node: str

    @classmethod
    def of(cls, stage: str, error: EdgetuiError) -> Self:
        """What a stage, or the run itself (""), ended with."""
        return cls(stage=stage, what=error.what, fix=error.fix, fixes=error.fixes, node=error.node)  # type: ignore[call-arg]

    @property
    def refusal(self) -> Refusal:
        """The same as a value."""
        return Refusal(self.what, self.fixes or (Fix(self.fix),), self.node)

    @property
    def killed(self) -> bool:
        """Somebody killed the process that worked, which says nothing of what it worked at."""
        return self.what.endswith(KILLED)


class Failure(SaysWhy, Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a run did not end well."""

    stage: str
    what: str
    fix: str
    """In the words of the command line."""
    fixes: tuple[Fix, ...] = ()
    """The same as values; empty: an older document."""
    node: str = ""
