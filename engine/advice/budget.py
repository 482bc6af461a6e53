"""What a search may cost: measured candidates at most, or a time."""

from __future__ import annotations

import re

from ..errors import UsageError
from ..schema.search import Over

USUAL_BUILDS: dict[Over, int] = {"formats": 12, "settings": 20, "channels": 20}
"""Measured candidates at most, where nobody says."""
WITHIN = " within "
"""Between a goal and a budget, where both are typed in one line."""
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|builds?)")
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_budget(text: str | None, over: Over) -> tuple[int, float | None]:
    """Measured candidates at most, and seconds after which nothing new is begun (None: no limit), of `8 builds`, `90min`, `2h`.

    Raises:
        UsageError: it is none of these.
    """
    if text is None:
        return USUAL_BUILDS[over], None
    told = _BUDGET.fullmatch(text.strip())
    if told is None:
        raise UsageError(f"`{text}` is no budget", fix="write `8 builds`, `90min` or `2h`")
    if told[2].startswith("build"):
        return int(float(told[1])), None
    return USUAL_BUILDS[over], float(told[1]) * _SECONDS[told[2]]
