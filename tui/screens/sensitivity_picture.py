"""Which questions the screen Sensitivity can ask, and what it draws of their rows. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...engine.advice.words import grouped, percent
from ...engine.report import sensitivity_table as told
from ...engine.report.width import shortened
from ...engine.schema.sensitivity import UNITS, Sensitivity, SensitivityRow, WeightHistogram
from ...engine.schema.step import Step
from ...engine.schema.steps import plain_step
from ..widgets.dots import Graph
from ..widgets.histogram import Counted, histograms
from ..widgets.lines import Line, side_by_side, wrap
from ..widgets.sweep_bars import SweepBar, sweep_bars

METHODS = ("quantize.int8", "precision.fp16", "prune.magnitude")
"""Steps that are offered where the recipe has no others."""
WIDE = 110
"""From so many columns on all figures have a column."""
_NARROW = 4
"""So many have one on a narrower screen; the others stand at its foot."""
_LESS_ASKED = ("local_sqnr_db", "left_out")
ROWS = 8
"""Of a picture, where the screen is not tall."""


class SensitivityView(NamedTuple):
    """One question that the screen can ask."""

    step: Step
    over: str

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.step.method}   {'each unit alone' if self.over == UNITS else f'{self.over} of the whole model'}"


def views_of(steps: Sequence[Step]) -> tuple[SensitivityView, ...]:
    """The questions about a recipe's steps, then about those that every recipe might have."""
    mine = {step.method: step for step in reversed(steps) if step.sparing}
    every = [*mine.values(), *(plain_step(method) for method in METHODS if method not in mine)]
    return tuple(SensitivityView(step, over) for step in every for over in (*step.sweeps, UNITS))


def bar_length(found: Sensitivity, row: SensitivityRow) -> float:
    """How long a row's bar is, before all are brought to one scale."""
    if found.over != UNITS:
        return min(1.0, row.offset_rate_abs or 0.0)
    if found.ranked_by == "kl":
        return row.kl or 0.0
    return 0.0 if row.sqnr_db is None else float(10 ** (-row.sqnr_db / 20))


def is_knee(found: Sensitivity, row: SensitivityRow) -> bool:
    """Whether the sweep's curve bends behind a row."""
    return row.value is not None and row.value == found.knee


def columns(found: Sensitivity, width: int) -> tuple[str, ...]:
    """The figures that have a column on a screen of some width."""
    names = told.shown(found)
    if width >= WIDE or len(names) <= _NARROW:
        return names
    return tuple(name for name in names if name not in _LESS_ASKED)[:_NARROW]


def called(found: Sensitivity, row: SensitivityRow) -> str:
    """A unit's name, or a value with the mark of the knee."""
    return row.unit or f"{told.setting(row.value)}{'  knee' if is_knee(found, row) else ''}"


def curve(found: Sensitivity, width: int, height: int, graph: Graph) -> list[Line]:
    """The sweep: a bar for each value, as high as outputs are off; off by their whole size is the most that is drawn."""
    shown = [SweepBar(_short(row.value or 0.0), bar_length(found, row), is_knee(found, row)) for row in found.rows]
    most = max((bar.effect or 0.0 for bar in shown), default=0.0)
    beyond = any((row.offset_rate_abs or 0.0) > 1.0 for row in found.rows)
    top = f">{percent(most)}" if beyond else percent(most)
    return sweep_bars(shown, width, height, top, told.COLUMNS["offset_rate_abs"], graph)


def weights_picture(counted: WeightHistogram, width: int, height: int, graph: Graph) -> list[Line]:
    """The weights before and after, those that are zero and those past the axis told beside."""
    total, past = sum(counted.before) + counted.beyond, f" · {grouped(counted.beyond)} beyond" if counted.beyond else ""
    before, after = (
        Counted(name, "accent" if name == "before" else "warn", counts, total, f"{grouped(none)} zeros{past}")
        for name, counts, none in (
            ("before", counted.before, counted.zeros_before),
            (f"after {counted.setting} {told.setting(counted.value)}", counted.after, counted.zeros_after),
        )
    )
    return histograms([before, after], width, height, counted.low, counted.high, "weight", graph)


def row_words(found: Sensitivity, row: SensitivityRow, over: str, width: int) -> list[Line]:
    """All that is known of a row, as lines."""
    nodes = f"   {len(row.nodes)} node{'' if len(row.nodes) == 1 else 's'}" if row.nodes else ""
    weights = f"   {grouped(row.weights)} weights" if row.weights else ""
    name = shortened(row.unit or f"{over} {told.setting(row.value)}", max(8, width - 2 - len(weights + nodes)))
    figures = [
        (f"{word} {told.cell(row, figure)}", "dim") for figure, word in told.COLUMNS.items() if figure not in row.reasons
    ]
    why = told.why_none(found, row)
    lines: list[Line] = [((f" {name}", "value"), (f"{weights}{nodes}", "dim")), *side_by_side(figures, width)]
    return [*lines, *wrapped(why, "warn" if row.sqnr_db is None else "dim", width)] if why else lines


def wrapped(text: str, kind: str, width: int) -> list[Line]:
    """A text as lines of a screen that is so wide."""
    return [((f" {row}", kind),) for row in wrap(text, max(20, width - 4))]


def _short(value: float) -> str:
    """A value in five columns: `3e-6`, `0.03`, `0.5`."""
    return f"{value:.0e}".replace("e-0", "e-") if 0 < value < 0.01 else f"{value:.2g}"
