"""Whether two sides can be one computation, rounded in two ways: what a plan is held to beside the file it was built from.

Apart from `fidelity.py`, which tells how far outputs are apart and judges nothing.
"""

from __future__ import annotations

from . import ranked
from .sums import Equal

LEAST_EQUAL = 0.5
"""Of labels that two executors of one graph give, this share at least is equal, however they round."""
LEAST_ROWS = 0.5
"""Of rows, weighted by their scores, this share has a twin."""
LABELS_BEYOND_CHANCE = 0.3
"""Cohen's kappa, at least: two maps of a background agree whoever made them."""
ROWS_BEYOND_CHANCE = 0.5
"""The same for rows: where many lie on one grid, each has one of the others near it. Rounding of INT8 leaves 0.69 on a detector
whose scores hardly differ; other weights, boxes or scores leave less than 0.48."""
_CERTAIN = 0.9
_LEAST_ODD = 100
"""Labels that are not the most frequent one, or rows, below which chance tells nothing."""


def _beyond(share: float, chance: float) -> float:
    """Cohen's kappa."""
    return (share - chance) / (1 - chance) if chance < 1 else 1.0


def too_few_equal(equal: Equal) -> str:
    """What is wrong with the share of equal labels; empty: nothing."""
    share = equal.share()
    if share is None:
        return ""
    ours, theirs = equal.seen
    counted = sum(ours.values())
    chance = (
        sum(count * theirs[label] for label, count in ours.items()) / (counted * max(1, sum(theirs.values()))) if counted else 0
    )
    odd = counted - max(ours.values(), default=0)
    if share < LEAST_EQUAL:
        return f"only {share:.1%} of the labels are equal,".replace("%", " %")
    if odd >= _LEAST_ODD and _beyond(share, chance) < LABELS_BEYOND_CHANCE:
        return f"{share:.1%} of the labels are equal, little more than by chance,".replace("%", " %")
    return ""


def too_few_rows(found: ranked.RowMatches) -> str:
    """What is wrong with the rows that were matched; empty: nothing."""
    share = found.matched_weight / found.weight if found.weight else 1.0
    if share < LEAST_ROWS:
        return f"only {share:.1%} of the rows have a twin on the other side,".replace("%", " %")
    if found.chance_rows >= _LEAST_ODD and share < _CERTAIN:
        beyond = _beyond(found.chance_matched / found.chance_rows, found.by_chance / found.chance_rows)
        if beyond < ROWS_BEYOND_CHANCE:
            return f"{share:.1%} of the rows have a twin, little more than by chance,".replace("%", " %")
    return ""
