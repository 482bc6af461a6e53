"""Studies: a published comparison as a file (`profiles/studies/*.toml`), and what was asked when one was begun.

Apart from `spec.py`, which says what one run is: a study is many of them and the table that they fill.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .numbers import Count, Number, Share
from .settings import BackendName, Preset
from .spec import RunSpec

Shown = Literal["value", "change", "times", "points"]
"""`change`: per cent over the baseline; `times`: the baseline over it; `points`: hundredths over the baseline."""


class StudyModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of a study. Of several with one name the first is taken whose file and data are here."""

    name: str
    """What rows call it."""
    file: str
    """A path, from the study's file on, or the name of a model in a folder of edgetui.toml."""
    of: str = ""
    """The paper's own model and data, which it stands for; empty: it is the paper's own."""
    weights: str
    """Where its weights come from."""
    dataset: str = ""
    """A path, or a name of edgetui.toml."""
    calibration: str = ""
    """Empty: what `dataset` says."""
    small: bool = True
    """False: with --small another of its name is taken."""
    lacks: str = ""
    """What has to be known of this stand-in beside others of its name; empty: nothing."""


class StudyVariant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of the table."""

    name: str
    recipe: str = ""
    """A name or a file; empty: the baseline, FP32 on the same backend."""
    small: str = ""
    """The recipe in its place with --small, which trains nothing; empty: the same."""


class StudyExperiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each of its models with all of its variants in turns, under one workload."""

    name: str
    workload: str = "flat-out"
    """As `--workload` takes it."""
    models: tuple[str, ...] = ()
    """By name; empty: all."""
    variants: tuple[str, ...] = ()
    """By name; empty: all that have a recipe."""
    preset: Preset = "normal"
    """`quick` with --small."""
    backend: BackendName | None = None
    """None: the one that is chosen."""
    repeats: Count = 1
    """How often all of it is done anew, compressing included."""


class StudyRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the table: a figure of each variant."""

    figure: str
    """What the paper calls it."""
    unit: str = ""
    experiment: str
    metric: str
    """A key of the table of metrics."""
    show: Shown = "value"
    over: str = ""
    """An experiment whose figure of the same variant is what a change is over; empty: over the baseline beside it."""
    scale: Number = 1.0
    """The value is multiplied by this."""
    model: str = ""
    """Empty: a row for each model of the experiment."""
    paper: dict[str, Number] = {}
    """By variant; what the paper does not say is left out."""
    note: str = ""
    """What has to be known to read the two figures beside each other."""


class StudyRanking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ranks of the variants by each metric, their mean, and how often each is on the front of all of them."""

    experiment: str
    metrics: tuple[str, ...]


class StudyChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which variant serves a goal, by several deciders, and what each loses to the best that was measured."""

    experiment: str
    metrics: tuple[str, ...]
    """What a goal is about: a row for each, and for each model."""
    lost: Share = 0.05
    """What may be lost at most of what labels say, as a share: 0.05 are five points."""
    rule: dict[str, str] = {}
    """The paper's: metric to variant; empty: the paper has none."""


class Study(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A study's file."""

    name: str = ""
    """The file's stem."""
    title: str
    paper: str = ""
    """Authors, title, year."""
    board: str = ""
    """What the paper measured on."""
    model: tuple[StudyModel, ...] = ()
    variant: tuple[StudyVariant, ...] = ()
    experiment: tuple[StudyExperiment, ...] = ()
    row: tuple[StudyRow, ...] = ()
    ranking: tuple[StudyRanking, ...] = ()
    choice: tuple[StudyChoice, ...] = ()
    notes: tuple[str, ...] = ()
    """What has to be known of the paper's figures."""


class StudyGroup(Struct, frozen=True, kw_only=True):
    """Runs that are submitted together: a model with all variants of an experiment, once."""

    experiment: str
    model: str
    repeat: int = 0
    variants: tuple[str, ...]
    specs: tuple[RunSpec, ...]
    """One a variant."""
    model_sha256: str = ""


class LeftOut(Struct, frozen=True, kw_only=True):
    """A variant that is not run on a model, and why."""

    experiment: str
    model: str
    variant: str
    reason: str


class Foretold(Struct, frozen=True, kw_only=True):
    """The variant that the forecast takes for a goal before anything is measured."""

    experiment: str
    model: str
    metric: str
    variant: str
    why: str


class StudyRequest(Struct, frozen=True, kw_only=True):
    """study.json of a study's folder: what was asked; written before the start, never changed."""

    id: str = ""
    study: Study
    small: bool = False
    wall: str = ""
    """When it was begun, ISO 8601."""
    groups: tuple[StudyGroup, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    foretold: tuple[Foretold, ...] = ()
    models: tuple[StudyModel, ...] = ()
    """Those that were taken, one of each name."""
    notes: tuple[str, ...] = ()

    def same_as(self, other: StudyRequest) -> bool:
        """Whether the same was asked: then what that has done need not be done again."""
        return (self.study, self.small, self.groups, self.left_out) == (other.study, other.small, other.groups, other.left_out)
