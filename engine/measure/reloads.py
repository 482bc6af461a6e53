"""Plans loaded anew between blocks: where a plan's memory happens to lie moves its times.

No number of blocks of one load tells of that: of ten runs of a model of 0.75 ms whose intervals were 0.3 to 0.8 % wide, five
did not hold their mean. With a load of its own for every block, or every few, it is part of what blocks differ by (Georges
et al. 2007, OOPSLA; Kalibera and Jones 2013, ISMM, who start processes).
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping

from ..backends.base import Session
from .issuer import Issuer
from .latency import Side

MOST_TIME = 0.25
"""Share of the measuring that loading may take, of all sides together: a plan that loads slowly is loaded less often."""
_WARM_S = 0.05
_WARM_INFERENCES = 3


def _closed() -> None:
    raise RuntimeError("the session of this issuer is closed")


class Reloads:
    """Asked before each block of a side."""

    def __init__(
        self,
        sessions: MutableMapping[str, Session],
        load: Callable[[str], Session],
        issuer: Callable[[Session], Issuer],
    ) -> None:
        """`sessions` by the names of their sides, in which each new one takes the place of the old, which is closed before."""
        self._sessions, self._load, self._issuer = sessions, load, issuer
        self._began = time.perf_counter()
        self._spent_s = dict.fromkeys(sessions, 0.0)
        self._last_s = dict.fromkeys(sessions, 0.0)
        self.loads = 0

    def before_block(self, side: Side) -> None:
        """Load the plan anew, unless its first block is still to come or there is no time for it.

        Raises:
            EdgetuiError: it cannot be loaded any more.
        """
        if not side.blocks or not side.issuer.loaded_anew:
            return
        name, now = side.name, time.perf_counter()
        if self._spent_s[name] + self._last_s[name] > MOST_TIME / len(self._sessions) * (now - self._began):
            return
        side.issuer.infer = _closed  # what infers holds the session: two of one plan would lie in memory
        self._sessions[name].close()
        self._sessions[name] = self._load(name)
        issuer = self._issuer(self._sessions[name])
        issuer.after(side.issuer)
        side.issuer = issuer
        began = time.perf_counter()
        for n in range(100_000):
            if n >= _WARM_INFERENCES and time.perf_counter() - began >= _WARM_S:
                break
            issuer.step()
        self._last_s[name] = time.perf_counter() - now
        self._spent_s[name] += self._last_s[name]
        self.loads += 1
