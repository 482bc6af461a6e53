"""The table of a study as a document: what `study --json` prints. Made anew from the results each time it is asked for."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from .result import State


class StudyCell(Struct, frozen=True, kw_only=True):
    """A figure that was measured here. `value` None: it is not known, `reason` says why."""

    value: float | None = None
    low: float | None = None
    """95 % interval: over repeats where there are several, else of the measurement; None: it has none."""
    high: float | None = None
    reason: str | None = None
    """Beside a value: why its interval is not known though it was measured in turns."""
    choice: str | UnsetType = UNSET
    """The variant that was chosen, in rows about a choice."""


class StudyTableRow(Struct, frozen=True, kw_only=True):
    """A figure of each variant, the paper's and ours."""

    figure: str
    unit: str
    experiment: str
    paper: dict[str, float | None]
    here: dict[str, StudyCell]
    model: str
    in_place_of: str
    """The paper's own model and data; empty: `model` is."""
    weights: str
    data: str
    workload: str
    repeats: int = 1
    note: str = ""


class StudyTable(Struct, frozen=True, kw_only=True):
    """A study: its rows in the paper's order."""

    study: str
    id: str
    """Of its folder; empty: it was not begun."""
    state: State
    """`done`: every run has ended; those that failed are dashes with their reasons, and in `failed`. `failed`: all of them did.
    `crashed`: something is left to do and nobody does it."""
    small: bool
    title: str
    paper: str
    board: str
    """What the paper measured on."""
    here: str
    """What was measured on here; empty: nothing yet."""
    variants: tuple[str, ...]
    rows: tuple[StudyTableRow, ...]
    runs: tuple[str, ...]
    failed: tuple[str, ...] = ()
    """Those of `runs` that did not end well; taken up again one by one they come into the table."""
    done: int
    """Groups of runs that have ended, of `groups`."""
    groups: int
    notes: tuple[str, ...] = ()


class StudyTime(Struct, frozen=True, kw_only=True):
    """How long a study will take, before it starts."""

    groups: int
    """Groups of runs that are left to do."""
    runs: int
    about_s: float
    """Seconds, without training: what like runs took here, else what stages take where nothing else works."""
    most_s: float
    """The same where every measurement takes as long as its preset allows."""
    like_before: int
    """Groups of which the like was done on this board before."""
    training: int = 0
    """Runs that train, of which no like was done here: theirs is in neither."""


class StudyDone(Struct, frozen=True, kw_only=True):
    """A study that was begun here."""

    id: str
    small: bool
    state: State
    done: int
    """Groups of runs that have ended, of `groups`."""
    groups: int


class StudyListed(Struct, frozen=True, kw_only=True):
    """A study that can be done here, and what was done of it, the newest first."""

    study: str
    title: str
    here: tuple[StudyDone, ...] = ()
