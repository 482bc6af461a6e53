"""What `sensitivity` finds: how far outputs move when one unit is changed alone, or a setting is swept over the whole model.

No labels are used. Search reads the same rows.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .channel_table import ChannelTable, GroupMoves, rising

UNITS = "units"
"""What is gone through: one unit after another; else the name of the setting that is swept."""
GROUPS = "groups"
"""Or one group of channels after another, at a few shares each."""
UNKNOWN_MOVE = 1e6


class SensitivityRow(Struct, frozen=True, kw_only=True):
    """What one change does to the model's outputs."""

    unit: str = ""
    """Which unit was changed alone, by the node of it that multiplies first; empty: the whole model was."""
    place: int = 0
    """Among the units, in the model's order."""
    format: str = ""
    """What became of it: `int8`, `float16`, `integer weights`, or the method of the step that changes values."""
    value: float | None = None
    """The value of the setting that is swept; None: none is."""
    exclude: tuple[str, ...] = ()
    """The nodes of the unit that multiply: what a recipe names to leave it as it is."""
    nodes: tuple[str, ...] = ()
    """All nodes of the unit, in the model's order."""
    signature: str = ""
    """Hash of its operators and shapes: units of the same one cost the same. Empty: it was found by a version without."""
    weights: int | None = None
    """Weights that steps act on in what was changed."""
    zeros: float | None = None
    """Share of these that are zero then, 0..1."""
    kl: float | None = None
    """Kullback-Leibler divergence of the classes' shares, KL(original || changed), in nats, the mean over samples."""
    agreement: float | None = None
    """Share of samples of which the class with the highest score stays the same, 0..1."""
    sqnr_db: float | None = None
    """10 log10 of the outputs' power over that of their change, of the output that fares worst."""
    local_sqnr_db: float | None = None
    """The same of what the unit itself gives to the nodes behind it."""
    offset_rate: float | None = None
    """Mean of (a - b) / a over all outputs, a before and b after (Zhang et al.); it has a sign, and may cancel."""
    offset_rate_abs: float | None = None
    """The mean of |(a - b) / a|."""
    left_out: int | None = None
    """Output elements that are too near zero to divide by."""
    reasons: dict[str, str] = {}
    """Why figures of this row are not known, by their names."""

    @property
    def key(self) -> tuple[str, float | None]:
        """What tells it from other rows of the same question."""
        return self.unit, self.value


class WeightHistogram(Struct, frozen=True, kw_only=True):
    """The weights that steps act on before and after a setting, counted in the same equal bins."""

    setting: str
    value: float
    low: float
    high: float
    """Ends of the axis: 99 of 100 weights lie between them, so that a few large ones leave something to see."""
    before: tuple[int, ...]
    """Weights that are not zero, from `low` to `high`."""
    after: tuple[int, ...]
    zeros_before: int
    zeros_after: int
    beyond: int = 0
    """Weights of the original past the ends of the axis."""


class Sensitivity(Struct, frozen=True, kw_only=True):
    """What `sensitivity` prints."""

    model: str
    """Path of the model."""
    step: str
    """The method, e.g. `quantize.int8`."""
    over: str = UNITS
    """`units`: each unit alone; else the setting of the step that was swept over the whole model."""
    settings: dict[str, str | float | bool | tuple[str, ...] | None] = {}
    """The step's settings otherwise."""
    lowering: str = ""
    """Whose form of the graph was computed, on ONNX Runtime's CPU: what a unit of this backend's plan does to the numbers."""
    state: Literal["done", "unfinished"] = "done"
    data: str = ""
    """The samples' source; empty: they were made up."""
    samples: int = 0
    ranked_by: Literal["kl", "sqnr_db"] = "sqnr_db"
    """What tells how far outputs moved: `kl` where they are known to be classes."""
    rows: tuple[SensitivityRow, ...] = ()
    """Of units: the most sensitive first. Of a sweep: by value."""
    knee: float | None = None
    """The last value before the outputs' change bends upwards, by the greatest distance from the chord (Kneedle)."""
    histogram: WeightHistogram | None = None
    """Of a sweep that makes weights zero."""
    channels: ChannelTable | None = None
    """Of groups."""
    warnings: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    """Why other figures are not known, by their names."""

    def effect(self, row: SensitivityRow) -> float | None:
        """How far a row moved the outputs, more is farther; None: not known."""
        if self.ranked_by == "kl":
            return row.kl
        if row.sqnr_db is not None:
            return -row.sqnr_db
        return float("-inf") if row.offset_rate_abs == 0 else None

    def moved(self, row: SensitivityRow) -> float | None:
        """The same as what adds up over changes: KL, or the share of noise in the outputs' power; None: not known."""
        if self.ranked_by == "kl":
            return None if row.kl is None else max(row.kl, 0.0)
        if row.sqnr_db is not None:
            return float(10 ** (-row.sqnr_db / 10))
        return 0.0 if row.offset_rate_abs == 0 else None

    def group_moves(self) -> GroupMoves:
        """Of groups: what each share of each does; one of which it is not known counts as ruinous."""
        rows: dict[str, dict[float, float]] = {}
        for row in self.rows:
            moved = self.moved(row)
            rows.setdefault(row.unit, {})[row.value or 0.0] = UNKNOWN_MOVE if moved is None else moved
        return GroupMoves({group: rising(each) for group, each in rows.items()})

    def in_order(self, rows: tuple[SensitivityRow, ...]) -> tuple[SensitivityRow, ...]:
        """Rows as this document lists them: what is not known last."""
        if self.over != UNITS:
            return tuple(sorted(rows, key=lambda row: (row.place, row.value or 0.0)))

        def rank(row: SensitivityRow) -> tuple[bool, float]:
            effect = self.effect(row)
            return effect is None, -(effect or 0.0)

        return tuple(sorted(rows, key=rank))
