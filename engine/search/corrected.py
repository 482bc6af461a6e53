"""The table of costs held against mixes that were built and measured, and set right where they disagree.

Apart from the search, which asks for mixes: here numbers alone. A profile tells a layer's time while others do not run beside
it, and one entry may be wrong by a factor. Few built mixes tell of many entries, so what explains them with fewest changes
holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct, structs

from .asked import Bounds
from .mixes import CostTable, Floats, Format, Mix, Reformat, UnitCost

_TABLE_ERROR = 0.02
"""Standard deviation of the logarithm of a mix's cost that is no entry's fault: errors of many entries, which mostly cancel."""
_ENTRY_ERROR = 0.05
"""The same of a single entry, before anything is measured."""
_LIES = 3.0
"""Residuals past so many standard deviations ask for an entry that is wrong altogether."""
_FACTOR = 1.25
"""An entry that is wrong by less than this is no liar: small errors are spread over all entries."""
_AS_GOOD = 9.0
"""Entries that explain what was measured to within this much chi-square are suspected with the best one."""
_GRID = np.linspace(-math.log(40), math.log(40), 149)
_MOST_LIARS = 3


class BuiltMix(NamedTuple):
    """A mix that was measured: its cost over that of all in FP32."""

    mix: Mix
    ratio: Bounds


class Liar(Struct, frozen=True, kw_only=True):
    """An entry of the table that is wrong."""

    unit: str
    """Empty: all reformatting."""
    form: Format
    factor: float
    """What it really costs over what the table says."""
    suspects: tuple[tuple[str, Format], ...] = ()
    """Entries that explain what was measured as well, this one among them: one alone means that it was found."""


class CorrectedTable(Struct, frozen=True, kw_only=True):
    """A table as measured mixes leave it."""

    table: CostTable
    liars: tuple[Liar, ...] = ()
    residual: float = 0.0
    """The largest difference that is left between measured and foretold, as a logarithm of their ratio."""


class _Parts:
    """A table as entries, and of which of them each mix is the sum."""

    def __init__(self, table: CostTable, quantity: str, built: Sequence[BuiltMix]) -> None:
        self.entries: list[tuple[str, Format]] = [(unit.name, form) for unit in table.units for form in unit.costs]
        self.entries.append(("", "fp32"))
        self.base = self._row(table, quantity, table.baseline)
        self.rows = np.stack([self._row(table, quantity, each.mix) for each in built])
        self.fixed = table.fixed.get(quantity, 0.0)
        self.told = np.array([math.log(each.ratio.value) for each in built])
        wide = np.array([math.log(max(each.ratio.high / each.ratio.low, 1.0)) / (2 * 1.96) for each in built])
        self.spread = np.hypot(wide, _TABLE_ERROR)

    def _row(self, table: CostTable, quantity: str, mix: Mix) -> Floats:
        chosen = dict(zip((unit.name for unit in table.units), mix, strict=True))
        costs = [
            unit.costs[form][quantity] if chosen[unit.name] == form else 0.0 for unit in table.units for form in unit.costs
        ]
        pairs = zip(mix, mix[1:], table.borders, strict=False)
        return np.array([*costs, sum(border.costs.get((a, b), {}).get(quantity, 0.0) for a, b, border in pairs)])

    def residuals(self, logs: Floats) -> Floats:
        """Measured less foretold, in standard deviations, for logarithms of factors on entries.

        (..., entries) in, (..., mixes) out.
        """
        factors = np.exp(logs)
        foretold = np.log((factors @ self.rows.T + self.fixed) / (factors @ self.base + self.fixed)[..., None])
        return np.asarray((self.told - foretold) / self.spread, np.float64)

    def slopes(self, logs: Floats) -> Floats:
        """Derivatives of what is foretold, in standard deviations, (mixes, entries)."""
        mixes, base = self.rows * np.exp(logs), self.base * np.exp(logs)
        shares = mixes / (mixes.sum(axis=1) + self.fixed)[:, None] - base / (base.sum() + self.fixed)
        return np.asarray(shares / self.spread[:, None], np.float64)


def corrected_table(table: CostTable, quantity: str, built: Sequence[BuiltMix]) -> CorrectedTable:
    """A table with factors on its entries by which what was measured is foretold.

    Least squares of the logarithms of ratios, each entry held near what the table says (ridge, Gauss-Newton), after a robust
    step: as long as residuals are larger than noise and small errors explain, the one entry whose factor explains most is taken
    to be wrong altogether (orthogonal matching pursuit, Pati et al. 1993).

    built: all that was measured so far; always of the table as it was first told, for what is wrong is found anew.
    """
    if not built:
        return CorrectedTable(table=table)
    parts = _Parts(table, quantity, built)
    logs = np.zeros(len(parts.entries))
    wrong: list[int] = []
    suspects: dict[int, tuple[tuple[str, Format], ...]] = {}
    while len(wrong) < _MOST_LIARS and np.abs(parts.residuals(logs)).max() > _LIES:
        entry, rivals = _most_wrong(parts, logs)
        if entry in wrong:
            break
        wrong.append(entry)
        suspects[entry] = rivals
        logs = _fitted(parts, wrong, start=logs)
    logs = _fitted(parts, wrong, start=logs)
    liars = [
        Liar(unit=unit, form=form, factor=float(np.exp(logs[n])), suspects=suspects[n])
        for n in wrong
        for unit, form in (parts.entries[n],)
        if abs(logs[n]) > math.log(_FACTOR)
    ]
    left = float(np.abs(parts.residuals(logs) * parts.spread).max())
    factors = dict(zip(parts.entries, np.exp(logs).tolist(), strict=True))
    return CorrectedTable(table=_scaled(table, quantity, factors), liars=tuple(liars), residual=left)


def _most_wrong(parts: _Parts, logs: Floats) -> tuple[int, tuple[tuple[str, Format], ...]]:
    """The entry whose factor alone explains most of what is left, and all that explain as much."""
    tried = np.repeat(logs[None, :], len(_GRID), axis=0)
    left = np.full(len(parts.entries), np.inf)
    for entry in range(len(parts.entries)):
        if not parts.rows[:, entry].any():
            continue
        tried[:, entry] = logs[entry] + _GRID
        left[entry] = (parts.residuals(tried) ** 2).sum(axis=1).min()
        tried[:, entry] = logs[entry]
    best = int(left.argmin())
    rivals = np.flatnonzero(left <= left[best] + _AS_GOOD)
    return best, tuple(parts.entries[n] for n in sorted(rivals, key=lambda n: (n != best, n)))


def _fitted(parts: _Parts, wrong: Sequence[int], start: Floats) -> Floats:
    """The logarithms of factors that leave least, entries that are `wrong` being free."""
    logs = start.copy()
    if wrong:  # from the best of the grid, for far away the slope misleads
        tried = np.repeat(logs[None, :], len(_GRID), axis=0)
        tried[:, wrong[-1]] = _GRID
        logs = tried[int((parts.residuals(tried) ** 2).sum(axis=1).argmin())]
    held = np.full(len(logs), 1 / _ENTRY_ERROR**2)
    held[list(wrong)] = 1e-4
    for _ in range(20):
        slopes = parts.slopes(logs)
        step = np.linalg.solve(slopes.T @ slopes + np.diag(held), slopes.T @ parts.residuals(logs) - held * logs)
        logs = np.clip(logs + np.clip(step, -0.5, 0.5), _GRID[0], _GRID[-1])
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(logs, np.float64)


def _scaled(table: CostTable, quantity: str, factors: dict[tuple[str, Format], float]) -> CostTable:
    """The table with one quantity multiplied, entry by entry."""

    def unit(each: UnitCost) -> UnitCost:
        costs = {form: told | {quantity: told[quantity] * factors[each.name, form]} for form, told in each.costs.items()}
        return structs.replace(each, costs=costs)

    def border(each: Reformat) -> Reformat:
        costs = {
            pair: told | ({quantity: told[quantity] * factors["", "fp32"]} if quantity in told else {})
            for pair, told in each.costs.items()
        }
        return structs.replace(each, costs=costs)

    return structs.replace(table, units=tuple(map(unit, table.units)), borders=tuple(map(border, table.borders)))
