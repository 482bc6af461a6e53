"""A run as lists have it: all that they show, filter and sort by, so that no run folder is opened for it."""

from __future__ import annotations

from msgspec import Struct

from .failure import Failure
from .figures import Difference, Ratio
from .result import State


class Remarks(Struct, frozen=True, kw_only=True):
    """What somebody wrote on a run."""

    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    note: str = ""


class RunSummary(Struct, frozen=True, kw_only=True):
    """One line of the list of runs."""

    run: str
    state: State
    ticket: int = 0
    model: str = ""
    recipe: str = ""
    group: str = ""
    """Of the recipes that were given together; empty: this one alone."""
    backend: str = ""
    preset: str = ""
    workload: str = ""
    """As it is typed: `paced:30`."""
    board: str = ""
    """Empty: nothing was measured yet."""
    data: str = ""
    """Name of the dataset, or its path."""
    began: str = ""
    """Wall time of submission, ISO 8601."""
    stage: str = ""
    """The stage that is being done, or in which the run ended early."""
    waiting_for: str = ""
    waits_for_end: bool = False
    """That run has to end well, whoever has the board; else it is waited for the board."""
    seconds: float | None = None
    """From the first event to the last, without the time in the queue: of a run of a group, while the others worked too."""
    worked_s: float | None = None
    """What `took` says: seconds of its stages that were done in this run, none from the cache; what a group does together
    counts whole. null: an index of before."""

    @property
    def took_s(self) -> float | None:
        """`worked_s` where it is known."""
        return self.seconds if self.worked_s is None else self.worked_s

    latency_ratio: Ratio = Ratio()
    size_ratio: float | None = None
    top1_points: Ratio = Ratio()
    difference: Difference = Difference()
    """All of them; the three above are of a time when there were no others."""
    figures: dict[str, float] = {}
    """The candidate's own, by the names and in the units that goals have: `top1`, `latency_ms`, `memory_mb`."""
    verdict: dict[str, str] = {}
    error: Failure | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
