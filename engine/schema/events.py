"""What a run says while it works: one JSON object a line in events.jsonl, numbered, append only.

`n` counts from 1 without gaps; `t` is monotonic seconds since the supervisor began. The supervisor alone writes;
readers keep what they know and skip kinds they do not.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..errors import DAMAGED, Fix
from .failure import SaysWhy
from .ready import LateDecoder
from .sensitivity import SensitivityRow
from .sweep_shot import Shot


class Event(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all events carry; `n` and `t` are set by the supervisor."""

    n: int = 0
    t: float = 0.0


class RunBegan(Event, frozen=True, kw_only=True, tag="run-began"):
    """A supervisor took the run up, first or again (`resumed`)."""

    stages: tuple[str, ...] = ()
    """Every stage that will be gone through, in order."""
    pid: int = 0
    resumed: bool = False


class Queued(Event, frozen=True, kw_only=True, tag="queued"):
    """The board is busy: we come after `waiting_for` (a run id, or empty when unknown), which may wait itself."""

    waiting_for: str = ""
    holder: str = ""
    """Who has the board meanwhile; empty: not known."""
    before: int = 0
    """So many others wait and come before us."""
    to_end: bool = False
    """That run has to end well, whoever has the board meanwhile."""


class StageBegan(Event, frozen=True, kw_only=True, tag="stage-began"):
    """A child process was started for a stage (or the cache is being asked)."""

    stage: str
    eta_s: float | None = None
    """From this board's own history of the same stage; None: never done here."""
    measures: bool = False
    """What else works on the board, a screen too, is in its figures."""


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """How far a stage is."""

    stage: str
    done: float = 0.0
    total: float | None = None
    """None: not known; then `done` only counts."""
    text: str = ""
    eta_s: float | None = None


class Reading(Event, frozen=True, kw_only=True, tag="reading"):
    """A live figure from the measured loop, a few a second at most."""

    side: str
    """`baseline` or `candidate`."""
    latency_ms: float
    """Mean of the last block."""
    mean_ms: float
    """Mean over all blocks so far."""
    half_width: float | None = None
    """Half width of the 95 % interval as a share of the mean; None: too few blocks."""
    samples: int = 0


class Learning(Event, frozen=True, kw_only=True, tag="learning"):
    """How well a training goes: a few a second at most, and always one at the end of an epoch."""

    stage: str = ""
    epoch: int = 0
    """That is being gone through, from 1; 0: nothing is trained yet."""
    epochs: int = 0
    loss: float | None = None
    """Mean over the last samples that were trained on; None: there were none."""
    accuracy: float | None = None
    """Share of the same whose class was right; None: nobody says what is right."""
    held_loss: float | None = None
    """Mean over the samples held out, after the last epoch that has ended; None: none are held out."""
    held_accuracy: float | None = None
    """Share of the same whose class was right."""
    best: int = 0
    """The epoch after which it was best so far; 0: the beginning."""
    ended: bool = False
    """The epoch has ended, and all figures are those at its end."""


class MeasuredWindow(Event, frozen=True, kw_only=True, tag="window"):
    """A stretch of time in which something was measured, told at its begin and again at its end: charts mark it."""

    stage: str = ""
    side: str = ""
    """The variant that had the board to itself; empty: all of them, in turns."""
    begin_s: float = 0.0
    """Monotonic seconds of this machine, the clock of samples."""
    end_s: float | None = None
    """None: it has just begun."""


class Note(Event, frozen=True, kw_only=True, tag="note"):
    """One line for the log pane. Level `warning` is shown again with the result."""

    stage: str = ""
    level: str = "info"
    """`info` or `warning`."""
    text: str = ""


class RowFound(Event, frozen=True, kw_only=True, tag="row"):
    """A row of a sensitivity; of a question only, no run says it."""

    row: SensitivityRow


class ShotTaken(Event, frozen=True, kw_only=True, tag="shot"):
    """A window of a sweep; of a question only, no run says it."""

    shot: Shot


class StageEnded(Event, frozen=True, kw_only=True, tag="stage-ended"):
    """A stage's output is on disk."""

    stage: str
    seconds: float = 0.0
    """What the stage took; for a cached one what it took when it was made."""
    peak_mb: float | None = None
    """Largest resident memory of the stage's process; None: not measured."""
    cached: bool = False
    summary: str = ""
    """One line of what came out, e.g. `30 % zeros in 20 tensors`."""


class StageFailed(SaysWhy, Event, frozen=True, kw_only=True, tag="stage-failed"):
    """A stage ended without output."""

    stage: str
    what: str
    fix: str
    """In the words of the command line."""
    fixes: tuple[Fix, ...] = ()
    """The same as values; empty: said by an older version."""
    node: str = ""


class RunEnded(Event, frozen=True, kw_only=True, tag="run-ended"):
    """The last event; result.json follows."""

    state: str
    """`done`, `failed` or `cancelled`."""


AnyEvent = (
    RunBegan
    | Queued
    | StageBegan
    | Progress
    | Reading
    | Learning
    | MeasuredWindow
    | Note
    | RowFound
    | ShotTaken
    | StageEnded
    | StageFailed
    | RunEnded
)

_decoder: LateDecoder[AnyEvent] = LateDecoder(AnyEvent)
encode = msgspec.json.encode


def decode(line: bytes) -> AnyEvent | None:
    """Read one line; None for a half line, a damaged one or a kind of a later version."""
    try:
        return _decoder.decode(line)
    except DAMAGED:
        return None
