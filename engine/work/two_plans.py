"""Two plans that are one: an inference runs the first, and the second where the first was not sure.

Apart from the backends, which know one plan each, and from `measure/threshold.py`, which knows none. It is a `base.Session`, so
that all who verify, time and evaluate treat it as any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ..backends.base import Backend, Session
from ..errors import PlanRefused
from ..measure.threshold import MovingThreshold
from ..schema.escalation import RULE, EscalationRule, decode_rule
from ..schema.settings import BackendSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..backends.base import Feeds

    Outputs = dict[str, NDArray[np.generic]]

TWO = "adaptive"
"""What artifacts call the rule."""
Sure = Callable[["Mapping[str, NDArray[np.generic]]"], float]
"""How sure outputs are, 0 to 1."""
Sense = Callable[[], tuple[float | None, float | None]]
"""Watts and °C now; None: no sensor tells."""


def is_rule(plan: Path) -> bool:
    """Whether a plan is two, by its name."""
    return plan.name == RULE


def rule_at(path: Path) -> EscalationRule:
    """The rule of two plans.

    Raises:
        PlanRefused: it is not there, or none.
    """
    try:
        return decode_rule(path.read_bytes(), path.name)
    except OSError as error:
        raise PlanRefused(f"{path} cannot be read ({error.strerror})", fix="build it again with `edgetui build`") from None


def files_of(plan: Path) -> tuple[Path, ...]:
    """The files that are loaded for a plan: of a rule both plans.

    Raises:
        PlanRefused: as `rule_at`.
    """
    if not is_rule(plan):
        return (plan,)
    rule = rule_at(plan)
    return plan.with_name(rule.narrow), plan.with_name(rule.wide)


class Escalated:
    """What inferences of two plans were, over every time they are loaded: how many ran again, below which thresholds."""

    def __init__(self, rule: EscalationRule, sense: Sense | None = None, *, moves: bool = True) -> None:
        """`moves`: limits move the threshold; else it stays where it is fitted. `sense`: what tells what sensors say."""
        self._moving = MovingThreshold(rule.threshold, rule.limits)
        self._sense = sense
        self._lock = Lock()
        self.moves = moves and rule.limits.any
        self.held: float | None = None
        """A threshold that is held whatever the limits are; None: that of the rule, as limits move it."""
        self.forget()

    def forget(self) -> None:
        """Count anew."""
        self.seen = self.again = 0
        self._thresholds = 0.0

    @property
    def threshold(self) -> float:
        """Below which an input runs again, now."""
        return self._moving.now if self.held is None else self.held

    @property
    def mean_threshold(self) -> float:
        """Over the inferences counted; before the first the one of now."""
        return self._thresholds / self.seen if self.seen else self.threshold

    @property
    def share(self) -> float | None:
        """Of inferences that ran again; None: there were none."""
        return self.again / self.seen if self.seen else None

    @property
    def unheard(self) -> frozenset[str]:
        """Limits of which no sensor tells anything."""
        return frozenset(self._moving.unheard)

    def add(self, threshold: float, again: bool, took_ms: float) -> None:
        """One inference is over."""
        with self._lock:
            self.seen += 1
            self.again += again
            self._thresholds += threshold
            if self.moves and self._moving.took(took_ms) and self._sense is not None:
                self._moving.sensed(*self._sense())


def load_plan(
    backend: Backend,
    plan: Path,
    settings: BackendSettings,
    *,
    cooperative: bool = False,
    counted: Escalated | None = None,
) -> Session:
    """`backend.load`; of a rule both plans, which count and move their threshold in `counted`; None: in one of their own.
    `cooperative` sessions are not for timing, and no limit moves their threshold.

    Raises:
        PlanRefused, BackendRefused: as `backend.load`.
    """
    if not is_rule(plan):
        return backend.load(plan, settings, cooperative=cooperative)
    from ..tasks.sureness import asked  # with decoders, which one plan does without

    rule = rule_at(plan)
    narrow = backend.load(plan.with_name(rule.narrow), settings, cooperative=cooperative)
    try:
        second = plan.with_name(rule.wide)
        wide = backend.load(second, settings, cooperative=True) if cooperative else backend.load_resting(second, settings)
    except BaseException:
        narrow.close()
        raise
    batch = next((axis for tensor in narrow.inputs for axis in tensor.shape[:1] if isinstance(axis, int)), 1)
    return TwoPlans(narrow, wide, asked(rule.sureness, batch), counted or Escalated(rule, moves=not cooperative))


class TwoPlans(Session):
    """See `base.Session`; `counted` tells what its inferences were."""

    def __init__(self, narrow: Session, wide: Session, sure: Sure, counted: Escalated) -> None:
        self.narrow, self.wide, self.counted = narrow, wide, counted
        self.inputs, self.outputs = narrow.inputs, narrow.outputs
        self.max_concurrency = min(narrow.max_concurrency, wide.max_concurrency)
        self._sure = sure
        self._warm = False

    def run(self, feeds: Feeds) -> Outputs:
        """One inference; the first goes through both plans, so that memory and first inference are those of the worst case.

        Raises:
            DataRefused, BackendRefused: as of either plan, or the outputs do not say how sure it is.
        """
        if not self._warm:
            self._warm = True
            self.wide.run(feeds)
        return self._ruled(lambda: self.narrow.run(feeds), lambda: self.wide.run(feeds))

    def over(self, samples: Sequence[Feeds]) -> Callable[[int], Outputs]:
        """See `base.Session`."""
        first, second = self.narrow.over(samples), self.wide.over(samples)
        self._warm = True
        self.remark = "; ".join(filter(None, dict.fromkeys([self.narrow.remark, self.wide.remark])))
        return lambda number: self._ruled(lambda: first(number), lambda: second(number))

    def timed(self, feeds: Feeds) -> Callable[[], None]:
        """As `over`, of one sample."""
        infer = self.over([feeds])

        def once() -> None:
            infer(0)

        return once

    def _ruled(self, first: Callable[[], Outputs], second: Callable[[], Outputs]) -> Outputs:
        """One inference by the rule."""
        threshold, limited = self.counted.threshold, self.counted.moves
        began = time.perf_counter() if limited else 0.0
        outputs = first()
        again = threshold >= 1.0 or (threshold > 0.0 and self._sure(outputs) < threshold)
        if again:
            outputs = second()
        self.counted.add(threshold, again, 1e3 * (time.perf_counter() - began) if limited else 0.0)
        return outputs

    def plan_bytes(self) -> int | None:
        """Of both; None: one of them does not say."""
        sizes = [size for each in (self.narrow, self.wide) if (size := each.plan_bytes()) is not None]
        return sum(sizes) if len(sizes) == 2 else None

    def device_ms(self) -> float | None:
        """Of the first plan, and of the second in the share of inferences that ran again."""
        first, second = self.narrow.device_ms(), self.wide.device_ms()
        return None if first is None or second is None else first + second * (self.counted.share or 0.0)

    def close(self) -> None:
        """Both."""
        try:
            self.narrow.close()
        finally:
            self.wide.close()
