"""A search in words: nothing of what it found is cut off, however narrow."""

from __future__ import annotations

import pytest
from edgetui.engine.report.search_report import search_report
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.search import SearchDocument, SearchPoint

LONG = {"format": "int8", "calibrator": "percentile", "channels": "0.25", "factors": "0.75"}


def _found(settings: dict[str, str]) -> SearchDocument:
    point = SearchPoint(
        settings=settings,
        run="r1",
        measured=Ratio(value=0.436, low=0.43, high=0.442),
        difference=Ratio(value=-0.0036, low=-0.009, high=0.0018),
    )
    return SearchDocument(search="s1", state="done", goal="fastest", over="settings", built=(point,), why="found")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("settings", [LONG, {"format": "fp32"}])
def test_what_was_found_stands_whole(width: int, settings: dict[str, str]):
    told = search_report(_found(settings), width)
    assert all(len(line) <= width for line in told.split("\n"))
    assert "0.436 [0.430, 0.442]" in told
    assert "-0.36 [-0.90, +0.18]" in told
    assert settings["format"] in told
    assert ("factors 0.75" in " ".join(told.split())) == (settings is LONG)
