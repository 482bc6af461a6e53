"""The rounds of a sweep: which mode is next, which points in it, and when enough is known.

Blocks of modes in an order that is drawn anew each round, points within a block likewise: a board warms up over minutes, and
what comes always first would be measured cooler. Points cannot be interleaved more finely, as a switch takes seconds. What is
measured is asked of a `SweptMachine`, so that tests simulate boards of every kind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from ..advice.sweep_answer import rows_of, undecided
from ..schema.power_mode import PowerMode
from ..schema.sweep import SweepRequest
from ..schema.sweep_shot import Shot

MORE_ROUNDS = 4
"""At most, of points that further rounds may decide between."""


class SweptMachine(Protocol):
    """What a sweep asks of the board, and of whoever executes the plan."""

    def set_mode(self, mode: PowerMode) -> str:
        """Set a power mode; why it is not on then, empty: it is."""
        ...

    def settle(self) -> None:
        """Wait until clocks are steady and the board is as cool as it was."""
        ...

    def measure(self, points: Sequence[int], round: int, tell: Callable[[Shot], None]) -> None:  # noqa: A002
        """A window of each point, in this order; `tell` hears each as it is taken, failures too."""
        ...


class Rounds:
    """What has been measured, and what is to be."""

    def __init__(
        self,
        asked: SweepRequest,
        machine: SweptMachine,
        shots: Iterable[Shot] = (),
        modes: Mapping[str, str] | None = None,
    ) -> None:
        """`shots`: those that were taken before. `modes`: that did not come, and why."""
        self.asked, self.machine = asked, machine
        self.shots = list(shots)
        self.modes = dict(modes or {})

    def go(
        self,
        tell: Callable[[Shot], None],
        not_come: Callable[[str, str], None],
        block: Callable[[int, PowerMode | None, int], None],
        ending: Callable[[], bool],
    ) -> None:
        """Through all rounds, or until `ending` says so.

        Args:
            tell: hears every window.
            not_come: hears of a mode that did not come, and why.
            block: hears the round, the mode and how many points, before each block.
            ending: whether somebody has asked for the end.
        """
        for round_ in range(self.asked.rounds + MORE_ROUNDS):
            wanted = self.wanted(round_)
            for mode in self._order(round_):
                left = [point for point in wanted if self.asked.points[point].mode == (mode.name if mode else None)]
                if not left:
                    continue
                if ending():
                    return
                block(round_, mode, len(left))
                if mode is not None and (why := self.machine.set_mode(mode)):
                    self.modes[mode.name] = why
                    not_come(mode.name, why)
                    continue
                self.machine.settle()
                if ending():
                    return
                random.Random(f"{self.asked.seed} {round_} {mode}").shuffle(left)  # noqa: S311
                self.machine.measure(left, round_, lambda shot: self._take(shot, tell))
                if ending():
                    return

    def _take(self, shot: Shot, tell: Callable[[Shot], None]) -> None:
        self.shots.append(shot)
        tell(shot)

    def wanted(self, round_: int) -> list[int]:
        """Points that want a window in this round, and have none."""
        taken = {shot.point for shot in self.shots if shot.round == round_}
        failed = {shot.point for shot in self.shots if shot.reason} | set(self.asked.reasons)
        points = range(len(self.asked.points))
        some: Sequence[int] = points
        if round_ >= self.asked.rounds:
            some = undecided(rows_of(self.asked, self.shots, self.modes), self.asked.want)
        return [
            point for point in some if point not in taken | failed and (self.asked.points[point].mode or "") not in self.modes
        ]

    def _order(self, round_: int) -> list[PowerMode | None]:
        modes: list[PowerMode | None] = [*self.asked.modes] or [None]
        random.Random(f"{self.asked.seed} {round_}").shuffle(modes)  # noqa: S311
        return modes
