"""A search for the mix of formats that serves a goal: what was asked, what is known by now, and its answer.

Apart from the room `search/`, which finds it in numbers alone: these are what a folder holds and `search --json` prints.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from .failure import Failure
from .figures import Ratio
from .result import State
from .sensitivity import Sensitivity
from .spec import RunSpec

Over = Literal["formats", "settings", "channels"]
"""A format for each unit; amounts, calibrators and what else recipes set; or a share of its own for each group of channels."""


class SearchRequest(Struct, frozen=True, kw_only=True):
    """search.json of a search's folder; written before the start, never changed."""

    id: str = ""
    goal: str
    """As it was typed."""
    spec: RunSpec
    """Model, data, backend and workload; its recipe is the step that puts all units into integers, or takes channels away."""
    over: Over = "formats"
    builds: int
    """Candidates that may be built and measured, at most."""
    seconds: float | None = None
    """After which nothing new is begun; None: no limit."""
    model_sha256: str = ""
    data_hashes: tuple[str, ...] = ()
    learnt: bool = True
    """Take over what other searches have learnt of the same layers."""
    warnings: tuple[str, ...] = ()
    """What was known against it before it began."""
    wall: str = ""
    """When it was begun, ISO 8601."""

    def same_as(self, other: SearchRequest) -> bool:
        """Whether the same was asked: then what that has found need not be found again."""
        return msgspec.structs.replace(other, id=self.id, wall=self.wall, learnt=self.learnt, warnings=self.warnings) == self


class UnitInfo(Struct, frozen=True, kw_only=True):
    """A unit, with what its formats cost where each plan was looked into."""

    unit: str
    exclude: tuple[str, ...]
    """The nodes that a recipe names to leave it as it is."""
    costs: dict[str, dict[str, float]] = {}
    """By format, by quantity as goals name it."""
    effects: dict[str, float] = {}
    """How far it alone moves the outputs, by format."""
    signature: str = ""
    """See `SensitivityRow`."""


class TakenOver(Struct, frozen=True, kw_only=True):
    """What a search has from one before it."""

    search: str
    units: int
    """Whose costs were taken."""
    first: tuple[str, ...] = ()
    """The format of each unit, as that search chose them: what half A was asked of first. Empty: it chose FP32, or none."""
    held: bool = True
    """What was built here bore the costs out; else they were let go, and found here."""


class CostsFound(Struct, frozen=True, kw_only=True):
    """The table of costs that a search begins with."""

    units: tuple[UnitInfo, ...]
    border: dict[str, float] = {}
    """What it costs to hand a tensor over where formats differ, by quantity."""
    fixed: dict[str, float] = {}
    """What no unit has a part in."""
    taken: TakenOver | None = None
    """Where it was learnt; None: here, of plans that were looked into."""


class LearntLayers(Struct, frozen=True, kw_only=True):
    """What a search leaves to those after it."""

    stamp: str
    """Hash of the board, its power mode, versions, settings and workload: with another nothing of it is taken over."""
    costs: CostsFound
    """As measurements left them."""
    mix: tuple[str, ...] = ()
    """The format of each unit; empty: none served the goal."""


class CandidateChecked(Struct, frozen=True, kw_only=True):
    """What half of the data says of a candidate."""

    of: tuple[str, ...]
    """The format of each unit, or settings as `NAME=VALUE`."""
    half: str
    difference: Ratio = Ratio()
    """Of quality to the baseline's, as a share; more is better."""
    failed: str = ""
    """Why it cannot be built; empty: it can, and the other figures are known."""
    qualities: dict[str, Ratio] = {}
    """Its own, as goals name them."""
    baseline: dict[str, Ratio] = {}
    """The same of FP32."""
    run: str = ""


class BesideMix(Struct, frozen=True, kw_only=True):
    """Another mix that was measured in turns with a candidate."""

    of: tuple[str, ...]
    """The format of each unit."""
    ratios: dict[str, Ratio]
    """Its cost over the candidate's, by quantity."""
    run: str = ""


class CandidateMeasured(Struct, frozen=True, kw_only=True):
    """What a built candidate costs beside the baseline."""

    of: tuple[str, ...]
    """As above."""
    ratios: dict[str, Ratio]
    figures: dict[str, float] = {}
    """Its own, as goals name them, in their units."""
    baseline: dict[str, float] = {}
    """The same of FP32."""
    beside: tuple[BesideMix, ...] = ()
    failed: str = ""
    """Why it cannot be built; empty: it can."""
    same_outputs: tuple[str, ...] = ()
    """What it is checked as: the settings that outputs depend on. Empty: as it is."""
    run: str = ""
    preset: str = ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """What half of the data is asked of."""
        return self.same_outputs or self.of


class SearchLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of found.jsonl: one of these."""

    note: str = ""
    sensitivity: Sensitivity | None = None
    costs: CostsFound | None = None
    learnt: LearntLayers | None = None
    checked: CandidateChecked | None = None
    measured: CandidateMeasured | None = None
    answer: SearchDocument | None = None
    failure: Failure | None = None


class SearchPoint(Struct, frozen=True, kw_only=True):
    """A mix of the front, or one that was built."""

    formats: dict[str, int] = {}
    """Units by format."""
    exclude: tuple[str, ...] = ()
    """Nodes that are left as they are."""
    settings: dict[str, str] = {}
    """Of a search over settings or channels, instead of formats."""
    macs: float | None = None
    """Multiplications that are left, as a share; of channels."""
    effect: float | None = None
    """What its units alone move the outputs by, summed."""
    foretold: float | None = None
    """Its cost over FP32's, by the table as measurements left it."""
    measured: Ratio | None = None
    difference: Ratio | None = None
    """Of quality, on the half that chose."""
    run: str | None = None


class SearchChoice(Struct, frozen=True, kw_only=True):
    """What to deploy."""

    recipe: str
    """TOML."""
    run: str | None
    """That measured it."""
    settings: dict[str, str] = {}
    """Of the backend, as `--set` of a sweep has them (`threads`, `graph`), where they are not what they were."""


class SearchUnit(Struct, frozen=True, kw_only=True):
    """How far a unit alone moves the outputs."""

    unit: str
    format: str
    kl: float | None
    sqnr_db: float | None


class EvenBeside(Struct, frozen=True, kw_only=True):
    """One share for all groups beside what was found, at no fewer multiplications."""

    amount: float
    """The share."""
    macs: float
    """Multiplications that are left, as a share."""
    macs_found: float
    """The same of what was found."""
    difference: Ratio = Ratio()
    """Quality of what was found less that of one share for all, on half B, sample by sample; without an interval where samples
    cannot be paired.
    """
    measured: Ratio | None = None
    """Cost of one share for all, over FP32's."""
    run: str | None = None
    taken: bool = False
    """It is the answer, for it is better."""


class SearchDocument(Struct, frozen=True, kw_only=True):
    """What `search --json` prints."""

    search: str
    state: State
    goal: str
    over: Over = "formats"
    choice: SearchChoice | None = None
    front: tuple[SearchPoint, ...] = ()
    """From the least effect to the least cost."""
    built: tuple[SearchPoint, ...] = ()
    sensitivity: tuple[SearchUnit, ...] = ()
    """The most sensitive first."""
    checks: int = 0
    """Passes over a half of the data."""
    builds: int = 0
    most_builds: int = 0
    """Measured candidates at most; 0: it has ended, or is not known."""
    within_s: float | None = None
    """Seconds after which nothing new is begun; null: no limit."""
    held_out: CandidateChecked | None = None
    """What the half that chose nothing says of the choice."""
    even: EvenBeside | None = None
    """Of channels; None: it was not asked, or is the choice anyway."""
    why: str = ""
    wrong: tuple[str, ...] = ()
    """Entries of the table of costs that measurements showed to be wrong."""
    sweep: str = ""
    """The command that takes the choice over the power modes of this board; empty: it has none, or nothing was chosen."""
    beside: tuple[BesideMix, ...] = ()
    """Mixes of one format throughout that are good enough too, measured in turns with the choice: what each costs over it."""
    taken: TakenOver | None = None
    """What it has from a search before it; null: nothing."""
    runs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
