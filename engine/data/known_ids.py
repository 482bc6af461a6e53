"""Whether ids of a sample are among those that a model knows.

Apart from the readers because texts and arrays both have ids, and an executor refuses them in its own words, in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping

from .samples import Array


def past(name: str, ids: Array, known: Mapping[str, int]) -> str:
    """Why the ids of a sample are none of the model's; empty: they are."""
    many = known.get(name)
    if many is None or not ids.size:
        return ""
    low, high = int(ids.min()), int(ids.max())
    return (
        "" if -many <= low and high < many else f"it has the id {high if high >= many else low}, and input {name} takes {many}"
    )
