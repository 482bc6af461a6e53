"""What a power sensor says while energy is measured, and whether it is to be believed: silent, frozen, stalling, slow.

Apart from `energy_rounds.py`, which says what runs when.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence

from msgspec import structs

from ..telemetry.energy import EnergyFigure, PowerPast, Readings, disbelieved
from ..telemetry.sample import Sample
from .throttling import ThrottleWatch

UPDATES = 20
"""Of the sensor, in a window."""
SETTLING_UPDATES = 5
_MEANS = 10
"""Times that a window is longer than what a reading is a mean of."""
_TELL_A_STEP = 5
"""Readings that differ, which have to be whole steps apart."""
POLL_S = 0.5
_STALLED_S, _STALLED_TIMES = 1.0, 10.0
_WAIT_S = 5.0
"""For the first reading, and for a sensor that has gone away."""
_ENOUGH_CHANGES, _SLOWEST_S = 8, 1.0
"""A steady load on a coarse rail changes its reading rarely, and is no slow sensor."""
_FIRST = 4
"""Readings before anything is decided by how far apart they are."""
_AROUND_S = 10.0
"""Readings so far before and behind a window serve its edges."""


class NoEnergy(Exception):
    """There is no figure, and this is why. It does not leave the stage."""


class Meter:
    """What the sensor says, kept from the first moment on: the ring is overwritten after a minute."""

    def __init__(self, readings: Readings, watch: ThrottleWatch) -> None:
        """`watch` sees all of it."""
        self.readings, self.watch = readings, watch
        self.past = PowerPast()
        """Without power where it cannot be."""
        self._newest: Sample | None = None
        self._disbelieved: Counter[str] = Counter()
        self._seen = max(readings.newest_number() - 1, 0)

    def poll(self) -> None:
        """Take over what is new."""
        for number, sample in self.readings.since(self._seen):
            self._seen = number
            self.watch.see(sample)
            why = disbelieved(sample)
            if why:
                self._disbelieved[why] += 1
                sample = structs.replace(sample, total_mw=None)
            self.past.add(sample, sample.total_mw)
            self._newest = sample

    def until(self, end_s: float) -> None:
        """Wait for a reading of power behind `end_s`.

        Raises:
            NoEnergy: none came.
        """
        give_up_s = time.monotonic() + _WAIT_S
        while self._newest_s() < end_s:
            if time.monotonic() > give_up_s:
                raise NoEnergy(f"the power sensor fell silent{self.why_silent()}")
            time.sleep(0.01)
            self.poll()

    def why_silent(self) -> str:
        """What the newest sample says of rails that it cannot read, and what was not believed, in brackets; empty: nothing."""
        newest = self._newest
        said = [f"{rail}: {newest.silent[rail]}" for rail in newest.rails_mw if rail in newest.silent] if newest else []
        said += filter(None, [self.passed_over()])
        return f" ({'; '.join(said)})" if said else ""

    def passed_over(self) -> str:
        """How many readings were not believed, and what they said; empty: all were."""
        return ", ".join(f"{many} readings of {what} passed over" for what, many in self._disbelieved.items())

    def figure(self, begin_s: float, end_s: float) -> EnergyFigure:
        """Energy between two times."""
        self.until(end_s)
        return self.past.figure(begin_s, end_s, around_s=_AROUND_S)

    def update_s(self) -> float:
        """How far apart the sensor's readings are: their stamps, or, where it is read more often than it converts, the least
        distance between changes, of which moving loads bring enough.
        """
        times = [t_s for t_s, _ in self.past.points()]
        distances = [b - a for a, b in itertools.pairwise(times)]
        if not distances:
            return 1.0
        apart = statistics.median(distances)
        changed = self.changes(times[0], times[-1])
        if len(changed) < _ENOUGH_CHANGES:
            return apart
        return max(apart, min(_SLOWEST_S, *(b - a for a, b in itertools.pairwise(changed))))

    def settling_s(self) -> float:
        """How long a new load is waited for: some updates, and until means hold nothing of the one before."""
        return max(SETTLING_UPDATES * self.update_s(), 2 * self.averaged_s)

    def window_s(self, least_s: float) -> float:
        """How long a window is: enough updates, and long beside what readings are means of."""
        return max(least_s, UPDATES * self.update_s(), _MEANS * self.averaged_s)

    @property
    def averaged_s(self) -> float:
        """What a reading is a mean of; 0: of an instant."""
        return self.readings.stats().averaged_s or 0.0

    def unseen_w(self, spans: Sequence[tuple[float, float]]) -> float:
        """Half width of what the sensor's step hides of mean power: half a step, where readings within `spans` move by less
        than that; 0 where noise carries them over several, for then means know better than a step.
        """
        readings = sorted({mw for _, mw in self.past.points()})
        step = math.gcd(*(b - a for a, b in itertools.pairwise(readings)))
        inside = [[mw for _, mw in self.past.points(begin_s, end_s)] for begin_s, end_s in spans]
        spread = [statistics.pstdev(each) for each in inside if len(each) > 1]
        if len(readings) < _TELL_A_STEP or not spread:
            return 0.0
        return step / 2000 if statistics.fmean(spread) < step / 2 else 0.0

    def changes(self, begin_s: float, end_s: float) -> list[float]:
        """When the reading changed."""
        return [after[0] for before, after in itertools.pairwise(self.past.points(begin_s, end_s)) if after[1] != before[1]]

    def wait_for_power(self) -> None:
        """Wait until the sensor has spoken.

        Raises:
            NoEnergy: the board tells no power.
        """
        end_s = time.monotonic() + _WAIT_S
        while True:
            self.poll()
            told = self.past.told(_FIRST)
            if len(told) == _FIRST and any(told):  # so many show how far apart they come
                return
            if len(told) == _FIRST or time.monotonic() > end_s:
                raise NoEnergy(f"no sensor here tells the power{self.why_silent()}")
            time.sleep(0.02)

    def sleep(self, seconds: float) -> None:
        """Wait, and take over what comes meanwhile."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, POLL_S))
            self.poll()

    def stall(self, begin_s: float, end_s: float) -> str:
        """That the sensor repeated one value for long while it usually changes; empty: it did not."""
        all_changes = self.changes(-math.inf, math.inf)
        usual = sorted(b - a for a, b in itertools.pairwise(all_changes))
        if len(usual) < UPDATES:
            return ""
        limit_s = max(_STALLED_S, _STALLED_TIMES * usual[len(usual) * 9 // 10])
        edges = [max((t for t in all_changes if t <= begin_s), default=begin_s), *self.changes(begin_s, end_s), end_s]
        longest_s = max(b - a for a, b in itertools.pairwise(edges))
        return f"the power sensor repeated one value for {longest_s:.1f} s" if longest_s > limit_s else ""

    def refuse_frozen(self, since_s: float) -> None:
        """See that the sensor follows the load.

        Raises:
            NoEnergy: the reading was one and the same since then, whether plans ran or not.
        """
        if not self.changes(since_s, time.monotonic()):
            raise NoEnergy(f"the power sensor said {self.past.newest[1] / 1000:g} W all the time, whether a plan ran or not")

    def _newest_s(self) -> float:
        return self.past.newest[0]
