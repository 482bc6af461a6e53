"""Blocks of several sides in turns, in an order drawn at random, until what they are measured for is decided.

Apart from `latency.py` and `paired.py`: it knows neither plans nor clocks, so that simulated machines go through the same
decisions (`make bench-statistics`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..system.reporter import Reporter
from .latency import MOST_SAMPLES, Record, Rule
from .statistics import comparisons, corrected, effective, paired_ratio, relative_width

Timed = TypeVar("Timed", bound=Record)

_READINGS_EVERY_S = 0.5
LEAST_ROUNDS = 2
_FEWEST_ORDERS = 24
"""Rounds that balance each other are not independent: a sine of three blocks faked a difference of two sides in 5.8 % of runs
where each four rounds were balanced."""
_GROWTH = 1.5
"""How many times as many rounds there may be at the next look."""


def orders(n: int, rounds: int, seed: int) -> list[tuple[int, ...]]:
    """For each round the order of `n` sides, counted from 0: drawn by `seed`, and balanced.

    Rows of Williams' squares (1949, Aust. J. Sci. Res. A 2:149), of 2n rows where n is odd: within each square every side
    stands as often in each place, and as often right behind each other side, as any other. Squares are repeated to 24 rows at
    least; which side bears which number in them, and the order of the rows, are drawn. Two sides: of each 24 rounds each
    begins twelve.

    Raises:
        ValueError: `n` is below 1.
    """
    return list(itertools.islice(_drawn(n, np.random.default_rng(seed)), rounds))


def _drawn(n: int, draw: np.random.Generator) -> Iterator[tuple[int, ...]]:
    rows = _williams(n)
    rows = np.tile(rows, (math.ceil(_FEWEST_ORDERS / len(rows)), 1))
    while True:
        named = draw.permutation(n)[rows]
        for row in draw.permutation(len(named)):
            yield tuple(named[row].tolist())


def _williams(n: int) -> NDArray[np.intp]:
    """Rows of numbers 0 to n - 1: one square of an even `n`; of an odd one, two, the second the first read backwards."""
    if n < 1:
        raise ValueError(f"no order of {n}")
    first = [(k + 1) // 2 if k % 2 else (n - k // 2) % n for k in range(n)]  # 0, 1, n-1, 2, n-2, ...
    square = (np.array(first) + np.arange(n)[:, None]) % n
    return np.concatenate([square, square[:, ::-1]]) if n % 2 and n > 1 else square


def in_turns(
    sides: Sequence[Timed],
    take: Callable[[Timed], None],
    rule: Rule,
    seed: int,
    say: Reporter,
    clock: Callable[[], float],
    spoilt: Callable[[], int] = lambda: 0,
) -> list[tuple[int, ...]]:
    """Have `take` add blocks to `sides` until the rule holds or its time is up by `clock`; the order of each round.

    `spoilt` is asked after each round how many of the last ones are to be measured again, in the orders that they had.

    Whoever looks after every round stops at an interval that is too narrow by chance. So the next look is when as many
    rounds are there as the last one said are needed, at most half as many more: triple sampling (Hall 1981, Ann. Stat. 9:1229),
    repeated.
    """
    taken: list[tuple[int, ...]] = []
    began = clock()
    said = 0.0
    look = 1
    drawn, again = _drawn(len(sides), np.random.default_rng(seed)), list[tuple[int, ...]]()
    while True:
        order = again.pop() if again else next(drawn)
        for side in order:
            take(sides[side])
        taken.append(order)
        if back := spoilt():
            for each in sides:
                each.drop(back)
            again += taken[: -back - 1 : -1]
            del taken[-back:]
            if not taken:
                continue
        elapsed = clock() - began
        done = elapsed > rule.cap_s and len(taken) >= LEAST_ROUNDS
        if not done and len(taken) >= look:
            share = share_done(sides, rule)
            done = share >= 1
            share = max(share, min(side.n for side in sides) / MOST_SAMPLES)
            look = math.ceil(min(len(taken) / share, len(taken) * _GROWTH))
        if done or elapsed - said > _READINGS_EVERY_S:
            said = elapsed
            _tell(sides, rule, elapsed, say)
        if done:
            break
    return taken


def _tell(sides: Sequence[Record], rule: Rule, elapsed_s: float, say: Reporter) -> None:
    for side in sides:
        means = side.means_ms()
        say.reading(side.name, float(means[-1]), float(means.mean()), side.relative_half_width(), side.n)
    share = share_done(sides, rule)
    total_s = min(elapsed_s / share if share else rule.cap_s, max(rule.cap_s, elapsed_s))
    say.progress(elapsed_s, total_s, "s of measuring")


def share_done(sides: Sequence[Record], rule: Rule) -> float:
    """How much of what the preset wants is there, 0..1: samples, time, and the blocks an interval that narrow needs.

    With `MOST_SAMPLES` of each side it is enough, whatever they say.
    """
    return 1.0 if all(side.n >= MOST_SAMPLES for side in sides) else share_decided(sides, rule)


def share_decided(sides: Sequence[Record], rule: Rule) -> float:
    """The same without that limit; so many samples do for the time that a model of microseconds does not take."""
    each = [min(side.n / rule.samples, max(side.windows_s / rule.measured_s, side.n / MOST_SAMPLES)) for side in sides]
    width, worth = half_width(sides), independent(sides)
    narrow = 0.0 if width is None else (rule.half_width / max(width, 1e-12)) ** 2
    known = worth / rule.independent if rule.independent and not sides[0].apart else 1.0
    return min(*each, narrow, known, 1.0)


def half_width(sides: Sequence[Record]) -> float | None:
    """Half width of what decides, as a share of it; None: fewer than two rounds.

    That is the ratio of any two sides, of latency and of whatever else is compared, the widest of them, each at the confidence
    `corrected` for the number of sides. How well each mean is known by itself is no matter: what slows all sides alike would
    keep them at it to the cap. One side has its mean.
    """
    if len(sides) == 1:
        return sides[0].relative_half_width()
    confidence = corrected(comparisons(len(sides)))
    each = list(zip(*(side.deciding() for side in sides), strict=True))
    pairs = (pair for values in each for pair in itertools.combinations(values, 2))
    widths = [relative_width(*paired_ratio(one, other, confidence)) for one, other in pairs]
    known = [width for width in widths if width is not None]
    return max(known) if len(known) == len(widths) else None


def independent(sides: Sequence[Record]) -> float:
    """How many independent rounds those measured are worth, for what decides."""
    if len(sides) == 1:
        return effective(sides[0].means_ms())
    each = zip(*(side.deciding() for side in sides), strict=True)
    return min(effective(np.log(other) - np.log(first)) for first, *others in each for other in others)
