"""What is chosen among: a chain of units, the formats that each can be computed in, and what each format costs.

Apart from `front.py`, which searches it, so that who has measured can build it without knowing how.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Format = Literal["fp32", "fp16", "int8"]
FORMATS: tuple[Format, ...] = ("fp32", "fp16", "int8")
Mix = tuple[Format, ...]
"""The format of each unit, in the order of the chain."""

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class UnitCost(Struct, frozen=True, kw_only=True):
    """A unit of the chain and what it costs in each format that the backend has for it."""

    name: str
    costs: dict[Format, dict[str, float]]
    """By format, by quantity, as goals name it: `latency_ms`, `energy_j`, `size_mb`, `memory_mb`. `fp32` is always there."""


class Reformat(Struct, frozen=True, kw_only=True):
    """What it costs to hand a tensor from one unit to the next where their formats differ."""

    costs: dict[tuple[Format, Format], dict[str, float]] = {}
    """By the formats before and behind, by quantity; what is not there is free."""


class CostTable(Struct, frozen=True, kw_only=True, dict=True):
    """Costs of a chain. A mix costs the sum of its units, of its borders, and what no unit has a part in."""

    units: tuple[UnitCost, ...]
    borders: tuple[Reformat, ...] = ()
    """One fewer than units; empty: borders are free. What the model's own inputs and outputs cost belongs to their units."""
    fixed: dict[str, float] = {}
    """By quantity."""

    @cached_property
    def quantities(self) -> frozenset[str]:
        """What is known of every unit in every format."""
        known = [frozenset(costs) for unit in self.units for costs in unit.costs.values()]
        return frozenset.intersection(*known) if known else frozenset()

    @property
    def baseline(self) -> Mix:
        """All in FP32."""
        return tuple(FORMATS[0] for _ in self.units)

    def prices(self, quantity: str) -> Prices:
        """One quantity of it, as arrays."""
        return Prices.of(self, quantity)


class Prices(Struct, frozen=True, kw_only=True):
    """One quantity of a cost table. Formats are numbered as in FORMATS."""

    units: Floats
    """(units, formats); infinite where a unit does not have the format."""
    borders: Floats
    """(units - 1, formats, formats)."""
    fixed: float = 0.0

    @classmethod
    def of(cls, table: CostTable, quantity: str) -> Prices:
        """The arrays of a quantity.

        Raises:
            ValueError: it is not known of all units, or there are not as many borders as the chain has.
        """
        if quantity not in table.quantities:
            raise ValueError(f"{quantity} is not known of every unit")
        if table.borders and len(table.borders) != len(table.units) - 1:
            raise ValueError(f"{len(table.borders)} borders between {len(table.units)} units")
        units = np.full((len(table.units), len(FORMATS)), np.inf)
        for n, unit in enumerate(table.units):
            for name, costs in unit.costs.items():
                units[n, FORMATS.index(name)] = costs[quantity]
        borders = np.zeros((max(0, len(table.units) - 1), len(FORMATS), len(FORMATS)))
        for n, border in enumerate(table.borders):
            for (before, behind), costs in border.costs.items():
                borders[n, FORMATS.index(before), FORMATS.index(behind)] = costs.get(quantity, 0.0)
        return cls(units=units, borders=borders, fixed=table.fixed.get(quantity, 0.0))

    def total(self, mixes: Places) -> Floats:
        """What mixes cost, (mixes, units) as `places` gives them."""
        each = np.arange(len(self.units))
        told = self.units[each, mixes].sum(axis=1) + self.borders[each[:-1], mixes[:, :-1], mixes[:, 1:]].sum(axis=1)
        return np.asarray(told + self.fixed, np.float64)

    def of_mix(self, mix: Mix) -> float:
        """What one mix costs."""
        return float(self.total(places([mix]))[0])


def places(mixes: Sequence[Mix]) -> Places:
    """The numbers of the formats, (mixes, units)."""
    return np.array([[FORMATS.index(each) for each in mix] for mix in mixes], np.intp)


def mix_of(row: Sequence[int] | Places) -> Mix:
    """A mix from the numbers of its formats."""
    return tuple(FORMATS[int(each)] for each in row)


def total_effect(effects: Floats, mixes: Places) -> Floats:
    """The sum of what each unit alone does to the outputs; (units, formats) and (mixes, units) in."""
    return np.asarray(effects[np.arange(len(effects)), mixes].sum(axis=1), np.float64)
