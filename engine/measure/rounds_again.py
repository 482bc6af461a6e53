"""Rounds of blocks in which the machine was held back: how many of the last ones are measured again, and what is said of it.

Apart from `turns.py`, which knows no sensors, and `throttling.py`, which judges samples alone. It looks between rounds only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..system.reporter import Reporter
from ..telemetry.energy import Readings
from .latency import Record
from .throttling import ThrottleWatch

MOST_AGAIN = 10
"""Times that rounds are taken back; after these, what the machine does counts as it is."""
COOLING_S = 1.0
"""Without work, before they are measured again."""


@dataclass(frozen=True)
class Watched:
    """What tells of the machine."""

    readings: Readings | None = None
    """None: nothing does."""
    watch: ThrottleWatch = field(default_factory=ThrottleWatch)


class RoundsAgain:
    """Asked after each round of `sides`; a round is a block of each."""

    def __init__(self, board: Watched, say: Reporter, sides: Sequence[Record]) -> None:
        self._readings, self._watch, self._say, self._sides = board.readings, board.watch, say, sides
        self._seen = max(self._readings.newest_number() - 1, 0) if self._readings is not None else 0
        self._settled = 0
        """Rounds that stay, whatever is heard."""
        self.again = 0

    def __call__(self) -> int:
        """How many of the last rounds are to be measured again."""
        self.look()
        rounds = len(self._sides[0].blocks)
        held = next((n for n in range(self._settled, rounds) if any(self.why(side, n) for side in self._sides)), None)
        if held is None:
            return 0
        if self.again == MOST_AGAIN:
            self._settled = rounds
            return 0
        self.again += 1
        why = next(filter(None, (self.why(side, held) for side in self._sides)))
        self._say.note(f"latency: {why}; {rounds - held} rounds are measured again")
        time.sleep(COOLING_S)
        return rounds - held

    def why(self, side: Record, block: int) -> str:
        """Why the machine was held back in a block; empty: nothing says so."""
        began_s = side.began_ns[block] / 1e9
        return self._watch.why(began_s, began_s + side.block_s[block])

    def throttled(self, side: Record) -> int | None:
        """Blocks that count though the machine was held back; None: nothing tells of that."""
        return sum(bool(self.why(side, n)) for n in range(len(side.blocks))) if self._watch.told else None

    def close(self, why: str = "it was heard too late") -> None:
        """Hear what came last, and warn where blocks count in which the machine was held back. `why` nothing was taken back."""
        self.look()
        held = [told for side in self._sides for n in range(len(side.blocks)) if (told := self.why(side, n))]
        if held:
            many = sum(len(side.blocks) for side in self._sides)
            again = f"after rounds were taken back {self.again} times" if self.again else why
            self._say.warn(f"latency: {held[0]} in {len(held)} of {many} blocks, which count: {again}")

    def look(self) -> None:
        """Hear what has come."""
        for number, sample in self._readings.since(self._seen) if self._readings is not None else ():
            self._seen = number
            self._watch.see(sample)
