"""What may mend ruined outputs: advice that the recipe's own steps can follow. Part of `ruined.py`, and words alone."""

from __future__ import annotations

from collections.abc import Sequence

from .spec import AnyStep, PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights

_NAMED = 4
"""Nodes that are named one by one, at most."""


def advice(steps: Sequence[AnyStep], exclude: Sequence[str] = (), keep: str = "") -> str:
    """What to try, by the steps that are on.

    exclude: nodes without whose integers the place stays in floating point. keep: the node that half precision breaks.
    """
    ways = [way for step in steps for way in _ways(step, _named(exclude), keep)]
    return ", or ".join(dict.fromkeys(ways)) or "choose a milder recipe"


def _ways(step: AnyStep, exclude: str, keep: str) -> list[str]:
    ways = []
    if isinstance(step, QuantizeInt8 | QuantizeWeights) and exclude:
        ways.append(f"`exclude` {exclude} from {step.method}")
    if isinstance(step, QuantizeInt8):
        ways.append(f"choose another calibrator than {step.calibrator}")
        if not step.per_channel:
            ways.append("give each channel a scale (`per_channel = true`)")
    if isinstance(step, QuantizeWeights) and step.bits == 4:
        ways.append("take 8 bits for the weights")
    if isinstance(step, PruneMagnitude):
        ways.append("prune less")
    if isinstance(step, PrecisionFp16) and keep:
        ways.append(f"`keep` {keep} out of {step.method}")
    return ways


def _named(nodes: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b, c and 5 more that read it`."""
    if len(nodes) > _NAMED:
        return f"{', '.join(nodes[: _NAMED - 1])} and {len(nodes) - _NAMED + 1} more that read it"
    return " and ".join(filter(None, (", ".join(nodes[:-1]), *nodes[-1:])))
