"""What a search may take, as it is typed."""

from __future__ import annotations

import pytest
from edgetui.engine.advice.budget import parse_budget
from edgetui.engine.errors import UsageError


@pytest.mark.parametrize(
    ("text", "builds", "seconds"),
    [("8 builds", 8, None), ("2m", 12, 120.0), ("2 min", 12, 120.0), ("1.5h", 12, 5400.0), ("90s", 12, 90.0), (None, 12, None)],
)
def test_a_budget_is_builds_or_time_in_the_units_of_filters(text: str | None, builds: int, seconds: float | None):
    assert parse_budget(text, "formats") == (builds, seconds)


@pytest.mark.parametrize("text", ["2", "m", "2 months", "-2m"])
def test_what_is_no_budget_says_how_one_is_written(text: str):
    with pytest.raises(UsageError, match="is no budget"):
        parse_budget(text, "formats")
