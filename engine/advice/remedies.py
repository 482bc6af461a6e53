"""What may mend ruined outputs: advice that the recipe's own steps can follow. `work/ruined_outputs.py` finds them."""

from __future__ import annotations

from collections.abc import Sequence

from ..schema.step import Step
from . import words

_NAMED = 4
"""Nodes that are named one by one, at most."""


def advice(steps: Sequence[Step], exclude: Sequence[str] = (), keep: str = "") -> str:
    """What to try, by the steps that are on.

    exclude: nodes without whose integers the place stays in floating point. keep: the node that half precision breaks.
    """
    ways = [way for step in steps for way in step.mends(_named(exclude), keep)]
    return ", or ".join(dict.fromkeys(ways)) or "choose a milder recipe"


def _named(nodes: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b, c and 5 more that read it`."""
    if len(nodes) > _NAMED:
        return f"{', '.join(nodes[: _NAMED - 1])} and {len(nodes) - _NAMED + 1} more that read it"
    return words.listed(nodes)
