"""Where a curve that stays flat and then rises begins to rise: the knee of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_RISE = 0.005
"""A curve that rises by less has no bend that anyone should act on."""
CAP = 1.0
"""An output that is off by its whole size is lost: farther values say no more, and would flatten all that is before them."""
LEAST_BEND = 0.1
"""A straight line is at distance 0 from its chord; noise makes some hundredths."""


def knee(values: Sequence[float], effects: Sequence[float | None]) -> tuple[float | None, str]:
    """The last of the evenly spaced `values` (ascending; thresholds of a power each) before `effects` bend upwards; or None and
    the reason.

    Kneedle (Satopää, Albrecht, Irwin and Raghavan 2011, Finding a "Kneedle" in a Haystack) of a convex rising curve: both axes
    are brought to 0..1 and the knee is where the curve lies farthest below the chord between its ends. Effects above `CAP`
    count as `CAP`, and the curve is made to rise only: a later value that does less by chance takes nothing back.
    """
    known = [(n, effect) for n, effect in enumerate(effects) if effect is not None]
    if len(known) < 3:
        return None, "a bend needs three values with a known effect"
    rising: list[float] = []
    for _, effect in known:
        rising.append(max(min(effect, CAP), rising[-1] if rising else 0.0))
    low, high = rising[0], rising[-1]
    if high - low < LEAST_RISE:
        return None, f"the outputs move by less than {100 * LEAST_RISE:g} % over the whole sweep"
    first, last = known[0][0], known[-1][0]
    below = [(n - first) / (last - first) - (effect - low) / (high - low) for (n, _), effect in zip(known, rising, strict=True)]
    place = max(range(len(below)), key=below.__getitem__)
    if below[place] < LEAST_BEND:
        return None, "the outputs move evenly over the sweep: there is no bend"
    return values[known[place][0]], ""
