"""Sweeps: one plan over power modes, batches, streams, threads, devices and settings; what was asked, what is told, the table.

Apart from `study.py`: a sweep compresses nothing, and its rows are measured by one process, round after round.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .power_mode import PowerMode
from .result import State
from .settings import BackendSettings, Preset
from .sweep_shot import Shot

Setting = bool | int | float | str
SweepDevice = Literal["gpu", "dla0", "dla1", "cpu", "cuda"]


class SweepPoint(Struct, frozen=True, kw_only=True):
    """One row of the table: where and how the plan infers."""

    mode: str | None = None
    """Name of a power mode; None: the board has none, or it stays as it is."""
    batch: int | None = None
    """Samples of an inference; None: what the plan has."""
    streams: int = 1
    """How many threads infer at once."""
    threads: int | None = None
    """Threads inside an operator; None: what the backend's settings say."""
    device: SweepDevice | None = None
    """None: what the backend's settings say."""
    settings: dict[str, Setting] = {}
    """Others of the backend's."""


class SweepRequest(Struct, frozen=True, kw_only=True):
    """sweep.json of a sweep's folder: what was asked; written before the start, never changed."""

    id: str = ""
    name: str
    """What the folder is called after: the model, the plan or the run."""
    path: str
    """The model or the plan."""
    sha256: str = ""
    plan: bool = False
    """It is loaded as it is; a model is settled, or built, for each batch."""
    shapes: dict[str, tuple[int, ...]] = {}
    """Of the model's inputs, with its own batch."""
    own_batch: int | None = None
    """None: it is not known before it is loaded."""
    backend: BackendSettings = BackendSettings()
    preset: Preset = "normal"
    rounds: int = 3
    modes: tuple[PowerMode, ...] = ()
    """Empty: the mode stays as it is."""
    points: tuple[SweepPoint, ...] = ()
    reasons: dict[int, str] = {}
    """Points that cannot be measured, by their number, and why."""
    want: str = ""
    """As a goal's limits are typed."""
    has_power: bool = False
    """A sensor told watts when it was asked."""
    seed: int = 0
    wall: str = ""
    """When it was begun, ISO 8601."""

    def same_as(self, other: SweepRequest) -> bool:
        """Whether the same was asked: then what that has measured need not be measured again."""
        mine, others = (_without_story(each) for each in (self, other))
        return mine == others


def _without_story(asked: SweepRequest) -> dict[str, object]:
    told = ("id", "wall", "want", "reasons")
    return {name: getattr(asked, name) for name in asked.__struct_fields__ if name not in told}


class SweptFigure(Struct, frozen=True, kw_only=True):
    """A figure and its 95 % interval over the rounds; the bounds are null after one round."""

    value: float
    low: float | None = None
    high: float | None = None


class SweepRow(SweepPoint, frozen=True, kw_only=True):
    """A row of the table. Where nothing could be measured figures are null, and `reason` says why."""

    fps: float | None = None
    """Samples a second: a batch of four is four."""
    fps_low: float | None = None
    fps_high: float | None = None
    latency_ms: float | None = None
    """Of an inference, with all that wait in its batch."""
    latency_ms_low: float | None = None
    latency_ms_high: float | None = None
    power_w: float | None = None
    """Mean while it infers flat out, idle power included."""
    power_w_low: float | None = None
    power_w_high: float | None = None
    idle_w: float | None = None
    """In this mode with no plan loaded."""
    energy_j_per_inference: SweptFigure | None = None
    """Of one sample, idle power included; null where no sensor tells the power."""
    rounds: int = 0
    """Windows behind the figures."""
    reaches: bool | None = None
    """The wish, with the safe end of each interval; null: nothing was wished, or not known."""
    reason: str = ""
    """Why figures are missing, or how the row falls short of the wish."""


class _Told(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """A line of told.jsonl in the sweep's folder."""


class Doing(_Told, frozen=True, kw_only=True, tag="doing"):
    """What is being done."""

    text: str
    round: int = 0
    """The first is 1; 0: not in one."""
    left_s: float | None = None
    """Of the rounds that are sure; in a further one, of that."""
    mode: str = ""
    """The power mode that is on; empty: it is not known, or the board has none."""
    hottest_c: float | None = None
    """Of the board's zones, when this began."""


class SweepReport(Struct, frozen=True, kw_only=True):
    """What `sweep --json` prints."""

    sweep: str
    state: State = "done"
    model: str = ""
    board: str = ""
    want: str = ""
    rows: tuple[SweepRow, ...] = ()
    answer: SweepRow | None = None
    """The cheapest row that reaches the wish; null: none does."""
    why: str = ""
    no_joules: str = ""
    """Why no row has joules; empty: some have, or nothing was measured."""
    first_mode: str = ""
    """The power mode that was on, and is on again; empty: none was switched."""
    mode_left: str = ""
    """Why the first mode is not back; empty: it is."""
    rounds: int = 0
    """That were asked; rows between which they do not decide get more."""
    doing: Doing | None = None
    """What is done now; null: it is not going."""
    notes: tuple[str, ...] = ()


class SweepTime(Struct, frozen=True, kw_only=True):
    """How long a sweep takes: what `sweep --dry-run --json` prints."""

    rows: int
    modes: int
    rounds: int
    about_s: float
    most_s: float
    """Where every wait for a cool board takes its longest, and every decision its last round."""
    reasons: tuple[str, ...] = ()
    """Of rows that will not be measured."""


class SweepListed(Struct, frozen=True, kw_only=True):
    """A sweep in the list of them."""

    sweep: str
    model: str
    state: State
    rows: int
    want: str = ""
    """As it was typed."""
    wall: str = ""


class ShotTold(_Told, frozen=True, kw_only=True, tag="shot"):
    """A window has been measured, or its point has failed."""

    shot: Shot


class ModeTold(_Told, frozen=True, kw_only=True, tag="mode"):
    """A mode did not come: none of its points is measured from now on."""

    mode: str
    reason: str


class FirstModeTold(_Told, frozen=True, kw_only=True, tag="first-mode"):
    """The mode that was on at the beginning; or, with `back`, is on again."""

    mode: str
    back: bool = False
    reason: str = ""
    """Why it is not back."""


class Remarked(_Told, frozen=True, kw_only=True, tag="remark"):
    """What has to be known with the figures."""

    text: str


class SweepEnded(_Told, frozen=True, kw_only=True, tag="ended"):
    """The last line, until it is taken up again."""

    state: State
    reason: str = ""


Told = Doing | ShotTold | ModeTold | FirstModeTold | Remarked | SweepEnded
