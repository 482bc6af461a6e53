"""What a goal asks of a mix: which quantity shall be least, which of its limits a table foretells, and which data must show.

Apart from `advice/goals.py`, which reads goals: results are chosen among there, mixes that nobody has built yet here.
"""

from __future__ import annotations

from msgspec import Struct

from ..advice.goals import DROP, Goal, Limit
from ..advice.metrics import AIMS
from ..errors import UsageError, nearest
from .asked import Bounds, Checked, CostFigures
from .front import Bound
from .mixes import CostTable, Mix


class Wanted(Struct, frozen=True, kw_only=True):
    """A goal, its parts sorted by who can tell whether they are kept."""

    quantity: str
    """What shall be least, as goals name it."""
    drop: float | None
    """Quality that may be lost, as a share; None: limits say how good it must be."""
    foretold: tuple[Limit, ...] = ()
    """By the table of costs."""
    qualities: tuple[Limit, ...] = ()
    """By labels."""
    measured: tuple[Limit, ...] = ()
    """By a measurement of the built mix alone."""

    def bounds(self, table: CostTable) -> list[Bound]:
        """Limits on quantities of the table."""
        return [Bound(table.prices(limit.key), limit.value) for limit in self.foretold]

    def slack(self, judged: Checked) -> float:
        """By how much the worse end of the interval keeps the narrowest of what labels must show, as a share; below 0: it is
        not shown. A figure that is not known keeps nothing.
        """
        return min(self._slacks(judged).values(), default=0.0)

    def beyond(self, table: CostTable, mix: Mix, judged: Checked | None, built: CostFigures | None) -> float:
        """How far a mix is beyond the limit that it is farthest beyond, as a share of that, by the figures themselves; 0: none.

        What was measured comes before what is foretold; what is not known is no excess.
        """
        return max(self._excesses(table, mix, judged, built).values(), default=0.0)

    def short_of(self, table: CostTable, mix: Mix, judged: Checked | None, built: CostFigures | None) -> tuple[str, ...]:
        """The words of what a mix does not keep; of quality, of what it is not shown to keep."""
        short = {key for key, excess in self._excesses(table, mix, judged, built).items() if excess > 0}
        if judged is not None:
            short |= {key for key, slack in self._slacks(judged).items() if slack < 0}
        return tuple(key for key in (DROP, *(limit.key for limit in self._limits)) if key in short)

    @property
    def _limits(self) -> tuple[Limit, ...]:
        return (*self.qualities, *self.foretold, *self.measured)

    def _slacks(self, judged: Checked) -> dict[str, float]:
        slacks = {} if self.drop is None else {DROP: judged.difference.low + self.drop}
        for limit in self.qualities:
            seen = judged.qualities.get(limit.key)
            slacks[limit.key] = float("-inf") if seen is None else _slack(limit, seen)
        return slacks

    def _excesses(self, table: CostTable, mix: Mix, judged: Checked | None, built: CostFigures | None) -> dict[str, float]:
        far = {}
        for limit in (*self.foretold, *self.measured):
            value = built.figures.get(limit.key) if built is not None else None
            if value is None and limit in self.foretold:
                value = table.prices(limit.key).of_mix(mix)
            far[limit.key] = 0.0 if value is None else limit.excess(value * limit.metric.scale)
        for limit in self.qualities:
            seen = judged.qualities.get(limit.key) if judged is not None else None
            far[limit.key] = 0.0 if seen is None else limit.excess(seen.value * limit.metric.scale)
        if judged is not None and self.drop is not None:
            far[DROP] = max(0.0, -judged.difference.value - self.drop)
        return far


def _slack(limit: Limit, seen: Bounds) -> float:
    return seen.low - limit.value if limit.metric.better == "more" else limit.value - seen.high


def wanted(goal: Goal, table: CostTable) -> Wanted:
    """A goal as a search over this table understands it.

    Raises:
        UsageError: the table does not know what shall be least (no sensor told joules, say).
    """
    quantity = AIMS[goal.aim].limited_as
    if quantity not in table.quantities:
        able = [word for word, metric in AIMS.items() if metric.limited_as in table.quantities]
        raise UsageError(f"what a layer costs in {quantity} is not known here", fix=nearest(goal.aim, tuple(able)))
    qualities = tuple(limit for limit in goal.limits if limit.metric.quality)
    foretold = tuple(limit for limit in goal.limits if limit.key in table.quantities)
    rest = tuple(limit for limit in goal.limits if limit not in qualities and limit not in foretold)
    return Wanted(quantity=quantity, drop=goal.drop, foretold=foretold, qualities=qualities, measured=rest)
