"""What is said of a metric in one place: the shape of a row of `metrics.py`, and what follows from it for any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct, UnsetType

from ..schema.figures import Difference, Ratio
from ..schema.result import Result
from . import words
from .columns import Column

NO_DIFFERENCE = "no difference shown"
Cell = Callable[[Column], str]
Better = Literal["less", "more", ""]


class ListColumn(Struct, frozen=True, kw_only=True):
    """A column of the lists of runs: how the candidate differs."""

    head: str
    narrow: bool = True
    """Shown where the screen is narrow, too."""


class Change(Struct, frozen=True, kw_only=True):
    """How candidate and baseline differ in a metric, and which words say so."""

    field: str
    """Of `difference` in a result: a ratio with its interval, or a single figure."""
    below: str
    above: str
    """The verdict's words where the candidate has less, or more."""
    neutral: float = 1.0
    """What no difference is: 1 of a ratio, 0 of a difference."""
    margin: float | None = None
    """A single figure must differ by more than this; None: the whole interval must lie on one side of `neutral`."""
    both: bool = False
    """There is a verdict only where both sides have their own figure, too."""
    tests: tuple[str, ...] = ()
    """Other fields of `difference` that belong to it."""
    said: str = ""
    """Behind the figure, beside the verdict: `of the time`; empty: both sides' figures stand there."""
    evident: bool = False
    """The verdict's words say by themselves which metric is meant."""
    deed: tuple[str, str] = ("", "")
    """In a sentence, behind a percentage: less and more of it; empty: no sentence boasts of it."""
    times: bool = False
    """Large differences are said as `2.2 times faster`."""
    text: Callable[[Ratio], str] = words.ratio
    listed: ListColumn | None = None

    def figure(self, difference: Difference) -> Ratio:
        """The figure; without bounds where it is a single one."""
        value = getattr(difference, self.field)
        if isinstance(value, UnsetType):
            return Ratio()  # this workload has no such figure
        return value if isinstance(value, Ratio) else Ratio(value=value)  # None of one that is not measured everywhere

    def verdict(self, difference: Difference) -> str:
        """`below`, `above` or NO_DIFFERENCE; empty when nothing was measured."""
        figure = self.figure(difference)
        if figure.value is None:
            return ""
        if self.margin is None:
            low, high, margin = figure.low, figure.high, 0.0
        else:
            low, high, margin = figure.value, figure.value, self.margin
        if low is None or high is None:
            return NO_DIFFERENCE
        if high < self.neutral - margin:
            return self.below
        return self.above if low > self.neutral + margin else NO_DIFFERENCE


class Axis(Struct, frozen=True, kw_only=True):
    """An axis of the scatter. What is better with less is a cost, what is better with more a quality."""

    key: str
    """Field of a point in the JSON of `compare`."""
    name: str
    unit: str
    scale: float = 1.0
    """The figure is divided by this."""
    baseline: float | None = None
    """What a baseline has by definition, where only candidates are measured."""


class FinalColumn(Struct, frozen=True, kw_only=True):
    """A column of the workbench's table when a run is done."""

    head: str
    width: int
    rank: int
    """Columns of the highest rank go first where the screen is narrow."""


class Aim(Struct, frozen=True, kw_only=True):
    """What a goal may ask for. What the verdict shows to be better serves it."""

    word: str
    what: str
    """What decides it."""
    shown: str
    """`no candidate is ...`."""
    steps_say: bool = False
    """The recipe's steps know why they cannot win it."""


class Nearness(Struct, frozen=True, kw_only=True):
    """How near outputs must stay to the baseline's where no labels say what is right."""

    limit: str
    """Field of `Goal`."""
    wished: Callable[[float], str]
    """The limit, in the goal's sentence."""
    far: Callable[[str], str]
    """The figure of one that is out, in the metric's words."""
    said: Callable[[float], str]
    """The figure of one that is not."""


class Labelled(Struct, frozen=True, kw_only=True):
    """What labels say of a side: what a goal may ask to keep."""

    word: str
    """`top-1`."""
    doubt: Callable[[Difference], str]
    """Why the difference may be none, e.g. by its test; empty: it is shown."""


class Metric(Struct, frozen=True, kw_only=True):
    """A metric, or a line of the tables that says several figures of one."""

    key: str
    """Its name in verdicts."""
    path: str = ""
    """Of the figure in the document, below a side, or below the result where it is `compared`."""
    bounded_beside: bool = False
    """`low` and `high` beside the figure in the document are its 95 % interval."""
    compared: bool = False
    """It is of both sides' outputs beside each other."""
    label: str = ""
    """Its row in tables; empty: another metric's row has it."""
    detail: bool = False
    """Belongs to the row above it."""
    better: Better = ""
    most: float | None = None
    """The largest that it can be: 1 of a share."""
    wish: str = ""
    """What a goal calls it, where it is no axis; empty: what its axis is called."""
    wish_scale: float = 1.0
    """The figure is divided by this there."""
    text: words.FigureText = words.digits
    cell: Cell | None = None
    """What stands in tables, where that is more than the figure."""
    coloured_by: str = ""
    """Key of the metric whose verdict colours the row, where that is not its own."""
    change: Change | None = None
    axis: Axis | None = None
    column: FinalColumn | None = None
    aim: Aim | None = None
    nearness: Nearness | None = None
    labelled: Labelled | None = None
    stage: str = ""
    """The stage that measures it."""
    one_over: str = ""
    """Key of the metric that it is one over, and whose ratio with its interval holds for it."""
    missing: str | Callable[[Result], str] = ""
    """Why it is not known though its stage was reached."""
    sensor: str = ""
    """What a sensor must tell for it: `power`."""
    workloads: tuple[str, ...] = ()
    """Kinds of workload that measure it; empty: all."""
    tasks: tuple[str, ...] = ()
    """Of datasets whose labels tell it; empty: it needs none."""
    of_device: bool = False
    """Unknown where everything is computed on the CPU."""
    stage_field: str = ""
    """The same of a stage, in `stages` of a result."""

    @property
    def limited_as(self) -> str:
        """What a goal calls it: `top1>=0.80`; empty: it can limit nothing."""
        return (self.axis.key if self.axis else self.wish) if self.better else ""

    @property
    def scale(self) -> float:
        """The figure is divided by this on its axis and in goals."""
        return self.axis.scale if self.axis else self.wish_scale

    @property
    def quality(self) -> bool:
        """Whether it says how good outputs are."""
        return self.stage == "evaluate" or self.nearness is not None

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        known = (
            self.labelled.word if self.labelled else "",
            self.axis.name if self.axis else "",
            self.label.partition(",")[0].partition(":")[0],
            self.column.head if self.column else "",
        )
        return next(filter(None, known), self.key)

    def value(self, column: Column) -> float | None:
        """The figure of a column; None: not known."""
        return column.figure(self.path, compared=self.compared) if self.path else None

    def shown(self, column: Column) -> str:
        """What stands in the column's cell."""
        return self.figure(column) if self.cell is None else self.cell(column)

    def why_missing(self, result: Result) -> str:
        """Why the figure is not known though its stage was reached."""
        return self.missing(result) if callable(self.missing) else self.missing

    def figure(self, column: Column) -> str:
        """The figure alone, where there is no room for more."""
        value = self.value(column)
        return words.DASH if value is None else self.text(value)

    def place(self, column: Column) -> float | None:
        """Where the column lies on this metric's axis."""
        if self.axis is None:
            return None
        if self.axis.baseline is not None and not column.candidate:
            return self.axis.baseline
        value = self.value(column)
        return None if value is None else value / self.axis.scale

    def best(self) -> str:
        """The verdict's word for a better candidate; empty: there is no verdict."""
        return (
            ""
            if self.change is None or not self.better
            else (self.change.below if self.better == "less" else self.change.above)
        )

    def worst(self) -> str:
        """The verdict's word for a worse one."""
        return (
            ""
            if self.change is None or not self.better
            else (self.change.above if self.better == "less" else self.change.below)
        )
